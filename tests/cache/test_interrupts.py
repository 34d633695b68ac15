"""Two conversions at once, Ctrl-C and kills leave one whole cache or none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import datasets
import numpy as np
import pytest

import hf_h5  # noqa: F401  registers the builder
from tests.written import write_h5

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

ROOT = Path(__file__).resolve().parents[2]
N_ROWS = 400

# Appends a line to a log for every batch; small shards, so that leftovers have names that a later run would use.
CONVERT = """
import os, sys, time
import datasets
import hf_h5
from hf_h5 import hf_h5 as module

made = module.to_arrow_table

def slow(*args, **kwargs):
    with open(sys.argv[3], "a") as log:
        print("batch", os.getpid(), file=log, flush=True)
    time.sleep(float(sys.argv[5]))
    return made(*args, **kwargs)

if __name__ == "__main__":
    module.to_arrow_table = slow
    datasets.config.MAX_SHARD_SIZE = "1KB"
    loaded = datasets.load_dataset(
        "hf_h5", data_files=sys.argv[1], cache_dir=sys.argv[2], batch_size=4, num_proc=int(sys.argv[4]) or None
    )
    print(loaded["train"].with_format("numpy")["x"][:].sum())
"""


@pytest.fixture
def rows(tmp_path: Path) -> np.ndarray:
    values = np.arange(N_ROWS * 8, dtype=np.int64).reshape(N_ROWS, 8)
    write_h5(tmp_path / "a.h5", {"x": values}, chunks=(4, 8))
    return values


@contextmanager
def converting(tmp_path: Path, num_proc: int = 0, pause_s: float = 0.02) -> Iterator[subprocess.Popen[bytes]]:
    """Start a conversion in a process group of its own, as a shell does; end what is left of the group at the end."""
    arguments = [str(tmp_path / name) for name in ("a.h5", "cache", "log")]
    # Into a file and not a pipe, which the workers of a killed process would hold open.
    with open(tmp_path / "output", "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", CONVERT, *arguments, str(num_proc), str(pause_s)],
            stdout=output,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def output_of(tmp_path: Path) -> list[str]:
    return (tmp_path / "output").read_text().split()


def batches(tmp_path: Path) -> int:
    log = tmp_path / "log"
    return log.read_text().count("batch") if log.exists() else 0


def wait_for_batches(tmp_path: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while batches(tmp_path) < count:
        assert time.monotonic() < deadline, "the conversion did not start"
        time.sleep(0.01)


def files_in(cache: Path) -> list[str]:
    return sorted(
        str(each.relative_to(cache)) for each in cache.rglob("*") if each.is_file() and each.suffix != ".lock"
    )


def loaded_rows(tmp_path: Path) -> np.ndarray:
    loaded = datasets.load_dataset(
        "hf_h5", data_files=str(tmp_path / "a.h5"), cache_dir=str(tmp_path / "cache"), split="train"
    )
    return np.asarray(loaded.with_format("numpy")["x"][:])


@pytest.mark.parametrize("num_proc", [0, 2])
def test_two_processes_at_once_give_one_whole_cache(tmp_path: Path, rows: np.ndarray, num_proc: int) -> None:
    with converting(tmp_path, num_proc, 0.001) as one, converting(tmp_path, num_proc, 0.001) as other:
        assert [process.wait(timeout=100) for process in (one, other)] == [0, 0]
    assert output_of(tmp_path) == [str(rows.sum())] * 2
    infos = [name for name in files_in(tmp_path / "cache") if name.endswith("dataset_info.json")]
    assert len(infos) == 1
    # The second one waited, and converted nothing.
    assert batches(tmp_path) == N_ROWS // 4


@pytest.mark.parametrize("num_proc", [0, 2])
def test_ctrl_c_leaves_nothing(tmp_path: Path, rows: np.ndarray, num_proc: int) -> None:
    with converting(tmp_path, num_proc) as process:
        wait_for_batches(tmp_path, 20)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) != 0
    assert files_in(tmp_path / "cache") == []
    np.testing.assert_array_equal(loaded_rows(tmp_path), rows)


@pytest.mark.parametrize("num_proc", [0, 2])
def test_after_a_kill_the_next_call_converts_everything_anew(tmp_path: Path, rows: np.ndarray, num_proc: int) -> None:
    with converting(tmp_path, num_proc) as process:
        wait_for_batches(tmp_path, 20)
        process.kill()
        process.wait(timeout=60)
        assert [name for name in files_in(tmp_path / "cache") if name.endswith("dataset_info.json")] == []
        # At once, while the workers of the first may not have noticed yet.
        with converting(tmp_path, num_proc, 0.001) as again:
            assert again.wait(timeout=100) == 0
    assert output_of(tmp_path) == [str(rows.sum())]
    assert [name for name in files_in(tmp_path / "cache") if ".incomplete" in name] == []
    np.testing.assert_array_equal(loaded_rows(tmp_path), rows)


def test_the_workers_of_a_killed_conversion_end(tmp_path: Path, rows: np.ndarray) -> None:
    with converting(tmp_path, num_proc=2, pause_s=0.1) as process:
        wait_for_batches(tmp_path, 10)
        process.kill()
        process.wait(timeout=60)
        time.sleep(1)
        ended_at = batches(tmp_path)
        time.sleep(1)
        assert batches(tmp_path) == ended_at < N_ROWS // 4


def test_a_killed_worker_leaves_no_cache(tmp_path: Path, rows: np.ndarray) -> None:
    with converting(tmp_path, num_proc=2, pause_s=0.05) as process:
        wait_for_batches(tmp_path, 10)
        os.kill(int((tmp_path / "log").read_text().split()[1]), signal.SIGKILL)
        assert process.wait(timeout=100) != 0
    assert files_in(tmp_path / "cache") == []
    np.testing.assert_array_equal(loaded_rows(tmp_path), rows)
