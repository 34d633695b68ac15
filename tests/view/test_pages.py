"""Every Python block of the pages about training runs, in order, as a reader would run it."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

import hf_h5
from hf_h5.tools.digits import write_digits
from tests.howto.pages import REPOSITORY, python_blocks


@pytest.mark.parametrize("page", ["shuffle", "resume", "distributed"])
def test_the_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_digits("digits.h5")
    names: dict[str, object] = {"hf_h5": hf_h5}
    for block in python_blocks(f"docs/how-to/{page}.md"):
        exec(compile(block, page, "exec"), names)  # the page's own code, from this repository


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
