"""Conversions on a Ray cluster: a task for each shard, begun anew where its process, machine or file system failed.

Ray itself tells the workers apart that died; what is done about it is decided here, so that it can be counted.
"""

from __future__ import annotations

import heapq
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ray

from ...errors import H5Error
from ..finish import finalize
from ..manifest import expect_no_secrets, open_output
from ..plan import Plan
from ..planning import DEFAULT_SHARD_SIZE, make_plan
from ..reports import Finished, ShardReport
from ..retries import is_transient
from ..shards import convert_shard
from .cluster import connected, lost_errors, memory_for

__all__ = ["convert", "run_shards"]

TASK_BYTES = 1 << 30
"""What a task declares: an interpreter with its libraries (0.4 GB), three batches, chunks, and room for large rows."""

_MAX_RETRIES = 5
_MAX_PAUSE_S = 30.0
# Enough that no core waits for the driver, and few enough that a cluster that grows finds work.
_TASKS_A_CORE = 4


def convert(
    files: Any,
    out: str | os.PathLike[str],
    *,
    target_shard_bytes: int | str = DEFAULT_SHARD_SIZE,
    format: str = "parquet",
    overwrite: bool = False,
    address: str | None = None,
    max_retries: int = _MAX_RETRIES,
    task_bytes: int = TASK_BYTES,
    progress: bool | None = None,
    **options: Any,
) -> Finished:
    """Convert files on a Ray cluster; run again after an interruption, it goes on where it stopped.

    Parameters
    ----------
    files, target_shard_bytes, format, **options
        As in `make_plan`. All machines must see the files under the same names.
    out
        A folder that all machines write to, a path or a URL.
    overwrite
        Whether what another plan wrote there is removed.
    address
        Of the cluster; by default the one that this process is connected to, or this machine belongs to; if there is
        none, the cores of this machine.
    max_retries
        How often a shard is begun anew, as its process died or its files could not be reached, before that is an error.
    task_bytes
        Memory that each task declares, so that Ray starts no more of them than fit.
    progress
        Whether a bar is drawn; by default on terminals.

    Returns
    -------
    Finished
        Shards, rows, retries, skipped files.

    Raises
    ------
    H5Error
        If the files cannot be read or do not form one table.
    """
    from tqdm import tqdm

    plan = make_plan(files, target_shard_bytes, format=format, **options)
    open_output(plan, out, overwrite=overwrite).sweep(elsewhere=False)
    total, count = sum(shard.stored_bytes for shard in plan.shards), len(plan.shards)
    disable = None if progress is None else not progress
    with tqdm(total=total, unit="B", unit_scale=True, disable=disable, desc=os.fspath(out)) as bar:
        done: list[str] = []

        def note(report: ShardReport) -> None:
            done.append(report.name)
            bar.set_postfix_str(f"{len(done)} of {count} shards", refresh=False)
            bar.update(plan.shards[report.number].stored_bytes)

        retries = run_shards(
            plan, out, range(count), address=address, note=note, max_retries=max_retries, task_bytes=task_bytes
        )
    return replace(finalize(plan, out), retries=retries)


def run_shards(
    plan: Plan,
    out: str | os.PathLike[str],
    numbers: Sequence[int],
    *,
    note: Callable[[ShardReport], None],
    address: str | None = None,
    max_retries: int = _MAX_RETRIES,
    task_bytes: int = TASK_BYTES,
) -> int:
    """Write shards of a plan on a cluster; the parameters are those of `convert`.

    Parameters
    ----------
    numbers
        Which of ``plan.shards``.
    note
        Is handed a report of each shard as it is finished.

    Returns
    -------
    int
        How often a shard was begun anew.
    """
    expect_no_secrets(plan, "what is secret in a URL is not sent to other machines, which could not read the file")
    with connected(address):
        run = _Run(plan, os.fspath(out), deque(numbers), note, max_retries, memory_for(task_bytes, 1))
        try:
            return run.to_the_end()
        finally:
            run.cancel()


@dataclass(frozen=True)
class _Failed:
    """What a task hands back instead of raising, as Ray's own errors hide which kind it was."""

    error: Exception
    is_transient: bool


@dataclass
class _Run:
    """The tasks of one conversion: those that wait, that wait for better times, and that run."""

    plan: Plan
    out: str
    waiting: deque[int]
    note: Callable[[ShardReport], None]
    max_retries: int
    memory: int
    pausing: list[tuple[float, int]] = field(default_factory=list)
    running: dict[Any, int] = field(default_factory=dict)
    tries: dict[int, int] = field(default_factory=dict)
    retries: int = 0

    def __post_init__(self) -> None:
        # In a list, so that a task gets the reference and fetches the plan once for its process.
        self.holder = [ray.put(self.plan)]
        remote: Any = ray.remote(num_cpus=1, memory=self.memory, max_retries=0)
        self.task = remote(_convert)

    def to_the_end(self) -> int:
        """Run until all shards are written; returns how often one was begun anew."""
        while self.waiting or self.pausing or self.running:
            self._submit()
            timeout_s = min(1.0, max(0.0, self.pausing[0][0] - time.monotonic())) if self.pausing else 1.0
            if not self.running:
                time.sleep(timeout_s)
                continue
            done, _ = ray.wait(list(self.running), num_returns=len(self.running), timeout=0)
            if not done:
                done, _ = ray.wait(list(self.running), timeout=timeout_s)
            for task in done:
                self._take(task, self.running.pop(task))
        return self.retries

    def cancel(self) -> None:
        """End what still runs: after an error, or when the user interrupts."""
        for task in self.running:
            ray.cancel(task, force=True)

    def _submit(self) -> None:
        while self.pausing and self.pausing[0][0] <= time.monotonic():
            self.waiting.append(heapq.heappop(self.pausing)[1])
        most = max(16, _TASKS_A_CORE * int(ray.cluster_resources().get("CPU", 1)))
        while self.waiting and len(self.running) < most:
            number = self.waiting.popleft()
            self.running[self.task.remote(self.plan.id, self.holder, number, self.out)] = number

    def _take(self, task: Any, number: int) -> None:
        try:
            outcome = ray.get(task)
        except lost_errors() as error:
            self._again(number, error, pause_s=0.0)
            return
        if isinstance(outcome, _Failed):
            if not outcome.is_transient:
                raise outcome.error
            self._again(number, outcome.error, pause_s=min(_MAX_PAUSE_S, 0.5 * 2.0 ** self.tries.get(number, 0)))
            return
        self.note(outcome)

    def _again(self, number: int, error: Exception, *, pause_s: float) -> None:
        self.tries[number] = self.tries.get(number, 0) + 1
        if self.tries[number] > self.max_retries:
            name = self.plan.shards[number].name
            problem = f"{name} failed {self.tries[number]} times, the last time by {type(error).__name__}: {error}"
            raise H5Error(problem, file=self.out, hint="run it again to go on with the shards that lack") from error
        self.retries += 1
        heapq.heappush(self.pausing, (time.monotonic() + pause_s, number))


_PLANS: dict[str, Plan] = {}
"""The plan that a worker runs, fetched once."""


def _convert(plan_id: str, holder: list[Any], number: int, out: str) -> ShardReport | _Failed:
    if plan_id not in _PLANS:
        _PLANS.clear()
        _PLANS[plan_id] = ray.get(holder[0])
    try:
        return convert_shard(_PLANS[plan_id], number, out, threads=1)
    except (H5Error, OSError) as error:
        return _Failed(error, is_transient(error))
