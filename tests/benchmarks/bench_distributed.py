"""What an engine costs beside the local builder, and how long plans over many files take.

Needs Ray: after ``make distributed bench``, ``.venv-distributed/bin/python -m pytest -c tests/benchmarks/pytest.ini
tests/benchmarks/bench_distributed.py``. Contenders take turns in every round, and the best round of each counts; Ray
and its workers are started before.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.distributed import make_plan
from hf_h5.resolve import saved
from hf_h5.tools.convert import run_convert

from .conversions import FILES

ROUNDS = 3
SHARD_BYTES = "32MB"
TITLE = "conversions by engines, best round of each"
HEADINGS = ("file", "what", "seconds", "times the builder", "at most")
PLANS = "plans over 10,000 files"
PLAN_HEADINGS = ("what", "seconds", "at most")
AT_MOST = 1.3
COLD_S, WARM_S = 60, 2


@pytest.fixture(scope="module")
def _ray() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="ray is not installed: make distributed")
    os.environ["PYTHONPATH"] = str(Path(hf_h5.__file__).parents[1])
    ray.init(num_cpus=2, object_store_memory=100 << 20, include_dashboard=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.mark.usefixtures("_ray")
@pytest.mark.parametrize("name", ["images, gzip", "embeddings, gzip and shuffle", "20 columns"])
def bench_engines(name: str, tmp_path: Path, add_line: Callable[..., None], request: Any) -> None:
    from hf_h5.distributed.ray import convert

    datasets.disable_progress_bars()
    FILES[name](tmp_path / "a.h5")
    file, out = str(tmp_path / "a.h5"), tmp_path / "out"

    def build(num_proc: int) -> None:
        hf_h5.load_dataset(file, cache_dir=str(out), num_proc=num_proc)

    def on_ray(format: str) -> None:
        convert(file, out, target_shard_bytes=SHARD_BYTES, format=format, progress=False)

    def here(format: str) -> None:
        quiet: list[str] = []
        run_convert([file], str(out), max_shard_size=SHARD_BYTES, format=format, num_proc=2, say=quiet.append)

    ways: dict[str, Callable[[], None]] = {
        "builder": lambda: build(1),
        "builder, num_proc=2": lambda: build(2),
        "Ray, Arrow": lambda: on_ray("arrow"),
        "Ray, Parquet": lambda: on_ray("parquet"),
        "hf-h5 convert --num-proc 2, Parquet": lambda: here("parquet"),
    }
    seconds = {way: [] for way in ways}  # type: dict[str, list[float]]
    for number in range(2 if request.config.getoption("--quick") else 1 + ROUNDS):
        for way, run in ways.items():
            shutil.rmtree(out, ignore_errors=True)
            started = time.perf_counter()
            run()
            # In the first round workers begin, and import what they need.
            if number:
                seconds[way].append(time.perf_counter() - started)
    local = min(min(seconds["builder"]), min(seconds["builder, num_proc=2"]))
    for way, found in seconds.items():
        ratio = min(found) / local
        aim = f"{AT_MOST:g}" if way == "Ray, Arrow" else ""
        add_line(TITLE, HEADINGS, (name, way, f"{min(found):.2f}", f"{ratio:.2f}", aim))


def bench_plan(tmp_path: Path, add_line: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10_000):
        with h5py.File(tmp_path / f"{number:05d}.h5", "w") as file:
            file["images"], file["y"] = np.full((4, 8, 8), number % 255, np.uint8), np.arange(4) + number
    monkeypatch.setattr(saved, "_folder", lambda: tmp_path / "saved")
    time.sleep(2.1)  # files that have just been written are not kept
    for what, aim in (("cold", COLD_S), ("with saved schemas", WARM_S)):
        started = time.perf_counter()
        make_plan(str(tmp_path / "*.h5"))
        add_line(PLANS, PLAN_HEADINGS, (what, f"{time.perf_counter() - started:.2f}", f"{aim}"))
