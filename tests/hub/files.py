"""HDF5 files that are pushed, with what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

__all__ = ["write_digits", "write_flat", "write_nested", "write_several", "write_splits"]

CLASSES = ["zero", "one", "two"]


def write_digits(file: Path, n_rows: int = 120) -> dict[str, Any]:
    """Images with labels that are an enum, names, units and a title; return the columns."""
    rng = np.random.default_rng(7)
    images = rng.integers(0, 255, (n_rows, 4, 4), np.uint8)
    labels = (np.arange(n_rows) % 3).astype(np.int8)
    names = [f"row {number}" for number in range(n_rows)]
    with h5py.File(file, "w") as handle:
        handle.attrs["title"] = "Handwritten digits"
        stored = handle.create_dataset("images", data=images, chunks=(10, 4, 4))
        stored.attrs["units"], stored.attrs["long_name"] = "counts", "Pixels of a digit"
        enum = h5py.enum_dtype({name: code for code, name in enumerate(CLASSES)}, "i1")
        handle.create_dataset("labels", data=labels, dtype=enum)
        handle["names"] = names
        handle["cubes"] = np.arange(n_rows * 8, dtype="f4").reshape(n_rows, 2, 2, 2)
    return {"images": images.tolist(), "labels": labels.tolist(), "names": names}


def write_flat(file: Path, n_rows: int, *, seed: int = 0) -> None:
    """One column of numbers that do not compress, in chunks of a thousand rows of 8 bytes."""
    with h5py.File(file, "w") as handle:
        values = np.random.default_rng(seed).integers(0, 2**62, n_rows)
        handle.create_dataset("x", data=values, chunks=(min(1000, n_rows),))


def write_nested(file: Path) -> None:
    with h5py.File(file, "w") as handle:
        handle["obs/img"] = np.arange(80, dtype=np.uint8).reshape(20, 2, 2)
        handle["obs/state"] = np.arange(60, dtype=np.float32).reshape(20, 3)
        handle["action"] = np.arange(20)


def write_splits(file: Path) -> None:
    with h5py.File(file, "w") as handle:
        for split, n_rows in (("train", 30), ("test", 10)):
            handle[f"{split}/x"] = np.arange(n_rows * 2.0).reshape(n_rows, 2)
            handle[f"{split}/y"] = np.arange(n_rows)


def write_several(file: Path) -> None:
    """Two tables: one of many rows, which is the default, and one of few."""
    with h5py.File(file, "w") as handle:
        handle["frames/image"] = np.zeros((40, 8, 8), np.uint8)
        handle["frames/time"] = np.arange(40.0)
        handle["events/kind"] = np.arange(5)
