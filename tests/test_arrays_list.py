"""arrays="list": nested lists of fixed length instead of ArrayND, with the same values in every mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hf_h5
from hf_h5.errors import OptionError
from hf_h5.registry import make_list

N = 6


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["image"] = np.arange(N * 24, dtype="u1").reshape(N, 4, 3, 2)
        out["label"] = np.arange(N)
        out["vector"] = np.arange(N * 3, dtype="f4").reshape(N, 3)
    return tmp_path / "a.h5"


def load(file: Path, **options: Any) -> datasets.Dataset:
    return datasets.load_dataset("hf_h5", data_files=str(file), split="train", **options)


def lists(dtype: str, *lengths: int) -> Any:
    feature = datasets.Value(dtype)
    for length in reversed(lengths):
        feature = make_list(feature, length)
    return feature


def test_arrays_are_lists_of_fixed_length_with_the_same_values(file: Path) -> None:
    found, arrays = load(file, arrays="list"), load(file)
    assert found.features == {
        "image": lists("uint8", 4, 3, 2),
        "label": datasets.Value("int64"),
        "vector": lists("float32", 3),
    }
    assert found[:] == arrays[:]
    for kind in ("numpy", "torch"):
        one, other = found.with_format(kind)[1:4], arrays.with_format(kind)[1:4]
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_no_offsets_are_stored(file: Path) -> None:
    sizes = [load(file, arrays=arrays, columns="image").data.nbytes for arrays in ("list", "array")]
    assert sizes[0] == N * 24
    assert sizes[1] > 2 * sizes[0]


def test_it_is_a_cache_of_its_own(file: Path) -> None:
    folders = {Path(load(file, arrays=arrays).cache_files[0]["filename"]).parent for arrays in ("list", "array")}
    assert len(folders) == 2


def test_streams_mapped_sets_and_views_have_the_features_of_the_cache(file: Path) -> None:
    cached = load(file, arrays="list")
    stream = datasets.load_dataset("hf_h5", data_files=str(file), split="train", streaming=True, arrays="list")
    mapped = hf_h5.open_dataset(file, arrays="list", strict=True)
    assert mapped.features == stream.features == cached.features
    assert mapped[:] == cached[:]
    assert list(stream) == list(cached)
    with hf_h5.H5TorchView(file, arrays="list").with_format(None) as view:
        assert view.features == cached.features
        assert view[:] == cached[:]


def test_features_that_are_asked_for_count_more(file: Path) -> None:
    features = datasets.Features({"image": datasets.Array3D((4, 3, 2), "uint8")})
    found = load(file, arrays="list", features=features)
    assert found.features == features
    assert found[:]["image"] == load(file)[:]["image"]


def test_rows_that_differ_in_shape_stay_arrays(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        for number in range(3):
            out[f"data/demo_{number}/x"] = np.full((number + 1, 2), number, "f4")
    found = load(tmp_path / "a.h5", arrays="list")
    assert found.features["x"] == datasets.Array2D((None, 2), "float32")
    assert found[2]["x"] == [[2.0, 2.0]] * 3


def test_nested_features_hold_lists_too(file: Path) -> None:
    with h5py.File(file, "a") as out:
        out["group/deep"] = np.ones((N, 2, 2))
    found = load(file, arrays="list", nested=True)
    assert found.features["group"]["deep"] == lists("float64", 2, 2)
    assert found[0]["group"]["deep"] == [[1.0, 1.0], [1.0, 1.0]]


def test_other_values_are_refused(file: Path) -> None:
    with pytest.raises(OptionError, match="arrays='lists' is not one of 'array', 'list'"):
        hf_h5.H5TorchView(file, arrays="lists")


@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(0, 3), min_size=1, max_size=6).map(tuple),
    dtype=st.sampled_from(["u1", ">i4", "f2", "f8", "?"]),
    n_rows=st.integers(0, 4),
    packed=st.booleans(),
)
def test_any_shape_has_the_values_of_arrays(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, ...], dtype: str, n_rows: int, packed: bool
) -> None:
    folder = tmp_path_factory.mktemp("lists")
    values = np.arange(n_rows * int(np.prod(shape)), dtype=np.int64).reshape(n_rows, *shape).astype(dtype)
    chunks = (min(2, n_rows), *shape) if packed and values.size else None
    with h5py.File(folder / "a.h5", "w") as out:
        out.create_dataset("x", data=values, chunks=chunks, compression="gzip" if chunks else None)
        out["y"] = np.arange(n_rows)
    found, arrays = (load(folder / "a.h5", arrays=each, cache_dir=str(folder)) for each in ("list", "array"))
    assert not str(found.features["x"]).startswith("Array")
    assert found[:] == arrays[:]
