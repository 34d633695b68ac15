"""MINC 2 pictures that nibabel ships: the image along any of its dimensions, in the values that nibabel reads."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import H5Warning, OptionError

NAMES = ["minc2-4d-d.mnc", "minc2-no-att.mnc", "minc2_1_scale.mnc", "minc2_4d.mnc", "minc2_baddim.mnc", "small.mnc"]


def shipped(name: str) -> Path:
    found = importlib.util.find_spec("nibabel")
    if found is None or found.origin is None:
        pytest.skip("nibabel is not installed")
    return Path(found.origin).parent / "tests" / "data" / name


def read(file: Path, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", H5Warning)
        with hf_h5.open_table(file, columns=["image"], **options) as reader:
            return reader.read(slice(None))["image"]


def dimensions(file: Path) -> list[str]:
    with h5py.File(file) as handle:
        names: str = handle["minc-2.0/image/0/image"].attrs["dimorder"].decode()
        return names.split(",")


@pytest.mark.parametrize("name", NAMES)
def test_rows_lie_along_any_dimension(name: str) -> None:
    file = shipped(name)
    with h5py.File(file) as handle:
        stored = handle["minc-2.0/image/0/image"][()]
    np.testing.assert_array_equal(read(file), stored)
    for axis, dimension in enumerate(dimensions(file)):
        found = read(file, rows=dimension)
        np.testing.assert_array_equal(found, np.moveaxis(stored, axis, 0))
        assert found.dtype == stored.dtype


@pytest.mark.parametrize("name", NAMES)
def test_decoded_values_are_those_of_nibabel(name: str) -> None:
    nibabel = pytest.importorskip("nibabel")
    file = shipped(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nibabel's, of a file with a wrong attribute
        expected = np.asanyarray(nibabel.minc2.Minc2Image.from_filename(file).dataobj)
    for axis, dimension in enumerate(dimensions(file)):
        np.testing.assert_array_equal(read(file, rows=dimension, decode=True), np.moveaxis(expected, axis, 0))


def test_dimensions_are_metadata() -> None:
    schema = hf_h5.describe(shipped("small.mnc"))
    assert schema.convention == "MINC 2.1.10"
    assert list(schema.table.columns) == ["image", "image-min", "image-max"]
    assert "rows along the dimension zspace (18); others: yspace (28), xspace (29)" in str(schema)
    found = schema.metadata["/minc-2.0/dimensions/zspace"]
    assert (found["start"], found["step"], found["units"]) == (-72.0, 9.0, "mm")


def test_an_unknown_dimension_is_an_error_that_lists_them() -> None:
    with pytest.raises(OptionError, match="zspace, yspace, xspace"):
        hf_h5.describe(shipped("small.mnc"), rows="time")
