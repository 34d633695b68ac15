"""What a loading script may be, and what it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

import hf_h5
from hf_h5.errors import MissingFileError, OptionError
from hf_h5.recipes import Recipe, load_recipe
from tests.written import write_digits

GOOD = '''
import hf_h5


class Digits(hf_h5.H5Builder):
    """Handwritten digits."""

    OPTIONS = {"columns": ["labels"], "batch_size": 3}
'''


def script(folder: Path, text: str, name: str = "digits.py") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_a_recipe_is_a_name_a_description_and_options(tmp_path: Path) -> None:
    expected = Recipe("digits", "Handwritten digits.", {"columns": ["labels"], "batch_size": 3})
    assert load_recipe(script(tmp_path, GOOD)) == expected


def test_a_recipe_without_a_docstring_has_no_description(tmp_path: Path) -> None:
    bare = script(tmp_path, "from hf_h5 import H5Builder\nclass A(H5Builder):\n    OPTIONS = {'layout': 'raw'}\n")
    assert load_recipe(bare) == Recipe("digits", "", {"layout": "raw"})


def test_the_caller_has_the_last_word(tmp_path: Path) -> None:
    file = str(write_digits(tmp_path / "a.h5"))
    loaded = hf_h5.load_dataset(script(tmp_path, GOOD), data_files=file, split="train", columns=["images"])
    assert loaded.column_names == ["images"]
    assert loaded.info.description == "Handwritten digits."


def test_the_view_reads_by_the_recipe_what_the_builder_reads(tmp_path: Path) -> None:
    file, recipe = str(write_digits(tmp_path / "a.h5")), script(tmp_path, GOOD)
    loaded = hf_h5.load_dataset(recipe, data_files=file, split="train")
    with hf_h5.H5TorchView(file, recipe=recipe).with_format(None) as view:
        assert view.features == loaded.features
        assert view[:] == loaded[:]


def test_the_class_itself_is_a_builder(tmp_path: Path) -> None:
    class Digits(hf_h5.H5Builder):
        """Handwritten digits."""

        OPTIONS = {"columns": ["labels"]}  # noqa: RUF012  as recipes write it

    file = str(write_digits(tmp_path / "a.h5"))
    builder = Digits(data_files=file, cache_dir=str(tmp_path / "cache"))
    builder.download_and_prepare()
    made = builder.as_dataset("train")
    assert (made.column_names, made.info.description) == (["labels"], "Handwritten digits.")
    other = datasets.load_dataset_builder(
        "hf_h5", data_files=file, columns=["labels"], cache_dir=str(tmp_path / "cache")
    )
    assert builder.config_id == other.config_id


WRONG = {
    "two": (GOOD + GOOD.replace("Digits", "Others"), "one subclass .* Digits, Others"),
    "none": ("import hf_h5\n", "one subclass .* none"),
    "methods": (GOOD + "\n    def _info(self):\n        return None\n", "has methods"),
    "unknown": (GOOD.replace("columns", "colums"), "OPTIONS of Digits: .*'colums'"),
    "value": (GOOD.replace('"batch_size": 3', '"layout": "sideways"'), "layout='sideways'"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_recipe_is_said_with_the_name_of_the_file(tmp_path: Path, kind: str) -> None:
    text, message = WRONG[kind]
    with pytest.raises(OptionError, match=rf"(?s){message}.*digits\.py"):
        load_recipe(script(tmp_path, text))


@pytest.mark.parametrize("url", ["https://example.org/digits.py", "hf://datasets/me/digits/digits.py"])
def test_a_script_from_the_network_is_not_run(url: str) -> None:
    with pytest.raises(OptionError, match="network"):
        load_recipe(url)
    with pytest.raises(OptionError, match="network"):
        hf_h5.load_dataset(url, data_files="a.h5")


def test_a_script_must_be_there_and_be_python(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="absent"):
        load_recipe(tmp_path / "absent.py")
    with pytest.raises(OptionError, match=r"\.py"):
        load_recipe(script(tmp_path, GOOD, "digits.txt"))


@pytest.mark.parametrize("files", [{}, {"data_files": None}])
def test_a_script_needs_files(tmp_path: Path, files: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="needs files"):
        hf_h5.load_dataset(script(tmp_path, GOOD), **files)
