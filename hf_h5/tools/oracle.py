"""What a column's rows are according to h5py: read without this package's reader, to compare with.

It follows the described column (which dataset, which field, which labels), and takes the values as h5py returns them.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..describe.elements import Binary, Element, Label, Number, Ragged, Struct, Text
from ..describe.schema import Column, Part

__all__ = ["NoCounterpartError", "h5py_rows"]

Rows = list[Any] | NDArray[Any]


class NoCounterpartError(ValueError):
    """h5py has no value to compare with; the message says why."""


def h5py_rows(handle: h5py.File, part: Part, column: Column, start: int, stop: int) -> Rows:
    """Rows ``start`` to ``stop`` of a column of one part.

    Parameters
    ----------
    column
        As the part stores it; its labels in the order and number of the whole table.

    Returns
    -------
    array or list
        ``(n, ...)`` in the column's dtype for numbers and labels of one shape; else one value per row.

    Raises
    ------
    NoCounterpartError
        If h5py cannot read the values, or is known to return others.
    """
    if column.take in ("constant", "counter", "missing"):
        raise NoCounterpartError("no dataset holds it")
    if column.take == "derived":
        raise NoCounterpartError(f"it is made of several datasets or of more than their types say ({column.derived})")
    if column.feature is not None:
        raise NoCounterpartError(f"it was asked for as {column.feature_text}")
    dataset = handle[part.path_of(column)]
    _check_comparable(column, dataset)
    try:
        values = _taken(dataset, column, start, stop)
    except (OSError, TypeError) as error:
        raise NoCounterpartError(f"h5py cannot read it: {error}") from error
    values = _field(values, column)
    return _rows(values, column.element) if column.take == "rows" else [_rows(values, column.element)] * (stop - start)


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
