"""Whether this package gives of a file what AnnData reads of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import hf_h5
from tests.conventions.anndata_tables import each_plain, expected_tables, read_with_anndata

__all__ = ["expect_same_as_anndata"]


def expect_same_as_anndata(file: Path, cache: Path, **options: Any) -> None:
    """Every table of a file, in both modes, against what AnnData reads."""
    expected = expected_tables(read_with_anndata(file))
    schema = hf_h5.describe(file, dense=True)
    assert schema.convention is not None
    assert schema.convention.startswith("AnnData")
    assert {name for name, table in schema.tables.items() if not name.startswith("/uns")} == set(expected)
    assert schema.default == "/obs"
    for name, columns in expected.items():
        expect_table(file, name, columns, cache)


def expect_table(file: Path, name: str, columns: dict[str, Any], cache: Path) -> None:
    loaded = hf_h5.load_dataset(file, table=name, dense=True, split="train", cache_dir=str(cache))
    assert loaded.column_names == list(columns)
    with hf_h5.H5TorchView(file, table=name, dense=True) as view:
        assert view.features == loaded.features
        direct, cached = view.with_format(None)[:], loaded.with_format(None)[:]
        assert repr(direct) == repr(cached)  # which takes NaNs for equal
    for column, values in columns.items():
        expect_column(loaded, column, values)


def expect_column(loaded: Any, name: str, values: Any) -> None:
    """One column against a pandas column or a numpy array."""
    found = loaded.with_format(None)[name][:]
    feature = loaded.features[name]
    if isinstance(getattr(values, "dtype", None), pd.CategoricalDtype):
        codes = values.cat.codes if isinstance(values, pd.Series) else values.codes
        assert found == codes.tolist()
        categories = values.cat.categories if isinstance(values, pd.Series) else values.categories
        assert feature.names == [str(each) for each in categories]
    elif isinstance(values, np.ndarray):
        given = loaded.with_format("numpy", dtype=values.dtype)[name][:] if len(loaded) else values
        np.testing.assert_array_equal(np.asarray(given).reshape(values.shape), values)
    else:
        listed = [None if value is pd.NA or value is None else value for value in values.tolist()]
        np.testing.assert_equal([each_plain(each) for each in found], [each_plain(each) for each in listed])
