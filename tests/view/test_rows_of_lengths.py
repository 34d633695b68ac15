"""Rows of numbers, each as long as it likes: a view gives what the formatters of `datasets` give, to the last bit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest
import torch

import hf_h5
from tests.exact import assert_exact

LENGTHS = {
    "of one length": [3, 3, 3, 3],
    "of all lengths": [3, 1, 4, 2],
    "of one and of other lengths": [2, 2, 5, 5],
    "of one number": [1, 1, 1, 1],
    "some without numbers": [2, 0, 2, 0],
    "all without numbers": [0, 0, 0, 0],
}
DTYPES = ("?", "u1", "i2", "u2", "u4", "i8", "u8", "f2", "f4", "f8", ">i4", ">f4")
FORMATS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "torch": ("torch", {}),
    "torch as stored": ("torch", {"dtype": None}),
    "torch float32": ("torch", {"dtype": torch.float32}),
    "torch float16": ("torch", {"dtype": torch.float16}),
    "torch int64": ("torch", {"dtype": torch.int64}),
    "torch on the cpu": ("torch", {"device": "cpu"}),
    "torch with gradients": ("torch", {"dtype": torch.float64, "requires_grad": True}),
    "numpy": ("numpy", {}),
    "numpy float64": ("numpy", {"dtype": np.float64}),
    "numpy int8": ("numpy", {"dtype": np.int8}),
    "python": (None, {}),
}
READS: dict[str, Callable[[Any], Any]] = {
    "a row": lambda rows: rows[2],
    "every row": lambda rows: [rows[number] for number in range(len(rows))],
    "all": lambda rows: rows[:],
    "a batch of one": lambda rows: rows[1:2],
    "a batch without rows": lambda rows: rows[2:2],
    "a batch of two of a length": lambda rows: rows[[0, 2]],
    "rows in another order": lambda rows: rows[[3, 1, 1]],
    "iterated": list,
    "a column": lambda rows: rows["x"][:],
}


def drawn(dtype: str, lengths: list[int], inner: tuple[int, ...], *, large: bool = False) -> list[Any]:
    random = np.random.default_rng(len(lengths) + sum(lengths))
    high = 2 if dtype == "?" else 100
    rows = [random.integers(0, high, (length, *inner)).astype(dtype) for length in lengths]
    for row in rows:
        if row.dtype.kind == "f" and row.size:
            # torch gives a half NaN other bits alone than among others.
            row.flat[0], row.flat[-1] = np.inf if dtype == "f2" else np.nan, -0.0
        if large and row.size:
            row.flat[0] = np.iinfo(row.dtype).max
    return rows


def both(folder: Path, rows: list[Any], *, layout: str) -> tuple[datasets.Dataset, hf_h5.H5TorchView]:
    """A view of rows in a file, and a data set of the same rows that knows nothing of the file."""
    file = folder / "a.h5"
    with h5py.File(file, "w") as out:
        if layout == "episodes":
            for number, row in enumerate(rows):
                out[f"data/demo_{number}/x"] = row
        else:
            made = out.create_dataset("x", (len(rows),), h5py.vlen_dtype(rows[0].dtype))
            for number, row in enumerate(rows):
                made[number] = row
    view = hf_h5.H5TorchView(file, columns=["x"], layout=layout)
    known = datasets.Dataset.from_dict({"x": rows}, features=view.features)
    return known, view


def outcome(go: Callable[[], Any]) -> Any:
    """What comes back, or the kind of error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return go()
    except (RuntimeError, TypeError, ValueError, OverflowError, IndexError) as error:
        return type(error).__name__


def assert_alike(known: datasets.Dataset, view: hf_h5.H5TorchView, name: str) -> None:
    kind, arguments = FORMATS[name]
    for read in READS:
        expected = outcome(lambda read=read: READS[read](known.with_format(kind, **arguments)))
        found = outcome(lambda read=read: READS[read](view.with_format(kind, **arguments)))
        assert_exact(found, expected, f"{name}, {read}")


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_come_out_as_the_formatters_give_them(tmp_path: Path, dtype: str, lengths: str) -> None:
    known, view = both(tmp_path, drawn(dtype, LENGTHS[lengths], ()), layout="episodes")
    with view:
        for name in FORMATS:
            assert_alike(known, view, name)


@pytest.mark.parametrize("dtype", ["?", "u1", "u8", "f2", ">f4"])
def test_lists_of_a_dataset_come_out_as_the_formatters_give_them(tmp_path: Path, dtype: str) -> None:
    known, view = both(tmp_path, drawn(dtype, LENGTHS["some without numbers"], ()), layout="auto")
    with view:
        for name in FORMATS:
            assert_alike(known, view, name)


@pytest.mark.parametrize("lengths", ["of one length", "of all lengths", "of one and of other lengths"])
@pytest.mark.parametrize("dtype", ["?", "u1", "u8", "f2", "f4"])
def test_rows_of_more_axes_come_out_as_the_formatters_give_them(tmp_path: Path, dtype: str, lengths: str) -> None:
    known, view = both(tmp_path, drawn(dtype, LENGTHS[lengths], (2, 3)), layout="episodes")
    with view:
        for name in FORMATS:
            assert_alike(known, view, name)


@pytest.mark.parametrize("layout", ["episodes", "auto"])
@pytest.mark.parametrize("lengths", ["of one length", "of all lengths"])
def test_numbers_beyond_int64_come_out_as_the_formatters_give_them(tmp_path: Path, lengths: str, layout: str) -> None:
    known, view = both(tmp_path, drawn("u8", LENGTHS[lengths], (), large=True), layout=layout)
    with view:
        for name in FORMATS:
            assert_alike(known, view, name)
