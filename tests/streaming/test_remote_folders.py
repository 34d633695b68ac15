"""Folders behind URLs, with files beside that are no HDF5."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest

import hf_h5
from hf_h5.errors import H5Warning, NotHDF5Error
from tests.written import digits, write_digits

from .served import Asked, noted_files

OTHERS = {"README.md": b"# About\n", "notes.txt": b"no data", "train-preview.csv": b"a,b\n1,2\n", "LICENSE": b"free"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[str, Asked]]:
    files = {
        "train-1.h5": write_digits(tmp_path / "1.h5", seed=1).read_bytes(),
        "train-2.h5": write_digits(tmp_path / "2.h5", seed=2).read_bytes(),
        "test.h5": write_digits(tmp_path / "3.h5", seed=3).read_bytes(),
    }
    with noted_files(files | OTHERS) as found:
        yield found


def labels(rows: Any) -> list[int]:
    return [row["labels"] for row in rows]


def rows_of(*seeds: int) -> list[int]:
    return [int(label) for seed in seeds for label in digits(seed=seed)["labels"]]


def test_a_stream_of_a_remote_folder_leaves_out_what_is_no_hdf5_and_says_so(folder: tuple[str, Asked]) -> None:
    url, _ = folder
    with pytest.warns(H5Warning, match="no HDF5") as caught:
        streams = hf_h5.load_dataset(url, streaming=True)
    assert len([each for each in caught if each.category is H5Warning]) == 1
    assert {split: labels(rows) for split, rows in streams.items()} == {"train": rows_of(1, 2), "test": rows_of(3)}


def test_a_conversion_of_a_remote_folder_does_too(
    folder: tuple[str, Asked], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = folder
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)  # nothing but this process is reached
    with pytest.warns(H5Warning, match="no HDF5"):
        loaded = hf_h5.load_dataset(url, cache_dir=str(tmp_path / "cache"))
    assert {split: labels(rows) for split, rows in loaded.items()} == {"train": rows_of(1, 2), "test": rows_of(3)}


def test_files_with_a_usual_name_are_not_asked_what_they_are(folder: tuple[str, Asked]) -> None:
    url, asked = folder
    with pytest.warns(H5Warning):
        hf_h5.load_dataset(url, streaming=True)
    # Of the others the first bytes; of a file of a usual name nothing, until it is opened.
    names = [name.rpartition("/")[2] for name, _, _ in asked]
    first_opened = min(names.index(name) for name in names if name.endswith(".h5"))
    assert set(names[:first_opened]) >= {"train-preview.csv"}
    assert not any(name.endswith(".h5") for name in names[:first_opened])


def test_a_remote_folder_without_hdf5_says_so() -> None:
    with noted_files({"notes.txt": b"no data", "more.csv": b"a"}) as (url, _), pytest.raises(NotHDF5Error):
        hf_h5.load_dataset(url, streaming=True)
