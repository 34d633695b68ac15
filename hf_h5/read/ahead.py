"""Rows that will be read soon, asked of the servers that have them: a round trip is over before it is waited for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..describe.schema import Table
from ..describe.urls import is_url
from .direct import DirectDataset
from .plan import Rows, as_rows
from .reader import TableReader
from .rows import RowSource

__all__ = ["can_prefetch", "prefetch_rows"]


def can_prefetch(source: RowSource) -> bool:
    """Whether rows of a source come from servers, by their bytes."""
    return isinstance(source, TableReader) and any(is_url(file) for file in source.schema.files)


def prefetch_rows(source: RowSource, rows: NDArray[np.int64], names: Sequence[str]) -> None:
    """Begin to fetch what ``source.read(rows, names)`` would ask for; what comes by the HDF5 library is left out."""
    if not isinstance(source, TableReader):
        return
    table = source.schema
    for number, local in _by_part(table, rows):
        part = table.parts[number]
        # Columns of one dataset are read from the same bytes.
        columns = {part.path_of(column): column for column in map(part.columns.__getitem__, names)}
        for column in columns.values():
            if column.take == "rows" and not column.axis:
                dataset = source.find_dataset(part, column)
                if isinstance(dataset, DirectDataset):
                    dataset.prefetch(local)


def _by_part(table: Table, rows: NDArray[np.int64]) -> list[tuple[int, Rows]]:
    """The rows of each part, by their numbers in it; ``rows`` ascend."""
    owners = np.searchsorted(table.starts, rows, side="right") - 1
    numbers, firsts = np.unique(owners, return_index=True)
    stops = [*firsts[1:].tolist(), len(rows)]
    return [
        (number, as_rows(rows[first:stop] - table.starts[number], table.parts[number].n_rows))
        for number, first, stop in zip(numbers.tolist(), firsts.tolist(), stops, strict=True)
    ]
