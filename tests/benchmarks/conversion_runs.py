"""Run conversions in processes of their own, each of which finds memory that the system has at hand."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .convert_once import private_bytes

ROOT = Path(__file__).resolve().parents[2]
Way = tuple[str, dict[str, Any]]


class _Reserve:
    """Memory that is held while nothing is timed, and given to the system when something is.

    A virtual machine hands memory that nobody uses back to its host after seconds, and waits when it needs it again:
    up to 2 s for each GB were seen, which counted against whichever conversion came first.
    """

    def __init__(self, n_bytes: int) -> None:
        self._n_bytes = n_bytes
        self._memory: mmap.mmap | None = None

    def hold(self) -> None:
        if self._memory is None:
            self._memory = mmap.mmap(-1, self._n_bytes)
            page = b"\1" * (1 << 20)
            for _ in range(self._n_bytes // len(page)):
                self._memory.write(page)

    def give(self) -> None:
        if self._memory is not None:
            self._memory.close()
            self._memory = None


# More than any of the conversions takes, with what it writes.
_reserve = _Reserve(4 << 30)


def convert(file: Path, cache: Path, way: Way, *, watch: bool = False, is_at_hand: bool = True) -> tuple[float, float]:
    """Return the seconds that a conversion takes and, if watched, its memory in MB over what imports take.

    With ``is_at_hand`` it finds memory at hand, otherwise what those before it have left.
    """
    builder, options = way
    command = [sys.executable, "-m", "tests.benchmarks.convert_once", builder, str(file), str(cache)]
    # Nothing is counted on the Hub.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    peak_bytes = 0
    if is_at_hand:
        _reserve.hold()
    with subprocess.Popen(
        [*command, json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as process:
        imported_bytes = int(process.stdout.readline())
        _reserve.give()
        process.stdin.write("go\n")
        process.stdin.flush()
        while watch and process.poll() is None:
            peak_bytes = max(peak_bytes, private_bytes(process.pid))
            time.sleep(0.002)
        printed = process.stdout.read()
    if is_at_hand:
        _reserve.hold()
    assert process.returncode == 0, printed
    return float(printed), (peak_bytes - imported_bytes) / 1e6
