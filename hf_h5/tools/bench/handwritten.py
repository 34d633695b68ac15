"""What people write themselves: a torch Dataset that takes single rows through h5py, and slices along the chunks."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np
import torch

from ...describe.opening import check_filters, open_dataset, open_hdf5
from ...describe.schema import Column, Part, Table

__all__ = ["HandWritten", "slices_along_chunks", "why_not_plain"]

_SLICE_ROWS = 256


def why_not_plain(column: Column) -> str | None:
    """Say why a few lines of h5py would not give a column's rows; None if they would."""
    if column.take in ("constant", "counter", "missing"):
        return "no dataset holds it"
    if column.take == "derived":
        return "a convention makes it of several datasets"
    if column.axis:
        return "its rows do not lie along the first axis"
    return None


class _Opened:
    """The datasets of each part, opened on first use."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self._table, self._names = table, names
        self._files: dict[str, h5py.File] = {}
        self._known: dict[int, dict[str, tuple[Column, h5py.Dataset]]] = {}
        for part in table.parts[:1]:
            check_filters(part.file, [part.columns[name] for name in names if name in part.columns])

    def part(self, number: int) -> dict[str, tuple[Column, h5py.Dataset]]:
        """Column and dataset by name."""
        if number not in self._known:
            part = self._table.parts[number]
            self._known[number] = {
                name: (part.columns[name], self._dataset(part, part.columns[name]))
                for name in self._names
                if name in part.columns
            }
        return self._known[number]

    def _dataset(self, part: Part, column: Column) -> h5py.Dataset:
        file = part.file_of(column)
        if file not in self._files:
            self._files[file] = open_hdf5(file)
        return open_dataset(self._files[file], part.path_of(column))

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


class HandWritten(torch.utils.data.Dataset[Any]):
    """The class that everybody writes: opens the file once, keeps the datasets at hand, takes one row at a time."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self._opened = _Opened(table, names)
        self._starts = table.starts.tolist()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, row: int) -> dict[str, Any]:
        number = bisect.bisect_right(self._starts, row) - 1
        local = row - self._starts[number]
        found: dict[str, Any] = {}
        rows: dict[int, Any] = {}
        for name, (column, dataset) in self._opened.part(number).items():
            if id(dataset) not in rows:
                rows[id(dataset)] = dataset[local] if column.take == "rows" else dataset[()]
            found[name] = _to_torch(_field(rows[id(dataset)], column.fields))
        return found

    def close(self) -> None:
        """Close the files."""
        self._opened.close()


def slices_along_chunks(table: Table, names: Sequence[str], n_rows: int) -> Iterator[int]:
    """Read rows in the file's order, whole chunks at a time, into tensors; yields how many rows came."""
    opened = _Opened(table, names)
    try:
        for start, stop in _slices(table, n_rows):
            number = bisect.bisect_right(table.starts.tolist(), start) - 1
            first = int(table.starts[number])
            for column, dataset in opened.part(number).values():
                taken = dataset[start - first : stop - first] if column.take == "rows" else dataset[()]
                _to_torch(_field(taken, column.fields))
            yield stop - start
    finally:
        opened.close()


def _slices(table: Table, n_rows: int) -> Iterator[tuple[int, int]]:
    """Row groups, small ones joined, none across parts."""
    parts = set(table.starts.tolist())
    start = 0
    for stop in table.row_groups[1:].tolist():
        if stop - start >= _SLICE_ROWS or stop in parts or stop >= n_rows:
            yield start, min(stop, n_rows)
            start = stop
            if stop >= n_rows:
                return


def _field(values: Any, fields: Sequence[str]) -> Any:
    for name in fields:
        if np.asarray(values).dtype.kind == "c":
            values = values.real if name == "real" else values.imag
        else:
            values = values[name]
    return values


def _to_torch(values: Any) -> Any:
    array = np.asarray(values)
    if array.dtype.kind not in "biufc":
        return values
    if array.dtype.byteorder == ">" or array.dtype in (np.uint16, np.uint32, np.uint64, np.longdouble):
        array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float64)
    if any(step % array.itemsize for step in array.strides):
        array = array.copy()  # a field of packed records, which torch refuses as it lies
    return torch.as_tensor(array)
