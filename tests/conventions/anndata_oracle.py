"""What AnnData itself reads of a file, as columns; and whether this package gives the same."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scipy.sparse

import hf_h5

__all__ = ["expect_same_as_anndata", "expected_tables", "read_with_anndata"]

RESERVED = {"obs": {"obs_names", "X", "layers", "obsm", "raw"}, "var": {"var_names", "varm"}}


def read_with_anndata(file: Path) -> anndata.AnnData:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return anndata.read_h5ad(file)


def expected_tables(adata: anndata.AnnData) -> dict[str, dict[str, Any]]:
    """Columns by table, in the words of this package; matrices dense."""
    cells = frame_columns(adata.obs, "obs")
    if adata.X is not None:
        cells["X"] = dense(adata.X)
    cells |= {f"layers/{name}": dense(value) for name, value in ordered(adata.layers)}
    if adata.raw is not None:
        cells["raw/X"] = dense(adata.raw.X)
    cells |= side(adata.obsm, "obsm")
    tables = {"/obs": cells, "/var": frame_columns(adata.var, "var") | side(adata.varm, "varm")}
    if adata.raw is not None:
        tables["/raw/var"] = frame_columns(adata.raw.var, "var") | side(adata.raw.varm, "varm")
    if len(adata.obsp):
        tables["/obsp"] = side(adata.obsp, "obsp")
    if len(adata.varp):
        tables["/varp"] = side(adata.varp, "varp")
    return tables


def frame_columns(frame: pd.DataFrame, kind: str) -> dict[str, Any]:
    columns: dict[str, Any] = {f"{kind}_names": frame.index}
    for name in frame:
        columns[f"{kind}/{name}" if str(name).split("/")[0] in RESERVED[kind] else name] = frame[name]
    return columns


def side(group: Any, prefix: str) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in ordered(group):
        if isinstance(value, pd.DataFrame):
            columns |= {f"{prefix}/{name}/{each}": value[each] for each in value}
        else:
            columns[f"{prefix}/{name}"] = dense(value)
    return columns


def ordered(group: Any) -> list[tuple[str, Any]]:
    """What a group holds, by name; new versions have X among the layers, as None."""
    return sorted((name, value) for name, value in group.items() if name is not None)


def dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if scipy.sparse.issparse(matrix) else np.asarray(matrix)


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


def each_plain(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
