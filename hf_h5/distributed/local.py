"""The shards of a plan on this machine, in this process or in several: a process that dies costs its shard only."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_ends
from multiprocessing.synchronize import Event
from types import FrameType
from typing import Any

from ..errors import H5Error, H5Warning
from ..remote.secrets import seal, unseal
from .plan import Plan
from .reports import ShardReport
from .shards import convert_shard

__all__ = ["convert_here"]

MAX_RETRIES = 3
"""How often processes may die before the conversion gives up."""


def convert_here(
    plan: Plan,
    out: str | os.PathLike[str],
    numbers: Sequence[int],
    *,
    num_proc: int = 1,
    note: Callable[[ShardReport], None],
) -> int:
    """Write shards of a plan.

    Parameters
    ----------
    numbers
        Which of ``plan.shards``.
    num_proc
        How many processes; with one, this one does it.
    note
        Is handed a report of each shard as it is finished.

    Returns
    -------
    int
        How often processes died, and others went on.
    """
    if num_proc == 1 or len(numbers) < 2:
        for number in numbers:
            note(convert_shard(plan, number, out))
        return 0
    left, retries = set(numbers), 0
    while left:
        try:
            for report in _in_processes(plan, out, sorted(left), num_proc):
                left.discard(report.number)
                note(report)
        except BrokenProcessPool as error:
            retries += 1
            if retries > MAX_RETRIES:
                hint = "another --num-proc needs less memory; run it again to go on"
                raise H5Error(f"processes died {retries} times: {error}", file=os.fspath(out), hint=hint) from error
            warnings.warn("a process died; others go on with its shard", H5Warning, stacklevel=2)
    return retries


def _in_processes(
    plan: Plan, out: str | os.PathLike[str], numbers: Sequence[int], num_proc: int
) -> Iterator[ShardReport]:
    """Reports as shards are finished; on an error what is running ends, and nothing more begins."""
    threads = max(1, len(os.sched_getaffinity(0)) // num_proc) if hasattr(os, "sched_getaffinity") else 1
    # Not forked: threads of this process may hold locks.
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    wanted, want = context.Pipe(duplex=False)
    begin = (_begin, (_Work(plan, os.fspath(out), threads, stop, wanted),))
    with wanted, want, ProcessPoolExecutor(min(num_proc, len(numbers)), context, *begin) as pool:
        try:
            with _interrupts_held():
                running = {pool.submit(_convert, number) for number in numbers}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BaseException as error:
            if not isinstance(error, Exception):
                # A shard may take minutes, and a signal to this process alone is not seen by those that write.
                want.close()
            raise
        finally:
            stop.set()
            # Waited for: nobody writes into the folder any more once an error is seen.
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Work:
    """What a process converts; sent once and not with each shard.

    Attributes
    ----------
    stop
        Set when no more is wanted; what is being written is finished.
    wanted
        Ends when nothing at all is wanted: the other end is closed, or died with the process that held it.
    """

    plan: Plan
    out: str
    threads: int
    stop: Event
    wanted: Connection

    def __getstate__(self) -> dict[str, Any]:
        """With the secrets of the plan's URLs, which the plan does not hold."""
        return {**self.__dict__, "sealed": seal(version.file for version in self.plan.files)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["sealed"]:
            unseal(state["sealed"])
        self.__dict__.update({name: value for name, value in state.items() if name != "sealed"})


_WORK: list[_Work] = []
_WRITING = threading.Lock()
"""Held by a process while it writes a shard."""
_GRACE_S = 30.0
"""How long a process whose parent is gone may take to remove its half-written file."""
_HELD = {signal.SIGINT, signal.SIGTERM}


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let processes be started whole: Ctrl-C, which a terminal sends to all, waits here, and in them for `_begin`.

    So does the signal that asks a process to end.

    While they import what they need, or if they were sent half of their work, they would print a traceback each.
    """
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    # Both: the mask is what the processes inherit, and other threads of this one may still be handed the signal.
    handlers = {each: signal.signal(each, lambda number, frame: came.append(number)) for each in _HELD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for each, handler in handlers.items():
            signal.signal(each, handler or signal.SIG_DFL)
    if came:
        signal.raise_signal(came[0])


def _begin(work: _Work) -> None:
    _WORK[:] = [work]
    # Between shards the process that waits for this one says when to end; what came meanwhile is dropped here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
    threading.Thread(target=_end_when_unwanted, args=(work.wanted,), daemon=True).start()


def _end_when_unwanted(wanted: Connection) -> None:
    """End the shard that is being written; and the process, if nobody is left who would end it.

    One that waits for a shard would wait for ever: it holds both ends of the queue that it waits for.
    """
    wait_for_ends([wanted])
    _WORK.clear()
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    _WRITING.acquire(timeout=_GRACE_S)
    os._exit(1)


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """Raise, and let nothing disturb the removal of what is half-written: the signal may come twice."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _convert(number: int) -> ShardReport:
    with _WRITING:
        signal.signal(signal.SIGINT, _interrupt_once)
        try:
            work = next(iter(_WORK), None)
            if work is None or work.stop.is_set():
                raise InterruptedError("the conversion was stopped")
            return convert_shard(work.plan, number, work.out, threads=work.threads)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
