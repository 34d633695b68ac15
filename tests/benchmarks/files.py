"""The files that are read: one per kind of data and storage, made anew with the same content for each run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

N_IMAGES, N_EMBEDDINGS, N_FIELDS, N_TABLE, N_WORDS = 4096, 51_200, 96, 200_000, 20_000
IMAGE_ROWS, EMBEDDING_ROWS = 64, 1024
LONGER = 5

FILTERS: dict[str, dict[str, Any]] = {
    "gzip": {"compression": "gzip", "compression_opts": 4},
    "lzf": {"compression": "lzf"},
    "zstd": dict(hdf5plugin.Zstd()),
    "lz4": dict(hdf5plugin.LZ4()),
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "blosc2": dict(hdf5plugin.Blosc2(cname="lz4", filters=hdf5plugin.Blosc2.SHUFFLE)),
}


def make_images() -> np.ndarray:
    """Return uint8 pictures with smooth parts and specks: gzip makes 2.5 times less of them."""
    rng = np.random.default_rng(0)
    slope = np.linspace(0, 128, 64)[:, None, None] + np.linspace(0, 100, 64)[None, :, None]
    specks = rng.random((N_IMAGES, 64, 64, 3), np.float32) < 0.15
    return (slope + specks * rng.integers(1, 5, (N_IMAGES, 1, 1, 1))).astype(np.uint8)


def make_fields() -> np.ndarray:
    """Return float32 fields of three variables on a grid: smooth, with noise in the last bits."""
    rng = np.random.default_rng(1)
    grid = np.sin(np.linspace(0, 9, 256))[:, None] * np.cos(np.linspace(0, 7, 256))[None, :]
    return (grid + 0.01 * rng.standard_normal((N_FIELDS, 3, 1, 256))).astype("<f4")


def write_files(folder: Path) -> dict[str, Path]:
    """Write all files and return them by name.

    The dataset is ``x``; files whose rows are read at random have labels ``y`` too, and the table has 20 columns.
    """
    rng = np.random.default_rng(2)
    images, labels = make_images(), rng.integers(0, 10, N_IMAGES)
    files = {}

    def write(name: str, values: Any, labels: np.ndarray | None = None, **keywords: Any) -> None:
        files[name] = folder / f"{name}.h5"
        with h5py.File(files[name], "w") as file:
            file.create_dataset("x", data=values, **keywords)
            if labels is not None:
                file.create_dataset("y", data=labels)

    for name, keywords in FILTERS.items():
        write(name, images, chunks=(IMAGE_ROWS, 64, 64, 3), **keywords)
    for name in ("gzip", "lzf", "zstd", "lz4"):
        # Several windows of the loader, so that one is read while batches of the one before are made.
        write(f"{name}, long", np.tile(images, (LONGER, 1, 1, 1)), chunks=(IMAGE_ROWS, 64, 64, 3), **FILTERS[name])
    write("contiguous", images, labels)
    write("one-row chunks", images, labels, chunks=(1, 64, 64, 3))
    write("gzip, labelled", images, labels, chunks=(IMAGE_ROWS, 64, 64, 3), **FILTERS["gzip"])
    embeddings = rng.standard_normal((N_EMBEDDINGS, 128)).astype("<f4")
    write("embeddings", embeddings, chunks=(EMBEDDING_ROWS, 128), compression="gzip", shuffle=True)
    packed = {"chunks": (EMBEDDING_ROWS, 128), "compression": "gzip", "shuffle": True}
    embeddings = rng.standard_normal((LONGER * N_EMBEDDINGS, 128)).astype("<f4")
    write("embeddings, long", embeddings, **packed)
    # As models compute them; of numbers without a pattern gzip packs an eighth, and copies the rest.
    write("embeddings of half precision, long", embeddings.astype("f2").astype("<f4"), **packed)
    write("fields", make_fields(), chunks=(1, 3, 256, 256), compression="gzip", shuffle=True)
    words = np.array([f"word {i} " * (i % 7) for i in range(N_WORDS)], object)
    write("words", words, dtype=h5py.string_dtype())
    lists = np.empty(N_WORDS, object)
    lists[:] = [rng.standard_normal(i % 40).astype("<f4") for i in range(N_WORDS)]
    write("lists", lists, dtype=h5py.vlen_dtype(np.dtype("<f4")))
    files["table"] = folder / "table.h5"
    with h5py.File(files["table"], "w") as file:
        for i in range(20):
            file.create_dataset(f"column_{i:02}", data=rng.standard_normal(N_TABLE).astype("<f4"), chunks=(8192,))
    for name, n_copies in (("npy", 1), ("npy, long", LONGER)):
        files[name] = folder / name.replace(", ", "-")
        files[name].mkdir(exist_ok=True)
        np.save(files[name] / "x.npy", np.tile(images, (n_copies, 1, 1, 1)))
        np.save(files[name] / "y.npy", np.tile(labels, n_copies))
    # Of an epoch of 16 batches the start of its threads is a part that no epoch of a training has.
    write("contiguous, long", np.tile(images, (LONGER, 1, 1, 1)), np.tile(labels, LONGER))
    return files
