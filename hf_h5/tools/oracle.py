"""What a column's rows are according to h5py: read without this package's reader, to compare with.

It follows the described column (which dataset, which field, which labels), and takes the values as h5py returns them.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from ..describe.elements import Binary, Label, Number, Ragged, Struct, Text
from ..describe.schema import Column, Part

__all__ = ["h5py_rows", "why_not_comparable"]

_NO_DATASET = ("constant", "counter", "missing")


def why_not_comparable(column: Column) -> str | None:
    """Why h5py has no counterpart of the column's values; None where it has."""
    if column.take in _NO_DATASET:
        return "no dataset holds it"
    if column.feature is not None:
        return f"it was asked for as {column.feature_text}"
    if column.variable == "references":
        return "references have no value of their own"
    if isinstance(column.element, Ragged) and _has_big_endian(column.memory):
        # h5py 3.16 labels big-endian lists of variable length as native without swapping their bytes.
        return "h5py does not swap the bytes of big-endian lists"
    if isinstance(column.element, Number) and column.element.dtype.kind in "Mm":
        return "h5py returns dates in their stored unit"
    return None


def _has_big_endian(dtype: np.dtype[Any] | None) -> bool:
    inner = h5py.check_vlen_dtype(dtype) if dtype is not None else None
    if isinstance(inner, np.dtype):
        return _has_big_endian(inner) or inner.base.byteorder == ">" or inner.names is not None
    return False


def h5py_rows(handle: h5py.File, part: Part, column: Column, start: int, stop: int) -> list[Any] | np.ndarray[Any, Any]:
    """Rows ``start`` to ``stop`` of a column of one part.

    Returns
    -------
    array or list
        ``(n, ...)`` in the column's dtype for numbers of one shape; else one Python value per row.
    """
    dataset = handle[part.path_of(column)]
    if column.take == "whole":
        return [_values(_field(np.asarray(dataset[()]), column), column)] * (stop - start)
    values = _field(np.asarray(dataset[start:stop] if dataset.shape else dataset[()]), column)
    rows: list[Any] | np.ndarray[Any, Any] = _values(values, column)
    return rows


def _field(values: np.ndarray[Any, Any], column: Column) -> np.ndarray[Any, Any]:
    for name in column.fields:
        if values.dtype.kind == "c":
            values = values.real if name == "real" else values.imag
        else:
            values = values[name]
    return values


def _values(values: np.ndarray[Any, Any], column: Column) -> Any:
    match column.element:
        case Number(dtype):
            return values.astype(dtype)
        case Label(_, codes):
            positions = {code: position for position, code in enumerate(codes)}
            return [positions.get(int(code), -1) for code in values.ravel()]
        case Text(padding):
            return _plain(values, " " if padding == "space_padded" else "")
        case Binary():
            return [bytes(value) for value in values]
        case Ragged(Number(dtype)) if values.dtype.kind == "O" and values.ndim == 1:
            return [np.asarray(value, dtype) for value in values]
        case Ragged() | Struct():
            return _plain(values, "")
    raise TypeError(f"no values for {column.element!r}")


def _plain(value: Any, padding: str) -> Any:
    """Arrays as lists, structures as dicts, bytes as text without padding."""
    if isinstance(value, np.void) and value.dtype.names:
        return {name: _plain(value[name], padding) for name in value.dtype.names}
    if isinstance(value, np.ndarray):
        return [_plain(item, padding) for item in value]
    if isinstance(value, bytes):
        text = value.decode("utf-8")
        return text.rstrip(padding) if padding else text
    return value.item() if isinstance(value, np.generic) else value
