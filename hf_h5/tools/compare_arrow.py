"""Which rows of two columns differ, bit for bit: two of Arrow, or one of Arrow and what h5py returned.

Pure; no I/O.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["count_values", "first_unequal_row", "rows_unlike_h5py", "to_storage", "unequal_rows", "value_at"]

Mask = NDArray[np.bool_]
Column: TypeAlias = pa.Array | pa.ChunkedArray

_BITS = {pa.float16(): pa.int16(), pa.float32(): pa.int32(), pa.float64(): pa.int64()}


def to_storage(column: Column) -> pa.Array:
    """One array of plain Arrow types: of a column in pieces, of an extension type such as ``Array2D``."""
    array = column
    if isinstance(column, pa.ChunkedArray):
        array = column.chunk(0) if column.num_chunks == 1 else _joined(column)
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _joined(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks or [pa.array([], column.type)])


def unequal_rows(one: Column, other: Column) -> Mask:
    """Tell for each row whether two columns differ there; rows that only one has do.

    NaN equals NaN of the same bits, -0.0 does not equal 0.0, and no row equals one of another type.
    """
    one, other = to_storage(one), to_storage(other)
    shared = min(len(one), len(other))
    mask: Mask = np.ones(max(len(one), len(other)), np.bool_)
    mask[:shared] = _unequal(one[:shared], other[:shared])
    return mask


def first_unequal_row(one: Column, other: Column) -> int | None:
    """The first row in which two columns differ; None if they are equal bit for bit."""
    rows = np.flatnonzero(unequal_rows(one, other))
    return int(rows[0]) if len(rows) else None


def _unequal(one: pa.Array, other: pa.Array) -> Mask:
    """Differences of two arrays of one length."""
    one, other = to_storage(one), to_storage(other)
    if one.type != other.type:
        return np.ones(len(one), np.bool_)
    if one.type in _BITS:
        one, other = one.view(_BITS[one.type]), other.view(_BITS[other.type])
    if not pa.types.is_nested(one.type):
        return np.zeros(len(one), np.bool_) if one.equals(other) else _unequal_flat(one, other)
    mask = _flags(pc.xor(one.is_null(), other.is_null()))
    if pa.types.is_struct(one.type):
        for pair in zip(one.flatten(), other.flatten(), strict=True):
            mask |= _unequal(*pair)
        return mask
    lengths = _lengths(one)
    mask |= lengths != _lengths(other)
    return mask | _unequal_items(one, other, mask, lengths)


def _unequal_flat(one: pa.Array, other: pa.Array) -> Mask:
    unequal = pc.or_(pc.fill_null(pc.not_equal(one, other), False), pc.xor(one.is_null(), other.is_null()))
    return _flags(unequal)


def _unequal_items(one: pa.Array, other: pa.Array, known: Mask, lengths: NDArray[np.int64]) -> Mask:
    """Lists whose items differ, of those that are not known to differ already."""
    if known.any():
        one, other, lengths = _unless(one, known), _unless(other, known), lengths[~known]
    mask: Mask = np.zeros(len(known), np.bool_)
    items = _unequal(one.flatten(), other.flatten())
    if items.any():
        found = np.concatenate([[0], np.cumsum(items)])
        ends = np.cumsum(lengths)
        mask[~known] = found[ends] > found[ends - lengths]
    return mask


def _unless(array: pa.Array, left_out: Mask) -> pa.Array:
    """What is not left out, run by run: Arrow's filter is wrong for some lists (arrow_rows/fixed_lists.py)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], left_out, [True]]).astype(np.int8)))
    runs = [array.slice(start, stop - start) for start, stop in edges.reshape(-1, 2).tolist()]
    return pa.concat_arrays(runs or [array.slice(0, 0)])


def _lengths(array: pa.Array) -> NDArray[np.int64]:
    """Items of each list; none where it is null, as ``flatten`` leaves those out."""
    if pa.types.is_fixed_size_list(array.type):
        found: NDArray[np.int64] = np.where(_flags(array.is_valid()), array.type.list_size, 0).astype(np.int64)
        return found
    return np.asarray(pc.fill_null(array.value_lengths(), 0).to_numpy(zero_copy_only=False), np.int64)


def _flags(array: pa.Array) -> Mask:
    return np.array(array.to_numpy(zero_copy_only=False), np.bool_)


def _leaf(array: pa.Array) -> pa.Array:
    while pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type):
        array = array.flatten()
    return array


def count_values(column: Column) -> int:
    """How many numbers, strings and so on a column holds, those in lists and structs too."""
    leaf = _leaf(to_storage(column))
    return sum(map(count_values, leaf.flatten())) if pa.types.is_struct(leaf.type) else len(leaf)


def value_at(values: Any, row: int) -> Any:
    """The value of a row as Python has it."""
    if row >= len(values):
        return "no such row"
    value = values[row]
    if isinstance(value, pa.Scalar):
        return value.as_py()
    return value.item() if isinstance(value, np.generic) else value


def rows_unlike_h5py(column: Column, rows: Any) -> Mask:
    """Tell for each row whether Arrow holds another value than h5py returned; see ``oracle.h5py_rows``."""
    array = to_storage(column)
    mask: Mask = np.ones(max(len(array), len(rows)), np.bool_)
    shared = min(len(array), len(rows))
    mask[:shared] = _unlike(array[:shared], rows[:shared])
    return mask


def _unlike(array: pa.Array, rows: Any) -> Mask:
    if isinstance(rows, np.ndarray):
        unequal = _unequal_bits(_leaf(array), rows)
        if unequal is not None:
            return np.asarray(
                unequal.reshape(len(rows), -1).any(axis=1) if unequal.size else np.zeros(len(rows)), np.bool_
            )
    return np.fromiter(
        (not _is_row(array.slice(number, 1), expected) for number, expected in enumerate(rows)), np.bool_, len(rows)
    )


def _is_row(one: pa.Array, expected: Any) -> bool:
    if isinstance(expected, np.ndarray):
        unequal = _unequal_bits(_leaf(one), expected)
        if unequal is not None:
            return not unequal.any()
    return _same(one[0].as_py(), expected)


def _unequal_bits(leaf: pa.Array, expected: NDArray[Any]) -> Mask | None:
    """Which numbers differ; None where they cannot be compared as blocks of one type."""
    found = leaf.to_numpy(zero_copy_only=False) if leaf.null_count == 0 else None
    if found is None or found.size != expected.size or found.dtype != expected.dtype or found.dtype.kind not in "biuf":
        return None
    bits = f"u{expected.dtype.itemsize}"
    wanted = np.ascontiguousarray(expected).ravel().view(bits)
    if expected.dtype.kind == "b":
        wanted = np.not_equal(wanted, 0).view(bits)  # h5py hands on whatever byte was stored as a truth value
    unequal: Mask = found.view(bits) != wanted
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
