"""NeXus files: each group of plottable data, log or events is a table, as h5py reads its datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5


def group(parent: h5py.Group, name: str, kind: str, **attrs: Any) -> h5py.Group:
    made = parent.create_group(name)
    made.attrs.update({"NX_class": kind, **attrs})
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A scan as the manual of 2014 and later has it: the signal is a link into the detector."""
    with h5py.File(tmp_path / "scan.nxs", "w") as out:
        out.attrs.update({"default": "entry", "NeXus_version": "4.4.3"})
        entry = group(out, "entry", "NXentry", default="plot")
        entry["title"] = "a scan"
        detector = group(entry, "detector", "NXdetector")
        detector["frames"] = np.arange(5 * 4 * 3, dtype="u2").reshape(5, 4, 3)
        detector["frames"].attrs["units"] = "counts"
        data = group(entry, "plot", "NXdata", signal="frames", axes=["angle", ".", "y"], angle_indices=[0])
        data["frames"] = h5py.SoftLink("/entry/detector/frames")
        data["angle"] = np.linspace(0, 1, 5)
        data["y"] = [0.5, 1.5, 2.5]
        data["frames_errors"] = np.ones((5, 4, 3))
        log = group(entry, "temperature", "NXlog")
        log["time"], log["value"] = np.arange(600.0), np.arange(600.0) / 7
        log["time"].attrs["start"] = "2020-01-01T00:00:00"
        events = group(entry, "bank", "NXevent_data")
        events["event_id"], events["event_time_offset"] = np.arange(900, dtype="u4"), np.arange(900.0)
        events["event_index"], events["event_time_zero"] = np.array([0, 300]), np.array([0.0, 0.1])
    return tmp_path / "scan.nxs"


def read(file: Path, table: str) -> dict[str, Any]:
    with hf_h5.open_table(file, table=table) as reader:
        found: dict[str, Any] = reader.read(slice(None))
        return found


def test_a_signal_comes_with_its_axis_and_errors(file: Path) -> None:
    schema = hf_h5.describe(file)
    assert schema.convention == "NeXus 4.4.3"
    assert schema.default == "/entry/plot"
    found = read(file, "/entry/plot")
    assert list(found) == ["angle", "frames", "frames_errors"]
    with h5py.File(file) as handle:
        for name, values in found.items():
            np.testing.assert_array_equal(values, handle["entry/plot"][name][()])
            assert values.dtype == handle["entry/plot"][name].dtype
    assert schema.tables["/entry/plot"].columns["frames"].attrs == {"units": "counts"}
    assert schema.metadata["/entry/plot/y"] == [0.5, 1.5, 2.5]
    assert schema.metadata["/entry/title"] == "a scan"


def test_data_comes_before_logs_and_the_rest_where_the_file_names_no_default(file: Path) -> None:
    with h5py.File(file, "r+") as out:
        del out.attrs["default"], out["entry/bank"]
        out["entry/detector/counts"] = np.zeros((7, 1000))
    assert list(hf_h5.describe(file).tables) == ["/entry/plot", "/entry/detector", "/entry/temperature"]


def test_both_modes_agree(file: Path) -> None:
    cached = hf_h5.load_dataset(file, table="/entry/plot", split="train")
    with hf_h5.H5TorchView(file, table="/entry/plot") as view:
        assert view.features == cached.features
        assert view.with_format(None)[:] == cached.with_format(None)[:]


def test_logs_and_events_are_tables(file: Path) -> None:
    log = read(file, "/entry/temperature")
    assert list(log) == ["time", "value"]
    assert log["value"].tolist() == (np.arange(600.0) / 7).tolist()
    events, pulses = read(file, "/entry/bank"), read(file, "/entry/bank/event_index")
    assert list(events) == ["event_time_offset", "event_id"]
    assert events["event_id"].tolist() == list(range(900))
    assert pulses["event_index"].tolist() == [0, 300]
    assert pulses["event_time_zero"].tolist() == [0.0, 0.1]


@pytest.mark.parametrize(
    ("signal", "axis"),
    [
        ({"signal": 1, "axes": "x:y"}, {}),
        ({"signal": "1", "axes": "[x,y]"}, {}),
        ({"signal": np.array([1])}, {"axis": "1"}),
        ({}, {"axis": 1}),
    ],
)
def test_old_files_mark_the_datasets(tmp_path: Path, signal: dict[str, Any], axis: dict[str, Any]) -> None:
    with h5py.File(tmp_path / "old.nxs", "w") as out:
        data = group(group(out, "entry", "NXentry"), "bank", "NXdata")
        data["data"] = np.arange(16.0).reshape(4, 4)
        data["data"].attrs.update(signal)
        data["x"], data["y"] = np.arange(4.0), np.arange(4.0) * 2
        data["x"].attrs.update(axis)
        data["y"].attrs.update({"axis": 2} if axis else {})
    found = read(tmp_path / "old.nxs", "/entry/bank")
    assert list(found) == ["x", "data"]
    assert found["data"].tolist() == np.arange(16.0).reshape(4, 4).tolist()
    assert hf_h5.describe(tmp_path / "old.nxs").metadata["/entry/bank/y"] == [0.0, 2.0, 4.0, 6.0]


def test_edges_of_bins_are_no_column(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "edges.nxs", "w") as out:
        data = group(group(out, "entry", "NXentry"), "data", "NXdata", signal="counts", axes=["edges"])
        data["counts"], data["edges"] = np.arange(4), np.arange(5.0)
    assert list(read(tmp_path / "edges.nxs", "/entry/data")) == ["counts"]
    assert hf_h5.describe(tmp_path / "edges.nxs").metadata["/entry/data/edges"] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_times_that_are_not_as_many_as_the_values_are_noted(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "odd.nxs", "w") as out:
        entry = group(out, "entry", "NXentry")
        data = group(entry, "data", "NXdata", signal="gone")
        data["counts"] = np.arange(4)
        group(entry, "more", "NXdata", signal="data")["data"] = np.arange(7)
        log = group(entry, "log", "NXlog")
        log["time"], log["value"] = np.arange(3.0), np.arange(600.0)
    schema = hf_h5.describe(tmp_path / "odd.nxs")
    assert [(note.path, note.why) for note in schema.notes] == [("/entry/log", "3 times for 600 values")]
    assert {table.num_rows for table in schema.tables.values()} == {7, 600}
    assert schema.metadata["/entry/data/counts"] == [0, 1, 2, 3]


def test_files_without_such_groups_follow_the_general_rules(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.nxs", "w") as out:
        group(out, "entry", "NXentry")["x"] = np.arange(4)
    schema = hf_h5.describe(tmp_path / "other.nxs")
    assert schema.convention is None
    assert list(schema.tables) == ["/entry"]
