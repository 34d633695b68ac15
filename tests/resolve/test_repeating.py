"""A file with one episode beside files with several is one more episode, wherever it stands."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5 import H5TorchView
from tests.written import write_h5


def write_demos(file: Path, numbers: range, **others: object) -> str:
    with h5py.File(file, "w") as handle:
        for number in numbers:
            demo = handle.create_group(f"data/demo_{number}")
            demo["obs"] = np.full((4 + number, 2), float(number))
            demo["action"] = np.arange(4 + number)
            demo.attrs["task"] = number
        for path, values in others.items():
            handle[path] = values
    return str(file)


@pytest.mark.parametrize("layout", ["auto", "episodes", "steps"])
@pytest.mark.parametrize("counts", [(3, 1), (1, 3), (1, 1, 2), (2, 1, 1)])
def test_a_file_with_one_episode_is_one_more(tmp_path: Path, layout: str, counts: tuple[int, ...]) -> None:
    stops = np.cumsum(counts)
    files = [
        write_demos(tmp_path / f"{number}.h5", range(stop - count, stop))
        for number, (stop, count) in enumerate(zip(stops.tolist(), counts, strict=True))
    ]
    n_demos = sum(counts)
    with H5TorchView(files, layout=layout, columns=["episode_id", "obs", "action"]) as view:
        found = view[:]
        lengths = [4 + number for number in range(n_demos)]
        if layout == "steps":
            assert found["obs"][:, 0].tolist() == np.repeat(np.arange(n_demos), lengths).tolist()
        else:
            assert found["episode_id"] == [f"demo_{number}" for number in range(n_demos)]
            assert [len(each) for each in found["action"]] == lengths


def test_one_file_with_one_group_stays_what_it_is_and_is_an_episode_where_asked(tmp_path: Path) -> None:
    file = write_demos(tmp_path / "a.h5", range(1), mask=["demo_0"])
    with pytest.warns(hf_h5.errors.H5Warning), H5TorchView(file) as view:
        assert (len(view), view.column_names) == (4, ["data/demo_0/action", "data/demo_0/obs"])
    with pytest.warns(hf_h5.errors.H5Warning), H5TorchView(file, layout="episodes") as view:
        assert view[:]["episode_id"] == ["demo_0"]
    with pytest.warns(hf_h5.errors.H5Warning), H5TorchView(file, layout="steps") as view:
        assert view[:]["action"].tolist() == [0, 1, 2, 3]


def test_one_numbered_group_beside_numbers_is_no_episode(tmp_path: Path) -> None:
    datasets = {"obs/camera_0/rgb": np.zeros((5, 2)), "action": np.arange(5)}
    files = [str(write_h5(tmp_path / name, datasets)) for name in ("a.h5", "b.h5")]
    with H5TorchView(files[0], layout="episodes") as view:
        assert view.column_names == ["file_name", "action", "obs/camera_0/rgb"]
    with H5TorchView(files) as view:
        assert (len(view), view.column_names) == (10, ["action", "obs/camera_0/rgb"])
