"""How fast files open mapped, cached sets are read by a view, and arrays are stored as lists: ``make bench``.

``make bench ARGS="-k mapped"`` runs these alone.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import h5py
import pytest

import hf_h5

from . import epochs as by
from .bench_builder import folder
from .bench_view import ROUNDS, Work
from .conversion_runs import ROOT, convert
from .conversions import FILES
from .turns import LIMIT, best_speeds, made_of_files

__all__ = ["folder"]

N_BATCHES = 80
"""As many rows as the limit takes: the first batch of a round finds no memory that was used before."""


def cached(file: Path, **options: Any) -> datasets.Dataset:
    folder = str(file.parent / "cache")
    return datasets.load_dataset("hf_h5", data_files=str(file), split="train", cache_dir=folder, columns="x", **options)


def stored_types(rows: Any) -> Any:
    return rows.with_format("torch", dtype=None)


def view_rows(file: Path, n_batches: int = N_BATCHES, **options: Any) -> by.Work:
    return by.by_random_rows(stored_types(hf_h5.H5TorchView.from_dataset(cached(file, **options))), n_batches)


def dataset_rows(file: Path, n_batches: int = 2) -> by.Work:
    return by.by_random_rows(stored_types(cached(file)), n_batches)


def mapped_rows(file: Path, n_batches: int = N_BATCHES) -> by.Work:
    return by.by_random_rows(
        stored_types(hf_h5.H5TorchView.from_dataset(hf_h5.open_dataset(file, columns="x"))), n_batches
    )


def view_single(file: Path) -> by.Work:
    return by.by_single_rows(stored_types(hf_h5.H5TorchView.from_dataset(cached(file))), 4000)


def dataset_single(file: Path) -> by.Work:
    return by.by_single_rows(stored_types(cached(file)), 400)


WORKS = [
    Work(
        "256 random rows of a cached set, images",
        "contiguous, long",
        {"hf_h5": view_rows, "datasets": dataset_rows, LIMIT: by.by_take},
        "datasets",
        25,
        (0.7, None),
        "npy, long",
    ),
    Work(
        "the same with arrays='list'",
        "contiguous, long",
        {"hf_h5": partial(view_rows, arrays="list"), "datasets": dataset_rows, LIMIT: by.by_take},
        "datasets",
        25,
        (0.7, None),
        "npy, long",
    ),
    Work(
        "the same of a mapped set",
        "contiguous, long",
        {"hf_h5": mapped_rows, "datasets": dataset_rows, LIMIT: by.by_take},
        "datasets",
        25,
        (0.7, None),
        "npy, long",
    ),
    Work(
        "single rows of a cached set, images",
        "contiguous, long",
        {"hf_h5": view_single, "datasets": dataset_single},
        "datasets",
        15,
    ),
    Work(
        "256 random rows of a cached set, embeddings",
        "embeddings, long",
        {"hf_h5": partial(view_rows, n_batches=60), "datasets": partial(dataset_rows, n_batches=10)},
        "datasets",
        7,
    ),
]


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def bench_mapped_rows(benchmark, files, work, report):
    contenders = made_of_files(work, work.contenders, files)
    report(work, best_speeds(benchmark, contenders, ROUNDS))


@pytest.fixture(scope="session")
def sparse_file(tmp_path_factory) -> Path:
    """A contiguous file of 4 GB of which only the ends are written: the file system stores no more of it."""
    file = tmp_path_factory.mktemp("sparse") / "images.h5"
    with h5py.File(file, "w") as out:
        images = out.create_dataset("x", (330_000, 64, 64, 3), "u1")
        images[0], images[-1] = 1, 2
    return file


def bench_mapped_opening(benchmark, sparse_file, tmp_path, add_line):
    command = [sys.executable, "-m", "tests.benchmarks.open_mapped", str(sparse_file), str(tmp_path / "cache")]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    found: list[list[float]] = []

    def once() -> None:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment, check=True)
        found.append([float(word) for word in done.stdout.split()])

    benchmark.pedantic(once, rounds=5)
    first, best, held, written = (min(each) for each in zip(*found, strict=True))
    line = (
        "4 GB of contiguous images, open_dataset",
        f"{first * 1e3:.0f} / {best * 1e3:.0f}",
        "60",
        f"{held / 1e6:.0f}",
        "20",
        f"{written:.0f}",
    )
    headings = ("file", "ms, first / best", "at most", "MB", "at most", "bytes written")
    add_line("files opened", headings, line)


@pytest.mark.parametrize(("name", "at_least"), [("images, contiguous", 2.3), ("images, gzip", 4.8)])
def bench_mapped_lists(benchmark, request, tmp_path_factory, folder, name, at_least, add_line):
    """Conversions to nested lists against the tuned packaged builder, each in a process of its own."""
    pytest.importorskip("datasets.packaged_modules.hdf5", reason="this version of datasets has no builder for HDF5")
    file = tmp_path_factory.mktemp("lists") / "file.h5"
    FILES[name](file)
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "lists": ("hf_h5", {"arrays": "list"}),
        "arrays": ("hf_h5", {}),
        "packaged": ("hdf5", {"batch_size": 1024}),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}

    def round_of_all() -> None:
        for each, way in ways.items():
            seconds[each].append(convert(file, folder / "cache", way)[0])
            shutil.rmtree(folder / "cache")

    benchmark.pedantic(round_of_all, rounds=1 if request.config.getoption("quick") else 5)
    medians = {way: statistics.median(each) for way, each in seconds.items()}
    line = (
        name,
        f"{medians['lists']:.2f}",
        f"{medians['packaged'] / medians['lists']:.2f}",
        f"{at_least:g}",
        f"{medians['packaged'] / medians['arrays']:.2f}",
    )
    headings = ("file", "arrays='list', s", "times packaged, batch_size=1024", "at least", "times packaged, arrays")
    add_line("files converted to lists", headings, line)
