"""What a column's rows are according to h5py: read without this package's reader, to compare with.

It follows the described column (which dataset, which field, which labels), and takes the values as h5py returns them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..describe.elements import Binary, Element, Label, Number, Ragged, Struct, Text
from ..describe.opening import check_filters, open_dataset, open_hdf5
from ..describe.schema import Column, Part, Table

__all__ = ["NoCounterpartError", "Oracle"]

Rows = list[Any] | NDArray[Any]

_NO_CODE = 1 << 64


class NoCounterpartError(ValueError):
    """h5py has no value to compare with; the message says why."""


class Oracle:
    """Rows of a table according to h5py; a context manager that closes the files it opened.

    Parameters
    ----------
    table
        Which datasets, fields and labels its columns are.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._open: dict[str, h5py.File] = {}
        # Fields of a compound are columns of one dataset, which is read once for all of them.
        self._place: tuple[int, int, int] = (0, 0, 0)
        self._taken: dict[tuple[str, str], NDArray[Any]] = {}

    def rows(self, name: str, rows: range | NDArray[np.int64]) -> Iterator[tuple[int, Rows]]:
        """Yield the values of ascending rows in pieces, each with the number of its first value among them.

        Raises
        ------
        NoCounterpartError
            If h5py cannot read the values, or is known to return others.
        """
        for offset, start, stop in _runs(rows):
            while start < stop:
                number = int(np.searchsorted(self._table.starts, start, side="right")) - 1
                first, part = int(self._table.starts[number]), self._table.parts[number]
                end = min(stop, first + part.n_rows)
                yield offset, self.part_rows(part, name, start - first, end - first)
                offset, start = offset + end - start, end

    def part_rows(self, part: Part, name: str, start: int, stop: int) -> Rows:
        """Rows ``start`` to ``stop`` of one part.

        Returns
        -------
        array or list
            ``(n, ...)`` in the column's dtype for numbers and labels of one shape; else one value per row.
        """
        column = _column_of(self._table, part, name)
        _check_stored(column)
        if self._place != (id(part), start, stop):
            self._place, self._taken = (id(part), start, stop), {}
        key = part.file_of(column), part.path_of(column)
        try:
            dataset = open_dataset(self._file(key[0]), key[1])
            _check_comparable(column, dataset)
            if key not in self._taken:
                check_filters(key[0], [column])
                self._taken[key] = _taken(dataset, column, start, stop)
        except (OSError, TypeError) as error:
            raise NoCounterpartError(f"h5py cannot read it: {error}") from error
        values = _field(self._taken[key], column)
        return _rows(values, column.element) if column.take == "rows" else [_rows(values, column.element)]

    def _file(self, file: str) -> h5py.File:
        if file not in self._open:
            self._open[file] = open_hdf5(file)
        return self._open[file]

    def __enter__(self) -> Oracle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._open.values():
            handle.close()


def _runs(rows: range | NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Ascending rows as runs: place of the first one among them, its number, and the number after the last."""
    if isinstance(rows, range):
        if len(rows):
            yield 0, rows.start, rows.stop
        return
    cuts = np.flatnonzero(np.diff(rows) != 1) + 1
    for run, offset in zip(np.split(rows, cuts), [0, *cuts.tolist()], strict=True):
        if len(run):
            yield offset, int(run[0]), int(run[-1]) + 1


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


def _check_stored(column: Column) -> None:
    if column.take in ("constant", "counter", "missing"):
        raise NoCounterpartError("no dataset holds it")
    if column.take == "derived":
        raise NoCounterpartError(f"a convention makes it: {column.derived}")
    if column.feature is not None:
        raise NoCounterpartError(f"it was asked for as {column.feature_text}")


def _taken(dataset: h5py.Dataset, column: Column, start: int, stop: int) -> NDArray[Any]:
    if column.take != "rows":
        return np.asarray(dataset[()])
    if not column.axis:
        return np.asarray(dataset[start:stop])
    return np.moveaxis(dataset[(slice(None),) * column.axis + (slice(start, stop),)], column.axis, 0)


def _check_comparable(column: Column, dataset: h5py.Dataset) -> None:
    if isinstance(column.element, Number) and column.element.dtype.kind in "Mm":
        raise NoCounterpartError("h5py returns dates in their stored unit")
    try:
        stored = dataset.dtype
    except TypeError as error:
        raise NoCounterpartError(f"h5py cannot read it: {error}") from error
    if _holds_references(stored):
        raise NoCounterpartError("references have no value of their own")
    if isinstance(column.element, Binary) and stored.kind == "S":
        raise NoCounterpartError("h5py ends strings at their first NUL byte")
    if isinstance(column.element, Ragged) and _has_big_endian(stored):
        # h5py 3.16 labels big-endian lists of variable length as native without swapping their bytes.
        raise NoCounterpartError("h5py does not swap the bytes of big-endian lists")


def _holds_references(dtype: np.dtype[Any]) -> bool:
    if dtype.names:
        return any(_holds_references(dtype[name]) for name in dtype.names)
    inner = h5py.check_vlen_dtype(dtype.base)
    return h5py.check_ref_dtype(dtype.base) is not None or (isinstance(inner, np.dtype) and _holds_references(inner))


def _has_big_endian(dtype: np.dtype[Any]) -> bool:
    """Whether lists inside the type hold big-endian numbers, or compounds that may."""
    if dtype.names:
        return any(_has_big_endian(dtype[name]) for name in dtype.names)
    inner = h5py.check_vlen_dtype(dtype.base)
    if not isinstance(inner, np.dtype):
        return False
    return inner.base.byteorder == ">" or inner.names is not None or _has_big_endian(inner)


def _field(values: NDArray[Any], column: Column) -> NDArray[Any]:
    for name in column.fields:
        if values.dtype.kind == "c":
            values = values.real if name == "real" else values.imag
        else:
            values = values[name]
    return values


def _rows(values: NDArray[Any], element: Element) -> Any:
    """Values by the column's element: arrays of numbers, nested lists of anything else."""
    match element:
        case Number(dtype):
            return values.astype(dtype)
        case Label(_, codes):
            positions = {code: position for position, code in enumerate(codes)}
            flat = [positions.get(int(code), -1) for code in values.ravel()]
            return np.array(flat, np.int64).reshape(values.shape)
    if values.ndim == 0:
        return _one(values[()], element)
    return [
        _rows(item, element) if isinstance(item, np.ndarray) and values.ndim > 1 else _one(item, element)
        for item in values
    ]


def _one(value: Any, element: Element) -> Any:
    match element:
        case Text(padding):
            raw = value.tobytes().rstrip(b"\0") if isinstance(value, np.void) else value
            text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
            return text.rstrip(" ") if padding == "space_padded" else text
        case Binary():
            return value.tobytes() if isinstance(value, np.void) else bytes(value)
        case Ragged(item):
            return _rows(np.asarray(value), item)
        case Struct(fields) if isinstance(value, np.complexfloating):
            return {field.name: getattr(value, field.name) for field in fields}
        case Struct(fields):
            return {field.name: _rows(np.asarray(value[field.name]), field.element) for field in fields}
    raise TypeError(f"{element!r} has no single value")
