"""Shuffled batches of 256 dense cells out of sparse `.h5ad` files: ``make bench ARGS="-k sparse"`` prints the table.

Contenders take turns in every round; the best round of each counts. annbatch reads no HDF5: it gets its own zarr, and
what making that took is said apart. It needs Python 3.12 (``pip install "annbatch[zarrs]"``) and is left out where it
is not installed. ``BENCH_CELLS`` says how many cells the files have: 60,000 are 600 MB, 200,000 are 2 GB.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import cells
from .turns import LIMIT, best_speeds

ROUNDS = 3
N_CELLS = int(os.environ.get("BENCH_CELLS", "60000"))
# Of what is slow some batches are enough: speeds are compared by cell.
N_BATCHES = {"backed": 4, LIMIT: 64}


@dataclass(frozen=True)
class Work:
    """One line of the table; see ``bench_read``."""

    name: str
    rival: str = "backed, sorted"
    at_least: float | None = 5
    of_limit: tuple[float | None, float | None] = (None, None)


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> dict[str, Path]:
    return cells.write_cells(tmp_path_factory.mktemp("cells"), N_CELLS)


@pytest.fixture(scope="session")
def zarr_folder(files, tmp_path_factory) -> tuple[Path, float] | None:
    """annbatch's copy of the cells and the seconds it took; None where annbatch is not installed."""
    if importlib.util.find_spec("annbatch") is None:
        return None
    folder = tmp_path_factory.mktemp("annbatch")
    return folder, cells.annbatch_converted(files["plain"], folder)


@pytest.mark.parametrize("name", ["plain", "gzip"])
def bench_sparse(benchmark, files, zarr_folder, name, report):
    file = files[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        readers = {
            "hf_h5": cells.by_loader(file),
            "backed, sorted": cells.by_backed(file, N_BATCHES["backed"], ordered=True),
            "backed": cells.by_backed(file, N_BATCHES["backed"], ordered=False),
            LIMIT: cells.by_memory(file, N_BATCHES[LIMIT]),
        }
        if zarr_folder is not None:
            readers["annbatch"] = cells.by_annbatch(zarr_folder[0])
    speeds = best_speeds(benchmark, readers, ROUNDS)
    if zarr_folder is not None:
        # Its first epoch, with what it took to make the zarr.
        speeds["annbatch with its conversion"] = N_CELLS / (zarr_folder[1] + N_CELLS / speeds["annbatch"])
    report(Work(f"{N_CELLS:,} cells, shuffled and dense, {name}"), speeds)
