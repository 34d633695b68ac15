"""Columns, tables, splits, options and rows that are not there: the closest names, and the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import ColumnError, OptionError, RowError, TableError
from tests.bad_input.doors import DOORS, assert_readable, cached, direct, read_all, refusal
from tests.written import write_digits, write_h5

every_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(write_digits(tmp_path / "digits.h5"))


@every_door
@pytest.mark.parametrize(
    "options",
    [
        {"columns": ["imags"]},
        {"columns": "imags"},
        {"class_labels": {"imags": ["a"]}},
        {"features": datasets.Features({"imags": datasets.Value("int64")})},
    ],
    ids=repr,
)
def test_an_unknown_column_comes_with_the_closest_names(
    file: str, door: Callable[..., Any], options: dict[str, Any]
) -> None:
    error = refusal(door, file, **options)
    assert isinstance(error, ColumnError)
    assert "'imags'" in error.problem
    assert "did you mean 'images'" in str(error)
    assert error.file == file


@pytest.mark.parametrize(
    "use",
    [
        lambda view: view["imags"],
        lambda view: view.select_columns(["labels", "imags"]),
        lambda view: view.with_format("torch", columns=["imags"]),
        lambda view: view.as_tuple("imags", "labels"),
    ],
)
def test_an_unknown_column_of_a_view_is_named(file: str, use: Callable[[Any], Any]) -> None:
    with hf_h5.H5TorchView(file) as view, pytest.raises(KeyError, match="did you mean 'images'") as caught:
        use(view)
    assert isinstance(caught.value, ColumnError)
    assert caught.value.file == file


def test_an_unknown_column_of_a_reader_is_named(file: str) -> None:
    with hf_h5.open_table(file) as reader, pytest.raises(ColumnError, match="did you mean 'images'") as caught:
        reader.read([0], ["imags"])
    assert caught.value.file == file


@pytest.mark.parametrize("key", [10, -11, 10**6, [3, 10], [0, -11], np.array([10]), np.int64(10), range(5, 11)])
def test_a_row_of_a_view_that_is_out_of_range_is_an_index_error_that_names_the_file(file: str, key: Any) -> None:
    with hf_h5.H5TorchView(file) as view, pytest.raises(IndexError, match="out of range for 10 rows") as caught:
        view[key]
    assert isinstance(caught.value, RowError)
    assert caught.value.file == file


@pytest.mark.parametrize("rows", [[10], [-1], range(5, 11), np.array([3, 10])])
def test_a_row_of_a_reader_that_is_out_of_range_is_an_index_error_that_names_the_file(file: str, rows: Any) -> None:
    with hf_h5.open_table(file) as reader, pytest.raises(IndexError, match="10 rows") as caught:
        reader.read(rows)
    assert isinstance(caught.value, RowError)
    assert caught.value.file == file


def test_a_row_beyond_a_selection_is_out_of_range_though_the_file_has_it(file: str) -> None:
    with hf_h5.H5TorchView(file) as view:
        chosen = view.select([2, 4, 6])
        with pytest.raises(RowError, match="row 3 is out of range for 3 rows"):
            chosen[3]
        with pytest.raises(RowError, match="out of range"):
            view.select([11])


@pytest.mark.parametrize("key", [1.5, None, True, [1.5], ["labels"], {"labels"}, np.array([[1, 2]]), object, b"labels"])
def test_a_key_of_a_wrong_type_is_shown(file: str, key: Any) -> None:
    with hf_h5.H5TorchView(file) as view, pytest.raises(TypeError, match="wrong key") as caught:
        view[key]
    assert repr(key) in str(caught.value)
    assert "is not iterable" not in str(caught.value)


@pytest.mark.parametrize("rows", [1.5, None, "abc", [1.5], [[1, 2]]])
def test_rows_of_a_wrong_type_are_a_type_error(file: str, rows: Any) -> None:
    with hf_h5.open_table(file) as reader, pytest.raises(TypeError, match="integers") as caught:
        reader.read(rows)
    assert_readable(caught.value)


@pytest.mark.parametrize("door", [direct, read_all])
def test_an_unknown_split_comes_with_those_there_are(file: str, door: Callable[..., Any]) -> None:
    error = refusal(door, file, split="test")
    assert isinstance(error, OptionError | TableError)
    assert error.file == file
    assert "train" in str(error)


@pytest.mark.parametrize("split", ["train[", "train[:10%", "train[a:b]", "", "+", "train[::2]"])
def test_a_split_that_is_no_split_is_shown(file: str, split: str) -> None:
    error = refusal(direct, file, split=split)
    assert isinstance(error, OptionError)
    assert repr(split) in str(error)


def test_several_splits_without_split_are_listed_with_their_sizes(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"train/x": np.arange(7), "test/x": np.arange(3)})
    error = refusal(direct, str(file))
    assert isinstance(error, ValueError)
    for words in ("'train' (7 rows)", "'test' (3 rows)", "split='train'", str(file)):
        assert words in str(error)


def test_splits_inside_a_file_and_keys_of_data_files_are_an_error_naming_both(tmp_path: Path) -> None:
    inner = str(write_h5(tmp_path / "a.h5", {"train/x": np.arange(7), "test/x": np.arange(3)}))
    files = {"validation": inner}
    error = refusal(cached, files, split="validation")
    assert isinstance(error, OptionError)
    for words in ("'validation'", "train, test", "splits=False", inner):
        assert words in str(error)


@every_door
@pytest.mark.parametrize("table", ["othr", "/othr"])
def test_an_unknown_table_comes_with_the_closest_names(tmp_path: Path, door: Callable[..., Any], table: str) -> None:
    file = str(write_h5(tmp_path / "a.h5", {"x": np.arange(100), "other/y": np.arange(5)}))
    error = refusal(door, file, table=table)
    assert isinstance(error, TableError)
    assert "did you mean '/other'" in str(error)
    assert error.file == file


@pytest.mark.parametrize("door", [direct, read_all])
def test_an_unknown_option_comes_with_the_closest_names(file: str, door: Callable[..., Any]) -> None:
    error = refusal(door, file, colums=["images"])
    assert isinstance(error, OptionError)
    assert "did you mean 'columns'" in str(error)


def test_the_builder_names_an_unknown_option_too(file: str) -> None:
    with pytest.raises(OptionError, match=r"no option 'colums'\n.*did you mean 'columns'"):
        cached(file, colums=["images"])


@pytest.mark.parametrize("kind", ["torchy", "Torch", 3])
def test_an_unknown_format_comes_with_those_there_are(file: str, kind: Any) -> None:
    with hf_h5.H5TorchView(file) as view, pytest.raises(ValueError, match=r"numpy.*torch") as caught:
        view.with_format(kind)
    assert repr(kind) in str(caught.value)
