"""Objects with several names in a file: none is loaded twice, and none is missing where it belongs."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from datasets import load_dataset

import hf_h5
from hf_h5.errors import H5Warning


def write(file: Path, **content: Any) -> Path:
    """Write datasets by path, ``__`` for a slash; a text is a hard link to that path."""
    with h5py.File(file, "w") as handle:
        for key, value in content.items():
            name = key.replace("__", "/")
            if isinstance(value, h5py.SoftLink):
                handle[name] = value
            else:
                handle[name] = handle[value] if isinstance(value, str) else value
    return file


def loaded(file: Path, **options: Any) -> dict[str, dict[str, list[Any]]]:
    return {split: rows[:] for split, rows in hf_h5.load_dataset(str(file), **options).items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.h5"


def test_a_further_name_beside_the_first_is_left_out_with_a_word(file: Path) -> None:
    write(file, a__x=np.arange(3), b__y="a/x", c=h5py.SoftLink("/a/x"), k=np.arange(3))
    with pytest.warns(H5Warning, match=r"/c \(another name of /a/x\); /b/y \(another name of /a/x\)"):
        assert list(loaded(file)["train"]) == ["k", "a/x"]


@pytest.mark.parametrize("columns", [["c"], ["b/y"], ["c", "k"], ["b/*"], ["b"], ["a/x", "c"]], ids=str)
def test_who_names_a_further_name_gets_it(file: Path, columns: list[str]) -> None:
    write(file, a__x=np.arange(3), b__y="a/x", c=h5py.SoftLink("/a/x"), k=np.arange(3) * 2)
    found = loaded(file, columns=columns)["train"]
    assert len(found) == len(columns)
    with h5py.File(file) as handle:
        assert found == {name: handle[name][:].tolist() for name in found}
    with hf_h5.H5TorchView(file, columns=columns) as view:
        assert set(view.column_names) == set(found)


def test_nested_has_all_names_as_the_packaged_builder(file: Path) -> None:
    write(file, a__x=np.arange(3), b__y="a/x", c=h5py.SoftLink("/a/x"), k=np.arange(3) * 2)
    packaged = pytest.importorskip("datasets.packaged_modules.hdf5") and load_dataset("hdf5", data_files=str(file))
    assert loaded(file, nested=True)["train"] == packaged["train"][:]


@pytest.mark.parametrize("link", ["shared/wave", h5py.SoftLink("/shared/wave")], ids=["hard", "soft"])
def test_splits_share_an_array(file: Path, link: Any) -> None:
    content = {"train__x": np.arange(5), "test__x": np.arange(5) + 10, "shared__wave": np.arange(5.0)}
    write(file, **content, train__wave=link, test__wave=link)
    found = loaded(file, columns=["x", "wave"])
    assert {split: rows["wave"] for split, rows in found.items()} == {
        "train": [0, 1, 2, 3, 4],
        "test": [0, 1, 2, 3, 4],
    }
    assert found["test"]["x"] == list(range(10, 15))


def test_a_split_has_the_array_of_another(file: Path) -> None:
    write(file, train__x=np.arange(5), train__n=np.arange(5), test__x=np.arange(5) + 10, test__n="train/n")
    assert loaded(file) == {
        "train": {"n": list(range(5)), "x": list(range(5))},
        "test": {"n": list(range(5)), "x": list(range(10, 15))},
    }


@pytest.mark.parametrize("link", ["val", h5py.SoftLink("/val")], ids=["hard", "soft"])
def test_a_split_is_another_one(file: Path, link: Any) -> None:
    write(file, train__x=np.arange(5), val__x=np.arange(3) + 10, test=link)
    found = loaded(file)
    assert {split: rows["x"] for split, rows in found.items()} == {
        "train": [0, 1, 2, 3, 4],
        "validation": [10, 11, 12],
        "test": [10, 11, 12],
    }


@pytest.mark.parametrize("names", [("demo_0", "demo_1", "demo_2"), ("cat", "dog", "emu")], ids=["numbered", "named"])
def test_episodes_share_an_array(file: Path, names: tuple[str, ...]) -> None:
    content: dict[str, Any] = {f"data__{name}__a": np.arange(4 + number) for number, name in enumerate(names)}
    content[f"data__{names[0]}__t"] = np.arange(4)
    write(file, **content, **{f"data__{name}__t": f"data/{names[0]}/t" for name in names[1:]})
    rows = loaded(file)["train"]
    assert (rows["episode_id"], rows["t"]) == (list(names), [[0, 1, 2, 3]] * 3)


def test_steps_share_an_array(file: Path) -> None:
    content: dict[str, Any] = {f"data__demo_{number}__a": np.arange(4) + number for number in range(3)}
    write(
        file, data__demo_0__t=np.arange(4), **content, data__demo_1__t="data/demo_0/t", data__demo_2__t="data/demo_0/t"
    )
    assert loaded(file, layout="steps")["train"]["t"] == [0, 1, 2, 3] * 3


def test_links_that_multiply_are_bounded(file: Path) -> None:
    with h5py.File(file, "w") as handle:
        groups = [handle.create_group(f"level{number}") for number in range(24)]
        for one, other in itertools.pairwise(groups):
            one["left"] = one["right"] = other
        groups[-1]["x"] = np.arange(3)
    schema = hf_h5.describe(file)
    assert schema.table is not None
    assert len(schema.table.columns) == 1
    assert schema.notes[0].why.startswith("objects have more than 100,000 further names")


def test_a_group_does_not_lie_in_itself(file: Path) -> None:
    write(file, g__x=np.arange(3), g__again="g", g__inner__back="g", root=h5py.SoftLink("/"))
    assert loaded(file, nested=True)["train"] == {"g": [{"x": 0}, {"x": 1}, {"x": 2}]}
