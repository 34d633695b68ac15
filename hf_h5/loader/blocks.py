"""Rows that are read together and handed out over several batches: each chunk is decoded once, into a block."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..read.ahead import can_prefetch, prefetch_rows
from ..read.memory import BatchArrays, Memory
from ..read.plan import Places, as_rows
from ..read.rows import RowSource
from ..sampling import Dealt, EpochOrder, Steps

__all__ = ["Block", "BlockReader", "Planned", "plan_batches", "plan_blocks"]

Numbers = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]

# Chunks are read in tasks of about this size: a task costs some 100 µs, and closing a pass waits for those begun.
_TASK_BYTES = 8 << 20


@dataclass(eq=False)
class Block:
    """Rows of the source, each once, in ascending order; ``arrays`` hold them once ``fills`` are done."""

    number: int
    rows: Numbers
    fills: list[Future[Any]] = field(default_factory=list)
    arrays: Arrays = field(default_factory=dict)
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_asked_for: bool = False


class Planned(NamedTuple):
    """One batch of a rank: its step, and either rows of the source, or which rows of which blocks."""

    step: int
    rows: Numbers
    parts: tuple[tuple[Block, Places], ...] = ()


def plan_batches(dealt: Iterator[Dealt], rank: int, rows: range | Numbers) -> Iterator[Planned]:
    """The batches of a rank, as rows of the source that are read for each batch."""
    for each in dealt:
        yield Planned(each.step, _source_rows(rows, each.of_rank(rank)[0]))


def plan_blocks(
    dealt: Iterator[Dealt],
    rank: int,
    rows: range | Numbers,
    order: EpochOrder,
    steps: Steps,
    windows_per_block: int,
) -> Iterator[Planned]:
    """The batches of a rank, as rows of blocks; a block holds what the rank gets of some windows.

    Parameters
    ----------
    windows_per_block
        So many that a block of one of many ranks is about as large as a window.
    """
    ends = np.append(order.window_starts[windows_per_block:-1:windows_per_block], order.n_rows)
    waiting: deque[_Waiting] = deque()
    made: dict[int, _Made] = {}
    for each in dealt:
        mine, windows = each.of_rank(rank)
        blocks = windows // windows_per_block if windows_per_block > 1 else windows
        waiting.append(_Waiting(each.step, _source_rows(rows, mine), blocks))
        complete = int(np.searchsorted(ends, steps.bounds(each.step)[1], side="right"))
        yield from _ready(waiting, made, complete)
    yield from _ready(waiting, made, len(ends))


class _Waiting(NamedTuple):
    """A batch whose last rows' block may still get more rows."""

    step: int
    rows: Numbers
    blocks: Numbers


class _Made:
    """A block, and where in it the rows are that its batches take, in order."""

    def __init__(self, number: int, rows: Numbers) -> None:
        found, self._places = np.unique(rows, return_inverse=True)
        self.block = Block(number, found)
        self._in_order = bool((np.diff(self._places) == 1).all())
        self._taken = 0

    def take(self, count: int) -> tuple[Block, Places]:
        taken = slice(self._taken, self._taken + count)
        self._taken += count
        return self.block, taken if self._in_order else self._places[taken]


def _ready(waiting: deque[_Waiting], made: dict[int, _Made], complete: int) -> Iterator[Planned]:
    """Yield the batches of which all blocks below ``complete`` are; those that wait hold all rows of their blocks."""
    while waiting and (not len(waiting[0].blocks) or waiting[0].blocks[-1] < complete):
        step, rows, blocks = waiting[0]
        # In ascending order, as the windows are.
        numbers = range(int(blocks[0]), int(blocks[-1]) + 1) if len(blocks) else range(0)
        counts = np.bincount(blocks - numbers.start).tolist() if len(numbers) > 1 else [len(blocks)] * len(numbers)
        for number in numbers:
            if number not in made:
                made[number] = _Made(number, np.concatenate([each.rows[each.blocks == number] for each in waiting]))
        parts = tuple(made[number].take(count) for number, count in zip(numbers, counts, strict=True) if count)
        for number in [number for number in made if number < numbers[-1]]:
            del made[number]
        waiting.popleft()
        yield Planned(step, rows, parts)


class BlockReader:
    """Reads blocks and makes batches of their rows; each method is called by many threads.

    Parameters
    ----------
    source
        Where the rows come from.
    names
        The columns that are read.
    memory
        Where the arrays of batches and blocks come from.
    """

    def __init__(self, source: RowSource, names: Sequence[str], memory: Memory) -> None:
        self._source, self._names = source, tuple(names)
        columns = {name: source.schema.columns[name] for name in names}
        self._arrays = BatchArrays(columns, memory)
        self._row_bytes = max(1, sum(column.row_bytes for column in columns.values()))
        self._boundaries = source.row_groups()
        self._can_prefetch = can_prefetch(source)

    def tasks(self, block: Block) -> list[slice]:
        """Parts of a block, of whole chunks, that are read at a time; the reader decodes a part's chunks in threads."""
        groups = np.searchsorted(self._boundaries, block.rows, side="right")
        firsts = np.flatnonzero(np.diff(groups, prepend=-1))
        # The first group of each run of about _TASK_BYTES begins a task.
        task = firsts * self._row_bytes // _TASK_BYTES
        starts = firsts[np.flatnonzero(np.diff(task, prepend=-1))].tolist()
        return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], len(block.rows)], strict=True)]

    def prefetch(self, block: Block) -> None:
        """Ask the servers for a block that will be read, once."""
        if self._can_prefetch and not block.is_asked_for:
            block.is_asked_for = True
            for part in self.tasks(block):
                prefetch_rows(self._source, block.rows[part], self._names)

    @property
    def looks_ahead(self) -> bool:
        """Whether `prefetch` does something."""
        return self._can_prefetch

    def fill(self, block: Block, part: slice) -> None:
        """Read a part of a block."""
        with block.lock:
            if not block.arrays:
                block.arrays = self._arrays.make(len(block.rows))
        rows = as_rows(block.rows[part], len(self._source))
        out = {name: block.arrays[name][part] for name in self._arrays.numbers}
        for name, values in self._source.read(rows, self._names, out).items():
            if name not in out:
                block.arrays[name][part] = values
            elif isinstance(values, np.ma.MaskedArray):
                with block.lock:
                    mask = block.masks.setdefault(name, np.zeros(len(block.rows), bool))
                mask[part] = np.ma.getmaskarray(values).reshape(len(values), -1).all(axis=1)

    def gather(self, planned: Planned) -> Arrays:
        """Make the arrays of a batch, which are the caller's; waits for the blocks that it needs."""
        if not planned.parts:
            made_there = self._source.makes_arrays(self._names)
            wanted = [name for name in self._arrays.numbers if name not in made_there]
            return self._source.read_here(planned.rows, self._names, self._arrays.make(len(planned.rows), wanted))
        for block, _ in planned.parts:
            for future in block.fills:
                future.result()
        out = self._arrays.make(len(planned.rows))
        masks: dict[str, NDArray[np.bool_]] = {}
        start = 0
        for block, places in planned.parts:
            count = places.stop - places.start if isinstance(places, slice) else len(places)
            here = slice(start, start + count)
            for name, target in out.items():
                _copy(block.arrays[name], places, target[here])
            for name, mask in block.masks.items():
                masks.setdefault(name, np.zeros(len(planned.rows), bool))[here] = mask[places]
            start += count
        return {name: _masked(values, masks.get(name)) for name, values in out.items()}


def _copy(source: NDArray[Any], places: Places, target: NDArray[Any]) -> None:
    if isinstance(places, slice):
        target[...] = source[places]
    else:
        # mode="clip" keeps numpy from buffering its output.
        np.take(source, places, axis=0, out=target, mode="clip")


def _masked(values: NDArray[Any], mask: NDArray[np.bool_] | None) -> NDArray[Any]:
    if mask is None or not mask.any():
        return values
    return np.ma.MaskedArray(values, np.broadcast_to(mask.reshape(-1, *(1,) * (values.ndim - 1)), values.shape))


def _source_rows(rows: range | Numbers, positions: Numbers) -> Numbers:
    return positions + rows.start if isinstance(rows, range) else rows[positions]
