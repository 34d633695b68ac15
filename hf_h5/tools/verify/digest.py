"""A checksum of a column's values that does not depend on how they came: in which batches, lists or offsets.

Pure; no I/O. Of nested columns each level is digested by itself: lengths and nulls where they change, and the bytes of
the innermost values, little endian. The same values have the same checksum in HDF5, Arrow and Parquet.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..compare_arrow import Column, to_storage

__all__ = ["ColumnDigest"]


class ColumnDigest:
    """Takes a column batch by batch.

    Examples
    --------
    >>> one, two = ColumnDigest(), ColumnDigest()
    >>> one.update(pa.array([[1, 2], [3]]))
    >>> two.update(pa.array([[1, 2]])), two.update(pa.array([[3]], pa.large_list(pa.int64())))
    (None, None)
    >>> one.hexdigest() == two.hexdigest()
    True
    """

    def __init__(self) -> None:
        self._streams: dict[str, Any] = {}
        self._runs: dict[str, tuple[int, int | None]] = {}

    def update(self, column: Column) -> None:
        """Take the next rows."""
        self._take(to_storage(column), "")

    def hexdigest(self) -> str:
        """SHA-256 of everything taken, as 64 hexadecimal digits."""
        facts = sorted((place, stream.hexdigest()) for place, stream in self._streams.items())
        counts = sorted((place, count) for place, (count, _) in self._runs.items())
        return hashlib.sha256(repr((facts, counts)).encode()).hexdigest()

    def _take(self, array: pa.Array, place: str) -> None:
        array = to_storage(array)
        self._note_runs(f"{place}?", np.asarray(array.is_valid().to_numpy(zero_copy_only=False), np.int64))
        kind = array.type
        if pa.types.is_struct(kind):
            for field, inner in zip(kind, array.flatten(), strict=True):
                self._take(inner, f"{place}.{field.name}")
        elif pa.types.is_fixed_size_list(kind):
            valid = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), np.int64)
            self._note_runs(f"{place}#", valid * kind.list_size)
            self._take(array.flatten(), f"{place}[]")
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            self._note_runs(f"{place}#", _lengths(array.value_lengths()))
            self._take(array.flatten(), f"{place}[]")
        elif _is_bytes(kind):
            text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
            self._feed(f"{place}:{'string' if text else 'binary'}", _joined_bytes(array))
            self._note_runs(f"{place}#", _lengths(pc.binary_length(array)))
        else:
            self._feed(f"{place}:{kind}", _number_bytes(array))

    def _note_runs(self, place: str, values: NDArray[np.int64]) -> None:
        """Digest small numbers by where they change: most lists of a column are of one length."""
        count, last = self._runs.get(place, (0, None))
        if len(values):
            changes = np.flatnonzero(np.diff(values)) + 1
            starts = changes if last == values[0] else np.concatenate([[0], changes])
            self._feed(place, np.stack([starts + count, values[starts]], axis=1).astype("<i8"))
            last = int(values[-1])
        self._runs[place] = (count + len(values), last)

    def _feed(self, place: str, content: Any) -> None:
        stream = self._streams.setdefault(place, hashlib.sha256())
        stream.update(np.ascontiguousarray(content).data if isinstance(content, np.ndarray) else content)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_large_binary(kind)
    )


def _lengths(array: pa.Array) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(array, 0).to_numpy(zero_copy_only=False), np.int64)


def _joined_bytes(array: pa.Array) -> bytes:
    valid = array.drop_null()
    data = valid.buffers()[2]
    if data is None or not len(valid):
        return b""
    wide = pa.types.is_large_string(valid.type) or pa.types.is_large_binary(valid.type)
    offsets = np.frombuffer(valid.buffers()[1], np.int64 if wide else np.int32)
    return bytes(data[int(offsets[valid.offset]) : int(offsets[valid.offset + len(valid)])])


def _number_bytes(array: pa.Array) -> NDArray[Any]:
    if pa.types.is_null(array.type):
        return np.empty(0, np.uint8)
    if pa.types.is_boolean(array.type):
        return np.asarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False), np.uint8)
    whole = array.view(f"int{array.type.bit_width}")
    values = pc.fill_null(whole, 0) if whole.null_count else whole
    return np.asarray(values.to_numpy(zero_copy_only=False)).astype(f"<i{array.type.bit_width // 8}", copy=False)
