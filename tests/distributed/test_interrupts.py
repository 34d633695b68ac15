"""Signals while several processes convert: one word, no traceback, nobody stays behind, and the next run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import h5py
import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are looked up in /proc")


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hf_h5.cli", "convert", "x.h5", "-o", "out", "--num-proc", "2"]
    return subprocess.Popen(
        [*command, "--max-shard-size", "400kB"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_workers(running: subprocess.Popen[str], folder: Path, n_shards: int) -> None:
    """Wait until one has begun, beside the process that looks after what they share, and so many shards are there."""
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    until_s = time.monotonic() + 60
    while len(children.read_text().split()) < 2 or len(list(folder.glob("out/*.parquet"))) < n_shards:
        assert time.monotonic() < until_s
        assert running.poll() is None
        time.sleep(0.005)


def write_source(folder: Path) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 9, (400, 8_000)).astype("f4")
    with h5py.File(folder / "x.h5", "w") as handle:
        handle.create_dataset("x", data=values, chunks=(10, 8_000), compression="gzip", compression_opts=1)
    return values


@pytest.mark.parametrize("n_shards", [0, 1])
def test_all_processes_end_quietly_and_another_run_goes_on(tmp_path: Path, n_shards: int) -> None:
    values = write_source(tmp_path)
    running = start(tmp_path)
    wait_for_workers(running, tmp_path, n_shards)
    os.killpg(running.pid, signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert err.endswith("\ninterrupted\n")
    assert "Traceback" not in err
    assert "KeyboardInterrupt" not in err
    assert list(tmp_path.glob("out/*.part")) + list(tmp_path.glob("out/.*.part")) == []
    there = len(list(tmp_path.glob("out/*.parquet")))
    assert there < 40
    again = start(tmp_path)
    _, err = again.communicate(timeout=100)
    assert again.returncode == 0
    found = datasets.load_dataset("parquet", data_files=str(tmp_path / "out/*.parquet"), split="train")
    assert np.array_equal(found.with_format("numpy")[399]["x"], values[399])
    assert len(found) == 400


@pytest.mark.parametrize(
    ("number", "code", "said", "n_shards"),
    [
        (signal.SIGTERM, 143, "\nterminated\n", 0),
        (signal.SIGTERM, 143, "\nterminated\n", 1),
        (signal.SIGINT, 130, "\ninterrupted\n", 1),
        (signal.SIGKILL, -9, "", 1),
    ],
)
def test_nothing_is_left_of_a_conversion_whose_own_process_is_ended(
    tmp_path: Path, number: int, code: int, said: str, n_shards: int
) -> None:
    write_source(tmp_path)
    running = start(tmp_path)
    wait_for_workers(running, tmp_path, n_shards)
    os.kill(running.pid, number)
    # Their ends of the pipes close with the last of all processes.
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err[-len(said) :] if said else "") == (code, said)
    assert "Traceback" not in err
    assert list(tmp_path.glob("out/.*.part")) == []
