"""Open files are few however many are read; after close() nothing is open, and use says so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import ClosedError
from tests.written import write_digits

ROOT = Path(__file__).resolve().parents[2]

# Two datasets per file: one read by its bytes, one through the library.
WRITE = """
import sys, h5py, numpy as np
for number in range(200):
    with h5py.File(f"{sys.argv[1]}/{number:03}.h5", "w") as handle:
        handle.create_dataset("x", data=np.arange(6).reshape(3, 2) + 100 * number, chunks=(2, 2), compression="gzip")
        handle["plain"] = np.arange(3.0) + number
        handle["text"] = [f"{number}.{row}" for row in range(3)]
"""

READ = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
import datasets, hf_h5

files = f"{sys.argv[1]}/*.h5"
with hf_h5.H5TorchView(files) as view:
    assert len(view) == 600
    for order in (range(0, 600, 3), range(599, -1, -7)):
        for row in order:
            found = view[row]
            assert found["text"] == f"{row // 3}.{row % 3}", row
            assert found["x"].tolist() == [100 * (row // 3) + 2 * (row % 3), 100 * (row // 3) + 2 * (row % 3) + 1]
            assert found["plain"] == row // 3 + row % 3
    whole = view[:]
    assert whole["plain"].shape == (600,)
loaded = datasets.load_dataset("hf_h5", data_files=files, split="train", cache_dir=sys.argv[2])
assert loaded["text"][:] == whole["text"]
print("fine")
"""


def open_files(folder: Path) -> list[str]:
    """Return the files of a folder that this process has open."""
    places = Path("/proc/self/fd")
    found = []
    for place in places.iterdir():
        try:
            target = os.readlink(place)
        except OSError:
            continue
        if target.startswith(str(folder)):
            found.append(target)
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of open files to set")
def test_two_hundred_files_are_read_where_sixty_four_may_be_open(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    (tmp_path / "files").mkdir()
    for code in (WRITE, READ):
        command = [sys.executable, "-W", "error", "-c", code, str(tmp_path / "files"), str(tmp_path / "cache")]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "fine"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not list open files")
@pytest.mark.parametrize("open_it", [hf_h5.H5TorchView, hf_h5.open_table], ids=["view", "reader"])
@pytest.mark.parametrize("route", ["auto", "h5py"])
def test_nothing_is_open_after_close(tmp_path: Path, open_it: Callable[..., Any], route: str) -> None:
    files = [write_digits(tmp_path / f"{number}.h5", seed=number, chunks=True) for number in range(3)]
    opened = open_it(files, route=route)
    _ = opened[[0, 15, 25]] if hasattr(opened, "column_names") else opened.read([0, 15, 25])
    opened.close()
    assert open_files(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not list open files")
def test_describing_and_converting_leave_nothing_open(tmp_path: Path) -> None:
    import datasets

    file = write_digits(tmp_path / "a.h5")
    hf_h5.describe(file)
    loaded = datasets.load_dataset("hf_h5", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    next(iter(datasets.load_dataset("hf_h5", data_files=str(file), split="train", streaming=True)))
    assert len(loaded) == 10
    assert str(file) not in open_files(tmp_path)


@pytest.mark.parametrize("was_read", [True, False])
def test_a_closed_view_says_so(tmp_path: Path, was_read: bool) -> None:
    file = write_digits(tmp_path / "a.h5")
    with hf_h5.H5TorchView(file) as view:
        _ = view[0] if was_read else None
        selection = view.select([1, 2])
    for use in (
        lambda: view[0],
        lambda: view[:3],
        lambda: next(iter(view)),
        lambda: selection[0],
        lambda: view["labels"][0],
    ):
        with pytest.raises(ClosedError, match=r"closed.*a\.h5") as caught:
            use()
        assert isinstance(caught.value, ValueError)
        assert caught.value.hint


def test_a_closed_reader_says_so_and_closes_again_without_a_word(tmp_path: Path) -> None:
    reader = hf_h5.open_table(write_digits(tmp_path / "a.h5"))
    reader.close()
    reader.close()
    with pytest.raises(ClosedError, match=r"closed.*a\.h5"):
        reader.read([0])


def test_what_a_closed_view_knows_without_its_file_it_still_says(tmp_path: Path) -> None:
    with hf_h5.H5TorchView(write_digits(tmp_path / "a.h5")) as view:
        pass
    assert (len(view), view.column_names) == (10, ["images", "labels"])
    assert "a.h5" in repr(view)


def test_a_file_handed_over_open_stays_open(tmp_path: Path) -> None:
    with h5py.File(write_digits(tmp_path / "a.h5")) as handle:
        with hf_h5.H5TorchView(handle) as view:
            np.testing.assert_array_equal(view[3]["images"], handle["images"][3])
        assert handle["labels"][4] == 4


def test_a_file_handed_over_open_and_then_closed_is_opened_by_its_name(tmp_path: Path) -> None:
    with h5py.File(write_digits(tmp_path / "a.h5")) as handle:
        view = hf_h5.H5TorchView(handle)
    assert view[3]["labels"] == 3
    view.close()
