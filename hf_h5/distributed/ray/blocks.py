"""Arrow tables as Ray's blocks and back: arrays of one shape are tensors there, and lists where they are stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from ray.data.block import BlockAccessor
from ray.data.extensions import ArrowTensorArray

__all__ = ["Shape", "as_lists", "as_tensors", "block_schema", "storage_schema", "tensor_shapes"]

Shape = tuple[int, ...]


def storage_schema(features: datasets.Features) -> pa.Schema:
    """The Arrow types that features are stored in, with the features in the metadata."""
    schema = features.arrow_schema
    return pa.schema([field.with_type(_storage(field.type)) for field in schema], metadata=schema.metadata)


def _storage(kind: pa.DataType) -> pa.DataType:
    """A type without those that only ``datasets`` knows."""
    if isinstance(kind, pa.ExtensionType):
        return _storage(kind.storage_type)
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_storage(field.type)) for field in kind])
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_storage(kind.value_type)), kind.list_size)
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_storage(kind.value_type)))
    return kind


def tensor_shapes(features: datasets.Features, missing: Collection[str]) -> dict[str, Shape]:
    """The shape of a row of each column of numbers that all rows have in one shape."""
    shapes = {name: _shape(feature) for name, feature in features.items()}
    return {name: shape for name, shape in shapes.items() if shape and 0 not in shape and name not in missing}


def _shape(feature: Any) -> Shape | None:
    """The shape of an array of numbers; () of a number, None of anything else."""
    if hasattr(feature, "shape") and hasattr(feature, "dtype"):
        shape = tuple(feature.shape)
        return None if None in shape else shape
    if isinstance(feature, datasets.Value):
        return () if _is_number(feature.pa_type) else None
    inner, length = getattr(feature, "feature", None), getattr(feature, "length", -1)
    if inner is None or length < 1:
        return None
    rest = _shape(inner)
    return None if rest is None else (length, *rest)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def as_tensors(batch: pa.Table, schema: pa.Schema, shapes: Mapping[str, Shape]) -> pa.Table:
    """A batch as a block; what is no tensor keeps its lists."""
    arrays, fields = [], []
    for field in schema:
        array = _plain_array(batch.column(field.name), field.type)
        if field.name in shapes:
            values = _flat(array).reshape(len(array), *shapes[field.name])
            array = ArrowTensorArray.from_numpy(values)
        arrays.append(array)
        fields.append(field.with_type(array.type))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=schema.metadata))


def block_schema(schema: pa.Schema, shapes: Mapping[str, Shape]) -> pa.Schema:
    """What the blocks of `as_tensors` have, known before one is read."""
    fields = []
    for field in schema:
        kind = field.type
        if field.name in shapes:
            while pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
                kind = kind.value_type
            kind = ArrowTensorArray.from_numpy(np.empty((1, *shapes[field.name]), kind.to_pandas_dtype())).type
        fields.append(field.with_type(kind))
    return pa.schema(fields, metadata=schema.metadata)


def _plain_array(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    array = array.storage if isinstance(array, pa.ExtensionArray) else array
    # Extension types further inside have the same buffers.
    return array if array.type == kind else array.cast(kind)


def _flat(array: pa.Array) -> NDArray[Any]:
    while pa.types.is_list(array.type) or pa.types.is_fixed_size_list(array.type):
        array = array.flatten()
    flat: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return flat


def as_lists(block: pa.Table, schema: pa.Schema) -> pa.Table:
    """A block as the lists that its features are stored in; columns that the schema lacks are left out."""
    arrays = []
    for field in schema:
        column = block.column(field.name)
        if column.type == field.type:
            arrays.append(column)
        elif isinstance(column.type, pa.BaseExtensionType):
            arrays.append(_lists(np.ascontiguousarray(BlockAccessor.for_block(block).to_numpy(field.name)), field.type))
        else:
            arrays.append(column.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _lists(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Nested lists of a type over an array's numbers, without a copy of them."""
    if not (pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)):
        return pa.array(values.reshape(-1)).cast(kind)
    inner = _lists(values.reshape(-1, *values.shape[2:]), kind.value_type)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(inner, kind.list_size)
    step = values.shape[1]
    offsets = np.arange(0, (len(values) + 1) * step, step, dtype=np.int32)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(offsets)], children=[inner])
