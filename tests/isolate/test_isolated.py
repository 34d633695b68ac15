"""With isolate=True the same answers come out of another process, and its end is an error and no more."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from torch.utils.data import DataLoader

import hf_h5
from hf_h5.describe.limits import Limits
from hf_h5.errors import DamagedFileError, FileChangedError, H5Warning, LimitError, MissingFileError, OptionError
from hf_h5.isolate.choose import scans_apart
from hf_h5.isolate.process import _START, LibraryProcess
from hf_h5.resolve.tables import resolve_tables

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes with limits need POSIX")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as out:
        out.create_dataset("x", data=np.arange(60, dtype="f4").reshape(20, 3), chunks=(4, 3), compression="gzip")
        out["name"] = [f"row {row}" for row in range(20)]
    return path


def test_every_door_gives_what_it_gives_without(file: Path) -> None:
    assert hf_h5.describe(file, isolate=True) == hf_h5.describe(file)
    with hf_h5.H5TorchView(file, isolate=True) as apart, hf_h5.H5TorchView(file) as here:
        assert type(apart._source).__name__ == "IsolatedReader"
        assert str(apart[[3, 1, 1]]) == str(here[[3, 1, 1]])
        assert str(apart[7]) == str(here[7])
        assert [len(batch["name"]) for batch in apart.loader(6, shuffle=True)] == [6, 6, 6, 2]
    whole = hf_h5.load_dataset(str(file), split="train", isolate=True)
    assert whole["name"][:] == [f"row {row}" for row in range(20)]
    streamed = hf_h5.load_dataset(str(file), split="train", isolate=True, streaming=True)
    assert len(list(streamed)) == 20


def test_workers_have_processes_of_their_own(file: Path) -> None:
    with hf_h5.H5TorchView(file, isolate=True, columns="x") as view:
        rows = [batch["x"] for batch in DataLoader(view, batch_size=5, num_workers=2)]
        assert np.array_equal(np.concatenate(rows), np.arange(60).reshape(20, 3))
        again = pickle.loads(pickle.dumps(view))
        assert again[2]["x"].tolist() == [6, 7, 8]
        again.close()


def test_errors_and_warnings_come_through(file: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nothing\.h5"):
        hf_h5.H5TorchView(file.parent / "nothing.h5", isolate=True)
    with h5py.File(file, "a") as out:
        out["other"] = np.arange(7)
    with pytest.warns(H5Warning, match="other"), hf_h5.H5TorchView(file, isolate=True) as view:
        assert len(view) == 20


def test_the_end_of_the_process_is_an_error_that_names_the_file(file: Path) -> None:
    with hf_h5.open_table(file, isolate=True) as table:
        process = table._process._process  # type: ignore[union-attr]
        assert process is not None
        os.kill(process.pid, signal.SIGSEGV)
        with pytest.raises(DamagedFileError, match=r"SIGSEGV.*a\.h5"):
            table.read([0])
        # The next question starts another one.
        assert table.read([1])["name"].tolist() == ["row 1"]


def test_a_hang_is_an_error_after_the_given_time(file: Path) -> None:
    with hf_h5.open_table(file, isolate=True) as table:
        # Not before: a busy machine needs longer to start a process.
        table._process._limits = Limits(seconds=1)  # type: ignore[union-attr]
        process = table._process._process  # type: ignore[union-attr]
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(LimitError, match=r"seconds: no answer to 'read' in 1 .*a\.h5"):
            table.read([0])
        table._process._limits = Limits()  # type: ignore[union-attr]
        assert len(table.read([0, 1])["x"]) == 2


def test_a_call_that_does_not_come_back_is_ended_sooner(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_heap(file)
    # As if the file were too large to be looked through for this damage.
    monkeypatch.setattr("hf_h5.isolate.process._START", _WITHOUT_CHECK + _START)
    with pytest.raises(LimitError, match=r"silent seconds: no answer to 'describe' in 2 .*a\.h5"):
        hf_h5.describe(file, isolate=True, limits={"silent_seconds": 2})


def break_heap(file: Path) -> None:
    """Give the free space at the end of the heap of an attribute the wrong size."""
    with h5py.File(file, "a", libver="earliest") as out:
        out.attrs["title"] = "a text of variable length"
    content = bytearray(file.read_bytes())
    start = content.rfind(b"GCOL")
    # One object, and the free space behind it (HDF5 file format, section III.E).
    free = start + 16 + 16 + 32
    assert content[free : free + 2] == b"\0\0"
    content[free + 8 : free + 16] = (64).to_bytes(8, "little")
    content[free + 64 : free + 128] = bytes(64)
    file.write_bytes(content)


_WITHOUT_CHECK = """
import sys, types
package = types.ModuleType("hf_h5")
package.__path__ = [sys.argv[1]]
sys.modules["hf_h5"] = package
import hf_h5.describe.damage as damage
damage._MAX_FILE_BYTES = 0
"""


def test_damage_that_would_hang_is_found_without_a_process(file: Path) -> None:
    break_heap(file)
    for isolate in (False, True):
        with pytest.raises(DamagedFileError, match=r"at byte [\d,]+ holds a free space of no size.*a\.h5"):
            hf_h5.describe(file, isolate=isolate)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory that is written")
def test_a_blow_up_is_an_error_that_names_the_budget(tmp_path: Path) -> None:
    file = tmp_path / "wide.h5"
    with h5py.File(file, "w") as out:
        out.create_dataset("x", (2, 40 << 20), "f8", chunks=(1, 1 << 20), compression="gzip")[0, 0] = 1
    limits = {"memory_bytes": 256 << 20, "row_bytes": 1 << 40}
    with (
        hf_h5.open_table(file, isolate=True, limits=limits) as table,
        pytest.raises(LimitError, match=r"memory bytes: .*268,435,456 .*wide\.h5"),
    ):
        table.read([0, 1])


def test_closing_ends_the_process(file: Path) -> None:
    table = hf_h5.open_table(file, isolate=True)
    process = table._process._process  # type: ignore[union-attr]
    assert process is not None
    table.close()
    assert process.poll() is not None
    with pytest.raises(ValueError, match="closed"):
        table.read([0])


def test_a_file_that_changed_is_not_read_by_the_next_process(file: Path) -> None:
    with hf_h5.open_table(file, isolate=True) as table:
        process = table._process._process  # type: ignore[union-attr]
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(DamagedFileError):
            table.read([0])
        with h5py.File(file, "a") as out:
            out["x"][0] = 100
        with pytest.raises(FileChangedError, match=r"a\.h5"):
            table.read([0])


def test_a_fork_leaves_its_parents_process_alone(file: Path) -> None:
    with hf_h5.open_table(file, isolate=True, columns="x") as table:
        process = table._process._process  # type: ignore[union-attr]
        child = os.fork()
        if child == 0:
            code = 1
            try:
                # While a thread of the parent seems to hold the lock.
                table._process._lock.acquire()  # type: ignore[union-attr]
                worked = table.read([4])["x"][0, 0] == 12
                table.close()
                del table
                gc.collect()
                code = 0 if worked else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert process is not None
        assert process.poll() is None
        assert table.read([1])["x"][0, 0] == 3


def test_threads_take_turns(file: Path) -> None:
    found: list[Any] = []
    with hf_h5.open_table(file, isolate=True, columns="x") as table:

        def read(row: int) -> None:
            found.append((row, table.read([row])["x"][0, 0]))

        threads = [threading.Thread(target=read, args=(row,)) for row in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == [(row, 3.0 * row) for row in range(20)]


def test_the_process_ends_with_its_parent(file: Path) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with warnings.catch_warnings():
            table = hf_h5.open_table(file, isolate=True)
            os.write(writing, str(table._process._process.pid).encode())  # type: ignore[union-attr]
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    number = int(os.read(reading, 20))
    deadline = time.monotonic() + 10
    while Path(f"/proc/{number}").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{number}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{number}").exists()


def test_strangers_files_are_looked_at_apart(file: Path) -> None:
    from hf_h5.describe.options import Options

    assert scans_apart("hf://datasets/someone/something/a.h5", Options())
    assert scans_apart({"train": ["https://example.org/a.h5"]}, Options())
    assert not scans_apart(["https://example.org/a.h5"], Options(isolate=False))
    assert not scans_apart(str(file), Options())
    assert scans_apart(str(file), Options(isolate=True))


def test_a_file_that_is_open_here_cannot_be_read_elsewhere(file: Path) -> None:
    with h5py.File(file) as handle, pytest.raises(OptionError, match="pass its path"):
        hf_h5.H5TorchView(handle, isolate=True)


def test_the_library_is_used_only_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the file was opened in this process")

    monkeypatch.setattr(h5py, "File", refuse)
    with hf_h5.H5TorchView(file, isolate=True) as view:
        assert len(view[:]["x"]) == 20
    assert hf_h5.load_dataset(str(file), split="train", isolate=True).num_rows == 20


def test_a_process_answers_what_the_library_answers(file: Path) -> None:
    from hf_h5.describe.options import Options

    process = LibraryProcess(str(file), Options().limits)
    try:
        assert process.call("resolve_tables", str(file), Options()) == resolve_tables(str(file), Options())
    finally:
        process.close()


def test_an_error_of_python_is_the_same_out_of_the_process(file: Path) -> None:
    process = LibraryProcess(str(file), Limits())
    try:
        with pytest.raises(KeyError, match="7"):
            process.call("read", 7, range(1), None)
    finally:
        process.close()


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="the administrator may read everything")
@pytest.mark.parametrize("isolate", [False, True])
def test_a_file_that_may_not_be_read_is_said_to_be_so(file: Path, isolate: bool) -> None:
    file.chmod(0)
    with pytest.raises(PermissionError):
        hf_h5.describe(file, isolate=isolate)
