"""The files that are converted: one per kind of data and storage, made anew with the same content for each run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .files import FILTERS, make_fields, make_images

BLOCK, N_BLOCKS = 4096, 6
# 315 MB of pixels.
N_IMAGES = BLOCK * N_BLOCKS + 1024
# Large enough that what a conversion costs before its first row is a tenth of it at most.
N_EMBEDDINGS, N_TABLE, N_RAGGED = 1_024_000, 2_500_000, 60_000
# More rows than a batch of the rival that is told to take 1024.
FIELD_REPEATS = 12


def write_images(file: Path, n_images: int = N_IMAGES, **keywords: Any) -> None:
    block = make_images()
    with h5py.File(file, "w") as opened:
        images = opened.create_dataset("image", (n_images, 64, 64, 3), "u1", **keywords)
        for start in range(0, n_images, BLOCK):
            # Other values in each block, which are as easy to pack.
            images[start : start + BLOCK] = (block + np.uint8(start // BLOCK))[: n_images - start]


def contiguous_images(file: Path) -> None:
    write_images(file)


def gzip_images(file: Path) -> None:
    write_images(file, chunks=(64, 64, 64, 3), **FILTERS["gzip"])


def twice_as_many_images(file: Path) -> None:
    write_images(file, 2 * N_IMAGES, chunks=(64, 64, 64, 3), **FILTERS["gzip"])


def embeddings(file: Path, *, shuffle: bool = True) -> None:
    values = np.random.default_rng(2).standard_normal((N_EMBEDDINGS, 128)).astype("<f4")
    with h5py.File(file, "w") as opened:
        opened.create_dataset("x", data=values, chunks=(1024, 128), compression="gzip", shuffle=shuffle)


def unshuffled_embeddings(file: Path) -> None:
    embeddings(file, shuffle=False)


def fields(file: Path) -> None:
    values = np.concatenate([make_fields() + np.float32(number) for number in range(FIELD_REPEATS)])
    with h5py.File(file, "w") as opened:
        opened.create_dataset("x", data=values, chunks=(1, 3, 256, 256), compression="gzip", shuffle=True)


def table(file: Path) -> None:
    random = np.random.default_rng(4)
    with h5py.File(file, "w") as opened:
        for number in range(20):
            opened[f"column_{number:02}"] = random.standard_normal(N_TABLE).astype("<f4")


def ragged(file: Path) -> None:
    random = np.random.default_rng(5)
    values = np.empty(N_RAGGED, object)
    values[:] = [random.standard_normal(size).astype("<f4") for size in random.integers(0, 60, N_RAGGED)]
    words = np.array([f"row {number} " * (number % 7) for number in range(N_RAGGED)], object)
    with h5py.File(file, "w") as opened:
        opened.create_dataset("lists", data=values, dtype=h5py.vlen_dtype(np.dtype("<f4")))
        opened.create_dataset("words", data=words, dtype=h5py.string_dtype())


FILES: dict[str, Callable[[Path], None]] = {
    "images, contiguous": contiguous_images,
    "images, gzip": gzip_images,
    "twice as many images, gzip": twice_as_many_images,
    "embeddings, gzip and shuffle": embeddings,
    "embeddings, gzip alone": unshuffled_embeddings,
    "fields, gzip and shuffle": fields,
    "20 columns": table,
    "ragged and strings": ragged,
}
