"""The file of the demo: real images of handwritten digits, written as people write HDF5 files."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from ..errors import MissingPackageError

__all__ = ["write_digits"]

_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def write_digits(file: str) -> int:
    """Write scikit-learn's bundled digits to ``file``; say how many there are.

    ``images`` ``(1797, 8, 8)`` uint8 in ``[0, 16]``, chunked and gzipped; ``labels`` uint8; ``class_names``.
    """
    digits = _load_digits()
    images = digits.images.astype(np.uint8)
    with h5py.File(file, "w") as handle:
        handle.create_dataset("images", data=images, chunks=(64, 8, 8), compression="gzip", shuffle=True)
        handle["images"].attrs["description"] = "gray levels from 0 (white) to 16 (black)"
        handle["labels"] = digits.target.astype(np.uint8)
        handle["class_names"] = np.array(_NAMES, dtype=object).astype(h5py.string_dtype())
        handle.attrs["title"] = "Optical recognition of handwritten digits"
        handle.attrs["source"] = "UCI Machine Learning Repository, as bundled with scikit-learn"
    return len(images)


def _load_digits() -> Any:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingPackageError(
            "the demo takes its images from scikit-learn, which is not installed", hint='pip install "hf-h5[demo]"'
        ) from error
    return load_digits()
