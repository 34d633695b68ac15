"""Files that conversions are tried on, and the comparison with what `load_dataset` makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pyarrow as pa

import hf_h5

__all__ = ["assert_same_rows", "hidden_files", "rows_of", "write_files"]


def write_files(folder: Path, counts: Sequence[int] = (40, 25, 60)) -> list[str]:
    """Files of images, labels and texts in chunks of 8 rows; ``uid`` counts through all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    files, first = [], 0
    for number, count in enumerate(counts):
        uid = np.arange(first, first + count)
        file = folder / f"part-{number}.h5"
        with h5py.File(file, "w") as handle:
            images = (uid[:, None, None] + np.arange(12).reshape(1, 3, 4)).astype(np.float32)
            handle.create_dataset("images", data=images, chunks=(8, 3, 4), compression="gzip")
            handle.create_dataset("uid", data=uid, chunks=(8,))
            handle.create_dataset("text", data=[f"row {each}" for each in uid])
        files.append(str(file))
        first += count
    return files


def rows_of(rows: datasets.Dataset) -> pa.Table:
    """All rows as one Arrow table in memory order."""
    return rows.with_format("arrow")[:].combine_chunks()


def assert_same_rows(found: Any, files: Any, **options: Any) -> None:
    """Compare with ``load_dataset("hf_h5", files)``: features, values, order, split by split."""
    expected = hf_h5.load_dataset(files, **options)
    assert list(found) == list(expected)
    for split, rows in expected.items():
        assert found[split].features == rows.features
        assert rows_of(found[split]).equals(rows_of(rows)), split


def hidden_files(folder: Path) -> list[str]:
    """What ``datasets`` does not take for data: the manifest, and whatever was left over."""
    return sorted(each.name for each in folder.rglob(".*") if each.is_file())
