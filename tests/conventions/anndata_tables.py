"""What AnnData reads of a file, as columns by table. Of any version; nothing of this package is imported."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scipy.sparse

__all__ = ["each_plain", "expected_tables", "read_with_anndata"]

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


def each_plain(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
