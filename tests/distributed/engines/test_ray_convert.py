"""Conversions on Ray: workers, a node and a disk fail, the driver is killed, and each row is there once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from hf_h5.cli import main
from hf_h5.distributed import make_plan
from hf_h5.errors import H5Error, OptionError
from tests.distributed.engines import faults
from tests.distributed.engines.conftest import NODE, ROOT
from tests.distributed.sources import assert_same_rows, hidden_files, write_files

pytest.importorskip("ray", reason="ray is not installed: make distributed")

COUNTS = (80, 60, 100)
SIZE = 8 * 64  # a chunk of rows a shard
MANIFEST = [".hf-h5-convert.json"]


def load(folder: Path) -> Any:
    return datasets.load_dataset(str(folder), cache_dir=str(folder.parent / "parquet_cache"))


def wait_for(fact: Callable[[], Any], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def test_a_cluster_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    from hf_h5.distributed.ray import convert

    with pytest.raises(OptionError, match=r"no Ray cluster answers at '127\.0\.0\.1:1'"):
        convert(write_files(tmp_path, [9]), tmp_path / "out", address="127.0.0.1:1")


DRIVER = """
import sys
from hf_h5.distributed.ray import convert
convert(sys.argv[3:], sys.argv[1], target_shard_bytes=int(sys.argv[2]), progress=False)
"""


def test_a_driver_that_was_killed_is_run_again_and_does_not_repeat_what_is_done(
    ray_cluster: Any, tmp_path: Path
) -> None:
    files = write_files(tmp_path / "in", [400, 400])
    out = tmp_path / "out"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": ray_cluster.address}
    command = [sys.executable, "-c", DRIVER, str(out), str(SIZE), *files]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as driver:
        wait_for(lambda: len(list(out.glob("*.parquet"))) >= 5 or driver.poll() is not None)
        driver.send_signal(signal.SIGKILL)
        assert driver.wait() == -signal.SIGKILL
    # Its tasks end with it, some time later.
    count = -1
    while count != (count := len(list(out.glob("*.parquet")))):
        time.sleep(1)
    before = {each.name: each.stat().st_mtime_ns for each in out.glob("*.parquet")}
    assert 5 <= len(before) < len(make_plan(files, SIZE).shards)
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = {each.name: each.stat().st_mtime_ns for each in out.glob("*.parquet")}
    assert {name: after[name] for name in before} == before
    assert hidden_files(out) == MANIFEST
    assert_same_rows(load(out), files)


def test_workers_are_killed_a_node_goes_and_a_read_fails_and_each_row_is_there_once(
    connected: Any, tmp_path: Path
) -> None:
    from hf_h5.distributed.ray import convert

    files = write_files(tmp_path / "in", COUNTS)
    faults.forget()
    Path(os.environ[faults.LOG] + faults.FAIL_ONCE).touch()
    killed: list[int] = []

    def kill() -> None:
        for _ in range(2):
            wait_for(lambda: set(faults.pids()[-1:]) - set(killed))
            time.sleep(0.05)
            killed.append(faults.pids()[-1])
            os.kill(killed[-1], signal.SIGKILL)
        wait_for(lambda: len(list((tmp_path / "out").glob("*.parquet"))) >= 10)
        connected.remove_node(connected.list_all_nodes()[1], allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    finished = convert(files, tmp_path / "out", target_shard_bytes=SIZE, progress=False)
    killer.join()
    connected.add_node(**NODE)
    assert len(set(killed)) == 2
    assert finished.retries >= 3
    assert finished.rows == {"train": sum(COUNTS)}
    assert not Path(os.environ[faults.LOG] + faults.FAIL_ONCE).exists()
    assert hidden_files(tmp_path / "out") == MANIFEST
    assert_same_rows(load(tmp_path / "out"), files)


def test_an_error_of_the_data_is_raised_and_not_tried_again(connected: Any, tmp_path: Path) -> None:
    from hf_h5.distributed.ray import convert
    from tests.written import write_h5

    file = write_h5(tmp_path / "bad.h5", {"text": [b"fine", b"\xff\xfe"]})
    faults.forget()
    with pytest.raises(H5Error, match="row 1"):
        convert(file, tmp_path / "out", progress=False)
    assert faults.pids() == []


def test_the_command_line_converts_on_a_cluster(
    connected: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write_files(tmp_path / "in", [40, 30])
    broken = tmp_path / "in" / "broken.h5"
    broken.write_bytes(Path(files[0]).read_bytes()[:3000])
    command = ["convert", files[0], str(broken), files[1], "-o", str(tmp_path / "out"), "--engine", "ray"]
    command += ["--max-shard-size", "1kB", "--format", "arrow", "--on-bad-files", "skip"]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert "train: 70 rows" in printed.out
    assert f"1 file skipped: {broken}" in printed.out
    assert "data-00000-of-" in printed.err
    assert main(command) == 0
    assert "shards were there already" in capsys.readouterr().err
    assert_same_rows(datasets.load_from_disk(str(tmp_path / "out")), files)


def test_rows_left_out_are_reported(connected: Any, tmp_path: Path) -> None:
    from hf_h5.distributed.ray import convert
    from tests.written import write_h5

    file = write_h5(tmp_path / "bad.h5", {"text": [b"fine", b"\xff\xfe"]})
    finished = convert(file, tmp_path / "out", progress=False, on_bad_rows="skip")
    assert (finished.rows, finished.rows_left_out) == ({"train": 1}, 1)
