"""Strings and lists that lie one after the other -> Arrow arrays, without a Python object per value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["pack_lists", "pack_texts"]

_MOST = np.iinfo(np.int32).max


def pack_texts(joined: bytes, count: int) -> pa.Array | None:
    """Strings with a NUL between each two; None where one is no UTF-8, or they are more than Arrow's offsets count."""
    if len(joined) > _MOST:
        return None
    codes = np.frombuffer(joined, np.uint8)
    offsets = np.zeros(count + 1, np.int32)
    # Each separator that goes moves what follows by one.
    offsets[1:-1] = np.flatnonzero(codes == 0) - np.arange(count - 1)
    offsets[-1] = len(joined) - (count - 1)
    texts = joined.translate(None, b"\0")
    array = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(texts))
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return None
    return array


def pack_lists(items: NDArray[Any], offsets: NDArray[np.int64]) -> pa.Array | None:
    """Lists of numbers, ``items[offsets[i]:offsets[i + 1]]``; None where they are more than Arrow's offsets count."""
    if offsets[-1] > _MOST:
        return None
    if items.dtype.kind in "bMm":
        values = pa.array(items)
    else:
        values = pa.Array.from_buffers(pa.from_numpy_dtype(items.dtype), len(items), [None, pa.py_buffer(items)])
    small = pa.py_buffer(offsets.astype(np.int32))
    return pa.Array.from_buffers(pa.list_(values.type), len(offsets) - 1, [None, small], children=[values])
