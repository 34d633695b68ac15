"""A shuffled epoch against other formats and packages: ``make bench ARGS="-k others"`` prints the table.

The same images, in batches of 256 as tensors of the stored type. Contenders take turns in every round and the best
round of each counts; before that each gives its batches once, which must hold the rows that it says, to the byte. Other
formats were written before: what that takes does not count. A line is skipped where its package is missing.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch

from . import others as by
from .turns import best_speeds

ROUNDS = 5


@dataclass(frozen=True)
class Work:
    """One line of the table; see ``bench_read``."""

    name: str
    file: str
    contenders: dict[str, Callable[[Path], by.Way]]
    rival: str
    optional: str | None = None
    at_least: float | None = 1
    of_limit: tuple[float | None, float | None] = (None, None)


H5TORCH = {
    "h5torch": partial(by.by_h5torch, n_batches=2),
    "h5torch, all in memory": partial(by.by_h5torch, n_batches=16, in_memory=True),
}

LZ4_PARQUET = partial(by.by_bytes_of_parquet, compression="lz4")

WORKS = [
    Work(
        "shuffled epoch, gzip, against zarr",
        "gzip",
        {"hf_h5": by.by_loader, "zarr by chunks": by.by_zarr_chunks, "zarr by rows": by.by_zarr},
        "zarr by chunks",
        "zarr",
    ),
    Work(
        "shuffled epoch, zstd, against zarr",
        "zstd",
        {"hf_h5": by.by_loader, "zarr by chunks": by.by_zarr_chunks},
        "zarr by chunks",
        "zarr",
    ),
    Work(
        "shuffled epoch, gzip, against Parquet",
        "gzip",
        {
            "hf_h5": by.by_loader,
            "Parquet of bytes": by.by_bytes_of_parquet,
            "Parquet of bytes, lz4": LZ4_PARQUET,
            "Parquet of lists": by.by_lists_of_parquet,
            "Parquet by datasets": by.by_arrays_of_datasets,
        },
        "Parquet of bytes",
    ),
    Work(
        "shuffled epoch, lz4, against Parquet",
        "lz4",
        {"hf_h5": by.by_loader, "Parquet of bytes, lz4": LZ4_PARQUET},
        "Parquet of bytes, lz4",
    ),
    Work("shuffled epoch, gzip, against h5torch", "gzip", {"hf_h5": by.by_loader, **H5TORCH}, "h5torch", "h5torch"),
    Work(
        "shuffled epoch, h5torch's file",
        "gzip",
        {"hf_h5": by.by_loader_of_its_file, **H5TORCH},
        "h5torch",
        "h5torch",
    ),
    Work(
        "shuffled epoch, gzip, against tensordict",
        "gzip",
        {
            "hf_h5": by.by_loader,
            "tensordict by chunks": by.by_tensordict_chunks,
            "tensordict by rows": by.by_tensordict,
        },
        "tensordict by chunks",
        "tensordict",
    ),
]


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> dict[str, Path]:
    datasets.disable_progress_bars()
    return by.write_images(tmp_path_factory.mktemp("others"))


@pytest.fixture(scope="session")
def sums(files) -> np.ndarray:
    """A checksum of each image, as h5py reads it."""
    return sums_of(by.images_of(files["gzip"]))


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def bench_others(benchmark, files, sums, work, report):
    if work.optional:
        pytest.importorskip(work.optional, reason=f"{work.optional} is not installed: make bench does that")
    ways = {name: make(files[work.file]) for name, make in work.contenders.items()}
    for way in ways.values():
        expect_its_rows(way, sums)
    report(work, best_speeds(benchmark, {name: partial(count, way) for name, way in ways.items()}, ROUNDS))


def count(way: by.Way) -> int:
    return sum(map(len, way.batches()))


def expect_its_rows(way: by.Way, sums: np.ndarray) -> None:
    found = []
    for batch in way.batches():
        assert batch.dtype == torch.uint8
        assert batch.shape == (by.BATCH_ROWS, *by.ROW_SHAPE)
        found.append(sums_of(batch.numpy()))
    assert np.array_equal(np.sort(np.concatenate(found)), np.sort(sums[way.rows]))


def sums_of(images: np.ndarray) -> np.ndarray:
    return np.array([zlib.crc32(image) for image in images], np.uint32)
