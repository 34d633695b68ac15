"""The shards of a plan on this machine, in this process or in several: a process that dies costs its shard only."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from ..errors import H5Error, H5Warning
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
    with ProcessPoolExecutor(min(num_proc, len(numbers)), context, _begin, (plan, os.fspath(out), threads)) as pool:
        running = {pool.submit(_convert, number) for number in numbers}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_PLANS: list[tuple[Plan, str, int]] = []
"""What a process converts; sent once and not with each shard."""


def _begin(plan: Plan, out: str, threads: int) -> None:
    _PLANS[:] = [(plan, out, threads)]


def _convert(number: int) -> ShardReport:
    plan, out, threads = _PLANS[0]
    return convert_shard(plan, number, out, threads=threads)
