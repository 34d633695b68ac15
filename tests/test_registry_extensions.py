"""Which folders come to the builder once extensions are registered, and is everything given back."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets import load, packaged_modules

from hf_h5 import registry
from hf_h5.errors import OptionError
from tests.written import digits, write_digits


def tables() -> dict[str, Any]:
    """Return copies of all tables of ``datasets`` that decide by extensions."""
    names = ["_EXTENSION_TO_MODULE", "_MODULE_TO_EXTENSIONS", "_MODULE_TO_METADATA_FILE_NAMES"]
    names += ["_MODULE_TO_METADATA_EXTENSIONS", "_ALL_ALLOWED_EXTENSIONS"]
    found = {name: getattr(packaged_modules, name, None) for name in names}
    return copy.deepcopy({**found, "load": getattr(load, "ALL_ALLOWED_EXTENSIONS", None)})


@pytest.fixture(autouse=True)
def _tables_as_before() -> Iterator[None]:
    before = tables()
    yield
    registry.unregister()
    assert tables() == before


@pytest.mark.parametrize("name", ["cells.h5ad", "weather.nc", "session.nwb", "SCAN.MAT", "swath.he5", "grid.nc4"])
def test_a_folder_with_an_unclaimed_extension_comes_to_the_builder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "digits"
    folder.mkdir()
    write_digits(folder / name)
    registry.register()
    loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.with_format("numpy")["labels"][:].tolist() == digits()["labels"].tolist()


def test_without_registering_such_a_folder_has_no_builder(tmp_path: Path) -> None:
    write_digits(tmp_path / "cells.h5ad")
    with pytest.raises(datasets.exceptions.DataFilesNotFoundError):
        datasets.load_dataset(str(tmp_path))


def test_h5_is_taken_over_only_when_named(tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    folder.mkdir()
    write_digits(folder / "a.h5")
    owner = packaged_modules._EXTENSION_TO_MODULE.get(".h5")
    registry.register()
    assert packaged_modules._EXTENSION_TO_MODULE.get(".h5") == owner
    registry.register(["h5", ".HDF5"])
    builder = datasets.load_dataset_builder(str(folder), cache_dir=str(tmp_path / "cache"))
    assert builder.name == "hf_h5"
    registry.unregister()
    assert packaged_modules._EXTENSION_TO_MODULE.get(".h5") == owner


def test_splits_come_from_the_names_of_files_and_other_files_are_left_aside(tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    folder.mkdir()
    write_digits(folder / "train.h5ad", 10)
    write_digits(folder / "test.h5ad", 4)
    (folder / "notes.xyz").write_text("not data")
    registry.register([".h5ad"])
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {name: part.num_rows for name, part in loaded.items()} == {"train": 10, "test": 4}


def test_options_of_a_card_reach_the_builder(tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    folder.mkdir()
    write_digits(folder / "cells.h5ad")
    card = "---\nconfigs:\n- config_name: default\n  data_files: cells.h5ad\n  columns: [labels]\n---\n"
    (folder / "README.md").write_text(card)
    registry.register()
    loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.column_names == ["labels"]


def test_registering_adds_up_and_registering_twice_is_once() -> None:
    registry.register([".h5ad"])
    once = tables()
    registry.register([".h5ad"])
    assert tables() == once
    registry.register([".nc"])
    assert packaged_modules._EXTENSION_TO_MODULE[".h5ad"] == packaged_modules._EXTENSION_TO_MODULE[".nc"]


def test_what_another_package_took_since_is_left_to_it() -> None:
    registry.register([".h5ad"])
    other = ("another", {})
    packaged_modules._EXTENSION_TO_MODULE[".h5ad"] = other
    registry.unregister()
    assert packaged_modules._EXTENSION_TO_MODULE[".h5ad"] == other
    del packaged_modules._EXTENSION_TO_MODULE[".h5ad"]


@pytest.mark.parametrize("wrong", ["", ".", "a/b", "tar.h5", 5, None])
def test_what_is_no_extension_is_refused(wrong: Any) -> None:
    with pytest.raises(OptionError, match="extension"):
        registry.register([wrong])
