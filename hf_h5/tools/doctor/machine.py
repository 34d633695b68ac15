"""What this machine can do: copy, interpret, decode with several threads; measured in some tenths of a second."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .facts import Primitives

__all__ = ["best_s", "measure_machine"]

_COPIED_BYTES = 32 << 20
_ROUNDS = 5
_CALLS = 2000


def measure_machine(threads: int) -> Primitives:
    """Measure; the best of several rounds counts, as others may use the machine too."""
    source = np.ones(_COPIED_BYTES, np.uint8)
    target = np.empty_like(source)
    copy_s = best_s(lambda: np.copyto(target, source))
    return Primitives(threads, _gain(threads), _COPIED_BYTES / copy_s, best_s(_calls) / _CALLS)


def best_s(work: Callable[[], object], rounds: int = _ROUNDS) -> float:
    """Seconds of the fastest of several rounds."""
    taken = []
    for _ in range(rounds):
        start_s = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start_s)
    return max(min(taken), 1e-9)


def _calls() -> None:
    """What a batch is made of besides bytes: calls of Python and small arrays."""
    found = {}
    for number in range(_CALLS):
        found[number & 7] = np.empty(16, np.uint8)[: number & 15]


def _gain(threads: int) -> float:
    """How many times as fast all threads decode as one."""
    if threads == 1:
        return 1.0
    packed = zlib.compress(np.random.default_rng(0).integers(0, 16, 1 << 19, np.uint8).tobytes(), 1)
    with ThreadPoolExecutor(threads) as pool:
        together_s = best_s(lambda: list(pool.map(zlib.decompress, [packed] * (2 * threads))))
    alone_s = best_s(lambda: [zlib.decompress(packed) for _ in range(2 * threads)])
    return min(float(threads), max(1.0, alone_s / together_s))
