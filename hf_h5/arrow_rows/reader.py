"""Rows of the Arrow table of a ``datasets.Dataset``, by the protocol that readers of HDF5 files have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.elements import FeatureSpec
from ..describe.schema import Column, Part, Table
from ..errors import ClosedError, ColumnError, RowError, closest_names
from ..read.plan import Rows, as_rows
from ..read.rows import RowSource
from .columns import number_column, other_column
from .gathering import Gathering
from .numbers import NumberRows, find_numbers

__all__ = ["ArrowReader"]

Batch = dict[str, Any]


class ArrowReader(RowSource):
    """Reads rows of an Arrow table; thread-safe, and pickled as that table is: by path where it is mapped.

    Columns of numbers of one shape, each of which has a value, are copied out of the Arrow buffers, row by row, into
    memory of the caller's. All others are gathered as Arrow arrays.

    Parameters
    ----------
    data
        The table of ``datasets``: of one of its classes, which know where their bytes come from.
    specs
        Its features, as ``Features.to_dict`` writes them.
    fingerprint
        A text that changes when the rows do.
    file
        What errors call the table.
    as_objects
        Whether strings are read as arrays of objects, as the protocol says, and not as the Arrow arrays that
        formatters want.
    """

    def __init__(
        self, data: Any, specs: Mapping[str, FeatureSpec], fingerprint: str, file: str, *, as_objects: bool = False
    ) -> None:
        self._data, self._specs, self._fingerprint = data, dict(specs), fingerprint
        self._file, self._as_objects, self._closed = file, as_objects, False
        self._numbers: dict[str, NumberRows] = {}
        columns = {name: self._make_column(name) for name in specs}
        part = Part(file, "", data.num_rows, columns)
        self._makes_arrays = frozenset(name for name, numbers in self._numbers.items() if numbers.makes_arrays)
        self._table = Table("/", columns, (part,), "rows of a datasets.Dataset")
        self._gathering = Gathering(data)
        self._checks = _checks_of(data)

    def _make_column(self, name: str) -> Column:
        chunks = self._data.column(name)
        kind = chunks.type
        column = number_column(name, self._specs[name], getattr(kind, "storage_type", kind), chunks.nbytes)
        if column is not None and (numbers := find_numbers(column, chunks)) is not None:
            self._numbers[name] = numbers
            return column
        return other_column(name, self._specs[name], chunks.nbytes, len(chunks))

    @property
    def schema(self) -> Table:
        """The table that is read."""
        return self._table

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the rows do."""
        return self._fingerprint

    def __len__(self) -> int:
        return self._table.num_rows

    def read(
        self, rows: Any, columns: Sequence[str] | None = None, out: Mapping[str, NDArray[Any]] | None = None
    ) -> Batch:
        """Read rows in any order, repeats allowed.

        Parameters
        ----------
        rows
            A slice, a range, or integers in ``[0, len(self))``.
        columns
            Names; all columns if None.
        out
            The caller's arrays by column, ``(n, *row_shape)`` in the column's dtype; those of numbers are filled.

        Returns
        -------
        dict
            Per column ``(n, *row_shape)`` of numbers, which is the caller's; or an Arrow array, of strings with
            ``as_objects`` an array of objects.

        Raises
        ------
        RowError, ColumnError, ClosedError
            And ``FileChangedError``, of a mapped HDF5 file.
        """
        names = list(self._table.columns) if columns is None else list(columns)
        for name in names:
            if name not in self._table.columns:
                hint = closest_names(name, self._table.columns)
                raise ColumnError(f"no column {name!r}", file=self._file, hint=hint)
        try:
            wanted = as_rows(rows, len(self))
        except RowError as error:
            raise RowError(error.problem, file=self._file) from error
        # Formatters of datasets may tell rows that were gathered from those of a slice.
        given: Rows = rows.astype(np.int64, copy=False) if isinstance(rows, np.ndarray) else wanted
        return self._read(given, names, out or {})

    def read_here(self, rows: NDArray[np.int64], columns: Sequence[str], out: Mapping[str, NDArray[Any]]) -> Batch:
        """Read rows as ``read`` does, of columns that are there; it never needs another thread."""
        if rows.size and not 0 <= np.minimum.reduce(rows) <= np.maximum.reduce(rows) < len(self):
            return self.read(rows, columns, out)  # which says what is wrong
        return self._read(rows, columns, out)

    def read_row(self, row: int, columns: tuple[str, ...]) -> Batch:
        """Read one row as ``read`` does; both row and columns are there."""
        self._expect_open()
        found: Batch = {}
        for name in columns:
            numbers = self._numbers.get(name)
            found[name] = self._others(range(row, row + 1), (name,))[name] if numbers is None else numbers.take_row(row)
        return found

    def _read(self, rows: Rows, names: Sequence[str], out: Mapping[str, NDArray[Any]]) -> Batch:
        self._expect_open()
        found: Batch = {}
        others = tuple(name for name in names if name not in self._numbers)
        gathered = self._others(rows, others) if others else {}
        for name in names:
            numbers = self._numbers.get(name)
            found[name] = gathered[name] if numbers is None else self._take(numbers, name, rows, out.get(name))
        return found

    def _take(self, numbers: NumberRows, name: str, rows: Rows, out: NDArray[Any] | None) -> NDArray[Any]:
        if out is None:
            return numbers.take(rows)
        if out.dtype == self._table.columns[name].dtype and out.flags.c_contiguous:
            return numbers.take(rows, out)
        out[...] = numbers.take(rows)
        return out

    def _others(self, rows: Rows, names: tuple[str, ...]) -> Batch:
        found = self._gathering.gather(rows, names)
        return {name: _objects(array) for name, array in found.items()} if self._as_objects else found

    def _expect_open(self) -> None:
        if self._closed:
            raise ClosedError("the reader is closed", file=self._file, hint="make the view again")
        self.check_files()

    def makes_arrays(self, columns: Sequence[str]) -> frozenset[str]:
        """Columns of which random rows are quicker read without ``out``."""
        return self._makes_arrays

    def row_groups(self) -> NDArray[np.int64]:
        """``(k + 1,)`` boundaries of rows that are worth reading together: about a megabyte of them."""
        return self._table.row_groups

    def check_files(self, start: int = 0, stop: int | None = None) -> None:
        """Raise ``FileChangedError`` if a mapped HDF5 file, of these rows or others, is not the one that was opened."""
        for check in self._checks:
            check()

    def close(self) -> None:
        """Let go of the table."""
        self._closed = True

    def __getstate__(self) -> dict[str, Any]:
        return {
            "arguments": (self._data, self._specs, self._fingerprint, self._file),
            "as_objects": self._as_objects,
            "closed": self._closed,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        ArrowReader.__init__(self, *state["arguments"], as_objects=state["as_objects"])
        self._closed = state["closed"]


def _objects(array: Any) -> NDArray[Any]:
    found = np.empty(len(array), object)
    found[:] = array.to_pylist()
    return found


def _checks_of(data: Any) -> list[Callable[[], None]]:
    """What tells whether the files of mapped tables are still those that were opened."""
    blocks = [block for blocks in getattr(data, "blocks", [[data]]) for block in blocks]
    return [block.check_files for block in blocks if hasattr(block, "check_files")]
