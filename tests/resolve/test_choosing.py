"""Which table the names and patterns of ``columns=`` mean, and what is said of what they choose elsewhere."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hf_h5
from hf_h5.describe.options import make_options
from hf_h5.errors import H5Warning, LayoutError
from hf_h5.resolve.tables import resolve_tables
from tests.written import write_h5

NAMES = np.array([b"cat", b"dog"])
TWO_LENGTHS: dict[str, Any] = {"g/x": np.zeros((10, 3)), "g/mask": np.zeros((8, 2)), "h/z": np.arange(10)}


def chosen(file: Path, columns: list[str], **options: Any) -> tuple[list[str], list[str]]:
    """Return the columns that come of a choice, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with hf_h5.open_table(file, columns=columns, **options) as reader:
            return list(reader.schema.columns), [str(each.message) for each in caught]


@pytest.mark.parametrize("pattern", ["g/*", "g", "*x*"])
def test_a_pattern_over_two_tables_of_rows_is_an_error_that_names_them(tmp_path: Path, pattern: str) -> None:
    file = write_h5(tmp_path / "a.h5", {"g/x": np.zeros((10, 3)), "g/x_mask": np.zeros((8, 2)), "other": np.arange(5)})
    with pytest.raises(LayoutError, match="different tables") as caught:
        resolve_tables(str(file), make_options(columns=[pattern]))
    for words in (str(file), "'g/x' (10 rows", "'g/x_mask' (8 rows", "table="):
        assert words in str(caught.value)


def test_table_says_which_one_a_pattern_means(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", TWO_LENGTHS)
    assert chosen(file, ["g/*"], table="/g/x") == (["g/x"], [])
    assert chosen(file, ["g/*"], table="/g/mask") == (["g/mask"], [])


def test_a_name_beside_a_pattern_says_which_table_is_meant_and_the_rest_is_named(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", TWO_LENGTHS)
    columns, said = chosen(file, ["g/*", "h/z"])
    assert columns == ["g/x", "h/z"]
    assert len(said) == 1
    assert "g/mask (8 rows: table='/g')" in said[0]


def test_all_there_is_means_the_default_table_as_no_choice_does(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", TWO_LENGTHS)
    columns, said = chosen(file, ["*"])
    with pytest.warns(H5Warning) as caught:
        hf_h5.open_table(file).close()
    assert sorted(columns) == ["g/x", "h/z"]
    assert said == [str(each.message) for each in caught]


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"g/names": NAMES}, "g/names (2 rows: table='/g/names')"),
        ({"g/mean": np.zeros((1, 500))}, "g/mean (1 row: table='/g')"),
        ({"g/version": 3}, "1 single value (/g/version"),
    ],
    ids=["names", "one row", "scalar"],
)
def test_side_data_among_what_a_pattern_chooses_are_named_in_a_warning(
    tmp_path: Path, extra: dict[str, Any], words: str
) -> None:
    file = write_h5(tmp_path / "a.h5", {"g/x": np.zeros((10, 3)), "g/y": np.arange(10), "other": np.arange(5)} | extra)
    columns, said = chosen(file, ["g/*"])
    assert columns == ["g/x", "g/y"]
    assert [words in each for each in said] == [True]
    assert "other" not in said[0]


def test_steps_of_another_length_among_what_a_pattern_chooses_are_named(tmp_path: Path) -> None:
    lengths = {"a": 5, "b": 4, "c": 4}
    contents = {f"data/demo_{n}/obs/{name}": np.zeros((size, 5)) for n in range(3) for name, size in lengths.items()}
    columns, said = chosen(write_h5(tmp_path / "a.h5", contents), ["obs/*"], layout="steps")
    assert columns == ["obs/b", "obs/c"]
    assert ["obs/a (has another length" in each for each in said] == [True]


def test_lists_of_class_names_are_no_rows_of_a_pattern(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.zeros((10, 3)), "y": np.arange(10) % 2, "names": NAMES})
    assert chosen(file, ["*"], class_labels={"y": "/names"}) == (["x", "y"], [])


def test_columns_that_only_one_split_holds_are_its_rows_and_the_others_are_named(tmp_path: Path) -> None:
    contents = {"train/x": np.zeros((50, 9)), "test/x": np.zeros((20, 9)), "train/weight": np.arange(30)}
    file = write_h5(tmp_path / "a.h5", contents)
    with pytest.warns(H5Warning, match="only 'train' of the splits .* holds rows of weight; 'test' is left out"):
        found = resolve_tables(str(file), make_options(columns=["weight"]))
    assert {split: table.num_rows for split, table in found.splits.items()} == {"train": 30}


def test_columns_that_splits_hold_in_tables_apart_are_an_error(tmp_path: Path) -> None:
    contents = {f"{split}/x": np.zeros((n, 99)) for split, n in (("train", 50), ("test", 20))}
    contents |= {"train/label": np.arange(40), "train/score": np.arange(40), "test/label": np.arange(10)}
    with pytest.raises(LayoutError, match=r"'label' \(40 rows .* 'label' \(10 rows"):
        resolve_tables(str(write_h5(tmp_path / "a.h5", contents)), make_options(columns=["label"]))
