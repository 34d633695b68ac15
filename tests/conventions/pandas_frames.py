"""What pandas reads from a store, as plain values by column, to compare with what this package reads."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd

import hf_h5
from hf_h5.errors import H5Warning

Columns = dict[str, list[Any]]


def read_with_pandas(file: Path, key: str) -> Columns:
    """The index and the columns of a frame or series, in order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored: Any = pd.read_hdf(file, key)
    frame = (
        stored.to_frame("values" if stored.name is None else stored.name) if isinstance(stored, pd.Series) else stored
    )
    names = [name_of(label) for label in frame.columns]
    columns: Columns = {}
    for number in range(frame.index.nlevels):
        level = frame.index.get_level_values(number)
        otherwise = "index" if frame.index.nlevels == 1 else f"level_{number}"
        name = otherwise if level.name is None else name_of(level.name)
        columns[free(name, {*names, *columns})] = plain(level.to_series())
    for number, name in enumerate(names):
        columns[free(name, columns)] = plain(frame.iloc[:, number])
    return columns


def free(name: str, taken: Any) -> str:
    number, found = 2, name
    while found in taken:
        found, number = f"{name}.{number}", number + 1
    return found


def name_of(label: Any) -> str:
    return "/".join(map(name_of, label)).rstrip("/") if isinstance(label, tuple) else str(label)


def plain(series: pd.Series) -> list[Any]:
    """Values as plain ones: None where missing, instants as timestamps, periods as their ordinals."""
    if isinstance(series.dtype, pd.PeriodDtype):
        return [value.ordinal for value in series]
    return [one(value) for value in series.tolist()]


def one(value: Any) -> Any:
    if isinstance(value, complex):
        return value
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def read_rows(file: Path, key: str) -> Columns:
    """The same of this package, through the view; the cached mode and the reader must agree with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", H5Warning)
        with hf_h5.H5TorchView(file, table=key) as view:
            columns = arrow_columns(view.with_format("arrow")[:], view.features)
            order = np.random.default_rng(0).permutation(len(view))
            shuffled = arrow_columns(view.with_format("arrow")[order.tolist()], view.features) if len(view) else columns
    for name, values in columns.items():
        assert shuffled[name] == [values[row] for row in order] if len(values) else True, name
    return columns


def read_cached(file: Path, key: str) -> Columns:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", H5Warning)
        rows = hf_h5.load_dataset(str(file), table=key, split="train")
    return arrow_columns(rows.with_format("arrow")[:], rows.features)


def arrow_columns(table: Any, features: datasets.Features) -> Columns:
    return {
        name: [arrow_one(value, features[name]) for value in table[name].to_pylist()] for name in table.column_names
    }


def arrow_one(value: Any, feature: Any) -> Any:
    if isinstance(feature, datasets.ClassLabel):
        return None if value == -1 else feature.int2str(value)
    return one(value)
