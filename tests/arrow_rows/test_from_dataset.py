"""H5TorchView.from_dataset: a view, its loaders and windows over the table of a Dataset."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from datetime import datetime
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import hf_h5
from hf_h5.errors import ClosedError, ColumnError, FileChangedError, FormatError, OptionError, RowError
from hf_h5.registry import make_list
from tests.exact import assert_exact

N = 120
View = hf_h5.H5TorchView


@pytest.fixture
def file(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["image"] = random.integers(0, 255, (N, 5, 4, 3), np.uint8)
        out["flag"] = np.arange(N) % 3 == 0
        out["name"] = [f"row {row}" for row in range(N)]
        out["row"] = np.arange(N)
    return tmp_path / "a.h5"


@pytest.fixture
def cached(file: Path) -> datasets.Dataset:
    return hf_h5.load_dataset(file, split="train", cache_dir=str(file.parent / "cache"))


def rows_of(batches: Any) -> list[int]:
    return [row for batch in batches for row in batch["row"].tolist()]


def test_a_format_that_was_set_is_taken_along(cached: datasets.Dataset) -> None:
    assert View.from_dataset(cached).format["type"] == "torch"
    for dataset in (
        cached.with_format("numpy", dtype=np.float64),
        cached.with_format("torch", columns=["row"], output_all_columns=True),
        cached.with_transform(lambda batch: {"twice": [2 * row for row in batch["row"]]}, columns=["row"]),
    ):
        view = View.from_dataset(dataset)
        assert_exact(view[3:5], dataset[3:5])
        assert_exact(view[7], dataset[7])
        assert view.format == dataset.format


def test_what_a_dataset_was_selected_shuffled_and_concatenated_to(cached: datasets.Dataset) -> None:
    for dataset in (
        cached.shuffle(seed=3),
        cached.select([5, 5, 2]),
        cached.filter(lambda row: row["row"] % 2 == 0),
        cached.train_test_split(0.3, seed=1)["test"],
        datasets.concatenate_datasets([cached.shuffle(seed=1), cached]),
        cached.add_column("more", list(range(N))),
    ):
        assert_exact(View.from_dataset(dataset)[:], dataset.with_format("torch")[:])


@pytest.mark.filterwarnings("ignore:Specifying null_placement:FutureWarning")  # of the dataset's own sort
def test_views_of_the_view_pick_the_rows_of_the_dataset(cached: datasets.Dataset) -> None:
    view, dataset = View.from_dataset(cached), cached.with_format("torch")
    assert_exact(view.shuffle(seed=2).take(5)[:], dataset.shuffle(seed=2).take(5)[:])
    assert_exact(view.sort("name").select_columns("row")[:9], dataset.sort("name").select_columns("row")[:9])
    assert_exact(view.filter(lambda row: row["flag"])[:], dataset.filter(lambda row: row["flag"])[:])
    assert view.unique("flag") == dataset.unique("flag")
    assert_exact(view.to_dataset(keep_in_memory=True)[:], dataset[:])


def test_a_mapped_file_is_read_through_its_table(file: Path) -> None:
    mapped = hf_h5.open_dataset(file, columns=["image", "row"], strict=True)
    view = View.from_dataset(mapped)
    assert_exact(view[[7, 3]], mapped.with_format("torch")[[7, 3]])
    text = pickle.dumps(view)
    assert len(text) < 10_000
    os.truncate(file, 3000)
    for use in (lambda: view[5], lambda: view[[5, 6]], view._source.check_files, lambda: pickle.loads(text)):
        with pytest.raises(FileChangedError, match=r"a\.h5"):
            use()


def test_tensors_are_the_users_own(cached: datasets.Dataset) -> None:
    view = View.from_dataset(cached.select_columns(["image", "flag", "row"])).with_format("torch", dtype=None)
    before = view[:]["image"].clone()
    for batch in (view[3:9], view[[4, 4, 2]], view[5]):
        for tensor in batch.values():
            tensor += 1 if tensor.dtype != torch.bool else True
    array = view.with_format("numpy", dtype=np.uint8)[0:2]["image"]
    array += 1
    assert torch.equal(view[:]["image"], before)


def test_it_is_sent_to_workers_by_path(cached: datasets.Dataset) -> None:
    big = datasets.concatenate_datasets([cached] * 20)
    assert len(pickle.dumps(View.from_dataset(big))) < 20_000
    assert big.data.nbytes > 200_000


@pytest.mark.parametrize("method", sorted(set(multiprocessing.get_all_start_methods()) & {"fork", "spawn"}))
def test_workers_of_a_data_loader_read_it(cached: datasets.Dataset, method: str) -> None:
    view = View.from_dataset(cached.select_columns(["image", "row"]))
    loader = DataLoader(
        view, batch_size=50, num_workers=2, multiprocessing_context=method, collate_fn=hf_h5.collate, shuffle=True
    )
    assert sorted(rows_of(loader)) == list(range(N))


def test_the_loader_and_the_sampler_give_each_row_once(cached: datasets.Dataset) -> None:
    view = View.from_dataset(cached.shuffle(seed=1))
    batches = list(view.loader(16, shuffle=True, seed=3))
    assert sorted(rows_of(batches)) == list(range(N))
    assert [name for batch in batches for name in batch["name"]] == [f"row {row}" for row in rows_of(batches)]
    assert rows_of(view[batch] for batch in view.sampler(16, seed=3)) == rows_of(batches)
    parts = [rows_of(view.loader(16, shuffle=True, rank=rank, world_size=2)) for rank in range(2)]
    assert sorted(parts[0] + parts[1]) == list(range(N))


def test_windows_and_patches_are_those_of_the_file(file: Path, cached: datasets.Dataset) -> None:
    for options in ({"window": (4, 2)}, {"window": 7, "pad": "zero"}, {"window": 3, "episodes": "flag"}):
        with View(file, **options) as direct:
            view = View.from_dataset(cached, **options)
            assert len(view) == len(direct)
            assert_exact(view[[5, 0]], direct[[5, 0]])
            assert_exact(view[len(view) - 1], direct[len(view) - 1])
            assert_exact(next(iter(view.loader(8))), next(iter(direct.loader(8))))
    with View(file, columns="image", patch=(8, 2, 2)) as direct:
        assert_exact(View.from_dataset(cached.select_columns("image"), patch=(8, 2, 2))[:6], direct[:6])


def test_what_cannot_be_in_windows_is_named() -> None:
    dataset = datasets.Dataset.from_dict({"x": [1, None, 3], "y": [[1], [2, 3], []]})
    for name in ("x", "y"):
        with pytest.raises(OptionError, match=rf"column '{name}' is .*\n.*remove_columns\('{name}'\)"):
            View.from_dataset(dataset.select_columns(name), window=2)


def test_other_things_than_a_dataset_are_refused(cached: datasets.Dataset) -> None:
    with pytest.raises(OptionError, match=r"holds 'train', 'test'\n.*dataset\['train'\]"):
        View.from_dataset(datasets.DatasetDict({"train": cached, "test": cached}))
    with pytest.raises(OptionError, match="IterableDataset"):
        View.from_dataset(cached.to_iterable_dataset())
    with pytest.raises(OptionError, match=r"not str\n.*H5TorchView\(files\)"):
        View.from_dataset("a.h5")


def test_wrong_rows_and_columns_and_use_after_close(cached: datasets.Dataset) -> None:
    view = View.from_dataset(cached)
    with pytest.raises(RowError, match=rf"row {N} is out of range"):
        view[N]
    with pytest.raises(ColumnError, match="nmae"):
        view.select_columns("nmae")
    with pytest.raises(RowError):
        view._source.read([N])
    view.close()
    with pytest.raises(ClosedError):
        view[0]


@pytest.mark.parametrize("row_shape", [(3,), (32, 32, 3), (300, 300)])
def test_rows_that_lie_in_several_places(row_shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 255, (12, *row_shape), np.uint8)
    kind = f"Array{len(row_shape)}D" if len(row_shape) > 1 else "List"
    feature = datasets.List(datasets.Value("uint8"), length=3)
    if kind != "List":
        feature = getattr(datasets, kind)(row_shape, "uint8")
    made = [
        datasets.Dataset.from_dict({"x": list(part)}, features=datasets.Features(x=feature))
        for part in np.split(values, 3)
    ]
    view = View.from_dataset(datasets.concatenate_datasets(made)).with_format("numpy", dtype=None)
    reader = view._source
    assert ("x" in reader.makes_arrays(["x"])) == (values[0].nbytes <= 32 << 10)
    order = np.array([11, 0, 4, 4, 7])
    out = np.zeros((5, *row_shape), np.uint8)
    assert reader.read_here(order, ["x"], {"x": out})["x"] is out
    for found in (out, view[order]["x"], reader.read(order, ["x"])["x"]):
        assert np.array_equal(found, values[order])
        assert found.dtype == np.uint8
        found += 1
    assert np.array_equal(view[:]["x"], values)
    assert reader.read(order[:0], ["x"])["x"].shape == (0, *row_shape)


def test_the_reader_fills_what_it_is_given(cached: datasets.Dataset) -> None:
    reader = View.from_dataset(cached)._source
    out = {"image": np.zeros((2, 5, 4, 3), np.uint8), "row": np.zeros((4,), np.int64)[::2]}
    found = reader.read([9, 4], ["row", "image"], out)
    assert found["image"] is out["image"]
    assert found["row"] is out["row"]
    assert out["row"].tolist() == [9, 4]
    assert np.array_equal(out["image"], cached.with_format("numpy", dtype=np.uint8)[[9, 4]]["image"])
    assert reader.row_groups()[-1] == N
    assert len(reader.fingerprint) > 8


def test_rows_of_other_sizes_than_their_feature_says_are_not_shifted() -> None:
    """datasets does not look at what it is given; a row of the wrong size is an error there, and here."""
    features = datasets.Features({"x": datasets.Array2D((2, 2), "int64")})
    dataset = datasets.Dataset.from_dict({"x": [[[1, 2], [3, 4]], [[5, 6]], [[7, 8], [9, 9]]]}, features=features)
    view = View.from_dataset(dataset)
    assert_exact(view[2], dataset.with_format("torch")[2])
    with pytest.raises(ValueError, match="reshape"):
        view[1]


def test_pictures_are_decoded(file: Path) -> None:
    features = datasets.Features({"image": datasets.Image(), "row": datasets.Value("int64")})
    dataset = hf_h5.load_dataset(file, split="train", features=features, cache_dir=str(file.parent / "cache"))
    assert_exact(View.from_dataset(dataset)[[3, 1]], dataset.with_format("torch")[[3, 1]])


def test_dates_in_tensors_are_an_error_that_names_the_column() -> None:
    dates = datasets.Dataset.from_dict(
        {"day": [np.datetime64("2020-01-02", "us").item()]},
        features=datasets.Features({"day": datasets.Value("timestamp[us]")}),
    )
    with pytest.raises(TypeError, match=r"column 'day' holds dates"):
        View.from_dataset(dates)[0]


def test_truth_values_of_any_offset(cached: datasets.Dataset) -> None:
    flags = np.random.default_rng(0).random((50, 3, 5)) < 0.5
    features = datasets.Features({"x": datasets.Array2D((3, 5), "bool"), "y": datasets.Value("bool")})
    whole = datasets.Dataset.from_dict({"x": flags.tolist(), "y": flags[:, 0, 0].tolist()}, features=features)
    parts = [datasets.Dataset(whole.data.table.slice(first, 7), info=whole.info) for first in (3, 10, 29)]
    rows = [*range(3, 17), *range(29, 36)]
    found = View.from_dataset(datasets.concatenate_datasets(parts)).with_format("numpy")
    assert np.array_equal(found[:]["x"], flags[rows])
    assert np.array_equal(found[[20, 0, 8]]["y"], flags[rows][[20, 0, 8], 0, 0])


def test_it_says_what_it_shows(cached: datasets.Dataset) -> None:
    text = repr(View.from_dataset(cached))
    assert "num_rows: 120" in text
    assert ".arrow" in text


def test_no_rows_of_a_type_that_arrow_does_not_gather() -> None:
    features = datasets.Features({"word": datasets.Value("string_view")})
    dataset = datasets.Dataset.from_dict({"word": ["a", "b", "c"]}, features=features)
    view = View.from_dataset(dataset.shuffle(seed=1))
    for key in (slice(2, 1), [], [2, 0], 1):
        assert_exact(view[key], dataset.shuffle(seed=1).with_format("torch")[key])


_PAIRS = make_list(make_list(datasets.Value("timestamp[us]"), 2), 2)
_TIMES = [[[datetime(2020, 1, 1, row, item) for item in pair] for pair in ((0, 1), (2, 3))] for row in range(12)]
NESTED_FIXED_LISTS = {
    "times": (_PAIRS, _TIMES),
    "times in a struct": ({"inner": _PAIRS}, [{"inner": row} for row in _TIMES]),
    "numbers in a struct": (
        {"inner": make_list(make_list(datasets.Value("int32"), 2), 2)},
        [{"inner": [[row, 1], [2, 3]]} for row in range(12)],
    ),
    "strings with nulls": (
        make_list(make_list(datasets.Value("string"), 2), 1),
        [None if row == 5 else [[str(row), None]] for row in range(12)],
    ),
}


@pytest.mark.parametrize("name", NESTED_FIXED_LISTS)
@pytest.mark.parametrize("rows", [[0], [3, 1], [5, 5, 0, 4]], ids=str)
def test_rows_of_a_slice_with_fixed_lists_in_fixed_lists(name: str, rows: list[int]) -> None:
    # Arrow's own take returns other rows of these.
    feature, values = NESTED_FIXED_LISTS[name]
    whole = datasets.Dataset.from_dict({"x": values}, features=datasets.Features({"x": feature}))
    view = hf_h5.H5TorchView.from_dataset(whole.select(range(4, 12))).with_format(None)
    assert view[rows]["x"] == [values[4 + row] for row in rows]


def test_a_column_of_numbers_without_values_is_not_blamed_for_one_of_lists() -> None:
    dataset = datasets.Dataset.from_dict({"age": [1, None, 3], "lists": [None, [1], [2]]})
    with pytest.raises(FormatError, match="'lists'"):
        hf_h5.H5TorchView.from_dataset(dataset)[:]
    assert hf_h5.H5TorchView.from_dataset(dataset.remove_columns("lists"))[:]["age"].tolist()[::2] == [1.0, 3.0]
