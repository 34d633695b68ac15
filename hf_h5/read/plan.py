"""Which chunks hold the wanted rows, and which bytes of the file to ask for.

Pure; no I/O. Everything per row is numpy; Python loops run per chunk or per range only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import RowError

__all__ = [
    "ByteRange",
    "ChunkRead",
    "Places",
    "Rows",
    "as_rows",
    "batch_ranges",
    "plan_ranges",
    "plan_rows",
    "row_starts",
]

WINDOW_BYTES = 32 << 20
"""Bytes asked for at once of a source that answers many requests together."""

Rows = range | NDArray[np.int64]
"""Checked row numbers: a range with step 1, or ``(n,)`` int64."""

Places = slice | NDArray[np.int64]
"""Positions along an axis: one contiguous run, or one by one."""


class ChunkRead(NamedTuple):
    """The rows wanted of one chunk (or, where chunks split rows, of one line of chunks).

    A named tuple: a plan makes hundreds of them for each batch, and a frozen dataclass takes three times as long.

    Attributes
    ----------
    chunk
        Number of the chunk along the first axis.
    out, rows
        ``out[i]`` of the batch is row ``rows[i]`` of the chunk. Both are slices where they are contiguous.
    n_rows
        How many rows are wanted.
    """

    chunk: int
    out: Places
    rows: Places
    n_rows: int


@dataclass(frozen=True, slots=True, eq=False)
class ByteRange:
    """Bytes ``[offset, offset + size)`` of the file, which hold the pieces numbered ``members``."""

    offset: int
    size: int
    members: NDArray[np.int64]


def as_rows(rows: object, n_rows: int) -> Rows:
    """Bring row numbers into one of the two checked forms.

    Parameters
    ----------
    rows
        A slice, a range, or integers in any order, repeats allowed. Negative numbers are refused outside slices.
    n_rows
        How many rows there are.

    Raises
    ------
    RowError
        If a row lies outside ``[0, n_rows)``.
    TypeError
        If the rows are no integers.

    Examples
    --------
    >>> as_rows(slice(None, 3), 10)
    range(0, 3)
    >>> as_rows([3, 1, 1], 10)
    array([3, 1, 1])
    """
    if isinstance(rows, slice):
        rows = range(*rows.indices(n_rows))
    if isinstance(rows, range):
        return _checked_range(rows, n_rows)
    numbers = np.asarray(rows)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise TypeError(f"rows must be a list of integers, not {numbers.ndim}-D {numbers.dtype}")
    numbers = numbers.astype(np.int64, copy=False)
    if numbers.size and (numbers.min() < 0 or numbers.max() >= n_rows):
        wrong = numbers[(numbers < 0) | (numbers >= n_rows)][0]
        raise RowError(f"row {wrong} lies outside 0 to {n_rows - 1} ({n_rows} rows)")
    if numbers.size > 1 and numbers[-1] - numbers[0] == numbers.size - 1 and (np.diff(numbers) == 1).all():
        return range(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


def _checked_range(rows: range, n_rows: int) -> Rows:
    for end in (rows[0], rows[-1]) if rows else ():
        if not 0 <= end < n_rows:
            raise RowError(f"row {end} lies outside 0 to {n_rows - 1} ({n_rows} rows)")
    if rows.step != 1 and len(rows) != 1:
        return np.arange(rows.start, rows.stop, rows.step, dtype=np.int64)
    return range(rows[0], rows[0] + len(rows)) if rows else range(0)


def plan_rows(rows: Rows, *, chunk_rows: int) -> list[ChunkRead]:
    """Group wanted rows by the chunk that stores them.

    Parameters
    ----------
    rows
        As `as_rows` returns them, any order, repeats allowed.
    chunk_rows
        Rows in a chunk.

    Returns
    -------
    list of ChunkRead
        One per touched chunk, in ascending order; their ``out`` positions cover ``0 .. n-1`` exactly once.

    Examples
    --------
    >>> for read in plan_rows(np.array([5, 0, 4]), chunk_rows=4):
    ...     print(read.chunk, read.out, read.rows)
    0 slice(1, 2, None) slice(0, 1, None)
    1 [0 2] [1 0]
    """
    if isinstance(rows, range):
        return _plan_run(rows.start, rows.stop, chunk_rows)
    if not len(rows):
        return []
    chunks = rows // chunk_rows
    order = np.argsort(chunks, kind="stable")
    chunks = chunks[order]
    inner = rows[order] - chunks * chunk_rows
    starts, stops = _groups(chunks[1:] != chunks[:-1])
    out_is_run = order[stops - 1] - order[starts] == stops - starts - 1
    breaks = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(inner[1:] - inner[:-1] != 1, out=breaks[2:])
    inner_is_run = breaks[stops] == breaks[starts + 1]
    return [
        ChunkRead(
            chunk,
            slice(out, out + stop - start) if one_out else order[start:stop],
            slice(row, row + stop - start) if one_run else inner[start:stop],
            stop - start,
        )
        for chunk, start, stop, out, row, one_out, one_run in zip(
            *(each.tolist() for each in (chunks[starts], starts, stops, order[starts], inner[starts])),
            *(each.tolist() for each in (out_is_run, inner_is_run)),
            strict=True,
        )
    ]


def _groups(splits: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the half-open bounds of the groups of items; ``splits[i]`` says that item ``i + 1`` begins one."""
    inner = np.flatnonzero(splits) + 1
    bounds = np.empty(len(inner) + 2, np.int64)
    bounds[0], bounds[1:-1], bounds[-1] = 0, inner, len(splits) + 1
    return bounds[:-1], bounds[1:]


def _plan_run(start: int, stop: int, chunk_rows: int) -> list[ChunkRead]:
    reads = []
    for chunk in range(start // chunk_rows, -(-stop // chunk_rows) if stop > start else 0):
        first = max(start, chunk * chunk_rows)
        last = min(stop, (chunk + 1) * chunk_rows)
        out = slice(first - start, last - start)
        reads.append(ChunkRead(chunk, out, slice(first - chunk * chunk_rows, last - chunk * chunk_rows), last - first))
    return reads


def plan_ranges(offsets: Any, sizes: Any, *, gap_bytes: int, limit_bytes: int) -> list[ByteRange]:
    """Join pieces of the file that lie close together into ranges worth one request each.

    Parameters
    ----------
    offsets, sizes
        Byte offset and size of each piece, in any order.
    gap_bytes
        Largest hole between two pieces that is read along.
    limit_bytes
        Pieces that start in the same ``limit_bytes`` after the first of a run share a range, so that no range is
        longer than this plus one piece.

    Returns
    -------
    list of ByteRange
        In file order; each piece is a member of exactly one range.

    Examples
    --------
    >>> plan_ranges([100, 0, 10], [5, 10, 10], gap_bytes=4, limit_bytes=64)
    [ByteRange(offset=0, size=20, members=array([1, 2])), ByteRange(offset=100, size=5, members=array([0]))]
    """
    offsets, sizes = np.asarray(offsets, np.int64), np.asarray(sizes, np.int64)
    if not len(offsets):
        return []
    order = np.argsort(offsets, kind="stable")
    begins = offsets[order]
    ends = begins + sizes[order]
    splits = np.zeros(len(begins), np.bool_)
    splits[1:] = begins[1:] - np.maximum.accumulate(ends)[:-1] > gap_bytes
    run_begin = begins[np.maximum.accumulate(np.where(splits, np.arange(len(begins)), 0))]
    bucket = (begins - run_begin) // limit_bytes
    starts, stops = _groups(splits[1:] | (bucket[1:] != bucket[:-1]))
    bounds = zip(starts.tolist(), stops.tolist(), np.maximum.reduceat(ends, starts).tolist(), strict=True)
    return [
        ByteRange(begin, end - begin, order[start:stop])
        for (start, stop, end), begin in zip(bounds, begins[starts].tolist(), strict=True)
    ]


def batch_ranges(ranges: list[ByteRange], window_bytes: int = WINDOW_BYTES) -> Iterator[list[ByteRange]]:
    """Yield ranges in groups of at most ``window_bytes``, which are in memory together while they are unpacked.

    A single range that is larger is a group of its own.
    """
    window: list[ByteRange] = []
    total = 0
    for each in ranges:
        if window and total + each.size > window_bytes:
            yield window
            window, total = [], 0
        window.append(each)
        total += each.size
    if window:
        yield window


def row_starts(n_rows: int, group_rows: int) -> NDArray[np.int64]:
    """Return where groups of rows begin, and last the number of rows: ``group_rows`` each, the last one fewer.

    >>> row_starts(10, 4).tolist()
    [0, 4, 8, 10]
    """
    return np.append(np.arange(0, n_rows, group_rows, dtype=np.int64), np.int64(n_rows))
