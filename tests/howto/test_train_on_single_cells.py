"""The page on single cells runs, and its comments are true."""

from __future__ import annotations

from pathlib import Path

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from tests.howto.pages import python_blocks
from tests.loading_scripts.families import anndata

PAGE = "docs/how-to/train-on-single-cells.md"


@pytest.fixture
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    for name in ("more", "cells"):
        Path(anndata(tmp_path)["train"][0]).rename(f"{name}.h5ad")


@pytest.mark.usefixtures("_files")
def test_the_page_runs_and_its_comments_are_true() -> None:
    names: dict[str, object] = {}
    for block in python_blocks(PAGE):
        exec(compile(block, PAGE, "exec"), names)  # the page's own code, from this repository
    assert list(names["schema"].tables) == ["/obs", "/var"]
    assert set(names["first"]) == {"X/indices", "X/values", "cell_type"}
    assert names["names"][0].startswith("gene-")
    assert len(names["both"]) == 2 * len(names["view"]) == 80
    assert names["loader"].report().n_rows == 40
    with h5py.File("cells.h5ad") as handle:
        codes = handle["obs/cell_type/codes"][:]
    np.testing.assert_array_equal(names["view"][:]["cell_type"].numpy(), codes)
    assert isinstance(names["view"], hf_h5.H5TorchView)
