"""What pandas reads from a store, as plain values by column. Only numpy and pandas are imported, of any version."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Columns", "one", "read_with_pandas"]

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
