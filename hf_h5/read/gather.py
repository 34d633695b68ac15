"""Copy rows from one buffer to another, whole rows at a time, in any order.

Pure; no I/O. Buffers are 1-D uint8 and contiguous; rows have any size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .plan import Places

__all__ = [
    "LARGE_ROW",
    "NEW_ARRAY_ROW",
    "as_cells",
    "as_row_array",
    "copy_rows",
    "gather_new",
    "gather_rows",
    "join_runs",
]

Bytes = NDArray[np.uint8]

LARGE_ROW = 64 << 10
"""From here on a second thread is worth while: numpy lets go of the interpreter while it copies such rows."""

NEW_ARRAY_ROW = 32 << 10
"""Rows up to here are quicker made as a new array: batches of them are so small that it gets memory used before."""

_LOOP_ROW = 8 << 10
"""From here on a copy of each row is quicker than a gather that passes through other memory: 256 rows of 12 KiB take
229 µs instead of 279, on a machine that does nothing else."""

_BLOCK_BYTES = 256 << 10
"""Rows gathered at a time: the copy on the way stays in the cache (87 % of a bare `numpy.take`, else 79 %)."""


def as_row_array(buffer: Bytes, row_nbytes: int) -> NDArray[Any]:
    """View a buffer as an array whose first axis are rows; small rows become one opaque item each.

    Opaque items make indexing by arrays a plain copy of bytes, whatever the type of the row.
    """
    if row_nbytes < LARGE_ROW:
        return buffer.view(np.dtype((np.void, row_nbytes)))
    return buffer.reshape(-1, row_nbytes)


def as_cells(buffer: Bytes, itemsize: int) -> NDArray[Any]:
    """View a buffer as values of ``itemsize`` bytes that numpy copies as they are, padding included."""
    return buffer.view(np.dtype(f"u{itemsize}") if itemsize in (1, 2, 4, 8) else np.dtype((np.void, itemsize)))


def copy_rows(source: NDArray[Any], rows: Places, target: NDArray[Any], out: Places) -> None:
    """Do ``target[out] = source[rows]``, in one pass where the target rows are a run.

    ``mode="clip"`` keeps `numpy.take` from buffering its output; the rows were checked before.
    """
    if isinstance(out, slice) and not isinstance(rows, slice):
        np.take(source, rows, axis=0, out=target[out], mode="clip")
    else:
        target[out] = source[rows]


def gather_rows(
    mapped: Bytes, addresses: NDArray[np.int64], row_nbytes: int, out: Bytes, places: Places | None = None
) -> None:
    """Copy rows that begin at any bytes of a buffer to rows of ``out``.

    The buffer is seen as an array of overlapping rows, one beginning at each byte; indexing it copies rows from
    anywhere without a loop in Python. (`numpy.take` has an ``out``, but would copy such an array as a whole.)

    Parameters
    ----------
    addresses
        ``(n,)``, the first byte of each row.
    places
        Which row of ``out`` each goes to; by default one after the other.
    """
    if row_nbytes >= _LOOP_ROW:
        _copy_each(mapped, addresses, row_nbytes, out, places)
        return
    target = as_row_array(out, row_nbytes)
    if isinstance(places, slice):
        target, places = target[places], None
    overlapping = _overlapping(mapped, row_nbytes)
    step = max(1, _BLOCK_BYTES // row_nbytes)
    for start in range(0, len(addresses), step):
        part = slice(start, start + step)
        target[part if places is None else places[part]] = overlapping[addresses[part]]


def gather_new(mapped: Bytes, addresses: NDArray[np.int64], row_nbytes: int) -> Bytes:
    """Copy rows that begin at any bytes of a buffer to a new one: each byte once, which no ``out`` allows.

    256 rows of 12 KiB take 190 µs, as those of `numpy.take` do; `gather_rows` takes 280.
    """
    return _overlapping(mapped, row_nbytes)[addresses].view(np.uint8)


def _overlapping(mapped: Bytes, row_nbytes: int) -> NDArray[Any]:
    """A buffer as rows of which one begins at each byte."""
    shape, row = (len(mapped) - row_nbytes + 1,), np.dtype((np.void, row_nbytes))
    return np.ndarray(shape, row, buffer=mapped.data, strides=(1,))


def _copy_each(mapped: Bytes, addresses: NDArray[np.int64], row_nbytes: int, out: Bytes, places: Places | None) -> None:
    """Copy row by row; slices of memoryviews take half the time, those of arrays let go of the interpreter."""
    source: Any = mapped if row_nbytes >= LARGE_ROW else mapped.data
    target: Any = out if row_nbytes >= LARGE_ROW else out.data
    first = places.start or 0 if isinstance(places, slice) else 0
    numbers = places.tolist() if isinstance(places, np.ndarray) else range(first, first + len(addresses))
    for place, address in zip(numbers, addresses.tolist(), strict=True):
        at = place * row_nbytes
        target[at : at + row_nbytes] = source[address : address + row_nbytes]


def join_runs(begins: NDArray[np.int64], sizes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Join pieces of a file that follow each other without a gap, in the given order.

    >>> begins, sizes = join_runs(np.array([8, 12, 40]), np.array([4, 4, 4]))
    >>> begins.tolist(), sizes.tolist()
    ([8, 40], [8, 4])
    """
    firsts = np.flatnonzero(np.concatenate(([True], begins[1:] != begins[:-1] + sizes[:-1])))
    return begins[firsts], np.add.reduceat(sizes, firsts)
