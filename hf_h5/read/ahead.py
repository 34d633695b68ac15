"""Rows that will be read soon, asked of the servers that have them: a round trip is over before it is waited for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..describe.urls import is_url
from .plan import as_rows
from .reader import TableReader
from .rows import RowSource

__all__ = ["can_prefetch", "prefetch_rows"]


def can_prefetch(source: RowSource) -> bool:
    """Whether rows of a source come from servers, by their bytes."""
    return isinstance(source, TableReader) and any(is_url(file) for file in source.schema.files)


def prefetch_rows(source: RowSource, rows: NDArray[np.int64], names: Sequence[str]) -> None:
    """Begin to fetch what ``source.read(rows, names)`` would ask for; what comes by the HDF5 library is left out."""
    if isinstance(source, TableReader):
        routes = source._routes_of_this_process()
        for part, local, _ in source._places(as_rows(rows, len(source))):
            # Columns of one dataset are read from the same bytes.
            columns = {part.path_of(column): column for column in map(part.columns.__getitem__, names)}
            routes.prefetch(part, list(columns.values()), local)
