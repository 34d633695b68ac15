"""Opening a view, its keys, and what it hands out, on files written by hand; the values are literals or h5py's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest
import torch

import hf_h5
from hf_h5.errors import FormatError, H5Warning, RowError
from tests.exact import assert_exact
from tests.written import digits, write_digits, write_h5


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_digits(tmp_path / "digits.h5")


def test_a_row_is_a_dict_of_tensors_in_the_order_of_the_columns(file: Path) -> None:
    with hf_h5.H5TorchView(file) as view:
        row = view[3]
    expected = {"images": torch.tensor(digits()["images"][3], dtype=torch.int64), "labels": torch.tensor(3)}
    assert_exact(row, expected)


def test_stored_types_are_kept_with_dtype_none(file: Path) -> None:
    with hf_h5.H5TorchView(file).with_format("torch", dtype=None) as view:
        assert (view[0]["images"].dtype, view[0]["labels"].dtype) == (torch.uint8, torch.int64)


def test_python_objects_come_without_a_format(file: Path) -> None:
    with hf_h5.H5TorchView(file).with_format(None) as view:
        assert_exact(view[3], {"images": digits()["images"][3].tolist(), "labels": 3})
        assert_exact(view[2:4]["labels"], [2, 3])


@pytest.mark.parametrize(
    ("key", "labels"),
    [
        (slice(2, 5), [2, 3, 4]),
        (slice(None, None, 4), [0, 4, 8]),
        (slice(None, None, -3), [9, 6, 3, 0]),
        (slice(-2, None), [8, 9]),
        (slice(20, 30), []),
        (range(9, 3, -2), [9, 7, 5]),
        ([3, 1, 1, -1], [3, 1, 1, 9]),
        ((3, 1), [3, 1]),
        (np.array([4, -10]), [4, 0]),
        (torch.tensor([5, 6]), [5, 6]),
        (np.arange(10) % 3 == 0, [0, 3, 6, 9]),
        ([], []),
        ((row for row in (2, 7)), [2, 7]),
        (np.array([7], np.uint8), [7]),
    ],
)
def test_a_batch_holds_the_rows_of_its_key(file: Path, key: Any, labels: list[int]) -> None:
    with hf_h5.H5TorchView(file) as view:
        batch = view[key]
    assert batch["labels"].tolist() == labels
    assert batch["images"].tolist() == digits()["images"][labels].tolist()


@pytest.mark.parametrize("key", [-1, np.int64(9), np.uint8(9)])
def test_an_integer_of_any_kind_is_a_row(file: Path, key: Any) -> None:
    with hf_h5.H5TorchView(file) as view:
        assert view[key]["labels"] == 9


def test_a_column_is_read_when_it_is_indexed(file: Path) -> None:
    with hf_h5.H5TorchView(file) as view:
        column = view["labels"]
        assert len(column) == 10
        assert column[3] == 3
        assert column[-2:].tolist() == [8, 9]
        assert column[[5, 5]].tolist() == [5, 5]
        assert [int(value) for value in column] == list(range(10))


def test_iterating_gives_every_row_and_batches_of_a_size(file: Path) -> None:
    with hf_h5.H5TorchView(file) as view:
        assert [int(row["labels"]) for row in view] == list(range(10))
        assert [batch["labels"].tolist() for batch in view.iter(4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        assert [len(batch["labels"]) for batch in view.iter(4, drop_last_batch=True)] == [4, 4]


def test_a_selection_is_in_the_given_order_and_may_be_selected_from(file: Path) -> None:
    with hf_h5.H5TorchView(file) as view:
        chosen = view.select([7, 3, 3, 0])
        assert chosen[:]["labels"].tolist() == [7, 3, 3, 0]
        assert chosen.select([3, 0])[:]["labels"].tolist() == [0, 7]
        assert chosen.select(range(1, 3))[1]["labels"] == 3
        assert chosen[-1]["labels"] == 0
        assert len(view) == 10


def test_only_chosen_columns_are_read(file: Path) -> None:
    # Text that is no UTF-8 is an error wherever it is read.
    with h5py.File(file, "r+") as handle:
        handle["bad"] = np.array([b"fine"] * 9 + [b"\xff\xfe"])
    with hf_h5.H5TorchView(file) as view:
        assert view.select_columns(["labels"])[9]["labels"] == 9
        assert view.as_tuple("labels")[9] == (9,)
    with hf_h5.H5TorchView(file, columns=["labels"]) as view:
        assert view[:]["labels"].tolist() == list(range(10))


def test_tuples_are_what_hand_written_datasets_return(file: Path) -> None:
    with hf_h5.H5TorchView(file) as view:
        pairs = view.as_tuple("labels", "images")
        label, image = pairs[2]
        assert (label, image.shape) == (2, (4, 5))
        labels, images = pairs[[2, 5]]
        assert (labels.tolist(), images.shape) == ([2, 5], (2, 4, 5))


def test_a_transform_sees_a_batch_and_a_row_is_a_batch_of_one(file: Path) -> None:
    seen = []

    def double(batch: dict[str, Any]) -> dict[str, Any]:
        seen.append(len(batch["labels"]))
        return {"twice": [2 * label for label in batch["labels"]]}

    with hf_h5.H5TorchView(file) as view:
        doubled = view.with_format(None).with_transform(double)
        assert doubled[4] == {"twice": 8}
        assert doubled[:3] == {"twice": [0, 2, 4]}
    assert seen == [1, 3]


@pytest.mark.parametrize("split", ["train[:30%]", "train[7:]+train[:2]", "train[-3:-1]"])
def test_parts_of_splits_are_those_of_datasets(file: Path, split: str) -> None:
    expected = datasets.load_dataset("hf_h5", data_files=str(file), split=split)
    with hf_h5.H5TorchView(file, split=split) as view:
        assert view[:]["labels"].tolist() == expected["labels"][:]


def test_splits_are_named_by_the_keys_of_a_mapping(tmp_path: Path) -> None:
    files = {split: write_digits(tmp_path / f"{split}.h5", seed=seed) for seed, split in enumerate(["train", "test"])}
    with hf_h5.H5TorchView(files, split="test") as view:
        assert view[0]["labels"] == 1000
    with hf_h5.H5TorchView(files, split="train+test") as view:
        assert view[[0, 10]]["labels"].tolist() == [0, 1000]


@pytest.mark.parametrize("given", [str, Path, lambda file: [file], lambda file: f"{file.parent}/dig*.h5"])
def test_files_may_be_given_in_any_way(file: Path, given: Any) -> None:
    with hf_h5.H5TorchView(given(file)) as view:
        assert len(view) == 10


def test_a_pattern_puts_files_in_the_order_of_datasets(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        write_h5(tmp_path / f"part{number}.h5", {"x": np.array([number])})
    cached = datasets.load_dataset("hf_h5", data_files=f"{tmp_path}/*.h5", split="train")
    with hf_h5.H5TorchView(f"{tmp_path}/*.h5") as view:
        assert view[:]["x"].tolist() == cached["x"][:] == [1, 10, 9]


def test_an_open_file_or_group_is_read_as_it_is(file: Path) -> None:
    with h5py.File(file, "r+") as handle:
        handle["inner/labels"] = np.arange(3) + 50
        with hf_h5.H5TorchView(handle["inner"]) as view:
            assert view.column_names == ["labels"]
            assert view[:]["labels"].tolist() == [50, 51, 52]


@pytest.mark.parametrize("kind", ["torch", "numpy", "arrow", "pandas", None])
def test_formats_have_the_names_of_datasets(file: Path, kind: str | None) -> None:
    cached = datasets.load_dataset("hf_h5", data_files=str(file), split="train").with_format(kind)
    with hf_h5.H5TorchView(file).with_format(kind) as view:
        assert view.format["type"] == cached.format["type"]
        assert type(view[:3]) is type(cached[:3])
        assert str(view[:3]) == str(cached[:3])
        assert str(view[1]) == str(cached[1])


def test_a_format_has_aliases(file: Path) -> None:
    with hf_h5.H5TorchView(file).with_format("pt") as view:
        assert view.format["type"] == "torch"
    with hf_h5.H5TorchView(file).with_format("np") as view:
        assert isinstance(view[0]["images"], np.ndarray)


def test_dates_are_refused_by_the_torch_format_with_column_and_way_out(tmp_path: Path) -> None:
    dates = np.arange(3).astype("M8[s]")
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        handle["when"] = dates.astype(h5py.opaque_dtype(dates.dtype))
        handle["x"] = np.arange(3)
    with hf_h5.H5TorchView(tmp_path / "a.h5") as view:
        for key in (0, slice(2)):
            with pytest.raises(FormatError, match="'when'") as caught:
                view[key]
            assert isinstance(caught.value, TypeError)
            assert "select_columns" in str(caught.value)
            assert caught.value.file == str(tmp_path / "a.h5")
        assert view.select_columns(["x"])[2]["x"] == 2
        assert view.with_format("numpy")[:]["when"].tolist() == dates.tolist()


def test_uint64_beyond_int64_gives_one_warning_that_names_the_column(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"big": np.array([1, 2**63, 2**64 - 1], np.uint64)})
    with hf_h5.H5TorchView(file) as view:
        with pytest.warns(H5Warning, match="'big'.*dtype=None") as caught:
            _ = view[:], view[:], view[1]
        assert len(caught) == 1
        assert view.with_format("torch", dtype=None)[:]["big"].tolist() == [1, 2**63, 2**64 - 1]


def test_a_tensor_belongs_to_whoever_got_it(file: Path) -> None:
    with hf_h5.H5TorchView(file).with_format("torch", dtype=None) as view:
        first = view[:]["images"]
        first.zero_()
        assert_exact(view[:]["images"], torch.from_numpy(digits()["images"]))


def test_features_are_a_copy(file: Path) -> None:
    with hf_h5.H5TorchView(file) as view:
        view.features["images"] = None
        assert view.features["labels"] == datasets.Value("int64")
        assert view.features["images"] is not None
        assert view.info.features == view.features


def test_a_view_says_what_it_is_of(file: Path) -> None:
    with hf_h5.H5TorchView(file) as view:
        assert (len(view), view.num_rows, view.num_columns, view.shape) == (10, 10, 2, (10, 2))
        assert view.column_names == ["images", "labels"]
        for words in ("H5TorchView", "images", "10", "digits.h5"):
            assert words in repr(view)


def test_zero_rows_have_their_features(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.empty((0, 2, 3), np.float32)})
    with hf_h5.H5TorchView(file) as view:
        assert len(view) == 0
        assert list(view) == []
        assert view.features == datasets.Features({"x": datasets.Array2D((2, 3), "float32")})
        assert view[:]["x"].numel() == 0


@pytest.mark.parametrize("number", [3, 2**63, 2**64 - 1])
def test_unsigned_numbers_of_rows_do_not_count_from_the_end(tmp_path: Path, number: int) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.arange(3)})
    with hf_h5.H5TorchView(file) as view, pytest.raises(RowError, match=str(number)):
        view[np.array([number], np.uint64)]


def test_truth_values_choose_rows_and_iterators_number_them(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "mask.h5", "w") as handle:
        handle["x"] = np.arange(10)
    with hf_h5.H5TorchView(tmp_path / "mask.h5") as view:
        for mask in (np.arange(10) % 3 == 0, [number % 3 == 0 for number in range(10)]):
            assert view[mask]["x"].tolist() == [0, 3, 6, 9]
        assert view[iter([4, 2])]["x"].tolist() == [4, 2]
        for short in (np.array([True, False]), [True, False]):
            with pytest.raises(TypeError, match="wrong key"):
                view[short]
