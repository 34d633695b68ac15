"""Files of SLEAP, as its versions lay them out: poses by frame, and labels with their points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hf_h5

N_TRACKS, N_NODES, N_FRAMES = 2, 3, 50
RNG = np.random.default_rng(0)
# By frame, as the values are compared: (frame, track, xy, node), (frame, track) and (frame, track, node).
TRACKS = RNG.random((N_FRAMES, N_TRACKS, 2, N_NODES))
OCCUPANCY = RNG.integers(0, 2, (N_FRAMES, N_TRACKS), dtype="u1")
SCORES = RNG.random((N_FRAMES, N_TRACKS, N_NODES))


def write_analysis(path: Path, tracks: Any, occupancy: Any, scores: Any) -> Path:
    with h5py.File(path, "w") as out:
        out.create_dataset("tracks", data=tracks, compression="gzip")
        out["track_occupancy"], out["point_scores"] = occupancy, scores
        out["node_names"], out["track_names"] = np.array([b"head", b"thorax", b"tail"]), np.array([b"a", b"b"])
        out["edge_inds"], out["provenance"] = np.array([[0, 1], [1, 2]]), '{"by": "sleap"}'
    return path


def read(file: Path, table: str | None = None) -> dict[str, Any]:
    with hf_h5.open_table(file, table=table) as reader:
        found: dict[str, Any] = reader.read(slice(None))
        return found


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    """Column-major, as SLEAP writes it."""
    return write_analysis(
        tmp_path / "a.analysis.h5", TRACKS.transpose(1, 2, 3, 0), OCCUPANCY, SCORES.transpose(1, 2, 0)
    )


def test_rows_are_frames(analysis: Path) -> None:
    schema = hf_h5.describe(analysis)
    found = read(analysis, "/")
    assert schema.convention == "SLEAP analysis"
    np.testing.assert_array_equal(found["tracks"], TRACKS)
    np.testing.assert_array_equal(found["track_occupancy"], OCCUPANCY)
    np.testing.assert_array_equal(found["point_scores"], SCORES)
    assert schema.tables["/"].columns["tracks"].attrs["dims"] == ["track", "xy", "node"]
    assert schema.metadata["/node_names"] == ["head", "thorax", "tail"]
    assert schema.metadata["/edge_inds"] == [[0, 1], [1, 2]]
    assert schema.metadata["/provenance"] == '{"by": "sleap"}'


def test_both_modes_agree(analysis: Path) -> None:
    cached = hf_h5.load_dataset(analysis, table="/", split="train")
    with hf_h5.H5TorchView(analysis, table="/") as view:
        assert view.features == cached.features
        assert view.with_format(None)[:] == cached.with_format(None)[:]


def test_files_by_row_are_told_by_their_shape(tmp_path: Path) -> None:
    file = write_analysis(tmp_path / "a.h5", TRACKS.transpose(0, 3, 2, 1), OCCUPANCY.T, SCORES.transpose(0, 2, 1))
    found = read(file, "/")
    np.testing.assert_array_equal(found["tracks"], TRACKS.transpose(0, 3, 2, 1))
    np.testing.assert_array_equal(found["track_occupancy"], OCCUPANCY)
    assert hf_h5.describe(file).tables["/"].columns["tracks"].attrs["dims"] == ["node", "xy", "track"]


def test_axes_that_the_file_states_count(tmp_path: Path) -> None:
    file = write_analysis(tmp_path / "a.h5", TRACKS.transpose(1, 0, 3, 2), OCCUPANCY.T, SCORES.transpose(1, 0, 2))
    with h5py.File(file, "r+") as out:
        for name, dims in (
            ("tracks", ["track", "frame", "node", "xy"]),
            ("track_occupancy", ["track", "frame"]),
            ("point_scores", ["track", "frame", "node"]),
        ):
            out[name].attrs["dims"] = json.dumps(dims)
    found = read(file, "/")
    np.testing.assert_array_equal(found["tracks"], TRACKS.swapaxes(2, 3))
    np.testing.assert_array_equal(found["track_occupancy"], OCCUPANCY)
    np.testing.assert_array_equal(found["point_scores"], SCORES)


def test_axes_in_no_known_order_are_left_to_the_general_rules(tmp_path: Path) -> None:
    file = write_analysis(tmp_path / "a.h5", TRACKS, OCCUPANCY, SCORES)
    assert hf_h5.describe(file).convention is None


# Projects

POINT = [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")]
FRAME = [(name, "u8") for name in ("frame_id", "video", "frame_idx", "instance_id_start", "instance_id_end")]
INSTANCE = [
    ("instance_id", "i8"),
    ("instance_type", "u1"),
    ("frame_id", "u8"),
    ("skeleton", "u4"),
    ("track", "i4"),
    ("from_predicted", "i8"),
    ("score", "f4"),
    ("point_id_start", "u8"),
    ("point_id_end", "u8"),
]


def write_project(path: Path, frames: list[list[tuple[bool, int]]]) -> list[list[list[float]]]:
    """Write frames of instances, each predicted or not and of so many points; return each instance's x."""
    points: dict[bool, list[Any]] = {False: [], True: []}
    instances, rows, expected = [], [], []
    for number, frame in enumerate(frames):
        expected.append([])
        for is_predicted, count in frame:
            start = len(points[is_predicted])
            added = [100.0 * len(instances) + point for point in range(count)]
            points[is_predicted] += [(x, -x, True, False, *([0.5] if is_predicted else [])) for x in added]
            instances.append((len(instances), is_predicted, number, 0, -1, -1, 0.5, start, start + count))
            expected[-1].append(added)
        rows.append((number, 0, number * 10, len(instances) - len(frame), len(instances)))
    with h5py.File(path, "w") as out:
        out.create_group("metadata").attrs.update({"format_id": 1.2, "json": "{}"})
        out["frames"], out["instances"] = np.array(rows, FRAME), np.array(instances, INSTANCE)
        out["points"] = np.array(points[False], POINT)
        out["pred_points"] = np.array(points[True], [*POINT, ("score", "f8")])
        out["videos_json"] = ['{"filename": "a.mp4"}']
    return expected


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=3), min_size=2, max_size=5))
def test_frames_have_their_instances_and_points(tmp_path: Path, frames: list[list[tuple[bool, int]]]) -> None:
    file = tmp_path / "labels.slp"
    expected = write_project(file, frames)
    found = read(file, "/frames")
    assert found["frame_idx"].tolist() == [10 * number for number in range(len(frames))]
    assert [[each.tolist() for each in row] for row in found["instances/points/x"]] == expected
    assert [row.tolist() for row in found["instances/instance_type"]] == [
        [int(predicted) for predicted, _ in frame] for frame in frames
    ]


def test_each_record_is_a_table_too(tmp_path: Path) -> None:
    write_project(tmp_path / "labels.slp", [[(False, 2), (True, 1)], [(True, 2)]])
    schema = hf_h5.describe(tmp_path / "labels.slp")
    assert schema.convention == "SLEAP project 1.2"
    assert schema.default == "/frames"
    assert {name: table.num_rows for name, table in schema.tables.items()} == {
        "/frames": 2,
        "/instances": 3,
        "/points": 2,
        "/pred_points": 3,
    }
    with h5py.File(tmp_path / "labels.slp") as handle:
        for name in ("instances", "points", "pred_points"):
            for field, values in read(tmp_path / "labels.slp", f"/{name}").items():
                np.testing.assert_array_equal(values, handle[name][field])
    assert schema.metadata["/metadata@json"] == "{}"
    assert schema.metadata["/videos_json"] == ['{"filename": "a.mp4"}']


def test_projects_are_alike_in_both_modes(tmp_path: Path) -> None:
    write_project(tmp_path / "labels.slp", [[(False, 2), (True, 1)], [], [(True, 2)]])
    cached = hf_h5.load_dataset(tmp_path / "labels.slp", table="/frames", split="train")
    with hf_h5.H5TorchView(tmp_path / "labels.slp", table="/frames") as view:
        assert view.features == cached.features
        assert view.with_format(None)[:] == cached.with_format(None)[:]


def test_frames_inside_a_project_are_a_table(tmp_path: Path) -> None:
    write_project(tmp_path / "labels.slp", [[(False, 2)], [(True, 2)]])
    with h5py.File(tmp_path / "labels.slp", "r+") as out:
        out["video0/video"] = np.zeros((2, 4, 5, 1), "u1")
        out["video0/frame_numbers"] = [0, 10]
    found = read(tmp_path / "labels.slp", "/video0")
    assert found["frame_numbers"].tolist() == [0, 10]
    assert found["video"].shape == (2, 4, 5, 1)


def test_a_project_without_its_fields_is_left_to_the_general_rules(tmp_path: Path) -> None:
    write_project(tmp_path / "labels.slp", [[(False, 2)], [(True, 2)]])
    with h5py.File(tmp_path / "labels.slp", "r+") as out:
        del out["frames"]
        out["frames"] = np.zeros(2, [("frame_id", "u8")])
    assert hf_h5.describe(tmp_path / "labels.slp").convention is None
