"""Does hf_h5.load_dataset take a file, files, a folder, a URL or a script, and pick the splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import fsspec
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import H5Warning, MissingFileError, NotHDF5Error, OptionError
from tests.written import digits, write_digits, write_h5


def labels(loaded: Any) -> list[int]:
    return [row["labels"] for row in loaded]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Three files whose rows differ, in a folder of their own, in the order of datasets: part-10 before part-2."""
    folder = tmp_path / "parts"
    folder.mkdir()
    return [str(write_digits(folder / f"part-{number}.h5", seed=number)) for number in (1, 10, 2)]


def rows_of(*seeds: int) -> list[int]:
    return [int(label) for seed in seeds for label in digits(seed=seed)["labels"]]


def test_a_file_as_text_or_path_loads_as_datasets_loads_it(files: list[str]) -> None:
    expected = datasets.load_dataset("hf_h5", data_files=files[0])
    for name in (files[0], Path(files[0])):
        loaded = hf_h5.load_dataset(name)
        assert loaded["train"].features == expected["train"].features
        assert loaded["train"][:] == expected["train"][:]


def test_lists_keep_their_order_and_patterns_are_sorted_in_both_modes(files: list[str]) -> None:
    assert labels(hf_h5.load_dataset(files[::-1], split="train")) == rows_of(2, 10, 1)
    pattern = str(Path(files[0]).parent / "*.h5")
    for loaded in (
        hf_h5.load_dataset(pattern, split="train"),
        datasets.load_dataset("hf_h5", data_files=pattern, split="train"),
        hf_h5.H5TorchView(pattern).with_format(None),
    ):
        assert labels(loaded) == rows_of(1, 10, 2)


def test_names_that_look_like_patterns_are_names(tmp_path: Path) -> None:
    folder = tmp_path / "run [1]"
    folder.mkdir()
    file = write_digits(folder / "a[0].h5")
    write_digits(folder / "a0.h5", seed=1)
    assert labels(hf_h5.load_dataset(file, split="train")) == rows_of(0)


def test_a_folder_may_look_like_a_pattern_too(tmp_path: Path) -> None:
    folder = tmp_path / "run [1]"
    folder.mkdir()
    write_digits(folder / "a.h5")
    assert labels(hf_h5.load_dataset(folder, split="train", cache_dir=str(tmp_path / "cache"))) == rows_of(0)


def test_relative_names_and_the_home_folder(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(files[0]).parent
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    assert labels(hf_h5.load_dataset("part-2.h5", split="train")) == rows_of(2)
    assert labels(hf_h5.load_dataset("~/part-2.h5", split="train")) == rows_of(2)


def test_split_streaming_num_proc_and_options_mean_what_they_mean_in_datasets(files: list[str]) -> None:
    assert labels(hf_h5.load_dataset(files[0], split="train[:3]")) == rows_of(1)[:3]
    stream = hf_h5.load_dataset(files, split="train", streaming=True)
    assert isinstance(stream, datasets.IterableDataset)
    assert labels(stream) == rows_of(1, 10, 2)
    loaded = hf_h5.load_dataset(files, split="train", num_proc=2, columns=["labels"])
    assert loaded.column_names == ["labels"]
    assert labels(loaded) == rows_of(1, 10, 2)


def test_a_mapping_names_splits(files: list[str]) -> None:
    loaded = hf_h5.load_dataset({"train": files[:2], "test": files[2]})
    assert {split: labels(part) for split, part in loaded.items()} == {"train": rows_of(1, 10), "test": rows_of(2)}


def test_splits_in_a_file_are_found(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "both.h5", {"train_x": np.arange(6), "test_x": np.arange(3)})
    assert {split: part.num_rows for split, part in hf_h5.load_dataset(file).items()} == {"train": 6, "test": 3}


def test_a_folder_gives_splits_by_the_names_of_its_files_and_counts_the_others_once(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write_digits(folder / "train-a.h5", seed=1)
    write_digits(folder / "train-b.hdf", seed=2)
    write_digits(folder / "test.h5", seed=3)
    (folder / "train-notes.txt").write_text("no data")
    (folder / "test.csv").write_text("a,b")
    (folder / "validation.json").write_text("{}")
    with pytest.warns(H5Warning, match="skipped 3 files") as caught:
        loaded = hf_h5.load_dataset(folder, cache_dir=str(tmp_path / "cache"))
    assert len([each for each in caught if each.category is H5Warning]) == 1
    assert {split: labels(part) for split, part in loaded.items()} == {"train": rows_of(1, 2), "test": rows_of(3)}


def test_names_of_other_files_choose_no_splits(tmp_path: Path) -> None:
    folder = tmp_path / "data [1]"
    (folder / "deep").mkdir(parents=True)
    write_digits(folder / "a.h5", seed=1)
    write_digits(folder / "deep" / "b.h5", seed=2)
    (folder / "train.py").write_text("import hf_h5")
    with pytest.warns(H5Warning, match="skipped 1 file"):
        loaded = hf_h5.load_dataset(folder, split="train", cache_dir=str(tmp_path / "cache"))
    assert labels(loaded) == rows_of(1, 2)


def test_files_that_no_split_of_a_folder_takes_are_named(tmp_path: Path) -> None:
    write_digits(tmp_path / "a.h5", seed=1)
    write_digits(tmp_path / "train_b.h5", seed=2)
    with pytest.warns(H5Warning, match="'a.h5' is left out"):
        loaded = hf_h5.load_dataset(tmp_path, split="train", streaming=True)
    assert labels(loaded) == rows_of(2)


def test_a_folder_without_hdf5_or_without_files_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no data")
    with pytest.raises(NotHDF5Error, match="the only file found is not HDF5"):
        hf_h5.load_dataset(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty"):
        hf_h5.load_dataset(tmp_path / "empty")


def test_urls_and_remote_folders_are_files_and_folders(tmp_path: Path, files: list[str]) -> None:
    memory = fsspec.filesystem("memory")
    for name, file in zip(["train.h5", "test.h5"], files, strict=False):
        memory.pipe_file(f"/hf_h5_loading/{name}", Path(file).read_bytes())
    one = hf_h5.load_dataset("memory://hf_h5_loading/test.h5", split="train", streaming=True)
    assert labels(one) == rows_of(10)
    both = hf_h5.load_dataset("memory://hf_h5_loading", streaming=True)
    assert {split: labels(part) for split, part in both.items()} == {"train": rows_of(1), "test": rows_of(10)}


@pytest.mark.parametrize("name", ["absent.h5", "absent/*.h5", ["absent.h5"], []])
def test_what_is_not_there_is_named(tmp_path: Path, name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFileError):
        hf_h5.load_dataset(name)


def test_files_are_named_once_and_options_are_checked(files: list[str]) -> None:
    with pytest.raises(OptionError, match="beside"):
        hf_h5.load_dataset(files[0], data_files=files[1])
    with pytest.raises(OptionError, match="not a path"):
        hf_h5.load_dataset(5)
    with pytest.raises(OptionError, match="layout="):
        hf_h5.load_dataset(files[0], layout="sideways")


def test_an_open_file_is_refused_with_the_way_out(files: list[str]) -> None:
    with h5py.File(files[0]) as handle, pytest.raises(OptionError, match="path"):
        hf_h5.load_dataset(handle)


@pytest.mark.parametrize(
    "use", [hf_h5.load_dataset, hf_h5.verify, hf_h5.distributed.make_plan, lambda file: hf_h5.load(file, mode="cached")]
)
def test_an_open_file_is_refused_where_its_path_is_needed(files: list[str], use: Callable[[Any], Any]) -> None:
    with h5py.File(files[0]) as opened, pytest.raises(OptionError, match=r"an open HDF5 file.*part-1\.h5"):
        use(opened)
    with pytest.raises(OptionError, match="an open HDF5 file"):
        use(opened)


def test_files_by_split_are_refused_where_one_list_is_needed(files: list[str]) -> None:
    with pytest.raises(OptionError, match="files by split are not taken here"):
        hf_h5.verify({"train": files})
