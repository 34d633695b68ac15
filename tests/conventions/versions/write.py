"""Write files with the installed pandas and anndata, and beside each what these read back; see ``read_back.py``.

Run with the interpreter of a virtual environment that holds only these: ``python -m tests.conventions.versions.write``.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scipy.sparse
import tables

from tests.conventions.anndata_tables import each_plain, expected_tables, read_with_anndata
from tests.conventions.pandas_examples import FORMATS, FRAMES, TABLE_FRAMES, write
from tests.conventions.pandas_oracle import read_with_pandas
from tests.conventions.versions.encoded import encode

# Two columns here, one of complex numbers there: compared by other tests.
_NOT_COMPARED = {"halves"}


def write_stores(folder: Path) -> Iterator[tuple[str, Any]]:
    """One store for each frame and format; what this version cannot write itself is left out with its reason."""
    jobs = [(f"{kind}-{name}", frame, {"format": kind}) for name, frame in FRAMES.items() for kind in FORMATS]
    for name, (frame, options) in TABLE_FRAMES.items():
        jobs += [(f"only-{name}", frame, {"format": "table", **options})] if name not in _NOT_COMPARED else []
    for name, frame, options in jobs:
        file = folder / f"pandas-{name}.h5"
        try:
            write(file, frame, **options)
            found = read_with_pandas(file, "frame")
        except Exception as error:  # noqa: BLE001 - whatever an old version does not know yet
            file.unlink(missing_ok=True)
            yield file.name, f"{type(error).__name__}: {error}"
            continue
        yield file.name, {"/frame": encode(found)}


def write_cells(folder: Path) -> Iterator[tuple[str, Any]]:
    """One file for each kind of matrix; with and without compression and a raw matrix."""
    for kind in ("csr", "csc", "dense"):
        for packed in (None, "gzip"):
            adata = make_cells(kind)
            if packed:
                adata.raw = adata.copy()
            file = folder / f"anndata-{kind}-{packed}.h5ad"
            adata.write_h5ad(file, compression=packed)
            expected = expected_tables(read_with_anndata(file))
            yield file.name, {f"/{name.strip('/')}": _cells(columns) for name, columns in expected.items()}


def _cells(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: _column(values) for name, values in columns.items()}


def _column(values: Any) -> Any:
    categorical = getattr(values, "cat", values)
    if hasattr(categorical, "categories"):
        names = [str(each) for each in categorical.categories]
        return {"names": names, "values": encode([int(code) for code in categorical.codes])}
    listed = [None if each is pd.NA else each for each in values.tolist()]
    return {"values": encode([each_plain(each) for each in listed])}


def make_cells(kind: str) -> anndata.AnnData:
    """An object with what every version since 0.7 can hold."""
    random, n_obs, n_vars = np.random.RandomState(0), 25, 7
    counts = scipy.sparse.random(n_obs, n_vars, 0.3, "csr", "f4", random_state=0)
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical(random.choice(["T", "B", "NK"], n_obs), categories=["NK", "T", "B", "mast"]),
            "stage": pd.Categorical.from_codes(random.randint(-1, 2, n_obs), ["G1", "S"], ordered=True),
            "cluster": pd.Categorical.from_codes(random.randint(-1, 3, n_obs), ["2", "10", "7"]),
            "n_genes": random.randint(0, 100, n_obs),
            "score": random.rand(n_obs).astype("f4"),
            "is_doublet": random.rand(n_obs) < 0.1,
            "donor": [f"dönor {number}" for number in range(n_obs)],
        },
        index=[f"cell-{number}" for number in range(n_obs)],
    )
    # Texts that repeat are made categories when they are written.
    obs["batch"] = ["ab"[number % 2] for number in range(n_obs)]
    var = pd.DataFrame({"mt": np.arange(n_vars) % 5 == 0}, index=[f"ENSG{number}" for number in range(n_vars)])
    adata = anndata.AnnData({"csr": counts, "csc": counts.tocsc(), "dense": counts.toarray()}[kind], obs=obs, var=var)
    adata.layers["counts"] = (counts * 100).astype("i4")
    adata.layers["scaled"] = counts.toarray().astype("f8")
    adata.obsm["X_pca"] = random.rand(n_obs, 5)
    adata.obsm["sparse"] = scipy.sparse.random(n_obs, 40, 0.1, "csr", random_state=1)
    adata.obsm["frame"] = pd.DataFrame({"a": np.arange(n_obs), "b": obs["cell_type"].values}, index=obs.index)
    adata.varm["PCs"] = random.rand(n_vars, 5)
    adata.obsp["distances"] = scipy.sparse.random(n_obs, n_obs, 0.1, "csr", random_state=2)
    adata.uns["note"] = "written for a test"
    adata.uns["colors"] = np.array(["red", "blue"])
    return adata


def main(folder: Path) -> None:
    """Write all files, and ``expected.json`` for them."""
    warnings.simplefilter("ignore")
    if hasattr(pd.options, "future") and anndata.__version__.startswith("0.12."):
        # Versions of anndata for Python 3.11 do not know the strings of pandas 3.
        pd.set_option("future.infer_string", False)
    versions = {each.__name__: each.__version__ for each in (anndata, np, pd, tables)}
    cells = dict(write_cells(folder))
    pd.reset_option("future.infer_string") if hasattr(pd.options, "future") else None
    expected = {"versions": versions, "files": cells | dict(write_stores(folder))}
    (folder / "expected.json").write_text(json.dumps(expected), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
