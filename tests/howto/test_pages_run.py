"""Every Python block of the README, the tutorial and the options page runs, in order, as a reader would run it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.describe.options import Options
from hf_h5.errors import H5Warning
from hf_h5.tools.digits import write_digits
from tests.howto.pages import REPOSITORY, python_blocks

pytestmark = pytest.mark.usefixtures("_in_a_folder_with_files")


@pytest.fixture
def _in_a_folder_with_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the files that the pages speak of in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    write_digits("digits.h5")
    with h5py.File("robot.h5", "w") as file:
        for number in range(3):
            file[f"data/demo_{number}/obs/position"] = np.zeros((4 + number, 3))
            file[f"data/demo_{number}/actions"] = np.zeros((4 + number, 2), np.float32)
    with h5py.File("cats.h5", "w") as file:
        file["x"] = np.zeros((6, 8, 8, 3), np.uint8)
        file["y"] = np.array([0, 1, 1, 0, 1, 0], np.int16)
        file["list_classes"] = np.array([b"dog", b"cat"])
    with h5py.File("splits.h5", "w") as file:
        file["train/x"], file["test/x"] = np.arange(6), np.arange(2)
    for number in range(2):
        with h5py.File(f"part_{number}.h5", "w") as file:
            file["x"] = np.arange(5)


def run(page: str) -> dict[str, object]:
    names: dict[str, object] = {"hf_h5": hf_h5}
    for block in python_blocks(page):
        exec(compile(block, page, "exec"), names)  # the page's own code, from this repository
    return names


def test_the_readme_runs_and_its_comments_are_true() -> None:
    names = run("README.md")
    ds, view = names["ds"], names["view"]
    assert isinstance(ds, datasets.Dataset)
    assert isinstance(view, hf_h5.H5TorchView)
    assert repr(ds.features["images"]) == "Array2D(shape=(8, 8), dtype='uint8')"
    assert ds.features["labels"].names[0] == "zero"
    assert view.features == ds.features
    assert repr(view[0]["images"].shape) == repr(ds[0]["images"].shape) == "torch.Size([8, 8])"
    assert repr(view[[3, 1, 1]]["labels"]) == "tensor([3, 1, 1])"
    assert Path("digits.parquet").exists()
    view.close()


def test_the_tutorial_runs_and_its_losses_are_the_same() -> None:
    names = run("docs/tutorial/first-steps.md")
    assert names["cached"] == names["direct"]
    assert names["direct"][-1] < names["direct"][0]
    names["view"].close()


def test_the_tutorials_unwanted_warning_is_the_one_that_it_names() -> None:
    with pytest.warns(H5Warning, match="class_names"):
        hf_h5.H5TorchView("digits.h5").close()


@pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")
def test_the_examples_of_the_options_run() -> None:
    run("docs/reference/options.md")


def test_every_option_that_works_has_its_line() -> None:
    text = (REPOSITORY / "docs/reference/options.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \| (?:`--[^|]*)?\|", text, re.MULTILINE))
    assert documented == {field.name for field in dataclasses.fields(Options)}


def test_every_error_has_its_line() -> None:
    text = (REPOSITORY / "docs/reference/errors.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", text, re.MULTILINE))
    kinds = {kind.__name__: kind for kind in vars(hf_h5.errors).values() if isinstance(kind, type)}
    leaves = {name for name, kind in kinds.items() if issubclass(kind, Exception)} - {"H5Error", "H5Warning"}
    assert documented.keys() == leaves
    assert all(documented[name] in {base.__name__ for base in kinds[name].__mro__} for name in leaves)
