"""Whether two modes and h5py hold the same values, bit for bit; if not, where they first differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np
import pyarrow as pa

from ..describe.elements import Label
from ..describe.schema import Column, Part, Table
from .oracle import NoCounterpartError, h5py_rows

__all__ = ["Comparison", "Difference", "compare_values", "first_unequal_row"]

_NO_CODE = 1 << 64
_BATCH_BYTES = 16 << 20
_BITS = {pa.float16(): pa.int16(), pa.float32(): pa.int32(), pa.float64(): pa.int64()}


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
        held = ", ".join(f"{source}: {_short(value)}" for source, value in self.values.items())
        return f"column {self.column!r}, row {self.row}: {held}"


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
    with _Files() as files:
        for start, stop, part, first in _batches(table):
            left = cached.with_format("arrow")[start:stop]
            right = view.with_format("arrow")[start:stop]
            for name in left.column_names:
                values: dict[str, Any] = {"cached": _storage(left[name]), "direct": _storage(right[name])}
                n_values += _count(values["cached"])
                row = first_unequal_row(values["cached"], values["direct"])
                if row is None and name not in skipped:
                    try:
                        column = _column_of(table, part, name)
                        handle = files(part.file_of(column))
                        values["h5py"] = h5py_rows(handle, part, column, start - first, stop - first)
                        row = _first_unlike_h5py(values["cached"], values["h5py"])
                    except NoCounterpartError as error:
                        skipped[name] = str(error)
                if row is not None:
                    held = {source: _at(each, row) for source, each in values.items()}
                    return Comparison(n_values, skipped, Difference(name, start + row, held))
    return Comparison(n_values, skipped, None)


def _column_of(table: Table, part: Part, name: str) -> Column:
    """The column as the part stores it, with the labels of the whole table."""
    column = part.columns.get(name)
    if column is None:
        raise NoCounterpartError("it holds several datasets")
    merged = table.columns[name].element
    if not isinstance(column.element, Label) or not isinstance(merged, Label):
        return column
    code_of = dict(zip(column.element.names, column.element.codes, strict=True))
    # Labels that only other parts have get codes that this part cannot hold.
    codes = tuple(code_of.get(label, _NO_CODE) for label in merged.names)
    return replace(column, element=Label(merged.names, codes))


class _Files:
    """h5py's handles by file, opened once."""

    def __enter__(self) -> Callable[[str], h5py.File]:
        self._open: dict[str, h5py.File] = {}
        return self._get

    def _get(self, file: str) -> h5py.File:
        if file not in self._open:
            self._open[file] = h5py.File(file, "r")
        return self._open[file]

    def __exit__(self, *_: object) -> None:
        for handle in self._open.values():
            handle.close()


def _batches(table: Table) -> Iterator[tuple[int, int, Part, int]]:
    """Rows of at most a few megabytes, none across parts: ``(start, stop, part, first row of the part)``."""
    row_bytes = max(1, sum(column.row_bytes for column in table.columns.values()))
    step = max(1, _BATCH_BYTES // row_bytes)
    for part, first in zip(table.parts, table.starts.tolist(), strict=False):
        for start in range(first, first + part.n_rows, step):
            yield start, min(start + step, first + part.n_rows), part, first


def first_unequal_row(one: pa.Array | pa.ChunkedArray, other: pa.Array | pa.ChunkedArray) -> int | None:
    """The first row in which two Arrow columns differ, found by halving; None if they are equal bit for bit."""
    one, other = _storage(one), _storage(other)
    if _equal(one, other):
        return None
    start, stop = 0, max(len(one), len(other))
    while stop - start > 1:
        middle = (start + stop) // 2
        if _equal(one.slice(start, middle - start), other.slice(start, middle - start)):
            start = middle
        else:
            stop = middle
    return start


def _equal(one: pa.Array, other: pa.Array) -> bool:
    """Equality of bits: NaN equals NaN, and -0.0 does not equal 0.0."""
    if one.type != other.type or len(one) != len(other):
        return False
    if one.type in _BITS:
        return bool(one.view(_BITS[one.type]).equals(other.view(_BITS[one.type])))
    if pa.types.is_nested(one.type):
        if not one.is_null().equals(other.is_null()):
            return False
        if not pa.types.is_fixed_size_list(one.type) and not pa.types.is_struct(one.type):
            if not one.value_lengths().equals(other.value_lengths()):
                return False
        if pa.types.is_struct(one.type):
            return all(_equal(*pair) for pair in zip(one.flatten(), other.flatten(), strict=True))
        return _equal(one.flatten(), other.flatten())
    return bool(one.equals(other))


def _storage(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array of plain Arrow types."""
    array = column
    if isinstance(column, pa.ChunkedArray):
        array = (
            column.chunk(0)
            if column.num_chunks == 1
            else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
        )
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _leaf(array: pa.Array) -> pa.Array:
    while pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type):
        array = array.flatten()
    return array


def _count(array: pa.Array) -> int:
    leaf = _leaf(array)
    return sum(_count(each) for each in leaf.flatten()) if pa.types.is_struct(leaf.type) else len(leaf)


def _first_unlike_h5py(array: pa.Array, rows: Any) -> int | None:
    """The first row in which Arrow and h5py differ."""
    if len(rows) != len(array):
        return min(len(rows), len(array))
    if isinstance(rows, np.ndarray):
        unequal = _unequal_bits(_leaf(array), rows)
        if unequal is not None:
            by_row = unequal.reshape(len(rows), -1).any(axis=1)
            return int(by_row.argmax()) if by_row.any() else None
    for number, expected in enumerate(rows):
        if not _is_row(array.slice(number, 1), expected):
            return number
    return None


def _is_row(one: pa.Array, expected: Any) -> bool:
    if isinstance(expected, np.ndarray):
        unequal = _unequal_bits(_leaf(one), expected)
        if unequal is not None:
            return not unequal.any()
    return _same(one[0].as_py(), expected)


def _unequal_bits(leaf: pa.Array, expected: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Which numbers differ; None where they cannot be compared as blocks of one type."""
    found = leaf.to_numpy(zero_copy_only=False) if leaf.null_count == 0 else None
    if found is None or found.size != expected.size or found.dtype != expected.dtype or found.dtype.kind not in "biuf":
        return None
    bits = f"u{expected.dtype.itemsize}"
    unequal: np.ndarray[Any, np.dtype[np.bool_]] = found.view(bits) != np.ascontiguousarray(expected).ravel().view(bits)
    return unequal


def _same(one: Any, other: Any) -> bool:
    if isinstance(other, np.ndarray | np.generic):
        other = other.tolist()
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)


def _at(values: Any, row: int) -> Any:
    if row >= len(values):
        return "no such row"
    return values[row].as_py() if isinstance(values, pa.Array) else values[row]


def _short(value: Any) -> str:
    text = repr(value.tolist() if isinstance(value, np.ndarray) else value)
    return text if len(text) <= 120 else f"{text[:117]}..."
