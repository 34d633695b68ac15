"""Whether the values of an HDF5 type are what the stored bytes say, and what strings and lists are made of."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5t

__all__ = ["find_items", "is_variable", "split_array_type", "why_not_as_stored"]

_COMPLEX = getattr(h5t, "COMPLEX", -1)  # a class of its own from HDF5 2.0 on
_IEEE = (h5t.IEEE_F16LE, h5t.IEEE_F16BE, h5t.IEEE_F32LE, h5t.IEEE_F32BE, h5t.IEEE_F64LE, h5t.IEEE_F64BE)


def is_variable(dataset: h5py.Dataset) -> bool:
    """Whether each value is a string or list of any length, which lies in the heap of the file."""
    stored = dataset.id.get_type()
    return _is_string(stored) or stored.get_class() == h5t.VLEN


def _is_string(stored: h5t.TypeID) -> bool:
    return bool(stored.get_class() == h5t.STRING and stored.is_variable_str())


def find_items(dataset: h5py.Dataset) -> np.dtype[Any]:
    """Return how one item of the dataset's strings or lists is stored, bytes if strings.

    `why_not_as_stored` must have found nothing against it.
    """
    base = h5py.check_vlen_dtype(dataset.dtype)
    if not isinstance(base, np.dtype):
        return np.dtype("S1")
    item, shape = split_array_type(base)
    # Truth values as they are stored: any number but 0 is true.
    return np.dtype(("i1" if item.kind == "b" else item, shape))


def why_not_as_stored(dataset: h5py.Dataset) -> str | None:
    """Return why stored bytes are not the values, nor lead to them, so that the HDF5 library must read them."""
    stored = dataset.id.get_type()
    try:
        return _variable_reason(dataset) if is_variable(dataset) else _type_reason(stored, dataset.dtype)
    except TypeError:  # h5py's word for a type without a numpy counterpart
        return f"it holds values of HDF5 type class {stored.get_class()}"


def _variable_reason(dataset: h5py.Dataset) -> str | None:
    properties = dataset.id.get_create_plist()
    if not _is_string(dataset.id.get_type()):
        base = h5py.check_vlen_dtype(dataset.dtype)
        if not isinstance(base, np.dtype) or split_array_type(base)[0].kind not in "iufbc":
            return "it holds lists of what is no number"
        reason = _type_reason(dataset.id.get_type().get_super(), base)
        if reason is not None:
            return f"it holds lists that are not as stored ({reason})"
    if dataset.file.id.get_create_plist().get_sizes() != (8, 8):
        return "it holds values of variable length, and addresses in its file have not 8 bytes"
    if properties.get_layout() == h5d.COMPACT:
        return "it holds values of variable length in the object header"
    if properties.fill_value_defined() == h5d.FILL_VALUE_USER_DEFINED and not _is_complete(dataset, properties):
        return "it holds values of variable length that have a fill value"
    return None


def _is_complete(dataset: h5py.Dataset, properties: h5py.h5p.PropDCID) -> bool:
    """Whether every chunk was written."""
    if properties.get_layout() != h5d.CHUNKED:
        return bool(dataset.id.get_storage_size())
    sizes = zip(dataset.shape, dataset.chunks, strict=True)
    return bool(dataset.id.get_num_chunks() == math.prod(-(-size // step) for size, step in sizes))


def split_array_type(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the type of one value without h5py's metadata, and the dimensions that array types add to it.

    >>> split_array_type(np.dtype((np.dtype((">f4", (3,))), (2,))))
    (dtype('>f4'), (2, 3))
    """
    if dtype.subdtype:
        base, shape = dtype.subdtype
        value, inner = split_array_type(base)
        return value, (*shape, *inner)
    return (np.dtype(dtype.str) if dtype.names is None else dtype), ()


def _type_reason(stored: h5t.TypeID, dtype: np.dtype[Any]) -> str | None:
    """Say why values of a type are not read as their stored bytes: h5py would convert them, or they lie elsewhere."""
    kind = stored.get_class()
    if kind in (h5t.VLEN, h5t.REFERENCE) or (kind == h5t.STRING and stored.is_variable_str()):
        return "it holds references" if kind == h5t.REFERENCE else "it holds values of variable length"
    if dtype.itemsize != stored.get_size():
        return f"its type takes {stored.get_size()} bytes in the file and {dtype.itemsize} in memory"
    if kind == h5t.COMPOUND:
        return _compound_reason(stored, dtype)
    if kind == h5t.ARRAY:
        base = dtype.subdtype[0] if dtype.subdtype else dtype
        return _type_reason(stored.get_super(), base) if dtype.subdtype else "its array type has no counterpart"
    if kind == h5t.ENUM:
        return _type_reason(stored.get_super(), dtype)
    if kind == _COMPLEX and dtype.kind == "c":
        return _type_reason(stored.get_super(), _half_of(dtype))
    if kind in (h5t.INTEGER, h5t.BITFIELD):
        return _integer_reason(stored, dtype)
    if kind == h5t.FLOAT:
        is_ieee = any(stored.equal(known) for known in _IEEE)
        return None if is_ieee and _same_order(stored, dtype) else "its floats are not IEEE 16, 32 or 64 bit"
    if kind == h5t.STRING:
        return None if dtype.kind == "S" else "its strings are converted"
    return None if kind == h5t.OPAQUE else f"it holds values of HDF5 type class {kind}"


def _compound_reason(stored: h5t.TypeCompoundID, dtype: np.dtype[Any]) -> str | None:
    count = stored.get_nmembers()
    members = [stored.get_member_type(i) for i in range(count)]
    if dtype.kind == "c":
        offsets = [stored.get_member_offset(i) for i in range(count)]
        if offsets != [0, dtype.itemsize // 2]:
            return "its complex numbers are padded"
        return _type_reason(members[0], _half_of(dtype)) or _type_reason(members[1], _half_of(dtype))
    if dtype.fields is None or len(dtype.fields) != count:
        return "its compound type has no counterpart"
    for i, (name, member) in enumerate(zip(dtype.names or (), members, strict=True)):
        field, offset = dtype.fields[name][:2]
        if offset != stored.get_member_offset(i):
            return f"its field {name!r} lies elsewhere in memory than in the file"
        reason = _type_reason(member, field)
        if reason is not None:
            return f"{reason} (field {name!r})"
    return None


def _half_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"{dtype.byteorder}f{dtype.itemsize // 2}")


def _integer_reason(stored: h5t.TypeID, dtype: np.dtype[Any]) -> str | None:
    if not hasattr(stored, "get_precision"):
        return None  # bitfields
    if stored.get_precision() != 8 * stored.get_size() or stored.get_offset():
        return f"its integers use {stored.get_precision()} of {8 * stored.get_size()} bits"
    return None if dtype.kind in "iub" and _same_order(stored, dtype) else "its integers are converted"


def _same_order(stored: h5t.TypeID, dtype: np.dtype[Any]) -> bool:
    if dtype.itemsize == 1:
        return True
    orders = {h5t.ORDER_LE: dtype.newbyteorder("<"), h5t.ORDER_BE: dtype.newbyteorder(">")}
    return dtype == orders.get(stored.get_order())
