"""Small HDF5 files for tests that are about something else than what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

__all__ = ["digits", "write_digits", "write_h5"]


def write_h5(file: Path, datasets: Mapping[str, Any], **options: Any) -> Path:
    """Write datasets by path into a new file; ``options`` are those of ``create_dataset``."""
    with h5py.File(file, "w") as handle:
        for path, values in datasets.items():
            handle.create_dataset(path, data=values, **options)
    return file


def digits(n_rows: int = 10, seed: int = 0) -> dict[str, Any]:
    """Return images and labels whose every value is another one for another seed, as far as uint8 goes."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (n_rows, 4, 5), np.uint8)
    return {"images": images, "labels": np.arange(n_rows, dtype=np.int64) + 1000 * seed}


def write_digits(file: Path, n_rows: int = 10, seed: int = 0, **options: Any) -> Path:
    """Write what ``digits`` returns."""
    return write_h5(file, digits(n_rows, seed), **options)
