"""With nested=True the features and rows are those of the packaged builder of datasets, where that one is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest
from datasets import Array2D, Array3D, Features, Value, load_dataset

import hf_h5
from hf_h5.errors import ColumnError, DataError, H5Warning, OptionError
from tests.written import write_h5

pytest.importorskip("datasets.packaged_modules.hdf5", reason="this version of datasets has no builder of its own")
Contents = dict[str, Any]
N_ROWS = 5


def numbers() -> Contents:
    kinds = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "?"]
    return {kind.replace("?", "bool"): (np.arange(N_ROWS) / 2).astype(kind) for kind in kinds}


def groups() -> Contents:
    return {"root": np.arange(N_ROWS), "a/x": np.arange(N_ROWS) / 3, "a/b/y": np.arange(N_ROWS, dtype="u2")}


def arrays() -> Contents:
    random = np.random.default_rng(0)
    shapes = [(10,), (3, 4), (2, 3, 4), (2, 3, 4, 5), (2, 1, 2, 1, 2)]
    return {f"rank{len(shape)}": random.random((N_ROWS, *shape)).astype("f4") for shape in shapes}


def no_values() -> Contents:
    return {"x": np.arange(N_ROWS), "none": np.zeros((N_ROWS, 0), "i4")}


def complex_numbers() -> Contents:
    values = np.arange(N_ROWS) + 1j * np.arange(N_ROWS)[::-1]
    return {"single": values.astype("c8"), "double": values, "pairs": np.stack([values, -values], 1).astype("c8")}


def compounds() -> Contents:
    flat = np.dtype([("x", "i4"), ("y", "f8")])
    deep = np.dtype([("position", flat), ("velocity", [("vx", "f4"), ("vy", "f4")])])
    simple, nested = np.zeros(N_ROWS, flat), np.zeros(N_ROWS, deep)
    simple["x"], nested["position"]["y"], nested["velocity"]["vx"] = (np.arange(N_ROWS) + shift for shift in (0, 5, 9))
    return {"simple": simple, "group/nested": nested}


def compounds_of_complex() -> Contents:
    kind = np.dtype([("place", [("x", "i4")]), ("z", "c8"), ("grid", "c8", (2, 3))])
    values = np.zeros(N_ROWS, kind)
    values["z"] = np.arange(N_ROWS) + 2j
    values["grid"] = np.arange(N_ROWS * 6).reshape(N_ROWS, 2, 3) * 1j
    return {"c": values}


def ragged() -> Contents:
    lists = np.empty(N_ROWS, object)
    lists[:] = [np.arange(length, dtype="i4") for length in (3, 0, 2, 1, 4)]
    return {"lists": lists}


def texts() -> Contents:
    return {"text": np.array(["short", "", "é ü", "日本", "x" * 300], object)}


def mixed() -> Contents:
    return {**groups(), **compounds(), **complex_numbers(), **texts()}


KINDS = [numbers, groups, arrays, no_values, complex_numbers, compounds, compounds_of_complex, texts, mixed]


def write(file: Path, contents: Contents) -> Path:
    if "lists" in contents:
        with h5py.File(file, "w") as handle:
            kind = h5py.vlen_dtype(np.dtype("i4"))
            handle.create_dataset("lists", (N_ROWS,), kind)[...] = contents["lists"]
        return file
    return write_h5(file, contents)


def both(file: Path, **options: Any) -> Iterator[datasets.Dataset]:
    """Yield what the packaged builder gives, and this one."""
    yield load_dataset("hdf5", data_files=str(file), split="train", **options)
    yield load_dataset("hf_h5", data_files=str(file), split="train", nested=True, **options)


def assert_same(expected: datasets.Dataset, got: datasets.Dataset) -> None:
    assert got.features == expected.features
    assert got.data.schema.types == expected.data.schema.types
    assert got[:] == expected[:]


@pytest.mark.parametrize("make", [*KINDS, ragged], ids=lambda each: each.__name__)
def test_features_and_rows_are_those_of_the_packaged_builder(tmp_path: Path, make: Callable[[], Contents]) -> None:
    assert_same(*both(write(tmp_path / "a.h5", make())))


@pytest.mark.parametrize("make", KINDS, ids=lambda each: each.__name__)
def test_the_view_has_the_same_features_and_rows(tmp_path: Path, make: Callable[[], Contents]) -> None:
    pytest.importorskip("torch")
    file = write(tmp_path / "a.h5", make())
    expected = load_dataset("hdf5", data_files=str(file), split="train")
    with hf_h5.H5TorchView(file, nested=True).with_format(None) as view:
        assert view.features == expected.features
        assert view[:] == expected[:]


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_batches_of_any_size_give_the_same_rows(tmp_path: Path, batch_size: int) -> None:
    assert_same(*both(write(tmp_path / "a.h5", mixed()), batch_size=batch_size))


def test_features_choose_among_nested_columns_and_cast_them(tmp_path: Path) -> None:
    file = write(tmp_path / "a.h5", mixed())
    features = Features({"a": {"b": {"y": Value("int64")}}, "text": Value("large_string"), "root": Value("int32")})
    assert_same(*both(file, features=features))


def test_features_choose_among_the_fields_of_a_compound(tmp_path: Path) -> None:
    file = write(tmp_path / "a.h5", compounds())
    features = Features({"simple": {"x": Value("int64")}})
    got = load_dataset("hf_h5", data_files=str(file), split="train", nested=True, features=features)
    assert got["simple"][:] == [{"x": row} for row in range(N_ROWS)]


def test_features_that_name_a_path_are_told_how_it_is_nested(tmp_path: Path) -> None:
    file = write(tmp_path / "a.h5", mixed())
    with pytest.raises(ColumnError, match=r"'a/b/y'.*\n.*features=\{'a': \{'b': \{'y': \.\.\.\}\}\}"):
        load_dataset("hf_h5", data_files=str(file), nested=True, features=Features({"a/b/y": Value("int64")}))


def test_features_choose_the_order_of_nested_columns(tmp_path: Path) -> None:
    file = write(tmp_path / "a.h5", mixed())
    features = Features({"root": Value("int64"), "a": {"x": Value("float64"), "b": {"y": Value("uint16")}}})
    got = load_dataset("hf_h5", data_files=str(file), split="train", nested=True, features=features)
    assert list(got[0]) == ["root", "a"]
    assert list(got[0]["a"]) == ["x", "b"]


@pytest.mark.parametrize(
    "features",
    [{"fake": Value("int32")}, {"a": {"fake": Value("int32")}}, {"a": Value("int32")}, {"root": {"x": Value("int32")}}],
    ids=str,
)
def test_features_of_what_is_not_there_are_an_error(tmp_path: Path, features: Contents) -> None:
    file = write(tmp_path / "a.h5", groups())
    with pytest.raises((ColumnError, DataError)):
        load_dataset("hf_h5", data_files=str(file), nested=True, features=Features(features))


def test_features_may_leave_out_what_does_not_fit_the_rows(tmp_path: Path) -> None:
    contents = {"x": np.arange(5), "short": np.arange(3), "grid": np.ones((5, 3, 4), "f4"), "deep/y": np.arange(5.0)}
    file = write_h5(tmp_path / "a.h5", contents)
    features = Features({"x": Value("int64"), "grid": Array2D((3, 4), "float32"), "deep": {"y": Value("float64")}})
    expected, got = both(file, features=features)
    assert_same(expected, got)


def test_other_lengths_are_named_and_not_an_error(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.arange(5), "short": np.arange(3)})
    with pytest.warns(H5Warning, match="short"):
        loaded = load_dataset("hf_h5", data_files=str(file), split="train", nested=True)
    assert loaded.num_rows == 5


def test_fixed_strings_are_text_and_bytes_if_asked_for(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"name": np.array([b"row_0", b"row_1"], "S10")})
    loaded = load_dataset("hf_h5", data_files=str(file), split="train", nested=True)
    assert loaded["name"][:] == ["row_0", "row_1"]
    as_bytes = Features({"name": Value("binary")})
    loaded = load_dataset("hf_h5", data_files=str(file), split="train", nested=True, features=as_bytes)
    assert [name.rstrip(b"\0") for name in loaded["name"]] == [b"row_0", b"row_1"]


def test_a_file_without_datasets_among_others_is_named_and_adds_no_rows(tmp_path: Path) -> None:
    full = write(tmp_path / "full.h5", arrays())
    with h5py.File(tmp_path / "empty.h5", "w") as handle:
        handle.create_group("a/b")
    files = [str(full), str(tmp_path / "empty.h5")]
    with pytest.warns(H5Warning, match=r"empty\.h5 holds no datasets"):
        loaded = load_dataset("hf_h5", data_files=files, split="train", nested=True)
    assert loaded.num_rows == N_ROWS


def test_a_single_file_without_datasets_is_an_error(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "empty.h5", "w") as handle:
        handle.create_group("a/b")
    with pytest.raises(ValueError, match=r"no rows.*empty\.h5"):
        load_dataset("hf_h5", data_files=str(tmp_path / "empty.h5"))


def test_a_configuration_is_checked_as_elsewhere_in_datasets() -> None:
    with pytest.raises(datasets.builder.InvalidConfigName, match="Bad characters"):
        hf_h5.H5Config(name="name-with-*-invalid-character")
    with pytest.raises(ValueError, match="Expected a DataFilesDict"):
        hf_h5.H5Config(name="name", data_files=["a.h5"])


def test_without_data_files_the_builder_says_so() -> None:
    builder = hf_h5.H5Builder()
    with pytest.raises(OptionError, match="At least one data file must be specified"):
        builder._split_generators(None)


def test_arrays_keep_their_rank(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"g/images": np.zeros((4, 2, 3, 3), "u1")})
    loaded = load_dataset("hf_h5", data_files=str(file), split="train", nested=True)
    assert loaded.features["g"] == {"images": Array3D((2, 3, 3), "uint8")}
