"""Options are checked once and brought into one form."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import datasets
import pytest

from hf_h5.describe.limits import Limits
from hf_h5.describe.options import Options, make_options
from hf_h5.errors import OptionError


def test_without_options_the_defaults_hold() -> None:
    assert make_options() == Options()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"columns": "obs/*"}, {"columns": ("obs/*",)}),
        ({"columns": ["a", "b"]}, {"columns": ("a", "b")}),
        ({"columns": None}, {"columns": None}),
        ({"allow_external": Path("data")}, {"allow_external": ("data",)}),
        ({"allow_external": None}, {"allow_external": ()}),
        ({"limits": {"depth": 3}}, {"limits": Limits(depth=3)}),
        ({"splits": False}, {"splits": False}),
    ],
)
def test_values_are_brought_into_one_form(given: dict[str, Any], expected: dict[str, Any]) -> None:
    made = make_options(**given)
    assert {name: getattr(made, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"colums": 1}, "did you mean 'columns'"),
        ({"layout": "tables"}, "'table'"),
        ({"batch_size": 2.0}, "batch_size=2.0"),
        ({"threads": 0}, "threads=0"),
        ({"columns": 1}, "columns"),
        ({"features": {"x": 1}}, "datasets.Features"),
        ({"splits": {}}, "splits"),
        ({"splits": {"train": 3}}, "splits"),
    ],
)
def test_wrong_values_are_errors_with_what_is_right(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError) as caught:
        make_options(**given)
    assert words in str(caught.value)


def test_options_pickle_and_compare_by_value() -> None:
    made = make_options(columns=["a"], limits={"depth": 3}, class_labels={"y": ["a", "b"]})
    assert pickle.loads(pickle.dumps(made)) == made


def test_features_are_plain_dicts_by_column() -> None:
    features = datasets.Features({"x": datasets.Value("int8"), "y": [datasets.Value("string")]})
    specs = make_options(features=features).feature_specs
    assert specs is not None
    assert specs["x"] == {"dtype": "int8", "_type": "Value"}
    assert specs["y"]["_type"] == "List"
    assert specs["y"]["feature"] == {"dtype": "string", "_type": "Value"}
    assert make_options().feature_specs is None


@pytest.mark.parametrize("other", [{"axis": 1}, {"layout": "raw"}, {"layout": "episodes"}])
def test_rows_by_name_are_not_ignored(other: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=r"rows='time'"):
        make_options(rows="time", **other)
    assert make_options(rows="time", layout="auto").rows == "time"
