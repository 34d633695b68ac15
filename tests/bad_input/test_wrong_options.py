"""Options with values that make no sense: the option and the value are in the message, before anything is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import ColumnError, DataError, FormatError, LayoutError, MismatchError, OptionError
from hf_h5.tools.convert import run_convert
from tests.bad_input.doors import DOORS, cached, direct, refusal, streamed
from tests.written import write_digits, write_h5

every_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
Features, Value = datasets.Features, datasets.Value

WRONG: list[tuple[str, Any]] = [
    ("columns", 3),
    ("columns", [3]),
    ("columns", b"images"),
    ("table", 3),
    ("layout", "tables"),
    ("layout", 3),
    ("layout", ["table"]),
    ("nested", "yes"),
    ("splits", "never"),
    ("splits", True),
    ("join", "sideways"),
    ("class_labels", 3),
    ("class_labels", ["a", "b"]),
    ("class_labels", {"labels": 3}),
    ("class_labels", {"labels": None}),
    ("features", 3),
    ("features", {"labels": "int64"}),
    ("allow_external", 3),
    ("route", "fast"),
    ("threads", 0),
    ("threads", -1),
    ("threads", 1.5),
    ("threads", True),
    ("isolate", "yes"),
    ("limits", 3),
    ("limits", {"objects": "many"}),
    ("limits", {"objects": -1}),
    ("limits", {"colour": 3}),
    ("batch_size", 0),
    ("batch_size", "16"),
    ("on_bad_files", "ignore"),
    ("on_bad_rows", "warn"),
    ("arrays", "numpy"),
]


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(write_digits(tmp_path / "digits.h5"))


@pytest.mark.parametrize("door", [cached, direct])
@pytest.mark.parametrize(("name", "value"), WRONG, ids=repr)
def test_a_wrong_value_is_shown_with_its_option(file: str, door: Callable[..., Any], name: str, value: Any) -> None:
    error = refusal(door, file, **{name: value})
    assert isinstance(error, OptionError)
    assert name in str(error)


@every_door
def test_labels_beyond_the_class_names_are_an_error_that_names_row_and_code(
    file: str, door: Callable[..., Any]
) -> None:
    error = refusal(door, file, class_labels={"labels": ["zero", "one", "two"]})
    assert isinstance(error, DataError)
    assert (error.file, error.path) == (file, "/labels")
    assert "row 3" in str(error)
    assert "code 3" in str(error)


@every_door
def test_class_names_from_a_place_that_is_not_there_are_an_error(file: str, door: Callable[..., Any]) -> None:
    for place in ("/names", "/labels@names"):
        error = refusal(door, file, class_labels={"labels": place})
        assert isinstance(error, OptionError)
        assert error.file == file


@every_door
def test_class_labels_for_dates_are_an_error(tmp_path: Path, door: Callable[..., Any]) -> None:
    dates = np.arange(3).astype("M8[s]")
    file = tmp_path / "dates.h5"
    with h5py.File(file, "w") as handle:
        handle["when"] = dates.astype(h5py.opaque_dtype(dates.dtype))

    error = refusal(door, str(file), class_labels={"when": ["a", "b"]})

    assert isinstance(error, OptionError)
    assert "'when'" in str(error)
    assert error.file == str(file)


@pytest.mark.parametrize("door", [cached, streamed, direct])
def test_a_cast_that_loses_values_is_an_error_that_names_the_column(file: str, door: Callable[..., Any]) -> None:
    # Labels of the second digits are 1000 and more: no int8.
    big = str(write_digits(Path(file).with_name("big.h5"), seed=1))
    error = refusal(door, big, features=Features({"labels": Value("int8")}))
    assert isinstance(error, DataError)
    assert "'labels'" in str(error)
    assert error.path == "/labels"


@pytest.mark.parametrize("door", [cached, direct])
def test_steps_of_a_file_without_episodes_are_an_error(file: str, door: Callable[..., Any]) -> None:
    error = refusal(door, file, layout="steps")
    assert isinstance(error, LayoutError)
    assert error.file == file


def test_checked_options_come_before_the_file_is_looked_for() -> None:
    assert isinstance(refusal(direct, "missing.h5", layout="tables"), OptionError)


def test_columns_of_two_tables(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"a": np.arange(10), "b": np.arange(8)})
    with pytest.raises(LayoutError, match=r"'a' \(10 rows of table '/'\), 'b' \(8 rows of table '/b'\)"):
        hf_h5.H5TorchView(file, columns=["a", "b"])
    with pytest.raises(ColumnError, match="'z'"):
        hf_h5.H5TorchView(file, columns=["a", "z"])


def test_no_columns_at_all(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"a": np.arange(10)})
    for load in (hf_h5.H5TorchView, hf_h5.load_dataset, hf_h5.open_dataset):
        with pytest.raises(OptionError, match="names no column"):
            load(file, columns=[])


def test_files_with_the_same_columns_do_not_stand_side_by_side(tmp_path: Path) -> None:
    files = [write_h5(tmp_path / f"{number}.h5", {"a": np.arange(3)}) for number in range(2)]
    with pytest.raises(MismatchError, match="all 2 files have the same columns"):
        hf_h5.H5TorchView(files, join="columns")


@pytest.mark.parametrize("epoch", [-1, None, "1", True, 1.5])
def test_an_epoch_that_is_none(tmp_path: Path, epoch: Any) -> None:
    with hf_h5.H5TorchView(write_h5(tmp_path / "a.h5", {"a": np.arange(3)})) as view:
        with pytest.raises(OptionError, match="epoch="):
            view.loader(2).set_epoch(epoch)
        for state in (None, {}, {"version": 1}):
            with pytest.raises(OptionError, match="no state"):
                view.loader(2).load_state_dict(state)
        for sampler in (view.sampler, view.loader):
            with pytest.raises(OptionError, match="batch_size=0"):
                sampler(0)


@pytest.mark.parametrize("made", [None, 5, np.zeros(1), {"n": 5}], ids=repr)
def test_functions_that_return_no_columns(tmp_path: Path, made: Any) -> None:
    with hf_h5.H5TorchView(write_h5(tmp_path / "a.h5", {"a": np.arange(3)})) as view:
        with pytest.raises(FormatError, match="the function of the view made"):
            view.with_transform(lambda batch: made)[0]
        with pytest.raises(TypeError, match="not a function"):
            view.with_transform(3)


def test_things_that_are_no_files_or_splits(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"a": np.arange(3)})
    with pytest.raises(OptionError, match="from_dataset"):
        hf_h5.H5TorchView(hf_h5.load_dataset(file, split="train"))
    with pytest.raises(OptionError, match="split="):
        hf_h5.H5TorchView(file, split=["train"])
    for seed in (-1, "a"):
        with pytest.raises(OptionError, match="seed="):
            hf_h5.verify(file, sample=2, seed=seed)
    for size in (0, "0MB", -5):
        with pytest.raises(OptionError, match="target_shard_bytes="):
            hf_h5.distributed.make_plan(file, size)
        with pytest.raises(OptionError, match="max_shard_size="):
            run_convert([str(file)], str(tmp_path / "out"), max_shard_size=size)
