"""Whether two modes and h5py hold the same values, bit for bit; if not, where they first differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..describe.schema import Part, Table
from .compare_arrow import count_values, first_unequal_row, rows_unlike_h5py, to_storage, value_at
from .oracle import NoCounterpartError, Oracle

__all__ = ["Comparison", "Difference", "compare_values", "first_unequal_row"]

_BATCH_BYTES = 16 << 20


@dataclass(frozen=True)
class Difference:
    """The first value that is not the same everywhere.

    Attributes
    ----------
    column, row
        Where it is.
    values
        What each source holds there: ``cached``, ``direct``, ``h5py``; sources that were not asked are left out.
    """

    column: str
    row: int
    values: dict[str, Any]

    def __str__(self) -> str:
        return f"column {self.column!r}, row {self.row}: {', '.join(self.lines())}"

    def lines(self) -> list[str]:
        """What each source holds, a line each."""
        return [f"{source}: {_short(value)}" for source, value in self.values.items()]


@dataclass(frozen=True)
class Comparison:
    """What was compared, and what came of it.

    Attributes
    ----------
    n_values
        Numbers, strings and so on that were compared.
    without_h5py
        Columns that only the two modes were compared on, and why.
    difference
        The first difference; None if all is the same.
    """

    n_values: int
    without_h5py: dict[str, str]
    difference: Difference | None


def compare_values(cached: Any, view: Any, table: Table) -> Comparison:
    """Compare every value of a converted dataset, a view, and h5py.

    Parameters
    ----------
    cached
        A ``datasets.Dataset`` of the table.
    view
        An ``H5TorchView`` of the same table.
    table
        Where the columns lie in the file or files.
    """
    skipped: dict[str, str] = {}
    n_values = 0
    with Oracle(table) as oracle:
        for start, stop, part, first in _batches(table):
            left = cached.with_format("arrow")[start:stop]
            right = view.with_format("arrow")[start:stop]
            for name in left.column_names:
                values: dict[str, Any] = {"cached": to_storage(left[name]), "direct": to_storage(right[name])}
                n_values += count_values(values["cached"])
                row = first_unequal_row(values["cached"], values["direct"])
                if row is None and name not in skipped:
                    try:
                        values["h5py"] = oracle.part_rows(part, name, start - first, stop - first)
                        unlike = np.flatnonzero(rows_unlike_h5py(values["cached"], values["h5py"]))
                        row = int(unlike[0]) if len(unlike) else None
                    except NoCounterpartError as error:
                        skipped[name] = str(error)
                if row is not None:
                    held = {source: value_at(each, row) for source, each in values.items()}
                    return Comparison(n_values, skipped, Difference(name, start + row, held))
    return Comparison(n_values, skipped, None)


def _batches(table: Table) -> Iterator[tuple[int, int, Part, int]]:
    """Rows of at most a few megabytes, none across parts: ``(start, stop, part, first row of the part)``."""
    row_bytes = max(1, sum(column.row_bytes for column in table.columns.values()))
    step = max(1, _BATCH_BYTES // row_bytes)
    for part, first in zip(table.parts, table.starts.tolist(), strict=False):
        for start in range(first, first + part.n_rows, step):
            yield start, min(start + step, first + part.n_rows), part, first


def _short(value: Any) -> str:
    text = repr(value.tolist() if isinstance(value, np.ndarray) else value)
    return text if len(text) <= 120 else f"{text[:117]}..."
