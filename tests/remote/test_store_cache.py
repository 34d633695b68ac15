"""Is what is kept on disk right, bounded, shared by processes and safe from crashes."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hf_h5
from hf_h5.remote import store_cache
from hf_h5.remote.store_cache import FileCache, set_cache_bytes

from .serving import Server

CONTENT = np.random.default_rng(0).bytes(10_000)


@pytest.fixture(autouse=True)
def bound() -> None:
    set_cache_bytes(1_000_000)


def kept(cache: FileCache, start: int, stop: int) -> tuple[bytes, list[tuple[int, int]]]:
    out = bytearray(stop - start)
    missing = cache.fill(start, memoryview(out))
    return bytes(out), missing


def test_what_was_kept_is_found_by_this_and_by_other_processes() -> None:
    FileCache("a").keep(100, CONTENT[100:300])
    assert kept(FileCache("a"), 100, 300) == (CONTENT[100:300], [])
    assert kept(FileCache("a"), 150, 200) == (CONTENT[150:200], [])
    assert kept(FileCache("a"), 50, 350)[1] == [(50, 100), (300, 350)]
    assert kept(FileCache("another version"), 100, 300)[1] == [(100, 300)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 1000)), max_size=12))
def test_any_ranges_come_back_and_the_missing_ones_are_named(ranges: list[tuple[int, int]]) -> None:
    name = uuid.uuid4().hex
    first, second = FileCache(name), FileCache(name)
    there = np.zeros(len(CONTENT), bool)
    for number, (start, size) in enumerate(ranges):
        (first, second)[number % 2].keep(start, CONTENT[start : start + size])
        there[start : start + size] = True
    out, missing = kept(FileCache(name), 0, len(CONTENT))
    lacks = np.zeros(len(CONTENT), bool)
    for start, stop in missing:
        lacks[start:stop] = True
    np.testing.assert_array_equal(lacks, ~there)
    filled = np.flatnonzero(~lacks)
    assert bytes(np.frombuffer(out, np.uint8)[filled]) == bytes(np.frombuffer(CONTENT, np.uint8)[filled])


@pytest.mark.parametrize("damage", ["cut", "flipped", "nonsense"])
def test_damaged_records_are_not_used(cache: Path, damage: str) -> None:
    FileCache("a").keep(0, CONTENT[:1000])
    (log,) = cache.rglob("*.log")
    content = bytearray(log.read_bytes())
    if damage == "cut":
        content = content[:-1]
    elif damage == "flipped":
        content[500] ^= 1
    else:
        content = bytearray(b"nonsense" * 100)
    log.write_bytes(content)
    assert kept(FileCache("a"), 0, 1000)[1] == [(0, 1000)]


def test_a_killed_writer_leaves_whole_records_behind(cache: Path) -> None:
    FileCache("a").keep(0, CONTENT[:1000])
    (log,) = cache.rglob("*.log")
    with open(log, "ab") as stream:
        stream.write(log.read_bytes()[:700])
    assert kept(FileCache("a"), 0, 1000) == (CONTENT[:1000], [])


def test_what_is_kept_is_bounded(cache: Path) -> None:
    for number in range(400):
        FileCache(f"file {number % 7}").keep(10_000 * number, CONTENT)
    total = sum(log.stat().st_size for log in cache.rglob("*.log"))
    assert 500_000 < total < 1_100_000


def test_logs_that_are_removed_meanwhile_are_missed_and_no_more(cache: Path) -> None:
    mine = FileCache("a")
    mine.keep(0, CONTENT[:1000])
    for log in cache.rglob("*.log"):
        log.unlink()
    assert kept(mine, 0, 1000)[1] == [(0, 1000)]
    mine.keep(0, CONTENT[:1000])
    assert kept(mine, 0, 1000) == (CONTENT[:1000], [])


def test_nothing_is_kept_where_that_is_not_wanted(cache: Path) -> None:
    set_cache_bytes(0)
    FileCache("a").keep(0, CONTENT)
    assert not cache.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_no_error(cache: Path) -> None:
    cache.mkdir()
    cache.chmod(0o500)
    mine = FileCache("a")
    mine.keep(0, CONTENT)
    assert kept(mine, 0, 1000)[1] == [(0, 1000)]


def test_a_full_disk_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    mine = FileCache("a")
    mine.keep(0, CONTENT[:100])
    monkeypatch.setattr(mine, "_append", full)
    mine.keep(100, CONTENT[100:200])
    assert kept(mine, 0, 200)[1] == [(100, 200)]


def test_a_second_process_asks_for_nothing_again(server: Server, cache: Path) -> None:
    view = hf_h5.H5TorchView(f"{server.url}/a.h5", columns=["images", "labels"])
    assert len(list(view.loader(64, shuffle=True))) > 1
    server.asked.clear()
    code = (
        "import sys; from pathlib import Path; from hf_h5.remote import store_cache;"
        "store_cache.cache_folder = lambda: Path(sys.argv[2]); import hf_h5;"
        "print(sum(int(row) for row in hf_h5.open_table(sys.argv[1], columns=['labels']).read(slice(None))['labels']))"
    )
    command = [sys.executable, "-c", code, f"{server.url}/a.h5", str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == str(sum(range(600))), done.stderr
    assert server.n_bytes("a.h5") <= 64 << 10


def test_the_bound_is_an_option(server: Server) -> None:
    with hf_h5.H5TorchView(f"{server.url}/a.h5", remote_cache_bytes="1.5MB"):
        assert store_cache._BOUND.most_bytes == 1_500_000
    with pytest.raises(hf_h5.errors.OptionError, match="remote_cache_bytes='many'"):
        hf_h5.H5TorchView(f"{server.url}/a.h5", remote_cache_bytes="many")
