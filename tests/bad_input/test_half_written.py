"""A conversion that failed, or was killed, leaves nothing that a later call takes for whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest
from datasets.exceptions import DatasetGenerationError

from hf_h5.errors import DataError
from tests.bad_input.doors import cached, refusal
from tests.written import write_h5

N_ROWS = 400

# Says where it is, one batch at a time, until it is killed in the middle.
SLOWLY = """
import sys, time
import datasets, hf_h5
from hf_h5 import hf_h5 as module

made = module.to_arrow_table

def slow(*args, **kwargs):
    print("batch", flush=True)
    time.sleep(0.02)
    return made(*args, **kwargs)

module.to_arrow_table = slow
datasets.config.MAX_SHARD_SIZE = "1KB"
datasets.load_dataset("hf_h5", data_files=sys.argv[1], cache_dir=sys.argv[2], batch_size=4)
"""


def written_files(cache: Path) -> list[str]:
    return sorted(
        str(each.relative_to(cache)) for each in cache.rglob("*") if each.is_file() and each.suffix != ".lock"
    )


def write_rows(file: Path) -> np.ndarray[Any, Any]:
    rows = np.arange(N_ROWS * 8, dtype=np.int64).reshape(N_ROWS, 8)
    write_h5(file, {"x": rows})
    return rows


def kill_midway(file: Path, cache: Path) -> None:
    """Convert in a process of its own and end it, without a word, after some batches."""
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", SLOWLY, str(file), str(cache)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for _ in range(20):
            assert process.stdout.readline() == "batch\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


def bad_text_at_the_end(file: Path, last: bytes) -> Path:
    texts = np.array([b"fine"] * 99 + [last], "S4")
    return write_h5(file, {"text": texts, "x": np.arange(100)})


def test_a_failed_conversion_leaves_no_file(tmp_path: Path) -> None:
    file = bad_text_at_the_end(tmp_path / "a.h5", b"\xff\xfe")
    error = refusal(cached, str(file), batch_size=10, cache_dir=str(tmp_path / "cache"))

    assert isinstance(error, DataError)
    for words in ("row 99", "'text'", f"{file}::/text", "Value('binary')"):
        assert words in str(error)
    assert written_files(tmp_path / "cache") == []


def test_after_a_failed_conversion_the_mended_file_loads_whole(tmp_path: Path) -> None:
    file = bad_text_at_the_end(tmp_path / "a.h5", b"\xff\xfe")
    refusal(cached, str(file), batch_size=10)
    with h5py.File(file, "r+") as handle:
        handle["text"][99] = b"good"
    assert cached(str(file))["text"][:] == ["fine"] * 99 + ["good"]


def test_after_a_failed_conversion_the_hint_helps(tmp_path: Path) -> None:
    file = bad_text_at_the_end(tmp_path / "a.h5", b"\xff\xfe")
    refusal(cached, str(file), batch_size=10)
    binary = datasets.Features({"text": datasets.Value("binary")})
    assert cached(str(file), features=binary)["text"][99] == b"\xff\xfe\x00\x00"


def test_what_datasets_wraps_shows_our_message_as_its_cause(tmp_path: Path) -> None:
    file = bad_text_at_the_end(tmp_path / "a.h5", b"\xff\xfe")
    with pytest.raises(DatasetGenerationError) as caught:
        cached(str(file))
    assert isinstance(caught.value.__cause__, DataError)
    assert "row 99" in str(caught.value.__cause__)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_conversion_is_done_again_and_leaves_nothing_of_itself(tmp_path: Path) -> None:
    file, cache, clean = tmp_path / "a.h5", tmp_path / "cache", tmp_path / "clean"
    rows = write_rows(file)

    kill_midway(file, cache)
    assert written_files(cache), "it was killed before it wrote anything"
    started = time.monotonic()
    loaded = cached(str(file), cache_dir=str(cache)).with_format("numpy")
    assert time.monotonic() - started < 60, "waited for the lock of a process that is gone"

    np.testing.assert_array_equal(loaded["x"][:], rows)
    cached(str(file), cache_dir=str(clean))
    assert written_files(cache) == written_files(clean)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_conversion_is_not_offered_by_a_later_call_with_fewer_shards(tmp_path: Path) -> None:
    file, cache = tmp_path / "a.h5", tmp_path / "cache"
    rows = write_rows(file)

    kill_midway(file, cache)
    kill_midway(file, cache)
    loaded = cached(str(file), cache_dir=str(cache), batch_size=7)

    assert loaded.num_rows == N_ROWS
    np.testing.assert_array_equal(loaded.with_format("numpy")["x"][:], rows)
