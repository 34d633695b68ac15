"""Convert one file, in a process of its own: ``python -m tests.benchmarks.convert_once BUILDER FILE CACHE OPTIONS``.

Prints the private memory that the process has once everything is imported, waits for a line, and prints at the end
the seconds of the conversion, without imports. OPTIONS are a JSON object; ``cores`` is how many the process may use.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

# What the builders import, and what datasets imports when it makes the first one.
IMPORTED = (
    "datasets.packaged_modules.hdf5.hdf5",
    "h5py",
    "hdf5plugin",
    "hf_h5.describe.render",
    "hf_h5.hf_h5",
    "imagecodecs",
    "scipy.io",
    "torch",
)


def main() -> None:
    builder, file, cache, text = sys.argv[1:]
    options: dict[str, Any] = json.loads(text)
    cores = options.pop("cores", None)
    if cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    for name in IMPORTED:
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    import datasets

    datasets.disable_progress_bars()
    sys.stdout.write(f"{private_bytes('self')}\n")
    sys.stdout.flush()
    sys.stdin.readline()
    start = time.perf_counter()
    datasets.load_dataset(builder, data_files=file, cache_dir=cache, split="train", **options)
    sys.stdout.write(f"{time.perf_counter() - start}\n")


def private_bytes(process: int | str) -> int:
    """Return the memory of a process that is no page of a file; 0 if the process has ended."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
