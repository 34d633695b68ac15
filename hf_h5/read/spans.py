"""Runs of rows of one dataset, one after the other: the lists of a ragged column, the rows of a sparse matrix.

Copied run by run, not row by row: a run of 2,000 numbers takes as long as a handful of single ones.
"""

from __future__ import annotations

import math
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError, FilterError
from .chunks import ChunkedRows
from .direct import DirectDataset
from .gather import as_cells, join_runs
from .plan import batch_ranges, plan_ranges
from .scratch import borrow_scratch

__all__ = ["SpanPlan", "can_read_spans", "number_rows", "plan_spans", "read_spans"]

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]

_SHORT_BYTES = 64
"""Shorter runs than this, on average, are gathered row by row: a run costs about 0.3 µs in Python."""


class SpanPlan(NamedTuple):
    """Runs of rows cut at the chunks: rows ``begin`` to ``begin + n_rows`` of chunk ``chunk`` go to row ``out``."""

    chunk: Numbers
    begin: Numbers
    n_rows: Numbers
    out: Numbers


def plan_spans(starts: Numbers, stops: Numbers, chunk_rows: int) -> SpanPlan:
    """Cut runs of rows at the chunks that store them; no run is empty.

    Examples
    --------
    >>> plan_spans(np.array([5, 0]), np.array([9, 2]), 4)
    SpanPlan(chunk=array([1, 2, 0]), begin=array([1, 0, 0]), n_rows=array([3, 1, 2]), out=array([0, 3, 4]))
    """
    firsts = starts // chunk_rows
    n_chunks = (stops - 1) // chunk_rows - firsts + 1
    outs = np.cumsum(stops - starts) - (stops - starts)
    if len(n_chunks) and n_chunks.max() > 1:
        span = np.repeat(np.arange(len(starts)), n_chunks)
        chunk = firsts[span] + np.arange(len(span)) - np.repeat(np.cumsum(n_chunks) - n_chunks, n_chunks)
        starts, stops, outs = starts[span], stops[span], outs[span]
    else:
        chunk = firsts
    low = np.maximum(starts, chunk * chunk_rows)
    count = np.minimum(stops, (chunk + 1) * chunk_rows) - low
    return SpanPlan(chunk, low - chunk * chunk_rows, count, outs + low - starts)


def number_rows(starts: Numbers, stops: Numbers) -> Numbers:
    """The numbers of the rows of all runs, one after the other.

    >>> number_rows(np.array([5, 0]), np.array([7, 1])).tolist()
    [5, 6, 0]
    """
    counts = stops - starts
    places = np.arange(int(counts.sum()), dtype=np.int64)
    places += np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return places


def can_read_spans(dataset: DirectDataset, starts: Numbers, stops: Numbers) -> bool:
    """Whether runs are worth reading as such: long ones, of rows that lie in one piece, one after the other."""
    index = dataset.index
    if not len(starts) or not index.holds_whole_rows or index.kind not in ("contiguous", "chunked"):
        return False
    return int((stops - starts).sum()) * index.row_nbytes >= len(starts) * _SHORT_BYTES


def read_spans(
    dataset: DirectDataset, starts: Numbers, stops: Numbers, pool: Executor | None, scratch: str | None = None
) -> NDArray[Any]:
    """Read runs of rows, ``[starts[0], stops[0])`` and so on, one after the other; each chunk is unpacked once.

    Parameters
    ----------
    starts, stops
        ``(k,)``, at least one, none empty, inside the dataset; `can_read_spans` must hold.
    scratch
        The name of this thread's buffer that the rows are put into; a new array by default.

    Returns
    -------
    ndarray
        ``(n, *row_shape)`` of the stored type; the caller's, or the buffer's.

    Raises
    ------
    DamagedFileError, FilterError, FileChangedError
        As `DirectDataset.read_rows`.
    """
    begins, counts = join_runs(starts, stops - starts)
    if len(begins) == 1:
        return dataset.read_rows(range(int(begins[0]), int(begins[0] + counts[0])), pool=pool)
    index = dataset.index
    dataset.source.check()
    shape = (int(counts.sum()), *index.row_shape)
    out = np.empty(shape, index.dtype) if scratch is None else _borrowed(scratch, shape, index.dtype)
    flat = out.reshape(-1).view(np.uint8)
    plan = plan_spans(begins, begins + counts, index.chunk_rows)
    try:
        if isinstance(dataset._rows, ChunkedRows):
            _unpack(dataset._rows, plan, flat, pool)
        else:
            _copy_plain(dataset, plan, flat)
    except (DamagedFileError, FilterError) as error:
        if error.path is not None:
            raise
        raise type(error)(error.problem, file=dataset.file, path=dataset.path, hint=error.hint) from error
    return out


def _borrowed(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    return borrow_scratch(f"spans {name}", math.prod(shape) * dtype.itemsize).view(dtype).reshape(shape)


def _unpack(rows: ChunkedRows, plan: SpanPlan, out: Bytes, pool: Executor | None) -> None:
    """Copy runs out of decoded chunks."""
    size = rows.index.row_nbytes
    order = np.argsort(plan.chunk, kind="stable")
    numbers, firsts = np.unique(plan.chunk[order], return_index=True)
    begins, counts, outs = ((part[order] * size).tolist() for part in (plan.begin, plan.n_rows, plan.out))
    bounds = [*firsts.tolist(), len(order)]
    target = out.data

    def put(place: int, block: Bytes) -> None:
        content = block.data
        for piece in range(bounds[place], bounds[place + 1]):
            at, begin, count = outs[piece], begins[piece], counts[piece]
            target[at : at + count] = content[begin : begin + count]

    rows.unpack(numbers, put, pool)


def _copy_plain(dataset: DirectDataset, plan: SpanPlan, out: Bytes) -> None:
    """Copy runs out of the mapped file, or out of ranges of one that is not."""
    index, source = dataset.index, dataset.source
    size = index.row_nbytes
    offsets = index.offsets[plan.chunk]
    if (offsets < 0).any():
        as_cells(out, index.dtype.itemsize)[:] = np.frombuffer(
            index.fill, as_cells(out[:0], index.dtype.itemsize).dtype
        )[:1]
    there = offsets >= 0
    begins = (offsets + plan.begin * size)[there]
    counts, outs = (plan.n_rows * size)[there], (plan.out * size)[there]
    if not len(begins):
        return
    mapped = source.view(0, int((begins + counts).max()))
    target = out.data
    if mapped is not None:
        for begin, count, at in zip(begins.tolist(), counts.tolist(), outs.tolist(), strict=True):
            target[at : at + count] = mapped[begin : begin + count]
        return
    ranges = plan_ranges(begins, counts, gap_bytes=source.gap_bytes, limit_bytes=source.limit_bytes)
    for window in batch_ranges(ranges):
        found = source.read_ranges([each.offset for each in window], [each.size for each in window])
        for each, content in zip(window, found, strict=True):
            for piece in each.members.tolist():
                begin, count, at = int(begins[piece]) - each.offset, int(counts[piece]), int(outs[piece])
                target[at : at + count] = content[begin : begin + count]
