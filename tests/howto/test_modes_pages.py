"""The pages about modes run as they are written, and say what is so."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

import hf_h5
from hf_h5.mapped.table import H5MappedTable
from hf_h5.tools.digits import write_digits
from tests.exact import assert_exact
from tests.howto.pages import REPOSITORY, python_blocks


def run(page: str) -> dict[str, object]:
    names: dict[str, object] = {}
    for block in python_blocks(page):
        exec(compile(block, page, "exec"), names)  # the page's own code, from this repository
    return names


@pytest.fixture(autouse=True)
def _digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    write_digits("digits.h5")


def test_the_page_of_modes(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("docs/how-to/choose-a-mode.md")
    said = capsys.readouterr().err
    page = (REPOSITORY / "docs/how-to/choose-a-mode.md").read_text("utf-8")
    assert said.count("hf_h5.load: ") == 1
    assert said.splitlines()[0] in page
    assert isinstance(names["mapped"].data, H5MappedTable)
    assert isinstance(names["view"], hf_h5.H5TorchView)
    assert names["dataset"]["labels"][:4] == names["mapped"]["labels"][:4]
    assert set(datasets.load_from_disk("even").unique("half")) == set(range(5))


def test_the_page_of_cached_sets() -> None:
    names = run("docs/how-to/read-cached-sets-faster.md")
    expected = names["ds"].with_format("torch", dtype=None)
    assert_exact(names["view"][[3, 1, 1]], expected[[3, 1, 1]])
    assert len(names["batch"]["labels"]) == len(expected) % 256


def test_the_readme_names_the_three_modes() -> None:
    text = (REPOSITORY / "README.md").read_text("utf-8")
    assert "| | cached | direct | mapped |" in text
    assert '`hf_h5.load("digits.h5")`' in text
