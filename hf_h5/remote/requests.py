"""The threads that ask servers: one pool for the process, as each request is mostly waiting."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

__all__ = ["CONCURRENT", "at_once", "submit"]

CONCURRENT = 32
"""Requests under way at once; with 50 ms each and 512 KiB a request, 320 MB/s."""

Value = TypeVar("Value")
_POOLS: list[ThreadPoolExecutor] = []
if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork.
    os.register_at_fork(after_in_child=_POOLS.clear)


def submit(work: Callable[..., Value], *arguments: Any) -> Future[Value]:
    """Have something done by a thread of the pool; it must not wait for others of them."""
    if not _POOLS:
        _POOLS.append(ThreadPoolExecutor(CONCURRENT, thread_name_prefix="hf_h5-remote"))
    return _POOLS[0].submit(work, *arguments)


def at_once(tasks: Iterable[Callable[[], Value]]) -> list[Value]:
    """Do all at once, the last one in this thread, and return when all are done; the first error is raised then."""
    *others, last = tasks
    futures = [submit(task) for task in others]
    try:
        mine = last()
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    finally:
        # They may write into the caller's memory.
        wait(futures)
    return [*(future.result() for future in futures), mine]
