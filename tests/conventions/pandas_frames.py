"""What this package reads from a store of pandas, as plain values by column, to compare with what pandas reads."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import datasets
import numpy as np

import hf_h5
from hf_h5.errors import H5Warning
from tests.conventions.pandas_oracle import Columns, one


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
