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
def failing_reads(monkeypatch: pytest.MonkeyPatch, after: int, number: int = errno.EIO) -> Iterator[None]:
    """Let the system fail to read from some call on."""
    real, calls = Handle.read_into, iter(range(1 << 30))

    def read_into(self: Handle, offset: int, out: Any) -> int:
        if next(calls) >= after:
            raise OSError(number, os.strerror(number))
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


@pytest.mark.parametrize("number", [errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT])
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_a_network_file_system_that_is_gone_names_the_file(
    file: str, monkeypatch: pytest.MonkeyPatch, door: Any, number: int
) -> None:
    with failing_reads(monkeypatch, 1, number):
        error = refusal(door, file)
    assert os.strerror(number) in str(error)
    assert error.file == file


def test_a_network_file_system_that_is_gone_while_a_view_is_open(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with hf_h5.H5TorchView(file) as view:
        first = view[:10]
        real = os.stat

        def stat(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
            if path == file:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)
            return real(path, *args, **kwargs)

        with monkeypatch.context() as gone:
            gone.setattr(os, "stat", stat)
            with pytest.raises((H5Error, OSError), match=r"a\.h5"):
                view[[3000, 5]]
        # And it comes back.
        assert np.array_equal(view[:10]["x"], first["x"])


def test_interrupted_calls_are_made_again(file: str) -> None:
    # Some 2,000 signals a second, whose handler does not let calls go on by themselves.
    code = """
import os, signal, sys
import numpy as np, h5py, hf_h5, datasets
seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
rows = datasets.load_dataset("hf_h5", data_files=sys.argv[1], split="train", cache_dir=sys.argv[2])
with hf_h5.H5TorchView(sys.argv[1], isolate=True) as view:
    apart = view[:]["x"].numpy()
signal.setitimer(signal.ITIMER_REAL, 0)
expected = h5py.File(sys.argv[1])["x"][:]
print(np.array_equal(rows.with_format("numpy")["x"][:], expected), np.array_equal(apart, expected), len(seen) > 10)
"""
    done = run(code, file, f"{file}-cache")
    assert done.stdout == "True True True\n", done.stderr


WITHOUT_PRIVILEGE = """
import ctypes, os, struct, sys
# Root without the capability to override permissions (Linux: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH).
libc = ctypes.CDLL(None, use_errno=True)
header = struct.pack("<Ii", 0x20080522, 0)
held = ctypes.create_string_buffer(24)
if os.geteuid() == 0:
    assert libc.capget(header, held) == 0
    low = list(struct.unpack("<6I", held.raw))
    for place in (0, 1):
        low[place] &= ~0b110
    assert libc.capset(header, struct.pack("<6I", *low)) == 0
try:
    open(os.path.join(os.path.dirname(sys.argv[1]), "written"), "w")
except PermissionError:
    print("read-only")
import hf_h5
with hf_h5.H5TorchView(sys.argv[1]) as view:
    print(len(view[:]["x"]))
print(hf_h5.load_dataset(sys.argv[1], split="train", cache_dir=sys.argv[2]).num_rows)
try:
    hf_h5.load_dataset(sys.argv[1], split="train", cache_dir=os.path.join(os.path.dirname(sys.argv[1]), "cache"))
except PermissionError as error:
    print("cannot write", os.path.dirname(sys.argv[1]) in str(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
def test_a_folder_that_cannot_be_written_to_is_enough_for_reading(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with h5py.File(folder / "a.h5", "w") as out:
        out.create_dataset("x", data=np.arange(_N), chunks=(64,), compression="gzip")
    folder.chmod(0o500)
    try:
        done = run(WITHOUT_PRIVILEGE, str(folder / "a.h5"), str(tmp_path / "cache"))
    finally:
        folder.chmod(0o700)
    assert done.stdout.split("\n")[:4] == ["read-only", f"{_N}", f"{_N}", "cannot write True"], done.stderr


def test_more_files_than_a_process_may_open_are_read(tmp_path: Path) -> None:
    files = []
    for number in range(1100):
        files.append(str(tmp_path / f"{number:04}.h5"))
        with h5py.File(files[-1], "w") as out:
            out.create_dataset("x", data=[number, number], chunks=(1,))
    code = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
import hf_h5
with hf_h5.H5TorchView(sys.argv[1]) as view:
    print(len(view), view[[0, 2199, 1200]]["x"].tolist(), int(view[:]["x"].sum()))
"""
    done = run(code, str(tmp_path / "*.h5"))
    assert done.stdout == f"2200 [0, 1099, 600] {1100 * 1099}\n", done.stderr


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
        assert "HDF5_USE_FILE_LOCKING=FALSE" in (error.hint or "")
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
