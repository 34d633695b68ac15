"""Files of single cells, and ways to make shuffled dense batches of them.

A contender is a function that goes through some batches and returns how many cells it gave; each becomes a tensor of
the counts and one of the classes.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scipy.sparse
import torch

import hf_h5

from .contenders import THREADS

__all__ = ["BATCH_CELLS", "annbatch_converted", "by_annbatch", "by_backed", "by_loader", "by_memory", "write_cells"]

BATCH_CELLS = 256
N_GENES = 20_000
_TEMPLATE_CELLS = 10_000
_SHUFFLE_BYTES = 256_000_000
Read = Callable[[], int]


def make_counts(n_cells: int) -> scipy.sparse.csr_matrix:
    """Logarithms of counts as of 10x: 6 % of the genes in a cell, some in most; the first cells again and again."""
    random = np.random.default_rng(0)
    share = np.clip(random.lognormal(-3.6, 1.3, N_GENES), 0, 0.98).astype("f4")
    parts = []
    for _ in range(0, min(n_cells, _TEMPLATE_CELLS), 1000):
        found = scipy.sparse.csr_matrix(random.random((1000, N_GENES), "f4") < share)
        found = found.astype("f4")
        found.data = np.log1p(random.geometric(0.5, found.nnz)).astype("f4")
        parts.append(found)
    template = scipy.sparse.vstack(parts, "csr")
    return scipy.sparse.vstack([template] * -(-n_cells // _TEMPLATE_CELLS), "csr")[:n_cells]


def write_cells(folder: Path, n_cells: int) -> dict[str, Path]:
    """Write the same cells as anndata does by default, and with gzip; return the files by name."""
    kinds = pd.Categorical(np.array(["B", "NK", "T"], object)[np.arange(n_cells) % 3])
    files = {"plain": folder / "plain.h5ad", "gzip": folder / "gzip.h5ad"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        obs = pd.DataFrame({"cell_type": kinds}, index=pd.RangeIndex(n_cells).astype(str))
        adata = anndata.AnnData(make_counts(n_cells), obs=obs)
        adata.obs_names, adata.var_names = (names.astype(object) for names in (adata.obs_names, adata.var_names))
        adata.write_h5ad(files["plain"])
        adata.write_h5ad(files["gzip"], compression="gzip")
    return files


def by_loader(file: Path) -> Read:
    """An epoch of the loader of this package: windows as large as annbatch's, batches of dense rows."""
    view = hf_h5.H5TorchView(file, columns=["X", "cell_type"], dense=True, threads=THREADS, cache_bytes="768MB")
    loader = view.with_format("torch", dtype=None).loader(BATCH_CELLS, shuffle=True, shuffle_bytes=_SHUFFLE_BYTES)
    return lambda: sum(len(batch["X"]) for batch in loader)


def by_backed(file: Path, n_batches: int, *, ordered: bool) -> Read:
    """AnnData's own access to a file that stays on disk; with ``ordered`` rows are asked for in the file's order."""
    adata = anndata.read_h5ad(file, backed="r")
    classes = adata.obs["cell_type"].cat.codes.to_numpy().astype(np.int64)
    random = np.random.default_rng(0)

    def read() -> int:
        given = 0
        for _ in range(n_batches):
            rows = random.permutation(adata.n_obs)[:BATCH_CELLS]
            rows = np.sort(rows) if ordered else rows
            counts, kinds = torch.from_numpy(adata.X[rows].toarray()), torch.from_numpy(classes[rows])
            given += len(counts) if len(counts) == len(kinds) else 0
        return given

    return read


def annbatch_converted(file: Path, folder: Path) -> float:
    """Make annbatch's own shuffled zarr of a file; return the seconds."""
    from annbatch import DatasetCollection

    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        DatasetCollection(folder / "cells.zarr").add_adatas([file])
    return time.perf_counter() - start


def by_annbatch(folder: Path) -> Read:
    """An epoch of annbatch over its zarr, with the settings of its guide and zarr's codecs in Rust."""
    import zarr
    from annbatch import DatasetCollection, Loader

    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "threading.max_workers": THREADS})
    loader = Loader(
        batch_size=BATCH_CELLS, chunk_size=64, preload_nchunks=256, shuffle=True, preload_to_gpu=False
    ).use_collection(DatasetCollection(folder / "cells.zarr", mode="r"), load_adata=_counts_and_classes)

    def read() -> int:
        given = 0
        for batch in loader:
            classes = torch.from_numpy(batch["obs"]["cell_type"].cat.codes.to_numpy().astype(np.int64))
            # By scipy: to_dense of torch's sparse matrices takes 20 times as long.
            given += len(torch.from_numpy(batch["X"].toarray())) if len(classes) else 0
        return given

    return read


def _counts_and_classes(group: Any) -> anndata.AnnData:
    return anndata.AnnData(
        X=anndata.io.sparse_dataset(group["X"]), obs=anndata.io.read_elem(group["obs"])[["cell_type"]]
    )


def by_memory(file: Path, n_batches: int) -> Read:
    """All of the file in memory, and scipy: the limit of this work by one thread."""
    adata = anndata.read_h5ad(file)
    classes = adata.obs["cell_type"].cat.codes.to_numpy().astype(np.int64)
    random = np.random.default_rng(0)

    def read() -> int:
        given = 0
        for _ in range(n_batches):
            rows = random.permutation(adata.n_obs)[:BATCH_CELLS]
            given += len(torch.from_numpy(adata.X[rows].toarray())) if len(classes[rows]) else 0
        return given

    return read
