"""Does each loading script read a file of its family, the same in every way to use it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import H5Warning
from hf_h5.recipes import load_recipe
from tests.loading_scripts import families
from tests.loading_scripts.families import Files

SCRIPTS = Path(__file__).parents[2] / "loading_scripts"
FAMILIES = [
    families.image_classification,
    families.robomimic,
    families.d4rl,
    families.the_well,
    families.pcam,
    families.modelnet40,
    families.anndata,
]
Family = Callable[[Path], Files]


def script_of(family: Family) -> str:
    return str(SCRIPTS / f"{family.__name__}.py")


def load(family: Family, folder: Path, **options: Any) -> Any:
    files = family(folder)
    return hf_h5.load_dataset(script_of(family), data_files=files, cache_dir=str(folder / "cache"), **options)


def stored(file: str, path: str) -> Any:
    with h5py.File(file) as handle:
        return handle[path][()]


def test_every_script_is_tested_short_and_described() -> None:
    scripts = {file.stem: file.read_text(encoding="utf-8") for file in SCRIPTS.glob("*.py")}
    assert set(scripts) == {family.__name__ for family in FAMILIES}
    assert [name for name, text in scripts.items() if len(text.splitlines()) > 25] == []
    readme = (SCRIPTS / "README.md").read_text(encoding="utf-8")
    assert [name for name in scripts if f"({name}.py)" not in readme] == []
    assert all(load_recipe(SCRIPTS / f"{name}.py").description for name in scripts)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda each: each.__name__)
def test_the_script_reads_a_file_of_its_family_streamed_as_well(tmp_path: Path, family: Family) -> None:
    loaded = load(family, tmp_path)
    assert all(part.num_rows > 0 for part in loaded.values())
    streamed = load(family, tmp_path, streaming=True)
    for split, part in loaded.items():
        rows = part.with_format("numpy")[:]
        other = list(streamed[split].with_format("numpy"))
        assert len(other) == part.num_rows
        for number, row in enumerate(other):
            for name in part.column_names:
                np.testing.assert_array_equal(row[name], rows[name][number])
    first = next(iter(loaded.values()))
    assert first.info.description == load_recipe(script_of(family)).description


@pytest.mark.skipif(int(datasets.__version__.split(".")[0]) > 3, reason="datasets refuses scripts since 4.0")
@pytest.mark.parametrize("family", FAMILIES, ids=lambda each: each.__name__)
def test_datasets_itself_runs_the_script(tmp_path: Path, family: Family) -> None:
    here = load(family, tmp_path)
    cache = str(tmp_path / "other")
    other = datasets.load_dataset(
        script_of(family), data_files=family(tmp_path), cache_dir=cache, trust_remote_code=True
    )
    assert {split: part.features for split, part in other.items()} == {
        split: part.features for split, part in here.items()
    }
    assert {split: part[:] for split, part in other.items()} == {split: part[:] for split, part in here.items()}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda each: each.__name__)
def test_the_view_reads_the_same_rows_by_the_script(tmp_path: Path, family: Family) -> None:
    pytest.importorskip("torch")
    loaded = load(family, tmp_path)
    for split, part in loaded.items():
        with hf_h5.H5TorchView(family(tmp_path), split=split, recipe=script_of(family)).with_format(None) as view:
            assert view.features == part.features
            assert view[:] == part[:]


def test_pictures_have_the_class_names_of_their_file(tmp_path: Path) -> None:
    loaded = load(families.image_classification, tmp_path, split="train")
    assert loaded.features["labels"] == datasets.ClassLabel(names=["cat", "dog", "owl"])
    assert loaded.features["images"] == datasets.Array3D((8, 8, 3), "uint8")
    assert loaded["labels"][:] == [0, 1, 2] * 4


def test_other_names_than_those_of_the_script_may_be_given(tmp_path: Path) -> None:
    file = families.image_classification(tmp_path)["train"][0]
    with h5py.File(file, "r+") as handle:
        handle.move("images", "x")
        handle.move("labels", "y")
        handle.move("class_names", "list_classes")
    script = script_of(families.image_classification)
    names = {"columns": ["x", "y"], "class_labels": {"y": "/list_classes"}}
    loaded = hf_h5.load_dataset(script, data_files=file, split="train", cache_dir=str(tmp_path), **names)
    assert loaded.features["y"].names == ["cat", "dog", "owl"]


def test_demonstrations_are_episodes_split_by_the_masks(tmp_path: Path) -> None:
    loaded = load(families.robomimic, tmp_path)
    assert {split: part["episode_id"][:] for split, part in loaded.items()} == {
        "train": ["demo_0", "demo_10"],
        "validation": ["demo_1", "demo_2"],
    }
    file = families.robomimic(tmp_path)["train"][0]
    row = loaded["train"].with_format("numpy")[1]
    np.testing.assert_array_equal(row["actions"], stored(file, "data/demo_10/actions"))
    np.testing.assert_array_equal(row["obs/agentview_image"], stored(file, "data/demo_10/obs/agentview_image"))


def test_demonstrations_may_be_steps_and_masks_others_or_none(tmp_path: Path) -> None:
    steps = load(families.robomimic, tmp_path, layout="steps")
    assert {split: part.num_rows for split, part in steps.items()} == {"train": 4 + 3, "validation": 5 + 6}
    half = load(families.robomimic, tmp_path, splits={"train": "/mask/50_percent"})
    assert half["train"]["episode_id"][:] == ["demo_0", "demo_2"]
    every = load(families.robomimic, tmp_path, splits=False)
    assert every["train"]["episode_id"][:] == ["demo_0", "demo_1", "demo_2", "demo_10"]


def test_transitions_leave_the_policy_out(tmp_path: Path) -> None:
    loaded = load(families.d4rl, tmp_path, split="train")
    assert loaded.num_rows == 50
    assert set(loaded.column_names) == {
        "actions", "infos/qpos", "next_observations", "observations", "rewards", "terminals", "timeouts",
    }  # fmt: skip
    assert loaded.features["timeouts"] == datasets.Value("bool")


def test_transitions_of_another_number_are_named_in_a_warning(tmp_path: Path) -> None:
    file = families.d4rl(tmp_path)["train"][0]
    with h5py.File(file, "r+") as handle:
        del handle["next_observations"]
        handle["next_observations"] = np.zeros((49, 11))
    with pytest.warns(H5Warning, match=r"next_observations \(49 rows"):
        loaded = hf_h5.load_dataset(script_of(families.d4rl), data_files=file, split="train", cache_dir=str(tmp_path))
    assert "next_observations" not in loaded.column_names


def test_weights_of_a_policy_are_no_columns_though_they_are_as_many(tmp_path: Path) -> None:
    file = families.d4rl(tmp_path)["train"][0]
    with h5py.File(file, "r+") as handle:
        for name in ("weight", "bias"):
            del handle[f"metadata/policy/fc0/{name}"]
            handle[f"metadata/policy/fc0/{name}"] = np.zeros((50, 50))
    loaded = hf_h5.load_dataset(script_of(families.d4rl), data_files=file, split="train", cache_dir=str(tmp_path))
    assert [name for name in loaded.column_names if name.startswith("metadata")] == []


@pytest.mark.parametrize("n_trajectories", [4, 8])
@pytest.mark.parametrize("shape", [(8, 6), (64, 64, 64)])
def test_a_mask_of_space_is_no_field_of_trajectories(
    tmp_path: Path, n_trajectories: int, shape: tuple[int, ...]
) -> None:
    files = families.the_well(tmp_path, n_trajectories)
    with h5py.File(files["train"][0], "r+") as handle:
        handle["t0_fields/mask"] = np.zeros(shape)
        handle["t0_fields/mask"].attrs.update(sample_varying=False, time_varying=False)
    with pytest.warns(H5Warning, match="not among the rows of .*t0_fields/mask"):
        loaded = hf_h5.load_dataset(
            script_of(families.the_well), data_files=files, split="train", cache_dir=str(tmp_path / "cache")
        )
    assert loaded.num_rows == n_trajectories
    assert loaded.column_names == ["t0_fields/density", "t0_fields/pressure", "t1_fields/velocity"]


@pytest.mark.parametrize("n_trajectories", [1, 2, 4, 8])
def test_trajectories_are_rows_of_time_and_space(tmp_path: Path, n_trajectories: int) -> None:
    files = families.the_well(tmp_path, n_trajectories)
    loaded = hf_h5.load_dataset(
        script_of(families.the_well), data_files=files, split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.column_names == ["t0_fields/density", "t0_fields/pressure", "t1_fields/velocity"]
    velocity = loaded.with_format("numpy")["t1_fields/velocity"][:]
    np.testing.assert_array_equal(velocity, stored(files["train"][0], "t1_fields/velocity"))


def test_patches_and_labels_come_from_two_files(tmp_path: Path) -> None:
    loaded = load(families.pcam, tmp_path)
    assert {split: part.num_rows for split, part in loaded.items()} == {"train": 6, "validation": 4}
    assert loaded["train"].features["y"] == datasets.ClassLabel(names=["normal", "tumor"])
    assert loaded["validation"]["y"][:] == [0, 1, 0, 1]
    patches = loaded["train"].with_format("numpy")["x"][:]
    np.testing.assert_array_equal(patches, stored(families.pcam(tmp_path)["train"][0], "x"))


def test_point_clouds_have_forty_kinds(tmp_path: Path) -> None:
    loaded = load(families.modelnet40, tmp_path)
    assert {split: part.num_rows for split, part in loaded.items()} == {"train": 8, "test": 4}
    kinds = loaded["train"].features["label"]
    assert (kinds.num_classes, kinds.names[0], kinds.names[-1]) == (40, "airplane", "xbox")
    assert loaded["test"]["label"][:] == stored(families.modelnet40(tmp_path)["test"][0], "label").ravel().tolist()


@pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")
def test_cells_are_dense_rows_with_their_classes(tmp_path: Path) -> None:
    loaded = load(families.anndata, tmp_path, split="train")
    assert loaded.column_names == ["obs_names", "cell_type", "n_genes", "X"]
    assert loaded.features["cell_type"].names == ["B", "NK", "T"]
    assert loaded["cell_type"][:4] == [-1, 0, 1, 2]
    counts = loaded.with_format("numpy")["X"][:]
    assert counts.shape == (40, 12)
    np.testing.assert_array_equal((counts > 0).sum(1), loaded["n_genes"][:])


def test_a_folder_of_such_files_is_taken_as_named_there(tmp_path: Path) -> None:
    folder = tmp_path / "modelnet"
    folder.mkdir()
    families.modelnet40(folder)
    patterns = {"train": str(folder / "ply_data_train*.h5"), "test": str(folder / "ply_data_test*.h5")}
    script = script_of(families.modelnet40)
    by_pattern = hf_h5.load_dataset(script, data_files=patterns, cache_dir=str(tmp_path))
    by_folder = hf_h5.load_dataset(script, data_dir=str(folder), cache_dir=str(tmp_path))
    assert {split: part[:] for split, part in by_pattern.items()} == {
        split: part[:] for split, part in by_folder.items()
    }
