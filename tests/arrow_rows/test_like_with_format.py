"""A view over any Dataset gives what the Dataset gives: every feature, format, key and way of being stored."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import hf_h5
from tests.arrow_rows.generated import generated_datasets
from tests.exact import assert_exact
from tests.properties.strategies import FilePlan, file_plans

FORMATS: list[tuple[str | None, dict[str, Any]]] = [
    (None, {}),
    ("numpy", {}),
    ("numpy", {"dtype": np.float32}),
    ("torch", {}),
    ("torch", {"dtype": None}),
    ("torch", {"dtype": torch.float32}),
    ("arrow", {}),
    ("pandas", {}),
]


def outcome(use: Callable[[], Any]) -> Any:
    """Return what comes, or which kind of error."""
    with warnings.catch_warnings():
        # What is warned of has tests of its own.
        warnings.simplefilter("ignore")
        try:
            return comparable(use())
        except AttributeError:
            return "raises TypeError"  # the view says what cannot be formatted
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            builtins = [kind for kind in type(error).__mro__ if kind.__module__ == "builtins"]
            return f"raises {builtins[0].__name__}"


def comparable(batch: Any) -> Any:
    """Tables by type and values: in which chunks they come is nobody's promise.

    Nor is which of the many NaNs a half becomes as a float: that hangs on the processor's instructions.
    """
    if isinstance(batch, pa.Table):
        return str(batch.schema.remove_metadata()), str(batch.to_pylist())
    if isinstance(batch, pd.DataFrame):
        return str(batch.dtypes), str(batch.to_dict("list"))
    if isinstance(batch, dict):
        return {name: comparable(values) for name, values in batch.items()}
    if isinstance(batch, torch.Tensor) and batch.is_floating_point():
        return torch.where(torch.isnan(batch), torch.nan, batch)
    if isinstance(batch, np.ndarray) and batch.dtype.kind == "f":
        return np.where(np.isnan(batch), np.array(np.nan, batch.dtype), batch)
    return batch


def keys(n_rows: int) -> st.SearchStrategy[Any]:
    """Draw keys of the kinds that a dataset takes."""
    ends = st.none() | st.integers(-n_rows - 1, n_rows + 1)
    slices = st.builds(slice, ends, ends, st.sampled_from([None, 2, -1]))
    if not n_rows:
        return slices | st.just([])
    # Of rows that were chosen before, datasets takes no negative numbers in a list.
    return slices | st.integers(-n_rows, n_rows - 1) | st.lists(st.integers(0, n_rows - 1), max_size=6)


def assert_same(dataset: datasets.Dataset, data: st.DataObject, n_formats: int = 4) -> None:
    view = hf_h5.H5TorchView.from_dataset(dataset)
    assert view.features == dataset.features
    assert view.shape == dataset.shape
    for kind, kwargs in data.draw(st.permutations(FORMATS), label="formats")[:n_formats]:
        expected, found = dataset.with_format(kind, **kwargs), view.with_format(kind, **kwargs)
        key = data.draw(keys(len(dataset)), label="key")
        wanted = outcome(lambda: expected[key])  # noqa: B023
        if kind == "pandas" and np.arange(len(dataset))[key].size == 0:
            continue  # of arrays without rows datasets makes no frame
        assert_exact(outcome(lambda: found[key]), wanted, f"{kind} {kwargs} [{key!r}]")  # noqa: B023


@settings(max_examples=60)
@given(dataset=generated_datasets(), data=st.data())
def test_any_dataset(dataset: datasets.Dataset, data: st.DataObject) -> None:
    assert_same(dataset, data)


@settings(max_examples=25)
@given(dataset=generated_datasets(), data=st.data())
def test_rows_one_by_one_and_whole_columns(dataset: datasets.Dataset, data: st.DataObject) -> None:
    kind, kwargs = data.draw(st.sampled_from(FORMATS[:5]), label="format")
    expected, found = dataset.with_format(kind, **kwargs), hf_h5.H5TorchView.from_dataset(dataset)
    found = found.with_format(kind, **kwargs)
    assert_exact(outcome(lambda: list(found)), outcome(lambda: [expected[row] for row in range(len(dataset))]))
    name = data.draw(st.sampled_from(dataset.column_names), label="column")
    rows = data.draw(st.lists(st.integers(0, len(dataset) - 1), max_size=4) if len(dataset) else st.just([]))
    assert_exact(outcome(lambda: found[name][rows]), outcome(lambda: expected[name][rows]))


@settings(max_examples=25)
@given(plan=file_plans(), arrays=st.sampled_from(["array", "list"]), data=st.data())
def test_what_the_builder_makes(
    tmp_path_factory: pytest.TempPathFactory, plan: FilePlan, arrays: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("built")
    file = plan.write(folder / "a.h5")
    dataset = datasets.load_dataset(
        "hf_h5", data_files=str(file), split="train", cache_dir=str(folder / "cache"), arrays=arrays
    )
    assert_same(dataset, data)
    with hf_h5.H5TorchView(Path(file), arrays=arrays) as direct:
        assert_exact(outcome(lambda: hf_h5.H5TorchView.from_dataset(dataset)[:]), outcome(lambda: direct[:]))
