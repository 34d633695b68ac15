"""Columns -> ``datasets.Features``, and batches of numpy rows -> Arrow tables with these features.

Numbers become Arrow buffers without copies; ``Array2D`` to ``Array5D`` are lists of lists whose offsets are computed,
not looped over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.features.features import require_decoding
from numpy.typing import NDArray

from ..describe.elements import (
    Binary,
    Element,
    FeatureSpec,
    Label,
    Number,
    Ragged,
    Struct,
    Text,
    feature_spec,
    is_array,
)
from ..describe.schema import Column, Table
from ..errors import DataError
from ..registry import make_list
from .arrow_casts import cast_to_feature, to_pictures

__all__ = ["column_features", "empty_table", "record_rows", "table_features", "to_arrow_table", "to_column"]

Batch = Mapping[str, NDArray[Any]]
# Offsets by step; a batch of 16 MB of bytes needs some 20 MB of them.
_OFFSETS: dict[int, NDArray[np.int32]] = {}
_MAX_OFFSETS = 6
# A record batch costs a Python call per column to write and to map; beyond this size that is nothing.
_RECORD_BYTES = 1 << 20
_DEFAULT_RECORD_ROWS = 1000
# Batches of a single row are kept until there are so many bytes of them.
_HELD_BYTES = 16 << 20


def table_features(table: Table, *, nested: bool = False, given: Any = None) -> datasets.Features:
    """The features of a table, flat by column or nested by group; ``given`` are the user's own, which count."""
    if not nested:
        return datasets.Features(column_features(table.columns, given))
    chosen = None if given is None else {name: _at(given, column) for name, column in table.columns.items()}
    return datasets.Features(_tree(table, column_features(table.columns, chosen)))


def _tree(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of columns as nested dicts, by the groups and fields that lead to the columns."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *groups, last = table.columns[name].nested_name
        inner = tree
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[last] = value
    return tree


def _at(features: Any, column: Column) -> Any:
    """The feature of a column in nested features."""
    for name in column.nested_name:
        features = features[name]
    return features


def column_features(columns: Mapping[str, Column], given: Any = None) -> dict[str, Any]:
    """The feature object of each column; the user's own objects (``Image(mode=...)``) where given."""
    chosen = given or {}
    return {name: chosen[name] if name in chosen else _feature(column.spec) for name, column in columns.items()}


def _feature(spec: FeatureSpec) -> Any:
    kind = spec.get("_type")
    if not isinstance(kind, str):
        return {name: _feature(inner) for name, inner in spec.items()}
    if kind == "Value":
        return datasets.Value(spec["dtype"])
    if kind == "ClassLabel":
        return datasets.ClassLabel(names=list(spec["names"]))
    if kind == "List":
        return make_list(_feature(spec["feature"]), spec.get("length", -1))
    values = {name: value for name, value in spec.items() if name != "_type"}
    if kind.startswith("Array"):
        values["shape"] = tuple(values["shape"])
    return getattr(datasets, kind)(**values)


def record_rows(features: datasets.Features, row_bytes: int) -> int | None:
    """Rows of the record batches in the cache; None: as many as ``datasets`` takes by default.

    Of narrow rows ``datasets`` writes a thousand together, and of pictures a hundred, which are decoded one by one; it
    holds as many in memory where rows are so large that each comes alone.
    """
    if any(require_decoding(feature) for feature in features.values()):
        return None
    rows = _RECORD_BYTES // row_bytes
    if rows > _DEFAULT_RECORD_ROWS:
        return rows
    held = max(1, _HELD_BYTES // row_bytes)
    return held if held < _DEFAULT_RECORD_ROWS else None


def to_arrow_table(batch: Batch, table: Table, features: datasets.Features, *, nested: bool = False) -> pa.Table:
    """Make an Arrow table of a batch.

    Parameters
    ----------
    batch
        What ``read`` returned, for all columns of ``features``.
    features
        What ``table_features`` returned; the table has exactly its types.
    """
    if nested:
        return _nested_table(batch, table, features)
    names = list(features)
    arrays = [to_column(batch[name], table.columns[name], features[name], table) for name in names]
    return pa.Table.from_arrays(arrays, schema=_schema(features))


def empty_table(features: datasets.Features) -> pa.Table:
    """A table of no rows, which Arrow by itself does not make where a struct holds arrays."""
    schema = features.arrow_schema
    return pa.Table.from_arrays([_empty(each.type) for each in schema], schema=schema)


def _empty(kind: pa.DataType) -> pa.Array:
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, _empty(kind.storage_type))
    if pa.types.is_struct(kind):
        return pa.StructArray.from_arrays([_empty(each.type) for each in kind], fields=list(kind))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        made = pa.ListArray if pa.types.is_list(kind) else pa.LargeListArray
        return made.from_arrays([0], _empty(kind.value_type), type=kind)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(_empty(kind.value_type), type=kind)
    return pa.array([], kind)


def _schema(features: datasets.Features) -> pa.Schema:
    # Not features.arrow_schema: its metadata is made from JSON anew each time, and writers add their own. The type is
    # made anew at each look too: looking once for each column took half of the time of rows of 40 arrays.
    return pa.schema(list(features.type))


def _nested_table(batch: Batch, table: Table, features: datasets.Features) -> pa.Table:
    arrays = {
        name: to_column(batch[name], column, _at(features, column), table)
        for name, column in table.columns.items()
        if column.nested_name[0] in features
    }
    tree = _tree(table, arrays)
    return pa.Table.from_arrays([_struct(tree[name]) for name in features], schema=_schema(features))


def _struct(value: Any) -> pa.Array:
    if not isinstance(value, dict):
        return value
    return pa.StructArray.from_arrays([_struct(inner) for inner in value.values()], names=list(value))


def to_column(
    values: NDArray[Any] | pa.Array | pa.ChunkedArray, column: Column, feature: Any, table: Table | None = None
) -> pa.Array:
    """One column of a batch as an Arrow array of its feature's type.

    ``table`` is that of the column, by which errors say in which file the values lie.

    Values that are an Arrow array already, of the type that the file's values have, are only cast; rows of a
    ``datasets.Dataset`` come in their feature's type.

    Raises
    ------
    DataError
        If a value does not fit the feature that the user asked for.
    """
    mask: NDArray[np.bool_] | None = None
    if isinstance(values, pa.Array | pa.ChunkedArray):
        wanted = datasets.features.features.get_nested_type(feature)
        if values.type == wanted:
            return values
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values).reshape(len(values), -1).all(axis=1)  # type: ignore[assignment]
        values = values.data
    if isinstance(feature, datasets.Image) and column.dtype.kind != "O" and mask is None:
        return to_pictures(values, column, feature, table)
    if isinstance(values, pa.Array):
        array = values
    else:
        array = _ragged_rows(values, column) if column.is_ragged else _fixed_rows(values, column, mask)
    if column.feature is not None:
        return _cast(array, column, feature, table)
    kind = datasets.features.features.get_nested_type(feature)
    if isinstance(kind, pa.ExtensionType):
        return pa.ExtensionArray.from_storage(kind, array)
    return array if array.type == kind else array.cast(kind)


def _cast(array: pa.Array, column: Column, feature: Any, table: Table | None) -> pa.Array:
    inferred = _feature(column.inferred)
    kind = datasets.features.features.get_nested_type(inferred)
    if isinstance(kind, pa.ExtensionType):
        array = pa.ExtensionArray.from_storage(kind, array)
    return cast_to_feature(array, column, feature, table)


def _fixed_rows(values: NDArray[Any], column: Column, mask: NDArray[np.bool_] | None) -> pa.Array:
    shape = tuple(size for size in column.row_shape if size is not None)
    leaf = _leaf(column.element, values.reshape(-1))
    if not shape:
        return leaf if mask is None else pa.array(np.ascontiguousarray(values), type=leaf.type, mask=mask)
    as_array = column.is_array
    n_rows, sized = len(values), 0 not in shape
    for depth in range(len(shape) - 1, -1, -1):
        count = n_rows * int(np.prod(shape[:depth], dtype=np.int64))
        outer = mask if depth == 0 else None
        if sized and not as_array:
            leaf = pa.FixedSizeListArray.from_arrays(
                leaf, shape[depth], mask=None if outer is None else pa.array(outer)
            )
        else:
            leaf = _list(leaf, _even_offsets(count, shape[depth]), outer)
    return leaf


def _even_offsets(count: int, step: int) -> NDArray[np.int32]:
    """Offsets of ``count`` lists of ``step`` items: those of a smaller batch begin alike, so the longest are kept."""
    if count * step > np.iinfo(np.int32).max:
        raise DataError(
            f"a batch holds {count * step:,} values, more than an Arrow list can count",
            hint="pass a smaller batch_size=",
        )
    kept = _OFFSETS.get(step)
    if kept is None or len(kept) <= count:
        kept = np.arange(0, (count + 1) * step, step, dtype=np.int32) if step else np.zeros(count + 1, np.int32)
        _OFFSETS[step] = kept
        while len(_OFFSETS) > _MAX_OFFSETS:
            _OFFSETS.pop(next(iter(_OFFSETS)), None)
    return kept[: count + 1]


def _list(values: pa.Array, offsets: NDArray[np.int32], mask: NDArray[np.bool_] | None = None) -> pa.Array:
    if mask is not None and mask.any():
        return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(mask))
    count = len(offsets) - 1
    return pa.Array.from_buffers(pa.list_(values.type), count, [None, pa.py_buffer(offsets)], children=[values])


def _ragged_rows(values: NDArray[Any], column: Column) -> pa.Array:
    """Rows whose first axis (or more) differs in size: offsets of each level from the rows' shapes."""
    rank = len(column.row_shape)
    mask = np.fromiter((value is None for value in values), bool, len(values))
    empty = np.empty((0,) * rank, column.dtype)
    rows = [empty if value is None else np.asarray(value) for value in values]
    flat = np.concatenate([row.reshape(-1) for row in rows]) if rows else empty.reshape(-1)
    array = _leaf(column.element, flat)
    shapes = np.array([row.shape for row in rows], np.int64).reshape(len(rows), rank)
    for depth in range(rank - 1, -1, -1):
        repeats = shapes[:, :depth].prod(axis=1)
        lengths = np.repeat(shapes[:, depth], repeats)
        array = _list(array, _offsets(lengths), mask if depth == 0 and mask.any() else None)
    return array


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int32]:
    ends = np.cumsum(lengths, dtype=np.int64)
    if len(ends) and ends[-1] > np.iinfo(np.int32).max:
        raise DataError(
            f"a batch holds {ends[-1]:,} values, more than an Arrow list can count", hint="pass a smaller batch_size="
        )
    return np.concatenate([np.zeros(1, np.int32), ends.astype(np.int32)])


def _leaf(element: Element, flat: NDArray[Any]) -> pa.Array:
    """A one-dimensional array of values of an element."""
    match element:
        case Number(dtype):
            return _numbers(np.ascontiguousarray(flat), dtype)
        case Label():
            return pa.array(np.ascontiguousarray(flat), pa.int64())
        case Text():
            return pa.array(flat, pa.string(), from_pandas=False)
        case Binary():
            return pa.array(flat, pa.binary(), from_pandas=False)
        case Ragged(item, shape):
            return _ragged_items(flat, item, shape)
        case Struct(fields):
            arrays = [_shaped(part.element, flat[part.name], part.shape) for part in fields]
            return pa.StructArray.from_arrays(arrays, names=[part.name for part in fields])


def _numbers(flat: NDArray[Any], dtype: np.dtype[Any]) -> pa.Array:
    # Items of lists come as their file stores them, which may be narrower than the table's type.
    flat = flat.astype(dtype, copy=False)
    if dtype.kind in "Mm":
        return pa.array(flat)  # not-a-time becomes null
    if dtype.kind == "b":
        return pa.array(flat)
    return pa.Array.from_buffers(pa.from_numpy_dtype(dtype), len(flat), [None, pa.py_buffer(flat)])


def _ragged_items(flat: NDArray[Any], item: Element, shape: tuple[int, ...]) -> pa.Array:
    rows: Sequence[Any] = flat.tolist()
    lengths = np.fromiter((0 if row is None else len(row) for row in rows), np.int64, len(rows))
    mask = np.fromiter((row is None for row in rows), bool, len(rows))
    filled = [row for row in rows if row is not None and len(row)]
    if filled:
        joined = np.concatenate(filled)
    else:
        joined = np.empty((0, *shape), _dtype_of(item))
    return _list(_shaped(item, joined, shape), _offsets(lengths), mask if mask.any() else None)


def _dtype_of(element: Element) -> np.dtype[Any]:
    match element:
        case Number(dtype):
            return dtype
        case Label():
            return np.dtype(np.int64)
        case Struct(fields):
            return np.dtype([(part.name, _dtype_of(part.element), part.shape) for part in fields])
        case _:
            return np.dtype(object)


def _shaped(element: Element, values: NDArray[Any], shape: tuple[int, ...]) -> pa.Array:
    """Values with dimensions of their own, inside a list or struct."""
    array = _leaf(element, values.reshape(-1))
    as_array = is_array(element, shape)
    for depth in range(len(shape) - 1, -1, -1):
        count = len(values) * int(np.prod(shape[:depth], dtype=np.int64))
        if 0 in shape or as_array:
            array = _list(array, _even_offsets(count, shape[depth]))
        else:
            array = pa.FixedSizeListArray.from_arrays(array, shape[depth])
    if as_array:
        kind = datasets.features.features.get_nested_type(_feature(feature_spec(element, shape)))
        return pa.ExtensionArray.from_storage(kind, array)
    return array
