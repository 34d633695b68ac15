"""Thousands of files as one view: the same rows from the second opening on, few open handles, unequal lengths."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.describe.options import make_options
from hf_h5.errors import H5Warning, NotHDF5Error
from hf_h5.resolve import saved, tables
from tests.written import write_digits

ROOT = Path(__file__).resolve().parents[1]
MARK = 0x1122334455667788

OPEN = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
import hf_h5

n_files = int(sys.argv[2])
with hf_h5.H5TorchView(sys.argv[1]) as view:
    assert len(view) == 4 * n_files + (n_files % 3 == 2) * -1 + (n_files % 3 == 1) * -1, len(view)
    for number in (0, 1, 2, 700, n_files - 1):
        first = 12 * (number // 3) + (0, 3, 7)[number % 3]
        assert view[first]["id"] == number
        assert view[first + 2]["x"].tolist() == list(range(16, 24))
    some = view.select_columns("id").select(range(999))
    numbers = [int(number) for batch in some.loader(64) for number in batch["id"]]
    assert numbers == sorted(numbers)
"""


def write_many(folder: Path, n_files: int) -> None:
    """Write files of three, four and five rows by copying three and putting each file's number in its place."""
    folder.mkdir()
    contents = []
    for n_rows in (3, 4, 5):
        with h5py.File(folder / "0", "w") as handle:
            handle["x"] = np.arange(n_rows * 8, dtype="f4").reshape(n_rows, 8)
            handle["id"] = np.full(n_rows, MARK)
        contents.append((folder / "0").read_bytes())
    (folder / "0").unlink()
    for number in range(n_files):
        content = contents[number % 3].replace(struct.pack("<q", MARK), struct.pack("<q", number))
        (folder / f"{number:05}.h5").write_bytes(content)


@pytest.fixture(autouse=True)
def _kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(saved, "_SETTLED_NS", 0)


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "home" / "hf_h5" / "tables").glob("*"))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of open files to set")
def test_a_thousand_files_are_opened_where_sixty_four_may_be_open(tmp_path: Path) -> None:
    write_many(tmp_path / "many", 1000)
    command = [sys.executable, "-W", "error", "-c", OPEN, str(tmp_path / "many" / "*.h5"), "1000"]
    for _ in range(2):
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_the_second_opening_looks_at_one_file_and_finds_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_many(tmp_path / "many", 70)
    options, files = make_options(), str(tmp_path / "many" / "*.h5")
    first = tables.resolve_tables(files, options)
    assert len(kept(tmp_path)) == 1
    looked_at = []
    monkeypatch.setattr(tables, "_file_tables", lambda *args: looked_at.append(args))
    second = tables.resolve_tables(files, options)
    assert looked_at == []
    assert second == first
    assert len({id(part.columns) for part in second.splits["train"].parts}) == 3


@pytest.mark.parametrize("change", ["rows", "file", "options", "damage"])
def test_what_was_kept_counts_for_the_same_files_and_options_only(tmp_path: Path, change: str) -> None:
    write_many(tmp_path / "many", 70)
    files = str(tmp_path / "many" / "*.h5")
    asked: dict[str, Any] = {}
    with hf_h5.H5TorchView(files) as view:
        assert len(view) == 279
    n_rows = 279
    if change == "rows":
        with h5py.File(tmp_path / "many" / "00007.h5", "w") as handle:
            handle["x"], handle["id"] = np.zeros((9, 8), "f4"), np.full(9, 7)
        n_rows += 5
    elif change == "file":
        (tmp_path / "many" / "00007.h5").unlink()
        n_rows -= 4
    elif change == "options":
        asked["columns"] = ["id"]
    else:
        content = kept(tmp_path)[0].read_bytes()
        kept(tmp_path)[0].write_bytes(content.replace(b"00007", b"00008"))
    with hf_h5.H5TorchView(files, **asked) as view:
        assert len(view) == n_rows
        assert view.column_names == asked.get("columns", ["id", "x"])
        assert view[27]["id"] == (8 if change == "file" else 7)


def test_bad_files_are_left_out_and_named_each_time(tmp_path: Path) -> None:
    write_many(tmp_path / "many", 70)
    files = sorted(map(str, (tmp_path / "many").glob("*.h5")))
    Path(files[5]).write_bytes(b"no HDF5")
    for _ in range(3):
        with pytest.warns(H5Warning, match=r"left out.*00005\.h5"):
            view = hf_h5.H5TorchView(files, on_bad_files="warn")
        assert len(view) == 274
        assert "1 of 70 files is left out" in view.info.description
    assert len(kept(tmp_path)) == 1
    with pytest.warns(H5Warning, match=r"1 of 70 files is left out: .*00005\.h5") as said:
        assert len(hf_h5.H5TorchView(files, on_bad_files="skip")) == 274
    assert len(said) == 1
    with pytest.raises(NotHDF5Error, match=r"00005\.h5"):
        hf_h5.H5TorchView(files)


def test_few_files_and_those_that_have_just_changed_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hf_h5.H5TorchView(write_digits(tmp_path / "a.h5"))
    assert kept(tmp_path) == []
    monkeypatch.setattr(saved, "_SETTLED_NS", 10**12)
    write_many(tmp_path / "many", 70)
    hf_h5.H5TorchView(str(tmp_path / "many" / "*.h5"))
    assert kept(tmp_path) == []


def test_columns_of_every_kind_come_back_as_they_were(tmp_path: Path) -> None:
    strings = h5py.string_dtype()
    pairs = np.dtype([("a", "<i2"), ("b", strings)])
    for number in range(64):
        with h5py.File(tmp_path / f"{number}.h5", "w") as handle:
            for name in ("demo_0", "demo_1"):
                group = handle.create_group(name)
                group.create_dataset("image", data=np.zeros((3, 4, 5), "u1"), chunks=(2, 4, 5), compression="gzip")
                group["big"] = np.arange(3, dtype=">f8")
                group["name"] = np.array(["a", "b", "c"], strings)
                group["pair"] = np.array([(1, "x"), (2, "y"), (3, "z")], pairs)
                group.create_dataset("lists", (3,), h5py.vlen_dtype(np.dtype("i4")))
                group["kind"] = np.array([0, 1, 0], h5py.enum_dtype({"cat": 0, "dog": 1}))
                group.attrs["score"] = number / 3
    files, options = str(tmp_path / "*.h5"), make_options(layout="steps")
    first = tables.resolve_tables(files, options)
    assert len(kept(tmp_path)) == 1
    second = tables.resolve_tables(files, options)
    assert second == first
    # dtypes are equal whatever h5py notes in them.
    for one, other in zip(first.splits["train"].columns.values(), second.splits["train"].columns.values(), strict=True):
        assert repr(one) == repr(other)
        assert one.memory is None or one.memory.metadata == other.memory.metadata
    view = hf_h5.H5TorchView(files, layout="steps").with_format(None)
    row = view[4]
    assert [row[name] for name in ("big", "name", "pair/a", "pair/b", "lists", "kind")] == [1.0, "b", 2, "y", [], 1]
