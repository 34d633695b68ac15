"""One small file in both modes, for tests that do the same to a view and to the cached dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np

import hf_h5

__all__ = ["N_ROWS", "both_modes", "write_pets"]

N_ROWS = 37


def write_pets(file: Path, n_rows: int = N_ROWS) -> Path:
    """Write images in chunks of four rows, labels, names, and numbers with repeats."""
    random = np.random.default_rng(5)
    with h5py.File(file, "w") as handle:
        images = random.integers(0, 256, (n_rows, 3, 2), np.uint8)
        handle.create_dataset("images", data=images, chunks=(4, 3, 2), compression="gzip")
        species = h5py.enum_dtype({"cat": 0, "dog": 1}, np.uint8)
        handle.create_dataset("species", data=np.arange(n_rows) % 2, dtype=species)
        handle["names"] = [f"pet {number % 7}" for number in range(n_rows)]
        handle["weights"] = random.normal(size=n_rows).round(1).astype("f4")
        handle["row"] = np.arange(n_rows)
    return file


def both_modes(file: Path, cache: Path, **options: Any) -> tuple[datasets.Dataset, hf_h5.H5TorchView]:
    """Open a file in both modes, in the format of the view."""
    cached = datasets.load_dataset("hf_h5", data_files=str(file), split="train", cache_dir=str(cache), **options)
    return cached.with_format("torch"), hf_h5.H5TorchView(file, **options)
