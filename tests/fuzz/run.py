"""Try many mutants, each in a process of its own with limits, and count what comes of them: ``make fuzz``."""

from __future__ import annotations

import argparse
import collections
import faulthandler
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import hf_h5

from .doors import STEPS, read_by_h5py, try_all
from .forked import fork_processes
from .mutate import mutant
from .seeds import SECRET, make_seeds

__all__ = ["try_mutant", "write_secret"]

MAX_SECONDS = 10.0
MAX_BYTES = 1 << 30
# Imported on first use; each child would take seconds for it.
_PRELOADED = (hf_h5.H5TorchView, hf_h5.load_dataset, hf_h5.H5Builder)
_BAD = ("crash", "hang", "memory", "leak", "differs", "raises")


def write_secret(folder: Path) -> None:
    """Put a file beside the mutants whose bytes must not come out of them."""
    (folder / "secret.bin").write_bytes(SECRET * 8)
    with h5py.File(folder / "secret.h5", "w") as out:
        out["x"] = np.array([SECRET] * 40)


def try_mutant(file: Path, folder: Path, **options: Any) -> dict[str, str]:
    """What came of each step; a process that dies or hangs is the outcome of the step that it was in.

    A death that h5py alone brings about too is called ``library``: only ``isolate=True`` keeps it away.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_child(file, folder, writing, options)
    os.close(writing)
    try:
        outcomes = _watch(child, reading)
    finally:
        os.close(reading)
    if any(outcome.startswith("crash") for outcome in outcomes.values()) and _run_apart(read_by_h5py, file) < 0:
        return {step: outcome.replace("crash", "library") for step, outcome in outcomes.items()}
    return outcomes


def _run_apart(go: Callable[[Path], Any], file: Path) -> int:
    """Call a function in a process of its own: 0 if it returns, 1 if it raises, and the signal's number below 0."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            faulthandler.disable()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            go(file)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _be_child(file: Path, folder: Path, writing: int, options: dict[str, Any]) -> None:
    """Run all steps and end the process; nothing returns from here."""
    code = 1
    try:
        faulthandler.disable()
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 2)
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MAX_BYTES,) * 2)
        resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_BYTES,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for step, outcome in try_all(file, folder / "cache", **options):
            os.write(writing, (json.dumps([step, outcome]) + "\n").encode())
        code = 0
    finally:
        os._exit(code)


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _watch(child: int, reading: int) -> dict[str, str]:
    outcomes: dict[str, str] = {}
    buffer, deadline = b"", time.monotonic() + MAX_SECONDS
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return outcomes | {_next_step(outcomes): "hang"}
        piece = os.read(reading, 1 << 16)
        if not piece:
            break
        *lines, buffer = (buffer + piece).split(b"\n")
        for line in lines:
            step, outcome = json.loads(line)
            outcomes[step] = outcome
            # Each step has the time for itself.
            deadline = time.monotonic() + MAX_SECONDS
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return outcomes | {_next_step(outcomes): f"crash: {signal.Signals(os.WTERMSIG(status)).name}"}
    if os.WEXITSTATUS(status):
        return outcomes | {_next_step(outcomes): "crash: left early"}
    return outcomes


def _next_step(outcomes: dict[str, str]) -> str:
    return next((step for step in STEPS if step not in outcomes), "end")


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--isolate", action="store_true", help="open each with isolate=True, where no crash is left")
    parser.add_argument("--keep", type=Path, help="a folder for the mutants that went wrong")
    parser.add_argument("--started", action="store_true", help="with --isolate: start each process, instead of forks")
    chosen = parser.parse_args()
    if chosen.isolate and not chosen.started:
        fork_processes()
    counts: dict[str, collections.Counter[str]] = {step: collections.Counter() for step in (*STEPS, "end")}
    opened = bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = make_seeds(folder)
        write_secret(folder)
        for number in range(chosen.first, chosen.first + chosen.count):
            origin, content = mutant(seeds, chosen.seed, number)
            file = folder / f"mutant-{number}.h5"
            file.write_bytes(content)
            opened += _run_apart(_list_root, file) == 0
            outcomes = try_mutant(file, folder, **({"isolate": True} if chosen.isolate else {}))
            for step, outcome in outcomes.items():
                counts[step][outcome.partition(":")[0]] += 1
            wrong = {step: outcome for step, outcome in outcomes.items() if outcome.startswith(_BAD)}
            if wrong:
                bad += 1
                print(f"{number} {origin}: {wrong}", flush=True)
                if chosen.keep:
                    chosen.keep.mkdir(parents=True, exist_ok=True)
                    (chosen.keep / file.name).write_bytes(content)
            file.unlink()
    print(f"\n{chosen.count} mutants (seed {chosen.seed}), {opened} of them opened by h5py; {bad} went wrong")
    for step in STEPS:
        print(f"  {step:9}", ", ".join(f"{outcome} {count}" for outcome, count in sorted(counts[step].items())))
    return 1 if bad else 0


def _list_root(file: Path) -> None:
    with h5py.File(file) as handle:
        list(handle)


if __name__ == "__main__":
    sys.exit(_main())
