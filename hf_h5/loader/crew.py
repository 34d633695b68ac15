"""Threads that work on what is needed first."""

from __future__ import annotations

import atexit
import heapq
import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..errors import ClosedError

__all__ = ["Crew"]

Urgency = tuple[int, int]

# How long the end of an epoch waits for tasks that are under way: not for ever, as the one who ends it may be Python's
# collector, in a thread that holds a lock which a task needs. They then end by themselves.
_WAIT_S = 2.0
# The end of the process waits longer: a task that goes on may abort it.
_LAST_WAIT_S = 10.0


class Crew:
    """Threads that take the most urgent task first; ``close`` ends them all.

    A task may wait for more urgent ones that were submitted before it: some thread has begun these already.

    Parameters
    ----------
    n_threads
        How many threads there are.
    """

    def __init__(self, n_threads: int) -> None:
        self._tasks: list[tuple[Urgency, int, Future[Any], Callable[[], Any]]] = []
        self._turns = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        # Daemons, so that a program may end in the middle of an epoch; see _close_all.
        self._threads = [
            threading.Thread(target=self._work, name="hf_h5-loader", daemon=True) for _ in range(n_threads)
        ]
        for thread in self._threads:
            thread.start()
        _CREWS.add(self)

    def submit(self, urgency: Urgency, work: Callable[[], Any]) -> Future[Any]:
        """Have a task done; smaller is more urgent, and of equals the one submitted first."""
        future: Future[Any] = Future()
        with self._changed:
            heapq.heappush(self._tasks, (urgency, next(self._turns), future, work))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Begin no further task, and return when all threads have ended, or after a while."""
        for future in self._dismiss():
            future.cancel()
        self._join(_WAIT_S)

    def _dismiss(self) -> list[Future[Any]]:
        """Let the threads end after what they do now; return what is not done then."""
        with self._changed:
            self._closed = True
            tasks, self._tasks = self._tasks, []
            self._changed.notify_all()
        return [future for _, _, future, _ in tasks]

    def _join(self, wait_s: float) -> None:
        until_s = time.monotonic() + wait_s
        for thread in self._threads:
            if thread is not threading.current_thread():  # a task can be what drops the last reference
                thread.join(max(0.0, until_s - time.monotonic()))

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._tasks and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                _, _, future, work = heapq.heappop(self._tasks)
            future.set_running_or_notify_cancel()
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  # whatever it is, the one who waits gets it
                future.set_exception(error)
            # Not held while waiting: what a task has made belongs to the one who takes it.
            del future, work


_CREWS: weakref.WeakSet[Crew] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """End the threads of epochs that a program ends in the middle of.

    Python stops a daemon where it next wants the lock of the interpreter. If that is in the middle of a function of
    PyTorch the process aborts.
    """
    crews = list(_CREWS)
    for crew in crews:
        for future in crew._dismiss():
            # Another daemon, or a function that is called at the end, may wait for it.
            future.set_exception(ClosedError("the program ends in the middle of an epoch"))
    for crew in crews:
        crew._join(_LAST_WAIT_S)


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork.
    os.register_at_fork(after_in_child=_CREWS.clear)
