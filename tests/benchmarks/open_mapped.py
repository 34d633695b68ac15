"""Open one file mapped, in a process of its own: ``python -m tests.benchmarks.open_mapped FILE CACHE``.

Prints the seconds of the first and of the best opening after everything is imported, the private bytes that the first
took, and how many bytes were written.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from .convert_once import private_bytes


def main() -> None:
    file, cache = sys.argv[1:]
    import datasets

    import hf_h5

    datasets.config.HF_DATASETS_CACHE = cache
    before, seconds, held = private_bytes("self"), [], 0
    for _ in range(9):
        start = time.perf_counter()
        mapped = hf_h5.open_dataset(file, strict=True)
        seconds.append(time.perf_counter() - start)
        held = held or private_bytes("self") - before
        del mapped
    written = sum(each.stat().st_size for each in Path(cache).rglob("*") if each.is_file())
    sys.stdout.write(f"{seconds[0]} {min(seconds)} {held} {written}\n")


if __name__ == "__main__":
    main()
