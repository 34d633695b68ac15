"""``axis=``: rows along another axis than the first, in both modes, by every route, against numpy."""

from __future__ import annotations

from pathlib import Path

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5 import H5TorchView
from hf_h5.errors import H5Error, LayoutError, OptionError
from hf_h5.tools.compare import compare_values

CHANNELS, SAMPLES = 3, 200
STORAGES = {"contiguous": {}, "gzip": {"chunks": (2, 17), "compression": "gzip"}}


@pytest.fixture(params=sorted(STORAGES))
def recording(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, np.ndarray]:
    """A recording of channels times samples, a mark for each sample, and a name for each channel."""
    eeg = np.arange(CHANNELS * SAMPLES, dtype="<f4").reshape(CHANNELS, SAMPLES)
    with h5py.File(tmp_path / "eeg.h5", "w") as handle:
        handle.create_dataset("eeg", data=eeg, **STORAGES[request.param])
        handle["mark"] = np.arange(SAMPLES)
        handle["names"] = np.array([b"a", b"b", b"c"])
    return tmp_path / "eeg.h5", eeg


@pytest.mark.parametrize("axis", [-1, 1, {"eeg": 1}, {"eeg": -1, "mark": 0}, {"ee*": -1}])
@pytest.mark.parametrize("route", ["auto", "h5py"])
def test_rows_lie_along_the_axis(recording, axis, route: str) -> None:
    path, eeg = recording
    with H5TorchView(path, axis=axis, columns=["eeg", "mark"], route=route).with_format("numpy") as view:
        assert len(view) == SAMPLES
        np.testing.assert_array_equal(view[:]["eeg"], eeg.T)
        np.testing.assert_array_equal(view[[7, 199, 7]]["eeg"], eeg.T[[7, 199, 7]])
        np.testing.assert_array_equal(view[-1]["eeg"], eeg[:, -1])
        assert view[5]["mark"] == 5


def test_the_cached_mode_has_the_same_rows(recording, tmp_path: Path) -> None:
    path, eeg = recording
    options = {"axis": {"eeg": -1}, "columns": ["eeg", "mark"]}
    cached = datasets.load_dataset("hf_h5", data_files=str(path), split="train", cache_dir=str(tmp_path), **options)
    np.testing.assert_array_equal(cached.with_format("numpy")["eeg"], eeg.T)
    with H5TorchView(path, **options) as view, hf_h5.open_table(path, **options) as reader:
        found = compare_values(cached, view, reader.schema)
    assert (found.difference, found.without_h5py) == (None, {})
    first = datasets.load_dataset(
        "hf_h5", data_files=str(path), split="train", cache_dir=str(tmp_path), columns=["eeg"]
    )
    assert len(first) == CHANNELS
    np.testing.assert_array_equal(hf_h5.open_table(path, **options).read(range(3))["eeg"], eeg.T[:3])


@pytest.mark.parametrize("pad", ["edge", None])
def test_windows_along_a_time_axis(recording, pad) -> None:
    path, eeg = recording
    with H5TorchView(path, axis=-1, columns=["eeg", "mark"], window=(32, 16), pad=pad).with_format("numpy") as view:
        assert view[2]["eeg"].shape == (32, CHANNELS)
        np.testing.assert_array_equal(view[2]["eeg"], eeg.T[32:64])
        found = np.concatenate([batch["eeg"] for batch in view.loader(4, shuffle=True)])
        assert sorted(found[:, 0, 0].tolist()) == list(range(0, SAMPLES if pad else SAMPLES - 31, 16))


def test_a_middle_axis_leaves_the_others_in_order(tmp_path: Path) -> None:
    values = np.arange(2 * 5 * 3 * 4).reshape(2, 5, 3, 4).astype("<i2")
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("x", data=values, chunks=(1, 2, 3, 2), compression="gzip")
    with H5TorchView(tmp_path / "x.h5", axis=1).with_format("numpy", dtype=None) as view:
        assert view.features["x"].shape == (2, 3, 4)
        np.testing.assert_array_equal(view[:]["x"], np.moveaxis(values, 1, 0))


def test_fields_of_compounds_and_dimensions_of_their_types_follow(tmp_path: Path) -> None:
    values = np.zeros((2, 5), [("a", "<f4", (3,)), ("b", "u1")])
    values["a"] = np.arange(30).reshape(2, 5, 3)
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("x", data=values, chunks=(2, 2))
    with H5TorchView(tmp_path / "x.h5", axis=1).with_format("numpy") as view:
        np.testing.assert_array_equal(view[:]["x/a"], np.moveaxis(values["a"], 1, 0))


def test_steps_of_episodes_may_lie_along_another_axis(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        for number, length in enumerate([4, 6, 5]):
            handle[f"demo_{number}/x"] = 100 * number + np.arange(2 * length).reshape(2, length)
            handle[f"demo_{number}/y"] = np.arange(length)
    with H5TorchView(tmp_path / "x.h5", layout="steps", axis={"x": -1}) as view:
        assert len(view) == 15
        assert view[4]["x"].tolist() == [100, 106]
    with H5TorchView(tmp_path / "x.h5", layout="steps", axis=-1, window=5) as view:
        assert view[:]["x"][:, 0].tolist() == [[100, 106], [101, 107], [200, 205]]


def test_episodes_that_differ_in_another_axis_keep_their_own_shapes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        for number, channels in enumerate([2, 3, 2]):
            handle[f"demo_{number}/x"] = 100 * number + np.arange(channels * 4).reshape(channels, 4)
    with hf_h5.open_table(tmp_path / "x.h5", layout="steps", axis=-1) as reader:
        found = reader.read([3, 4, 11])["x"]
    assert [row.tolist() for row in found] == [[3, 7], [100, 104, 108], [203, 207]]


@pytest.mark.parametrize("names", [("train/x", "test/x"), ("x_train", "x_test"), ("train", "test")])
def test_splits_inside_a_file_lie_along_the_axis(tmp_path: Path, names: tuple[str, str]) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        for name, length in zip(names, (7, 3), strict=True):
            handle[name] = np.arange(2 * length).reshape(2, length)
    with H5TorchView(tmp_path / "x.h5", axis=-1, split="test").with_format("numpy") as view:
        assert next(iter(view[:].values())).tolist() == [[0, 3], [1, 4], [2, 5]]


def test_files_are_joined_along_the_axis(tmp_path: Path) -> None:
    for number in range(2):
        with h5py.File(tmp_path / f"{number}.h5", "w") as handle:
            handle["x"] = 10 * number + np.arange(6).reshape(2, 3)
    with H5TorchView(tmp_path / "*.h5", axis=1) as view:
        assert view[:]["x"].tolist() == [[0, 3], [1, 4], [2, 5], [10, 13], [11, 14], [12, 15]]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"axis": "x"}, OptionError, "axis='x' is neither an axis"),
        ({"axis": True}, OptionError, "axis=True"),
        ({"axis": {"eeg": 1.0}}, OptionError, "neither an axis nor a mapping"),
        ({"axis": {"eg": 1}}, OptionError, "no dataset 'eg'.*\n.*did you mean 'eeg'"),
        ({"axis": {"eeg": 2}}, OptionError, r"axis=2: the dataset has 2 axes, of shape \(3, 200\).*eeg.h5::/eeg"),
        ({"axis": {"eeg": 0, "mark": 0}}, LayoutError, "'mark' has 200 rows along axis 0, and 'eeg', 'names' have 3"),
    ],
)
def test_wrong_axes_are_refused(recording, options, error: type[H5Error], message: str) -> None:
    with pytest.raises(error, match=message):
        H5TorchView(recording[0], **options)


def test_lengths_that_differ_along_the_axis_are_an_error(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["a"], handle["b"] = np.zeros((2, 9)), np.zeros((2, 7))
    with pytest.raises(LayoutError, match=r"column 'b' has 7 rows along axis 1, and 'a' has 9 .*x\.h5::/b"):
        H5TorchView(tmp_path / "x.h5", axis=-1)
    with H5TorchView(tmp_path / "x.h5", axis=-1, columns=["b"]) as view:
        assert len(view) == 7
