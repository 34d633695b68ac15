"""Every Python and shell block of the manual runs: those of most pages here, in order, as a reader would run them."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest
import torch

import hf_h5
from hf_h5.cli import main
from hf_h5.tools.digits import write_digits
from tests.howto.pages import REPOSITORY, Block, blocks, pages_with_code
from tests.loading_scripts.families import anndata

ELSEWHERE = {
    "README.md": "howto/test_pages_run.py",
    "docs/how-to/convert-on-a-cluster.md": "distributed/pages.py",
    "docs/how-to/distributed.md": "distributed/pages.py",
    "docs/how-to/frameworks.md": "frameworks/test_page.py",
    "docs/how-to/patches-of-volumes.md": "view/test_pages.py",
    "docs/how-to/push-to-the-hub.md": "hub/test_page.py",
    "docs/how-to/replace-your-dataset-class.md": "howto/test_replace_your_dataset_class.py",
    "docs/how-to/resume.md": "view/test_pages.py",
    "docs/how-to/shuffle.md": "view/test_pages.py",
    "docs/how-to/train-on-single-cells.md": "howto/test_train_on_single_cells.py",
    "docs/how-to/windows-of-time-series.md": "view/test_pages.py",
    "docs/reference/options.md": "howto/test_pages_run.py",
    "docs/tutorial/first-steps.md": "howto/test_pages_run.py",
}
"""Pages that a test of their own runs: it also looks at what comes out."""

NOTEBOOK = "docs/tutorial/hf-h5.ipynb"
MAX_NOT_RUN = 12


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the files that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    write_digits("digits.h5")
    shutil.copy("digits.h5", "data.h5")
    shutil.copy("digits.h5", "x.h5")
    write_episodes("robot.h5")
    write_episodes("masked.h5", masks=True)
    write_episodes("lift.hdf5", masks=True)
    Path("cells").mkdir()
    Path(anndata(tmp_path)["train"][0]).rename("cells/cells.h5ad")
    for number in range(2):
        with h5py.File(f"part_{number}.h5", "w") as file:
            file["x"] = np.arange(5)
    with h5py.File("cats.h5", "w") as file:
        file["x"], file["y"] = np.zeros((6, 8, 8, 3), np.uint8), np.array([0, 1, 1, 0, 1, 0], np.int16)
    with h5py.File("images.h5", "w") as images, h5py.File("labels.h5", "w") as labels:
        images["image"], labels["label"] = np.zeros((6, 8, 8), np.uint8), np.arange(6)
    shutil.copytree(REPOSITORY / "loading_scripts", "loading_scripts")
    return tmp_path


def write_episodes(name: str, *, masks: bool = False) -> None:
    with h5py.File(name, "w") as file:
        for number in range(3):
            file[f"data/demo_{number}/obs/position"] = np.zeros((4 + number, 3))
            file[f"data/demo_{number}/actions"] = np.zeros((4 + number, 2), np.float32)
        if masks:
            file["mask/train"], file["mask/valid"] = [b"demo_0", b"demo_2"], [b"demo_1"]


def run(block: Block, names: dict[str, Any], page: str) -> None:
    lines = block.code.splitlines()
    if block.language == "python":
        exec(compile(block.code, page, "exec"), names)  # the page's own code, from this repository
    elif all(line.startswith("hf-h5 ") for line in lines):
        # In this process, since a new one takes seconds to import everything.
        assert [main(shlex.split(line, comments=True)[1:]) for line in lines] == [0] * len(lines)
    else:
        done = subprocess.run(["bash", "-ec", block.code], capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, f"{block.code}\n{done.stderr}"


@pytest.mark.parametrize("page", [page for page in pages_with_code() if page not in ELSEWHERE])
def test_the_page_runs(page: str, folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    with warnings.catch_warnings():
        # Pages show warnings as readers see them; what must not warn is tested where it is promised.
        warnings.simplefilter("ignore", hf_h5.errors.H5Warning)
        for block in blocks(page):
            if block.reason is None:
                run(block, names, page)
    hf_h5.unregister()


@pytest.mark.parametrize("page", sorted(ELSEWHERE))
def test_a_page_that_is_run_elsewhere_is(page: str) -> None:
    test = (REPOSITORY / "tests" / ELSEWHERE[page]).read_text(encoding="utf-8")
    assert Path(page).stem in test


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    marked = [(page, block.reason) for page in pages_with_code() for block in blocks(page) if block.reason]
    assert len(marked) <= MAX_NOT_RUN, marked


def test_the_notebook_runs_from_top_to_bottom_and_is_stored_without_outputs(folder: Path) -> None:
    notebook = json.loads((REPOSITORY / NOTEBOOK).read_text(encoding="utf-8"))
    names: dict[str, Any] = {"__name__": "notebook"}
    torch.set_num_threads(1)  # threads that wait for each other take seconds where the tests of others run
    codes = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(codes):
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in codes)
    assert names["cached_losses"] == names["direct_losses"]
    assert names["direct_losses"][-1] < names["direct_losses"][0]


def test_the_notebook_is_of_a_known_format() -> None:
    notebook = json.loads((REPOSITORY / NOTEBOOK).read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert all({"id", "cell_type", "metadata", "source"} <= cell.keys() for cell in notebook["cells"])
