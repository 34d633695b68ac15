"""Contenders that take turns in every round, so that a busy moment of the machine hits all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

Made = TypeVar("Made")

LIMIT = "limit"


def made_of_files(
    work: Any, makers: Mapping[str, Callable[[Path], Made]], files: Mapping[str, Path]
) -> dict[str, Made]:
    """Make each contender out of the file of a work; the limit may have another one."""
    return {
        name: make(files[work.limit_file] if name == LIMIT and work.limit_file else files[work.file])
        for name, make in makers.items()
    }


def best_speeds(benchmark: Any, contenders: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, float]:
    """Rows per second of each contender in the best of all rounds; a contender returns how many rows it gave."""
    speeds = dict.fromkeys(contenders, 0.0)

    def round_of_all() -> None:
        for name, go in contenders.items():
            start = time.perf_counter()
            n_rows = go()
            speeds[name] = max(speeds[name], n_rows / (time.perf_counter() - start))

    benchmark.pedantic(round_of_all, rounds=rounds, warmup_rounds=1)
    benchmark.extra_info.update(speeds)
    return speeds
