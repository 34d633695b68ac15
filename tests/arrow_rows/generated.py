"""Hypothesis strategies that draw datasets: features of any depth, values with and without nulls, ways to be stored."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
from datasets.arrow_writer import ArrowWriter
from hypothesis import strategies as st

from hf_h5.registry import make_list

__all__ = ["generated_datasets"]

_INTEGERS = {f"{sign}int{bits}": (sign, bits) for sign in ("", "u") for bits in (8, 16, 32, 64)}
_WORDS = ["", "a", "cat", "ähm", "日本"]
_OTHERS: dict[str, list[Any]] = {
    "string": _WORDS,
    "large_string": _WORDS,
    "binary": [word.encode() for word in _WORDS],
    "large_binary": [word.encode() for word in _WORDS],
    "bool": [True, False],
    # Not-a-number of 16 bits becomes one of 32 with bits that depend on how many are cast at once.
    "float16": [0.5, -1.0, math.inf],
    "float32": [0.5, -0.0, math.inf, math.nan],
    "float64": [0.1, -0.0, math.inf, 1e300],
    "timestamp[s]": [datetime(2020, 1, 2), datetime(1969, 3, 4)],
    "timestamp[us, tz=UTC]": [datetime(2020, 1, 2, 3, 4, 5, 6)],
    "date32": [date(2020, 1, 2)],
    "time64[us]": [time(1, 2, 3)],
    "duration[ms]": [timedelta(milliseconds=5)],
    "decimal128(9, 2)": [Decimal("1.25")],
}
Values = st.SearchStrategy[Any]


def values_of(dtype: str) -> Values:
    """Draw values that a ``Value`` holds."""
    if dtype not in _INTEGERS:
        return st.sampled_from(_OTHERS[dtype])
    sign, bits = _INTEGERS[dtype]
    # Of uint64 beyond int64 there is a test of its own.
    top = 2 ** min(bits if sign else bits - 1, 63) - 1
    return st.integers(0 if sign else -(2 ** (bits - 1)), top)


NUMBERS = st.sampled_from([*_INTEGERS, "bool", "float16", "float32", "float64"])


@st.composite
def scalars(draw: st.DrawFn) -> tuple[Any, Values]:
    """Draw a feature of one value, and what values it has."""
    kind = draw(st.sampled_from(["number", "number", "label", "other"]))
    if kind == "label":
        return datasets.ClassLabel(names=["x", "y", "z"]), st.integers(0, 2)
    dtype = draw(NUMBERS if kind == "number" else st.sampled_from(sorted(_OTHERS)))
    return datasets.Value(dtype), values_of(dtype)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[Any, Values]:
    """Draw an ``Array2D`` to ``Array5D``, of which the first dimension may vary."""
    rank = draw(st.integers(2, 4))
    shape = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    dtype = draw(NUMBERS.filter(lambda name: name != "float16"))
    varies = draw(st.integers(0, 3)) == 0
    feature = getattr(datasets, f"Array{rank}D")((None, *shape[1:]) if varies else shape, dtype)
    sizes = st.integers(1, 3) if varies else st.just(shape[0])
    return feature, sizes.flatmap(lambda size: _nested(values_of(dtype), (size, *shape[1:])))


def _nested(values: Values, shape: tuple[int, ...]) -> Values:
    for size in reversed(shape):
        values = st.lists(values, min_size=size, max_size=size)
    return values


def _lists(inner: tuple[Any, Values]) -> Values:
    feature, values = inner
    fixed = st.integers(1, 3).map(
        lambda size: (make_list(feature, size), st.lists(values, min_size=size, max_size=size))
    )
    free = st.just((make_list(feature), st.lists(values, max_size=3)))
    return fixed | fixed | free


def _structs(fields: list[tuple[Any, Values]]) -> tuple[Any, Values]:
    names = [f"field {number}" for number in range(len(fields))]
    kinds = dict(zip(names, (feature for feature, _ in fields), strict=True))
    return kinds, st.fixed_dictionaries(dict(zip(names, (values for _, values in fields), strict=True)))


def kinds() -> Values:
    """Draw features, and what values they have."""
    return st.recursive(
        scalars() | arrays(),
        lambda inner: inner.flatmap(_lists) | st.lists(inner, min_size=1, max_size=2).map(_structs),
        max_leaves=3,
    )


@st.composite
def generated_datasets(draw: st.DrawFn) -> datasets.Dataset:
    """Draw a dataset of up to three columns, some with rows without a value, stored and chosen from in some way."""
    n_rows = draw(st.integers(0, 8))
    columns, features = {}, {}
    for number in range(draw(st.integers(1, 3))):
        feature, values = draw(kinds())
        if draw(st.integers(0, 4)) == 0:
            values = st.none() | values
        columns[f"c{number}"] = draw(st.lists(values, min_size=n_rows, max_size=n_rows))
        features[f"c{number}"] = feature
    made = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=3)):
        made = change(made)
    return made


def _saved(made: datasets.Dataset) -> datasets.Dataset:
    """The rows in an Arrow file, three to a batch; it stays mapped when its folder is gone."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "a.arrow")
        whole = made.flatten_indices() if made._indices is not None else made
        with ArrowWriter(path=file, features=whole.features, writer_batch_size=3) as writer:
            for start in range(0, len(whole), 3):
                writer.write_table(whole.data.table.slice(start, 3).combine_chunks())
            writer.finalize()
        return datasets.Dataset.from_file(file, info=whole.info)


def _sliced(made: datasets.Dataset) -> datasets.Dataset:
    """The rows but the first, in arrays that begin in the middle of others."""
    whole = made.flatten_indices() if made._indices is not None else made
    return datasets.Dataset(whole.data.table.slice(1), info=whole.info) if len(whole) > 1 else whole


CHANGES: list[Callable[[datasets.Dataset], datasets.Dataset]] = [
    _sliced,
    _saved,
    lambda made: datasets.concatenate_datasets([made, made]),
    lambda made: datasets.concatenate_datasets([made, made.shuffle(seed=1)]),
    lambda made: made.shuffle(seed=3),
    lambda made: made.select(range(1, len(made))) if len(made) > 1 else made,
    lambda made: made.rename_column(made.column_names[0], "other") if "other" not in made.column_names else made,
]
