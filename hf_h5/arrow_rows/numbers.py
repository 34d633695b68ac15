"""Numbers of one shape in the memory of Arrow arrays: where each row begins, and copies of rows from there.

Pure; no I/O. Nothing is ever written to that memory, and whoever asks gets memory of their own.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..describe.schema import Column
from ..read.gather import NEW_ARRAY_ROW, gather_new, gather_rows
from ..read.plan import Rows

__all__ = ["NumberRows", "find_numbers"]

# Bits are looked up so many at a time: each takes eight bytes of indices.
_BITS_AT_ONCE = 1 << 18


class _NotPlainError(ValueError):
    """Some rows have no value, or not all of them the same size."""


def find_numbers(column: Column, chunks: pa.ChunkedArray) -> NumberRows | None:
    """Find where the rows of a column of numbers lie; None if some have no value, or another size than the others.

    As in ``datasets``, rows of lists are taken to follow one another evenly if a chunk of them has as many values as
    that makes: to look at each of them would mean to read all offsets, which are as large as the values.
    """
    shape = tuple(size for size in column.row_shape if size is not None)
    starts, places = [0], []
    try:
        for chunk in chunks.chunks:
            if len(chunk):
                places.append(_find_place(chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk, shape))
                starts.append(starts[-1] + len(chunk))
    except _NotPlainError:
        return None
    kind = _BitRows if column.dtype.kind == "b" else _ByteRows
    return kind(column.dtype, shape, np.array(starts, np.int64), np.array(places, np.int64), chunks)


def _find_place(array: pa.Array, shape: tuple[int, ...]) -> int:
    """The address of the first value of an array of lists, in bits where these are truth values."""
    first, count = 0, len(array)
    for size in shape:
        _expect_values(array)
        start = array.offset + first
        if pa.types.is_fixed_size_list(array.type):
            first = start * size
        else:
            offsets = np.frombuffer(array.buffers()[1], np.int32)
            first = int(offsets[start])
            if int(offsets[start + count]) - first != count * size:
                raise _NotPlainError
        count *= size
        array = array.values
    _expect_values(array)
    kind, data = array.type, array.buffers()[1]
    place = array.offset + first
    if pa.types.is_boolean(kind):
        return int(data.address * 8 + place)
    return int(data.address + place * (kind.bit_width // 8))


def _expect_values(array: pa.Array) -> None:
    if array.null_count:
        raise _NotPlainError


class NumberRows(Protocol):
    """Rows of numbers by number; reading is safe from any thread."""

    @property
    def makes_arrays(self) -> bool:
        """Whether random rows are quicker made as a new array than copied into one that is there."""
        ...

    def take(self, rows: Rows, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Rows that are there, ``(n, *shape)`` of the dtype, in ``out`` if that is given, which is contiguous."""
        ...

    def take_row(self, row: int) -> NDArray[Any]:
        """One row, ``(1, *shape)``, in memory of its own."""
        ...


class _Runs:
    """Rows that follow one another in memory: chunks that do, as those of a mapped file, are one run.

    Parameters
    ----------
    starts
        ``(k + 1,)`` the first row of each chunk, and the number of rows.
    places
        ``(k,)`` where each chunk begins, in units of ``step``.
    step
        How far it is from one row to the next.
    """

    def __init__(self, starts: NDArray[np.int64], places: NDArray[np.int64], step: int) -> None:
        begins = np.ones(len(places), np.bool_)
        begins[1:] = places[1:] != places[:-1] + np.diff(starts)[:-1] * step
        self.starts = np.append(starts[:-1][begins], starts[-1:])
        self.places = places[begins]
        self.step = step
        self.low = int(self.places.min(initial=np.iinfo(np.int64).max))
        self.high = int((self.places + np.diff(self.starts) * step).max(initial=self.low))
        self._firsts: list[int] = self.starts[:-1].tolist()
        self._begins: list[int] = self.places.tolist()

    def find(self, rows: Rows) -> NDArray[np.int64]:
        """The place of each row."""
        numbers = np.asarray(rows, np.int64)
        if len(self.places) == 1:
            return numbers * self.step + self._begins[0]
        runs = np.searchsorted(self.starts, numbers, side="right") - 1
        found: NDArray[np.int64] = (numbers - self.starts[runs]) * self.step + self.places[runs]
        return found

    def find_one(self, row: int) -> int:
        """The place of one row."""
        run = bisect_right(self._firsts, row) - 1
        return self._begins[run] + (row - self._firsts[run]) * self.step


def _memory(low: int, high: int, owner: Any) -> NDArray[np.uint8]:
    """Bytes from one address to another, read-only; what lies between the runs is never touched."""
    return np.frombuffer(pa.foreign_buffer(low, high - low, owner) if high > low else b"", np.uint8)


class _Placed:
    """What rows of whole bytes and rows of bits have in common: memory, and where each row begins in it.

    Parameters
    ----------
    step
        How far it is from one row to the next.
    unit
        How many steps are a byte: 8 of bits.
    """

    unit = 1

    def __init__(
        self,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        starts: NDArray[np.int64],
        places: NDArray[np.int64],
        owner: Any,
    ) -> None:
        self._dtype, self._shape = dtype, shape
        self._step = math.prod(shape) * (dtype.itemsize if self.unit == 1 else 1)
        runs = _Runs(starts, places, self._step)
        low = runs.low // self.unit
        self._memory = _memory(low, -(-runs.high // self.unit), owner)
        self._runs = _Runs(starts, places - self.unit * low, self._step)

    def _empty(self, rows: Rows) -> NDArray[Any]:
        return np.empty((len(rows), *self._shape), self._dtype)


class _ByteRows(_Placed):
    """Rows of whole bytes."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._whole: NDArray[Any] | None = None
        if len(self._runs.places) == 1:
            self._whole = self._memory.view(self._dtype).reshape(-1, *self._shape)

    @property
    def makes_arrays(self) -> bool:
        return self._whole is None and self._step <= NEW_ARRAY_ROW

    def take(self, rows: Rows, out: NDArray[Any] | None = None) -> NDArray[Any]:
        if self._whole is None and out is None and not isinstance(rows, range) and self.makes_arrays:
            found = gather_new(self._memory, self._runs.find(rows), self._step)
            return found.view(self._dtype).reshape(-1, *self._shape)
        made = self._empty(rows) if out is None else out
        if isinstance(rows, range):
            self._copy(rows, made)
        elif self._whole is not None:
            # mode="clip" keeps numpy from buffering its output; the rows were checked.
            np.take(self._whole, rows, axis=0, out=made, mode="clip")
        elif len(rows):
            gather_rows(self._memory, self._runs.find(rows), self._step, made.reshape(-1).view(np.uint8))
        return made

    def _copy(self, rows: range, out: NDArray[Any]) -> None:
        """Copy rows in order, run by run."""
        starts, flat, row = self._runs.starts, out.reshape(-1).view(np.uint8), rows.start
        while row < rows.stop:
            stop = min(rows.stop, int(starts[np.searchsorted(starts, row, side="right")]))
            place, at = self._runs.find_one(row), (row - rows.start) * self._step
            n_bytes = (stop - row) * self._step
            flat[at : at + n_bytes] = self._memory[place : place + n_bytes]
            row = stop

    def take_row(self, row: int) -> NDArray[Any]:
        if self._whole is not None:
            return self._whole[row : row + 1].copy()
        place = self._runs.find_one(row)
        array: NDArray[Any] = np.ndarray((1, *self._shape), self._dtype, self._memory.data, place)
        return array.copy()


class _BitRows(_Placed):
    """Rows of truth values, of which Arrow has eight in a byte."""

    unit = 8
    makes_arrays = False

    def take(self, rows: Rows, out: NDArray[Any] | None = None) -> NDArray[Any]:
        made = self._empty(rows) if out is None else out
        bits = np.arange(self._step)
        step = max(1, _BITS_AT_ONCE // self._step)
        flat = made.reshape(len(rows), self._step)
        for start in range(0, len(rows), step):
            places = self._runs.find(rows[start : start + step])[:, np.newaxis] + bits
            flat[start : start + step] = (self._memory[places >> 3] >> (places & 7).astype(np.uint8)) & 1
        return made

    def take_row(self, row: int) -> NDArray[Any]:
        return self.take(range(row, row + 1))
