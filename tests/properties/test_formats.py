"""The view gives what the cached dataset gives: every format, its arguments, and every kind of key, to the last bit."""

from __future__ import annotations

import datetime
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import hf_h5
from tests.exact import assert_exact
from tests.properties.strategies import FilePlan, file_plans

FORMATS: list[tuple[str | None, dict[str, Any]]] = [
    (None, {}),
    ("numpy", {}),
    ("numpy", {"dtype": np.float32}),
    ("torch", {}),
    ("torch", {"dtype": None}),
    ("torch", {"dtype": torch.float32}),
    ("torch", {"dtype": torch.float16}),
    ("torch", {"dtype": torch.int32}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("properties")


@contextmanager
def both_modes(file: Path) -> Iterator[tuple[datasets.Dataset, Any]]:
    """Open a file in both modes, the cache in a folder of its own."""
    cache = tempfile.mkdtemp(dir=file.parent)
    try:
        with hf_h5.H5TorchView(file) as view:
            yield datasets.load_dataset("hf_h5", data_files=str(file), split="train", cache_dir=cache), view
    finally:
        shutil.rmtree(cache)


def outcome(use: Callable[[], Any]) -> Any:
    """Return what comes, or which kind of error: the view may say it better, but not as something else."""
    with warnings.catch_warnings():
        # uint64 beyond int64, casts of NaN: what is warned of has tests of its own.
        warnings.simplefilter("ignore")
        try:
            return use()
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            builtins = [kind for kind in type(error).__mro__ if kind.__module__ == "builtins"]
            return f"raises {builtins[0].__name__}"


def keys(n_rows: int) -> st.SearchStrategy[Any]:
    """Draw keys of every kind that a dataset takes."""
    ends = st.none() | st.integers(-n_rows - 2, n_rows + 2)
    steps = st.sampled_from([None, 1, 2, 3, -1, -2])
    slices = st.builds(slice, ends, ends, steps)
    if not n_rows:
        return slices | st.just([])
    rows = st.integers(-n_rows, n_rows - 1)
    lists = st.lists(rows, max_size=9)
    arrays = lists.filter(bool).map(np.array)
    ranges = st.builds(range, st.integers(0, n_rows - 1), st.just(n_rows), st.integers(1, 3))
    return st.one_of(rows, rows.map(np.int64), slices, lists, arrays, ranges)


def table_of(batch: Any) -> Any:
    """Bring an Arrow table into one chunk, as which of them it comes in is nobody's promise."""
    return batch.combine_chunks().replace_schema_metadata(None) if isinstance(batch, pa.Table) else batch


@settings(max_examples=70)
@given(plan=file_plans(), data=st.data())
def test_the_view_gives_what_the_cached_dataset_gives(folder: Path, plan: FilePlan, data: st.DataObject) -> None:
    file = plan.write(folder / "a.h5")
    with both_modes(file) as (cached, view):
        assert view.features == cached.features
        assert view.column_names == cached.column_names
        assert view.shape == cached.shape
        for kind, kwargs in data.draw(st.lists(st.sampled_from(FORMATS), min_size=3, max_size=3), label="formats"):
            expected, found = cached.with_format(kind, **kwargs), view.with_format(kind, **kwargs)
            key = data.draw(keys(plan.n_rows), label="key")
            wanted = outcome(lambda: expected[key])  # noqa: B023
            assert_exact(outcome(lambda: found[key]), wanted, f"{kind} {kwargs} [{key!r}]")  # noqa: B023


@settings(max_examples=30)
@given(plan=file_plans(), data=st.data())
def test_columns_are_chosen_as_in_the_cached_dataset(folder: Path, plan: FilePlan, data: st.DataObject) -> None:
    file = plan.write(folder / "columns.h5")
    with both_modes(file) as (cached, view):
        some = data.draw(st.lists(st.sampled_from(cached.column_names), min_size=1, unique=True), label="columns")
        key = data.draw(keys(plan.n_rows), label="key")
        kind = data.draw(st.sampled_from([None, "numpy", "torch"]), label="format")
        every = data.draw(st.booleans(), label="output_all_columns")
        pairs = [
            (
                cached.with_format(kind, columns=some, output_all_columns=every),
                view.with_format(kind, columns=some, output_all_columns=every),
            ),
            (cached.with_format(kind).select_columns(some), view.with_format(kind).select_columns(some)),
        ]
        for expected, found in pairs:
            assert_exact(outcome(lambda: found[key]), outcome(lambda: expected[key]))  # noqa: B023
        name = some[0]
        wanted = outcome(lambda: cached.with_format(kind)[name][:])
        assert_exact(outcome(lambda: view.with_format(kind)[name][:]), wanted)


@settings(max_examples=20)
@given(plan=file_plans(), data=st.data())
def test_arrow_tables_are_those_of_the_cached_dataset(folder: Path, plan: FilePlan, data: st.DataObject) -> None:
    file = plan.write(folder / "arrow.h5")
    with both_modes(file) as (cached, view):
        key = data.draw(keys(plan.n_rows), label="key")
        expected = table_of(cached.with_format("arrow")[key])
        found = table_of(view.with_format("arrow")[key])
        assert found.schema == expected.schema
        assert found.to_pylist() == expected.to_pylist() or str(found.to_pylist()) == str(expected.to_pylist())


@settings(max_examples=30)
@given(plan=file_plans(), data=st.data())
def test_the_cached_dataset_holds_what_h5py_reads(folder: Path, plan: FilePlan, data: st.DataObject) -> None:
    file = plan.write(folder / "h5py.h5")
    expected = plan.expected(file)
    with both_modes(file) as (cached, _):
        whole = cached[:]
    assert set(whole) == set(expected)
    for name, values in expected.items():
        assert_same_values(whole[name], values, name)


def assert_same_values(found: list[Any], expected: np.ndarray[Any, Any], name: str) -> None:
    """Compare the Python values of a cached column with h5py's: NaN equals NaN, missing dates are None."""
    assert len(found) == len(expected), name
    for one, other in zip(flat(found), flat_values(expected), strict=True):
        if isinstance(other, np.datetime64 | np.timedelta64):
            assert one is None if np.isnat(other) else numpy_date(one) == other, name
        elif isinstance(other, float):
            assert one == other or (one != one and other != other), name
        else:
            assert type(one) is type(other), name
            assert one == other, name


def numpy_date(value: Any) -> Any:
    """Return a date as numpy's; pandas' classes hold nanoseconds, which their base classes lack."""
    for exact in ("to_datetime64", "to_timedelta64"):
        if hasattr(value, exact):
            return getattr(value, exact)()
    return np.timedelta64(value) if isinstance(value, datetime.timedelta) else np.datetime64(value)


def flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from flat(item)
    else:
        yield value


def flat_values(values: np.ndarray[Any, Any]) -> Iterator[Any]:
    for value in values.ravel():
        if isinstance(value, np.ndarray):
            yield from value.tolist()
        else:
            yield value if isinstance(value, np.datetime64 | np.timedelta64 | str | bytes) else value.item()
