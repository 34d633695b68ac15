"""When is a cache used again, and when is it made anew."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from tests.written import write_digits, write_h5

NAMES = ["zero", "one", "two"]


def folder_of(file: Path, **options: Any) -> str:
    """Return the cache folder that a call of load_dataset would use."""
    return str(datasets.load_dataset_builder("hf_h5", data_files=str(file), **options).cache_dir)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    return write_h5(
        tmp_path / "labelled.h5",
        {"x": np.arange(6), "y": np.arange(6) % 3, "names": np.array(NAMES, "S5"), "words": np.array(NAMES, "S5")},
    )


@pytest.mark.parametrize(
    "neutral",
    [
        {"threads": 4},
        {"batch_size": 2},
        {"route": "h5py"},
        {"limits": {"depth": 99}},
        {"isolate": False},
        {"layout": "auto", "nested": False, "splits": "auto", "join": "rows", "arrays": "array"},
        {"columns": None, "class_labels": None, "features": None},
        {"allow_external": "."},
    ],
    ids=str,
)
def test_options_that_change_no_value_use_the_same_cache(labelled: Path, neutral: dict[str, Any]) -> None:
    assert folder_of(labelled, **neutral) == folder_of(labelled)


def test_options_that_change_values_each_have_a_cache_of_their_own(labelled: Path) -> None:
    number = datasets.Features({"x": datasets.Value("float64")})
    label = datasets.Features({"y": datasets.ClassLabel(names=NAMES)})
    renamed = datasets.Features({"y": datasets.ClassLabel(names=NAMES[::-1])})
    chosen: list[dict[str, Any]] = [
        {},
        {"columns": ["x"]},
        {"columns": ["y", "x"]},
        {"columns": ["x", "y"]},
        {"table": "/names"},
        {"layout": "raw"},
        {"nested": True},
        {"splits": False},
        {"class_labels": {"y": "/names"}},
        {"class_labels": {"y": "/words"}},
        {"class_labels": {"y": NAMES}},
        {"features": number},
        {"features": label},
        {"features": renamed},
        {"on_bad_files": "skip"},
    ]
    folders = [folder_of(labelled, **options) for options in chosen]
    assert len(set(folders)) == len(chosen)


def test_a_name_and_a_list_of_it_are_the_same(labelled: Path) -> None:
    assert folder_of(labelled, columns="x") == folder_of(labelled, columns=["x"]) == folder_of(labelled, columns=("x",))


def test_another_process_uses_the_same_cache(labelled: Path) -> None:
    options = "columns=['x', 'y'], class_labels={'y': ['a', 'b', 'c']}"
    code = (
        "import datasets, hf_h5; "
        f"print(datasets.load_dataset_builder('hf_h5', data_files={str(labelled)!r}, {options}).cache_dir)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = folder_of(labelled, columns=["x", "y"], class_labels={"y": ["a", "b", "c"]})
    assert done.stdout.strip() == here


def rewritten(file: Path) -> None:
    """Other values of the same size, under the old time."""
    before = file.stat()
    write_digits(file, seed=1)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size


def replaced(file: Path) -> None:
    """Another file of the same size and time under the name."""
    other = file.with_name("other")
    write_digits(other, seed=1)
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    os.replace(other, file)


def grown(file: Path) -> None:
    write_digits(file, 11, seed=1)


def changed_in_place(file: Path) -> None:
    with h5py.File(file, "r+") as handle:
        handle["labels"][...] = np.arange(10) + 1000


@pytest.mark.parametrize("change", [rewritten, replaced, grown, changed_in_place], ids=lambda each: each.__name__)
def test_a_changed_file_is_converted_anew(tmp_path: Path, change: Callable[[Path], None]) -> None:
    file = write_digits(tmp_path / "digits.h5")
    load = {"split": "train", "cache_dir": str(tmp_path / "cache")}
    assert datasets.load_dataset("hf_h5", data_files=str(file), **load)["labels"][:2] == [0, 1]
    change(file)
    assert datasets.load_dataset("hf_h5", data_files=str(file), **load)["labels"][:2] == [1000, 1001]


def test_the_cache_is_used_again_without_reading_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_digits(tmp_path / "digits.h5")
    load = {"data_files": str(file), "split": "train", "cache_dir": str(tmp_path / "cache")}
    first = datasets.load_dataset("hf_h5", **load)
    files = {each["filename"]: os.stat(each["filename"]).st_mtime_ns for each in first.cache_files}
    second = datasets.load_dataset("hf_h5", **load, threads=4)
    assert {each["filename"]: os.stat(each["filename"]).st_mtime_ns for each in second.cache_files} == files


def test_files_are_told_apart_by_name_split_and_order(tmp_path: Path) -> None:
    one, two = write_digits(tmp_path / "one.h5"), write_digits(tmp_path / "two.h5")
    named: list[Any] = [
        str(one),
        str(two),
        [str(one), str(two)],
        [str(two), str(one)],
        {"train": str(one), "test": str(two)},
        {"train": str(two), "test": str(one)},
        {"test": str(one)},
    ]
    folders = [datasets.load_dataset_builder("hf_h5", data_files=files).cache_dir for files in named]
    assert len(set(folders)) == len(named)


def link_to_values(file: Path, other: Path) -> None:
    with h5py.File(file, "w") as handle:
        handle["x"] = np.arange(6)
        handle["linked"] = h5py.ExternalLink(other.name, "/values")


def view_of_values(file: Path, other: Path) -> None:
    layout = h5py.VirtualLayout((6,), np.int64)
    layout[:] = h5py.VirtualSource(other.name, "values", (6,))
    with h5py.File(file, "w") as handle:
        handle.create_virtual_dataset("linked", layout)


@pytest.mark.parametrize("make", [link_to_values, view_of_values], ids=lambda each: each.__name__)
def test_a_change_of_a_file_that_is_read_by_a_link_counts(tmp_path: Path, make: Callable[[Path, Path], None]) -> None:
    other = write_h5(tmp_path / "other.h5", {"values": np.arange(6)})
    file = tmp_path / "links.h5"
    make(file, other)
    load = {"data_files": str(file), "split": "train", "allow_external": str(tmp_path), "cache_dir": str(tmp_path)}
    assert datasets.load_dataset("hf_h5", **load)["linked"][:] == [0, 1, 2, 3, 4, 5]
    write_h5(other, {"values": np.arange(6) + 10})
    assert datasets.load_dataset("hf_h5", **load)["linked"][:] == [10, 11, 12, 13, 14, 15]


def test_a_change_two_links_away_counts(tmp_path: Path) -> None:
    last = write_h5(tmp_path / "last.h5", {"values": np.arange(6)})
    with h5py.File(tmp_path / "middle.h5", "w") as handle:
        handle["values"] = h5py.ExternalLink("last.h5", "/values")
    link_to_values(tmp_path / "first.h5", tmp_path / "middle.h5")
    before = folder_of(tmp_path / "first.h5", allow_external=str(tmp_path))
    write_h5(last, {"values": np.arange(6) + 10})
    assert folder_of(tmp_path / "first.h5", allow_external=str(tmp_path)) != before


def test_external_storage_that_changes_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with h5py.File("raw.h5", "w") as handle:
        handle.create_dataset("x", data=np.arange(6), external=[("raw.bin", 0, 48)])
    before = folder_of(Path("raw.h5"), allow_external=".")
    np.arange(6, 12).tofile("raw.bin")
    assert folder_of(Path("raw.h5"), allow_external=".") != before


def test_what_was_let_in_once_is_refused_again_without_leave(tmp_path: Path) -> None:
    other = write_h5(tmp_path / "other.h5", {"values": np.arange(6)})
    link_to_values(tmp_path / "links.h5", other)
    load = {"data_files": str(tmp_path / "links.h5"), "split": "train", "cache_dir": str(tmp_path / "cache")}
    datasets.load_dataset("hf_h5", **load, allow_external=str(tmp_path))
    with pytest.raises(PermissionError, match="external link"):
        datasets.load_dataset("hf_h5", **load)


def test_a_file_that_the_library_finds_by_its_last_name_counts(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    file = write_h5(tmp_path / "old" / "rows.h5", {"x": np.arange(4)})
    with h5py.File(tmp_path / "old" / "a.h5", "w") as out:
        out["x"] = h5py.ExternalLink(str(file), "/x")
    moved = (tmp_path / "old").rename(tmp_path / "new")

    def rows() -> list[int]:
        cache = str(tmp_path / "cache")
        return list(hf_h5.load_dataset(moved / "a.h5", split="train", allow_external=tmp_path, cache_dir=cache)["x"])

    assert rows() == [0, 1, 2, 3]
    write_h5(moved / "rows.h5", {"x": np.arange(4) + 50})
    assert rows() == [50, 51, 52, 53]
