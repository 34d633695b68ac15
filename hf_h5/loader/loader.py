"""Batches of a view, made ahead by threads: in order or shuffled, shared out to ranks, resumable at any row."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from ..errors import ClosedError
from ..read.memory import Memory
from ..read.pool import default_threads
from ..sampling import deal_steps
from .blocks import Block, BlockReader, Planned, plan_batches, plan_blocks
from .crew import Crew
from .passes import Passes, Place, Settings

if TYPE_CHECKING:
    from ..view.state import ViewState

__all__ = ["Loader"]


class Loader(Passes):
    """An iterable of batches; made by ``H5TorchView.loader``.

    The threads live as long as a pass: until its last batch, or until its iterator is closed or dropped.
    """

    def __init__(self, view: ViewState, settings: Settings) -> None:
        super().__init__(view, settings)
        # Kept from one epoch to the next: the first use of a page costs more than filling it.
        batch_bytes = settings.batch_size * self._layout.row_bytes
        self._memory = Memory(settings.shuffle_bytes + (settings.prefetch + 2) * batch_bytes)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of one epoch; the place moves on as each is handed out."""
        place = self._begin_pass()
        steps, maker = self._steps(place.origin), self._view._maker
        reader = BlockReader(self._view._source, maker.read_names, self._memory)
        crew = Crew(self._view._threads or default_threads())
        try:
            ahead = _Ahead(self._plan(place), reader, maker.format_batch, self._settings, crew)
            for step, formatted in ahead:
                # Only what was finished counts as handed out: the view's transform is called here, and may raise.
                finished = [maker.finish(formatted.pop())]
                self._place = place._replace(row=steps.bounds(step)[1])
                yield finished.pop()
        finally:
            crew.close()

    def _plan(self, place: Place) -> Iterator[Planned]:
        order, steps, chosen = self._order(place.epoch), self._steps(place.origin), self._settings
        dealt = deal_steps(order, steps, steps.step_at(place.row))
        if chosen.exact or not self._layout.reads_blocks:
            return plan_batches(dealt, chosen.rank, self._view._rows)
        return plan_blocks(dealt, chosen.rank, self._view._rows, order, steps, chosen.world_size)


class _Ahead:
    """The batches of a plan, in order, with some of those to come under way.

    Blocks are read in the order of their numbers, and before the batches that need them; the next block is read while
    batches of the last one are made, and not before the one before that is used up: two are in memory.
    """

    def __init__(
        self, plan: Iterator[Planned], reader: BlockReader, finish: Any, settings: Settings, crew: Crew
    ) -> None:
        self._plan, self._reader, self._finish, self._settings, self._crew = plan, reader, finish, settings, crew
        self._peeked: deque[Planned] = deque()
        self._begun: deque[tuple[int, Future[Any]]] = deque()
        self._users: dict[int, list[threading.Event]] = {}
        self._last = -1
        self._process = os.getpid()

    def __iter__(self) -> Iterator[tuple[int, list[Any]]]:
        """Yield the step of each batch, and the batch in a list, so that whoever takes it out is the only one."""
        while True:
            while len(self._begun) <= self._settings.prefetch and (planned := self._next_plan()) is not None:
                self._begin(planned)
                del planned
            if not self._begun:
                return
            if self._process != os.getpid():
                raise ClosedError(
                    "the epoch was begun by another process, whose threads this fork does not have",
                    hint="make an iterator of the loader here: iter(loader)",
                )
            step, future = self._begun.popleft()
            try:
                made = [future.result()]
            except Exception as error:
                error.add_note(f"while batch {step} of the epoch was made")
                raise
            del future
            yield step, made

    def _next_plan(self) -> Planned | None:
        return self._peeked.popleft() if self._peeked else next(self._plan, None)

    def _begin(self, planned: Planned) -> None:
        for block, _ in planned.parts:
            self._fill(block)
        last = planned.parts[-1][0].number if planned.parts else 0
        done = threading.Event()
        for block, _ in planned.parts:
            self._users.setdefault(block.number, []).append(done)
        future = self._crew.submit((last, 1), partial(self._make, planned, done))
        self._begun.append((planned.step, future))
        if planned.parts and last != self._last:
            self._last = last
            self._fill_after(last)

    def _fill_after(self, number: int) -> None:
        """Have the block after this one read, if there is one; what is far away of the next one is asked for too."""
        filled = number
        for planned in self._plans_to_come():
            for block, _ in planned.parts:
                if block.number > filled > number:
                    self._reader.prefetch(block)
                    return
                if block.number > filled:
                    self._fill(block)
                    filled = block.number
            if filled > number and not self._reader.looks_ahead:
                return

    def _plans_to_come(self) -> Iterator[Planned]:
        yield from tuple(self._peeked)
        for planned in self._plan:
            self._peeked.append(planned)
            yield planned

    def _fill(self, block: Block) -> None:
        if block.fills:
            return
        self._reader.prefetch(block)
        before = [number for number in self._users if number < block.number - 1]
        blockers = [event for number in before for event in self._users.pop(number)]
        for part in self._reader.tasks(block):
            block.fills.append(self._crew.submit((block.number, 0), partial(self._read, block, part, blockers)))

    def _read(self, block: Block, part: slice, blockers: list[threading.Event]) -> None:
        # These are more urgent and were begun before, so they end.
        for event in blockers:
            event.wait()
        self._reader.fill(block, part)

    def _make(self, planned: Planned, done: threading.Event) -> Any:
        try:
            arrays = self._reader.gather(planned)
        finally:
            done.set()
        return _placed(self._finish(arrays), self._settings)


def _placed(value: Any, settings: Settings) -> Any:
    """Move the tensors of a batch to where they are wanted."""
    if not settings.pin_memory and settings.device is None:
        return value
    if isinstance(value, torch.Tensor):
        pinned = value.pin_memory() if settings.pin_memory and torch.cuda.is_available() else value
        return pinned if settings.device is None else pinned.to(settings.device, non_blocking=True)
    if isinstance(value, dict):
        return {name: _placed(inner, settings) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_placed(inner, settings) for inner in value)
    return value
