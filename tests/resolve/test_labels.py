"""Labels that a file names itself: by name whatever names a user asks for, and by number if numbers are asked for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest
from datasets import ClassLabel, Features, Value

import hf_h5
from hf_h5.errors import DataError, H5Warning, OptionError
from hf_h5.registry import make_list

CODES = [7, 5, 5, 7]
WORDS = ["dog", "cat", "cat", "dog"]


def enum(names: Mapping[str, int]) -> np.dtype[Any]:
    return h5py.enum_dtype(dict(names), basetype="i1")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with the same labels in every place where there may be some."""
    kind = enum({"cat": 5, "dog": 7})
    codes = np.array(CODES, "i1")
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out.create_dataset("flat", data=codes, dtype=kind)
        out.create_dataset("column", data=codes[:, None], dtype=kind)
        out.create_dataset("mask", data=np.stack([codes, codes], axis=1), dtype=kind)
        out["record"] = np.array([(code, 0.5) for code in CODES], np.dtype([("kind", kind), ("weight", "f4")]))
        lists = out.create_dataset("list", (4,), dtype=h5py.vlen_dtype(kind))
        for row, code in enumerate(CODES):
            lists[row] = np.array([code, code], "i1")
    return tmp_path / "a.h5"


def values(files: Any, column: str, **options: Any) -> tuple[Any, list[Any]]:
    """The feature and the values of a column, the same in the direct, the cached and the streaming mode."""
    with hf_h5.H5TorchView(files, columns=[column], **options) as view:
        found = view.with_format(None)[column][:]
        feature = view.features[column]
    loaded = hf_h5.load_dataset(files, split="train", columns=[column], **options)
    assert loaded[column][:] == found
    assert loaded.features[column] == feature
    stream = hf_h5.load_dataset(files, split="train", columns=[column], streaming=True, **options)
    assert [row[column] for row in stream] == found
    return feature, found


def words(files: Any, column: str, **options: Any) -> list[Any]:
    feature, found = values(files, column, **options)
    label = feature if isinstance(feature, ClassLabel) else feature.feature
    return [label.int2str(row) for row in found]


PLACES: dict[str, Any] = {
    "flat": lambda label: label,
    "column": lambda label: label,
    "record/kind": lambda label: label,
    "mask": lambda label: make_list(label, 2),
    "list": make_list,
}


@pytest.mark.parametrize("names", [["cat", "dog"], ["dog", "cat"], ["bird", "dog", "cat"]], ids=",".join)
@pytest.mark.parametrize("place", PLACES)
def test_features_name_labels_by_name(file: Path, place: str, names: list[str]) -> None:
    features = Features({place: PLACES[place](ClassLabel(names=names))})
    wanted = WORDS if place in ("flat", "column", "record/kind") else [[word, word] for word in WORDS]
    assert words(file, place, features=features) == wanted
    assert values(file, place, features=features)[0] == features[place]


@pytest.mark.parametrize("place", ["flat", "column", "record/kind", "mask"])
def test_class_labels_name_labels_by_name(file: Path, place: str) -> None:
    wanted = [[word, word] for word in WORDS] if place == "mask" else WORDS
    assert words(file, place, class_labels={place: ["bird", "dog", "cat"]}) == wanted


def test_names_that_the_file_does_not_have_are_those_of_its_numbers(file: Path) -> None:
    names = [str(number) for number in range(8)]
    assert words(file, "flat", class_labels={"flat": names}) == [str(code) for code in CODES]
    with pytest.raises(DataError, match="code 7"):
        words(file, "flat", class_labels={"flat": ["A", "B"]})


def test_names_that_are_some_of_the_files_are_refused(file: Path) -> None:
    with pytest.raises(OptionError, match="lack 'dog'") as caught:
        hf_h5.H5TorchView(file, columns=["flat"], class_labels={"flat": ["cat", "bird"]})
    assert "a.h5::/flat" in str(caught.value)
    with pytest.raises(OptionError, match="lack 'cat'"):
        hf_h5.H5TorchView(file, features=Features({"flat": ClassLabel(names=["dog", "bird"])}))


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8", "float32"])
@pytest.mark.parametrize("place", ["flat", "column", "record/kind", "list"])
def test_numbers_are_the_stored_ones(file: Path, place: str, dtype: str) -> None:
    number = make_list(Value(dtype)) if place == "list" else Value(dtype)
    feature, found = values(file, place, features=Features({place: number}))
    assert feature == number
    assert found == ([[code, code] for code in CODES] if place == "list" else CODES)


def test_numbers_without_a_name_can_be_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out.create_dataset("y", data=np.array([7, 5, 6], "i1"), dtype=enum({"B": 5, "C": 7}))
    with pytest.raises(DataError, match="code 6") as caught:
        values(tmp_path / "a.h5", "y")
    assert "Value('int64')" in str(caught.value)
    assert values(tmp_path / "a.h5", "y", features=Features({"y": Value("int64")}))[1] == [7, 5, 6]


def test_neither_names_nor_numbers(file: Path) -> None:
    with pytest.raises(OptionError, match="int2str"):
        hf_h5.H5TorchView(file, features=Features({"flat": Value("string")}))


@pytest.fixture
def two_files(tmp_path: Path) -> list[Path]:
    """Files whose numbers have different names."""
    files = [tmp_path / "0.h5", tmp_path / "1.h5"]
    for path, names in zip(files, ({"cat": 0, "dog": 1}, {"dog": 0, "bird": 1}), strict=True):
        with h5py.File(path, "w") as out:
            out.create_dataset("y", data=np.array([0, 1], "i1"), dtype=enum(names))
    return files


@pytest.mark.parametrize("names", [["cat", "dog", "bird"], ["bird", "dog", "cat"]], ids=",".join)
def test_several_files_go_by_name(two_files: list[Path], names: list[str]) -> None:
    wanted = ["cat", "dog", "dog", "bird"]
    assert words(two_files, "y") == wanted
    assert words(two_files, "y", class_labels={"y": names}) == wanted
    assert words(two_files, "y", features=Features({"y": ClassLabel(names=names)})) == wanted
    assert [hf_h5.verify(file, class_labels={"y": names}).is_same for file in two_files] == [True, True]


BY_NUMBER = {"names": {"class_labels": {"y": ["A", "B"]}}, "numbers": {"features": Features({"y": Value("int64")})}}


@pytest.mark.parametrize("options", BY_NUMBER.values(), ids=[*BY_NUMBER])
def test_numbers_that_mean_something_else_in_another_file_are_warned_of(
    two_files: list[Path], options: dict[str, Any]
) -> None:
    with pytest.warns(H5Warning, match="differ in meaning"), hf_h5.H5TorchView(two_files, **options) as view:
        assert view.with_format(None)["y"][:] == [0, 1, 0, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error", H5Warning)
        hf_h5.H5TorchView(two_files, class_labels={"y": ["cat", "dog", "bird"]}).close()


def test_features_of_one_set_serve_another(file: Path, two_files: list[Path]) -> None:
    train: datasets.Dataset = hf_h5.load_dataset(two_files, split="train")
    found = words(file, "flat", features=Features({"flat": train.features["y"]}))
    assert found == WORDS
