"""The threads that decode: one pool for the whole process, and how many may work for a reader."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor

__all__ = ["default_threads", "shared_pool"]


def default_threads() -> int:
    """As many as there are cores for this process; one in a worker process, whose siblings use the others."""
    if multiprocessing.parent_process() is not None:
        return 1
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        return os.cpu_count() or 1


class _Pool:
    """Made on first use, made again in a forked child: threads do not survive a fork."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.executor: ThreadPoolExecutor | None = None
        self.size = 0

    def get(self, helpers: int) -> ThreadPoolExecutor:
        with self.lock:
            if self.executor is None or self.size < helpers:
                # An older, smaller pool lives on until its last reader lets go of it.
                self.executor = ThreadPoolExecutor(helpers, thread_name_prefix="hf_h5-decode")
                self.size = helpers
            return self.executor


_POOL = _Pool()


def shared_pool(threads: int) -> ThreadPoolExecutor | None:
    """The pool whose threads help a caller that wants ``threads`` to work, itself included."""
    return _POOL.get(threads - 1) if threads > 1 else None


def _renew_after_fork() -> None:
    _POOL.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)
