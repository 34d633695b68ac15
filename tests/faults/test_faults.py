"""Faults of the machine in the middle of the work: an error that names the file, never wrong or missing rows."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import DamagedFileError, FileChangedError, H5Error
from hf_h5.read.handles import Handle
from tests.bad_input.doors import DOORS, cached, read_all, refusal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="faults as POSIX systems have them")

_N = 4000


@pytest.fixture
def file(tmp_path: Path) -> str:
    values = np.random.default_rng(0).integers(0, 1 << 60, (_N, 8))
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out.create_dataset("x", data=values, chunks=(64, 8), compression="gzip")
    return str(tmp_path / "a.h5")


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment, check=False
    )


FULL_DISK = """
import resource, signal, sys
import datasets, hf_h5
# A file that grows beyond the limit is what a full disk is: a write that fails in the middle.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
datasets.load_dataset("hf_h5", data_files=sys.argv[1], cache_dir=sys.argv[2])
"""


def test_a_full_disk_ends_a_conversion_and_leaves_no_cache(file: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    done = run(FULL_DISK, file, str(cache))
    assert done.returncode == 1
    assert os.strerror(errno.EFBIG) in done.stderr
    whole = cached(file, cache_dir=str(cache))
    assert np.array_equal(whole.with_format("numpy")["x"][:], h5py.File(file)["x"][:])


@contextmanager
def failing_reads(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[None]:
    """Let the system fail to read from some call on."""
    real, calls = Handle.read_into, iter(range(1 << 30))

    def read_into(self: Handle, offset: int, out: Any) -> int:
        if next(calls) >= after:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(self, offset, out)

    with monkeypatch.context() as patched:
        patched.setattr(Handle, "read_into", read_into)
        patched.setattr(Handle, "map", lambda self: None)
        yield


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_a_read_error_names_the_file(file: str, monkeypatch: pytest.MonkeyPatch, door: Any, after: int) -> None:
    with failing_reads(monkeypatch, after):
        error = refusal(door, file)
    assert os.strerror(errno.EIO) in str(error)
    assert error.file == file


def test_after_a_read_error_the_same_view_reads_on(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with hf_h5.open_table(file, threads=1) as table:
        with failing_reads(monkeypatch, 1), pytest.raises(DamagedFileError):
            table.read(slice(None))
        assert np.array_equal(table.read(slice(None))["x"], h5py.File(file)["x"][:])


@pytest.mark.parametrize("change", ["cut", "removed", "replaced"])
def test_a_file_that_goes_away_is_an_error(file: str, tmp_path: Path, change: str) -> None:
    with hf_h5.H5TorchView(file) as view:
        view[:10]
        if change == "cut":
            os.truncate(file, 9000)
        elif change == "removed":
            os.unlink(file)
        else:
            with h5py.File(tmp_path / "b.h5", "w") as out:
                out["x"] = np.zeros((_N, 8), "i8")
            os.replace(tmp_path / "b.h5", file)
        with pytest.raises(FileChangedError, match=r"a\.h5"):
            view[[3000, 5]]


def test_signals_do_not_disturb_a_read(file: str) -> None:
    received = []
    before = signal.signal(signal.SIGALRM, lambda *_: received.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        with hf_h5.open_table(file) as table:
            for _ in range(20):
                assert np.array_equal(table.read(slice(None))["x"][::500], h5py.File(file)["x"][::500])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert received


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_enough(file: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert len(read_all(file)["x"]) == _N
    finally:
        tmp_path.chmod(0o700)


def test_an_index_that_cannot_be_saved_is_made_again(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file where the folder should be: nothing can be written there, by root neither.
    (tmp_path / "blocked").write_bytes(b"")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "blocked"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "blocked"))
    done = run("import sys, hf_h5; print(len(hf_h5.open_table(sys.argv[1]).read(slice(None))['x']))", file)
    assert (done.returncode, done.stdout) == (0, f"{_N}\n"), done.stderr


def test_a_file_that_is_being_written_says_so(file: str) -> None:
    writing = """
import sys, h5py
with h5py.File(sys.argv[1], "a", locking=True):
    print("open", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", writing, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        error = refusal(read_all, file)
        assert "open for writing" in (error.hint or "")
        assert isinstance(error, H5Error)
        writer.communicate("")


def test_a_file_system_without_locks_is_read_without(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = h5py.File, []

    def without_locks(*args: Any, **kwargs: Any) -> h5py.File:
        asked.append(kwargs.get("locking"))
        if kwargs.get("locking") is not False:
            raise BlockingIOError(errno.ENOLCK, f"unable to lock file, errno = {errno.ENOLCK}, error message = none")
        return real(*args, **kwargs)

    # The package's own name `describe` is a function; the room is found among the modules.
    opening = sys.modules["hf_h5.describe.opening"]
    monkeypatch.setattr(opening, "h5py", SimpleNamespace(**{**vars(h5py), "File": without_locks}))
    with hf_h5.open_table(file) as table:
        assert len(table) == _N
    assert asked[:2] == [None, False]
