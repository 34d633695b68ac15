"""open_dataset: a real Dataset over the mapped file, with the values of the converted one, and nothing written."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

import hf_h5
from hf_h5.errors import FileChangedError, H5Warning, OptionError
from hf_h5.mapped.table import H5MappedTable

N = 300


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "h5" / "a.h5"
    path.parent.mkdir()
    random = np.random.default_rng(0)
    with h5py.File(path, "w") as out:
        out["image"] = random.integers(0, 255, (N, 8, 6, 3), np.uint8)
        out["state"] = random.normal(size=(N, 7)).astype("f4")
        out["label"] = np.arange(N)
    return path


def cached(file: Any, **options: Any) -> datasets.Dataset:
    return hf_h5.load_dataset(file, split="train", **options)


def same(found: Any, expected: Any) -> bool:
    """Whether two datasets have the same features and values."""
    return found.features == expected.features and found.with_format(None)[:] == expected.with_format(None)[:]


def test_it_has_the_rows_of_the_converted_one(file: Path) -> None:
    mapped = hf_h5.open_dataset(file)
    assert isinstance(mapped, datasets.Dataset)
    assert isinstance(mapped.data, H5MappedTable)
    assert same(mapped, cached(str(file)))
    for kind in ("torch", "numpy"):
        one, other = mapped.with_format(kind)[[5, 0, 5]], cached(str(file)).with_format(kind)[[5, 0, 5]]
        assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
def test_nothing_is_copied_or_written(file: Path) -> None:
    before = sorted(os.listdir(file.parent))
    mapped = hf_h5.open_dataset(file)
    for name in mapped.column_names:
        array = mapped.data.column(name).chunk(0)
        buffers = (array.storage if hasattr(array, "storage") else array).buffers()
        assert mapped_file(buffers[-1].address) == str(file)
    folder = Path(mapped.cache_files[0]["filename"]).parent
    assert not any(folder.iterdir())
    assert file.parent not in folder.parents
    mapped.map(lambda row: {"twice": 2 * row["label"]}).filter(lambda row: row["label"] % 2 == 0)
    assert sorted(os.listdir(file.parent)) == before
    assert any(folder.iterdir())


def mapped_file(address: int) -> str:
    """The file that is mapped where an address lies."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, *_, name = line.split(maxsplit=5)
        start, stop = (int(each, 16) for each in place.split("-"))
        if start <= address < stop:
            return name.strip()
    return ""


@pytest.mark.parametrize("num_proc", [None, 2])
def test_its_methods_are_those_of_a_dataset(file: Path, tmp_path: Path, num_proc: int | None) -> None:
    mapped, whole = hf_h5.open_dataset(file), cached(str(file))
    changes = {
        "select": lambda each: each.select(range(10, 200, 3)),
        "shuffle": lambda each: each.shuffle(seed=3).select(range(20)),
        "rename": lambda each: each.rename_column("label", "y").remove_columns("image"),
        "cast": lambda each: each.cast_column("label", datasets.Value("int16")),
        "concatenate": lambda each: datasets.concatenate_datasets([each, each.select(range(7))]),
        "split": lambda each: each.train_test_split(0.2, seed=1)["test"],
        "flatten": lambda each: each.select(range(50, 60)).flatten_indices(),
        "add": lambda each: each.add_column("z", list(range(N))),
        "map": lambda each: each.map(lambda row: {"sum": float(np.sum(row["state"]))}, num_proc=num_proc),
        "filter": lambda each: each.filter(lambda row: row["label"] > 250, num_proc=num_proc),
    }
    for name, change in changes.items():
        assert same(change(mapped), change(whole)), name
    mapped.save_to_disk(str(tmp_path / "saved"), num_proc=num_proc)
    assert same(datasets.load_from_disk(str(tmp_path / "saved")), whole)
    stream = mapped.to_iterable_dataset(num_shards=4)
    assert [row["label"] for row in stream] == list(range(N))


def test_it_pickles_small_and_opens_again(file: Path) -> None:
    mapped = hf_h5.open_dataset(file)
    text = pickle.dumps(mapped)
    assert len(text) < 6000
    assert same(pickle.loads(text), mapped)
    changed = pickle.loads(pickle.dumps(mapped.rename_column("label", "y").select(range(5, 9))))
    assert changed["y"][:] == [5, 6, 7, 8]


@pytest.mark.parametrize("method", sorted(set(multiprocessing.get_all_start_methods()) & {"fork", "spawn"}))
def test_workers_map_it_for_themselves(file: Path, method: str) -> None:
    mapped = hf_h5.open_dataset(file).with_format("torch").select_columns(["label"])
    loader = DataLoader(mapped, batch_size=50, num_workers=2, multiprocessing_context=method)
    assert [row for batch in loader for row in batch["label"].tolist()] == list(range(N))


def test_fingerprints_follow_the_file(file: Path) -> None:
    first = hf_h5.open_dataset(file)
    assert first._fingerprint == hf_h5.open_dataset(file)._fingerprint
    assert first._fingerprint != hf_h5.open_dataset(file, columns="label")._fingerprint
    with h5py.File(file, "a") as out:
        out["label"][0] = 9
    assert first._fingerprint != hf_h5.open_dataset(file)._fingerprint


def test_what_cannot_be_mapped_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        out["x"] = np.arange(N)
        out["big"] = np.arange(N, dtype=">f8")
        out["name"] = [f"row {row}" for row in range(N)]
        out.create_dataset("packed", data=np.arange(N), chunks=(50,), compression="gzip")
        out["flag"] = np.arange(N) % 2 == 0
    with pytest.warns(H5Warning, match="in memory and not mapped: ") as caught:
        mapped = hf_h5.open_dataset(file)
    assert all(name in str(caught[0].message) for name in ("big", "name", "packed", "flag"))
    assert same(mapped, cached(str(file)))
    assert same(pickle.loads(pickle.dumps(mapped)), mapped)
    with pytest.raises(OptionError, match=r"strict=True.*packed: its rows are not one block.*a\.h5"):
        hf_h5.open_dataset(file, strict=True)
    assert hf_h5.open_dataset(file, strict=True, columns="x")["x"][:3] == [0, 1, 2]


def test_what_is_too_large_for_memory_goes_through_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        out["x"] = np.arange(N)
        out.create_dataset("packed", data=np.arange(2 * N).reshape(N, 2), chunks=(50, 2), compression="gzip")
        out["y"] = np.arange(N) * 2.5
    monkeypatch.setattr("hf_h5.mapped.opening._MEMORY_BYTES", 100)
    with pytest.warns(H5Warning, match="in the cache and not mapped: packed"):
        mapped = hf_h5.open_dataset(file)
    assert same(mapped, cached(str(file)))
    assert [row["packed"][0] for row in mapped.select([7, 3])] == [14, 6]


def test_splits_are_a_dict(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        out["train/x"], out["test/x"] = np.arange(5), np.arange(3)
    found = hf_h5.open_dataset(file)
    assert {name: len(each) for name, each in found.items()} == {"train": 5, "test": 3}
    assert len(hf_h5.open_dataset(file, split="test")) == 3
    with pytest.raises(OptionError, match="no split 'dev'"):
        hf_h5.open_dataset(file, split="dev")


def test_several_files_follow_each_other(file: Path) -> None:
    other = file.with_name("b.h5")
    other.write_bytes(file.read_bytes())
    mapped = hf_h5.open_dataset([file, other])
    assert len(mapped) == 2 * N
    assert mapped[N + 4]["label"] == 4
    assert same(mapped, cached([str(file), str(other)]))


@pytest.mark.parametrize("change", ["cut", "replaced", "removed"])
def test_a_changed_file_is_an_error(file: Path, change: str) -> None:
    mapped = hf_h5.open_dataset(file)
    text = pickle.dumps(mapped)
    if change == "cut":
        os.truncate(file, 5000)
    elif change == "removed":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(FileChangedError, match=r"a\.h5"):
        mapped[[N - 1, 0]]
    with pytest.raises(FileChangedError, match=r"a\.h5"):
        mapped[5]
    with pytest.raises((FileChangedError, FileNotFoundError)):
        pickle.loads(text)


WAYS_TO_THE_ROWS: dict[str, Callable[[datasets.Dataset], Any]] = {
    "rows": list,
    "batches": lambda mapped: list(mapped.with_format("torch").iter(7)),
    "values of a column": lambda mapped: list(mapped["label"]),
    "map": lambda mapped: mapped.map(lambda row: {"more": row["label"]}),
    "filter": lambda mapped: mapped.filter(lambda row: row["label"] > 3),
    "stream": lambda mapped: list(mapped.to_iterable_dataset()),
    "unique": lambda mapped: mapped.unique("label"),
    "cast_column": lambda mapped: mapped.cast_column("label", datasets.Value("int16")),
    "sort": lambda mapped: mapped.sort("label"),
    "chosen rows": lambda mapped: list(mapped.rename_column("label", "y").select(range(3, 9))),
    "shuffled rows": lambda mapped: list(mapped.shuffle(seed=0)),
    "to_list": lambda mapped: mapped.to_list(),
    "view": lambda mapped: hf_h5.H5TorchView.from_dataset(mapped)[[5, 3]],
}


@pytest.mark.parametrize("way", WAYS_TO_THE_ROWS)
def test_no_way_to_the_rows_of_a_changed_file(file: Path, way: str) -> None:
    mapped = hf_h5.open_dataset(file)
    content = bytearray(file.read_bytes())
    content[-50:] = bytes(50)
    # In place, so that the mapped bytes are the changed ones.
    with open(file, "r+b") as changed:
        changed.write(content)
    with pytest.raises(FileChangedError, match=r"a\.h5"):
        WAYS_TO_THE_ROWS[way](mapped)


def test_more_values_than_an_arrow_list_counts(tmp_path: Path) -> None:
    file = tmp_path / "big.h5"
    with h5py.File(file, "w") as out:
        # Contiguous and written at its ends only: the file system stores no more of it.
        images = out.create_dataset("image", (190_000, 64, 64, 3), np.uint8)
        images[0, 0, 0], images[-1, -1, -1] = 1, 2
    mapped = hf_h5.open_dataset(file).with_format("numpy")
    assert mapped[0]["image"].sum() == 3
    assert mapped[189_999]["image"][-1, -1].tolist() == [2, 2, 2]
    assert mapped[[100_000, 189_999]]["image"].shape == (2, 64, 64, 3)


# Small datasets lie behind each other, so that some are not aligned.
@pytest.mark.filterwarnings("ignore:.*not aligned:hf_h5.errors.H5Warning")
@settings(max_examples=40, deadline=None)
@given(
    dtype=st.sampled_from(["u1", "i2", "u4", "i8", "f2", "f4", "f8"]),
    shape=st.lists(st.integers(1, 4), max_size=6).map(tuple),
    n_rows=st.integers(0, 9),
)
def test_any_shape_has_the_features_and_values_of_the_builder(
    tmp_path_factory: pytest.TempPathFactory, dtype: str, shape: tuple[int, ...], n_rows: int
) -> None:
    file = tmp_path_factory.mktemp("mapped") / "a.h5"
    values = np.arange(n_rows * int(np.prod(shape)), dtype=np.int64).astype(dtype).reshape(n_rows, *shape)
    with h5py.File(file, "w") as out:
        out["x"] = values
        out["y"] = np.arange(n_rows)
    assert same(hf_h5.open_dataset(file), cached(str(file)))


def test_many_parts_of_one_file_are_checked_too(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        for number in range(100):
            out[f"data/demo_{number}/x"] = np.full(3, number)
    mapped = hf_h5.open_dataset(file, layout="steps", columns="x")
    assert mapped[298]["x"] == 99
    os.truncate(file, 2000)
    with pytest.raises(FileChangedError):
        mapped[0]


@pytest.mark.parametrize("text", ["variable", "fixed"])
def test_long_strings_do_not_pass_for_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    file = tmp_path / "a.h5"
    words = [f"{row:05}" * 100 for row in range(N)]
    with h5py.File(file, "w") as out:
        out["x"] = np.arange(N)
        out["name"] = words if text == "variable" else np.array(words, "S500")
    monkeypatch.setattr("hf_h5.mapped.opening._MEMORY_BYTES", 100_000)
    with pytest.warns(H5Warning, match="in the cache and not mapped: name"):
        assert hf_h5.open_dataset(file)["name"][7] == words[7]


def test_an_open_file_cannot_be_mapped(file: Path) -> None:
    with h5py.File(file) as handle, pytest.raises(OptionError, match=r"cannot be mapped.*a\.h5"):
        hf_h5.open_dataset(handle)


def test_options_that_make_no_sense(file: Path) -> None:
    with pytest.raises(OptionError, match="nested"):
        hf_h5.open_dataset(file, nested=True)
    with pytest.raises(OptionError, match="isolate"):
        hf_h5.open_dataset(file, isolate=True)
