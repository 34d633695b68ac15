"""Share work among threads of a pool, the calling thread included."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, wait
from typing import TypeVar

__all__ = ["run_tasks"]

Task = TypeVar("Task")


def run_tasks(tasks: Iterable[Task], work: Callable[[Task], None], pool: Executor | None, threads: int) -> None:
    """Do each task once, in about the given order, and return when all are done.

    The calling thread works too: it never waits for a busy pool, so that readers may share one and even call each
    other. When a task fails no further ones are begun, and its error is raised once all threads have stopped, as
    they write into the caller's memory.

    Parameters
    ----------
    threads
        How many threads may work, the calling one included.
    """
    tasks = list(tasks)
    n_helping = min(threads, len(tasks)) - 1
    if pool is None or n_helping < 1:
        for task in tasks:
            work(task)
        return
    queue = deque(tasks)

    def drain() -> None:
        while queue:
            try:
                task = queue.popleft()
            except IndexError:
                return
            work(task)

    futures: list[Future[None]] = [pool.submit(drain) for _ in range(n_helping)]
    try:
        drain()
    except BaseException:
        queue.clear()
        raise
    finally:
        running = [future for future in futures if not future.cancel()]
        wait(running)
    for future in running:
        future.result()
