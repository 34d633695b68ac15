"""Many rows of numbers as Arrow arrays over the same memory, block by block, with one set of offsets for all blocks."""

from __future__ import annotations

import math
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..describe.schema import Column
from .arrow import to_column

__all__ = ["number_blocks"]

# A block has as many rows as fit this many bytes of offsets: fewer make more blocks, at some 15 µs each.
_OFFSETS_BYTES = 8 << 20


def number_blocks(rows: NDArray[Any], column: Column, feature: Any) -> list[pa.Array]:
    """Arrow arrays of a feature's type over rows of numbers, without a copy.

    Parameters
    ----------
    rows
        ``(n, *row_shape)``, C-contiguous, in the column's dtype.
    column, feature
        A column of numbers, and its inferred feature.

    Returns
    -------
    list of Array
        One, or for ``Array2D`` to ``Array5D`` one for each block of rows: their lists count values with 32 bits.
    """
    shape = tuple(size for size in column.row_shape if size is not None)
    if not column.is_array:
        return [to_column(rows, column, feature)]
    counts = [math.prod(shape[:depth]) for depth in range(len(shape))]
    size = max(1, min(_OFFSETS_BYTES // (4 * sum(counts)), np.iinfo(np.int32).max // math.prod(shape)))
    # The outermost lists come last.
    levels = [(count, _offsets(min(size, len(rows)) * count, step)) for count, step in zip(counts, shape, strict=True)]
    kind = datasets.features.features.get_nested_type(feature)
    values, item = pa.py_buffer(rows.reshape(-1)), pa.from_numpy_dtype(rows.dtype)
    row_bytes = rows[:1].nbytes
    blocks = []
    for start in range(0, len(rows), size):
        n_rows = min(size, len(rows) - start)
        piece = values.slice(start * row_bytes, n_rows * row_bytes)
        array = pa.Array.from_buffers(item, n_rows * math.prod(shape), [None, piece])
        for count, offsets in reversed(levels):
            array = pa.Array.from_buffers(pa.list_(array.type), n_rows * count, [None, offsets], children=[array])
        blocks.append(pa.ExtensionArray.from_storage(kind, array))
    return blocks


def _offsets(count: int, step: int) -> pa.Buffer:
    return pa.py_buffer(np.arange(0, (count + 1) * step, step, dtype=np.int32))
