"""Every Python block of the pages about training runs, in order, as a reader would run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.tools.digits import write_digits
from tests.howto.pages import REPOSITORY, python_blocks


def run(page: str) -> dict[str, Any]:
    names: dict[str, Any] = {"hf_h5": hf_h5}
    for block in python_blocks(f"docs/how-to/{page}.md"):
        exec(compile(block, page, "exec"), names)  # the page's own code, from this repository
    return names


@pytest.mark.parametrize("page", ["shuffle", "resume"])
def test_the_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_digits("digits.h5")
    run(page)


def test_the_page_on_ranks_begins_with_what_runs_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_digits("digits.h5")
    names: dict[str, Any] = {"hf_h5": hf_h5}
    exec(compile(python_blocks("docs/how-to/distributed.md")[0], "distributed", "exec"), names)
    assert [len(loader) for loader in names["ranks"]] == [15, 15]


def test_the_page_on_windows_runs_and_its_comments_are_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    with h5py.File("robot.h5", "w") as file:
        for number in range(3):
            file[f"data/demo_{number}/obs/position"] = np.zeros((4 + number, 3))
            file[f"data/demo_{number}/actions"] = np.zeros((4 + number, 2), np.float32)
    with h5py.File("eeg.h5", "w") as file:
        file.create_dataset("eeg", data=np.zeros((4, 1000), np.float32), chunks=(4, 250), compression="gzip")
        file["time"] = np.arange(1000) / 100
    with h5py.File("flat.h5", "w") as file:
        file["episode"] = np.repeat([0, 1], [9, 11])
        file["x"] = np.arange(20.0)
    names = run("windows-of-time-series")
    printed = capsys.readouterr().out
    for comment in ("torch.Size([3, 3])", "tensor([False,  True,  True])", "torch.Size([256, 4])", "\n14\n"):
        assert comment in printed
    assert names["positions"].shape[1:] == (3, 3)
    assert len(names["dataset"]) == len(names["view"]) == 2 + 3 + 4


def test_the_page_on_patches_runs_and_its_comments_are_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = np.arange(32 * 64 * 64, dtype=np.float32).reshape(32, 64, 64)
    with h5py.File("volume.h5", "w") as file:
        for name, values in (("raw", raw), ("mask", raw > 9)):
            file.create_dataset(name, data=values, chunks=(16, 32, 32), compression="gzip")
    names = run("patches-of-volumes")
    printed = capsys.readouterr().out
    assert "torch.Size([16, 32, 32])" in printed
    assert "tensor([16,  0, 32])" in printed
    np.testing.assert_array_equal(names["rebuilt"], raw)


def test_the_page_names_every_method_of_the_view() -> None:
    text = (REPOSITORY / "docs/reference/view.md").read_text(encoding="utf-8")
    public = {name for name in dir(hf_h5.H5TorchView) if not name.startswith("_")}
    assert {name for name in public if name not in text} == set()


def test_the_view_has_the_methods_that_the_page_does_not_send_elsewhere() -> None:
    missing = {
        name for name in dir(datasets.Dataset) if not name.startswith("_") and not hasattr(hf_h5.H5TorchView, name)
    }
    assert {"map", "cast", "push_to_hub"} <= missing
    assert not {"select", "shuffle", "filter", "with_format", "to_iterable_dataset", "unique"} & missing
