"""Frames of every kind that pandas stores. Only numpy and pandas are imported: old versions write them too."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["FORMATS", "FRAMES", "TABLE_FRAMES", "days", "numbers", "write"]

FORMATS = ["fixed", "table"]


def write(file: Path, stored: Any, key: str = "frame", **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns of what it pickles
        stored.to_hdf(file, key=key, **options)


def days(count: int, **options: Any) -> pd.DatetimeIndex:
    return pd.date_range("2020-01-31", periods=count, **options)


def numbers(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": [1.5, np.nan, 3.0], "n": [1, 2, 3], **columns})


TEXTS = ["é", "nan", "", "a b"]
FRAMES: dict[str, Any] = {
    "numbers": numbers(small=np.array([1, 2, 3], "u1"), half=np.array([1, 2, 3], "f2")),
    "truth": numbers(yes=[True, False, True], no=[False, False, True]),
    "times": numbers(at=days(3), zoned=days(3, tz="Europe/Berlin"), utc=days(3, tz="UTC"), east=days(3, tz="+05:30")),
    "no_time": pd.DataFrame({"at": [pd.Timestamp("2020"), pd.NaT], "took": [pd.Timedelta("1s"), pd.NaT]}),
    "numbered": pd.DataFrame(np.arange(6).reshape(2, 3)),
    "named": numbers().rename_axis("row").set_index("n"),
    "dated": numbers().set_index(days(3, freq="D", name="when")),
    "zoned": numbers().set_index(days(3, tz="US/Eastern")),
    "spans": numbers().set_index(pd.to_timedelta([1, 2, 3], unit="s")),
    "words": numbers().set_index(pd.Index(["b", "é", "nan"])),
    "floats": numbers().set_index(pd.Index([0.5, -1, 2])),
    "levels": numbers().set_index(
        pd.MultiIndex.from_tuples(
            [("a", 1, days(1)[0]), ("b", 1, days(2)[1]), ("a", 2, days(1)[0])], names=["p", None, "q"]
        )
    ),
    "wide": pd.DataFrame([[1, 2.0], [3, 4.0]], columns=pd.MultiIndex.from_tuples([("nose", "x"), ("nose", "y")])),
    "uneven": pd.DataFrame([[1, 2.0]], columns=pd.MultiIndex.from_tuples([("power", "active"), ("volt", "")])),
    "series": pd.Series([1, 2, 3], name="s", index=[3, 2, 1]),
    "unnamed_series": pd.Series([1.5, 2]),
    "series_of_levels": pd.Series([1, 2], index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
    "complex": pd.DataFrame({"n": [1, 2]}),
    "index_and_column": pd.DataFrame({"index": [1, 2], "x": [0.5, 1]}),
    "categories_of_rows": numbers().set_index(pd.CategoricalIndex(["b", "a", "b"])),
}


TABLE_FRAMES: dict[str, tuple[Any, dict[str, Any]]] = {
    "texts": (pd.DataFrame({"s": TEXTS, "t": ["a", None, "b", "nan"], "n": range(4)}), {}),
    "texts_with_a_sign": (pd.DataFrame({"s": ["a", None]}), {"nan_rep": "missing"}),
    "data_columns": (numbers(s=["a", "b", None]), {"data_columns": True}),
    "latin": (pd.DataFrame({"s": ["é", "ü"]}), {"encoding": "latin-1"}),
    "categories": (
        pd.DataFrame({"c": pd.Categorical(["b", None, "a"], categories=["b", "a", "c"]), "n": range(3)}),
        {},
    ),
    "categories_of_numbers": (pd.DataFrame({"c": pd.Categorical([2.5, None, 1])}), {}),
    "no_categories": (pd.DataFrame({"c": pd.Categorical([None, None]), "n": [1, 2]}), {}),
    "packed": (numbers(s=["a", "b", None]), {"complevel": 5, "complib": "blosc:zstd"}),
    "halves": (pd.DataFrame({"z": [1 + 2j, 3j]}), {}),
}
