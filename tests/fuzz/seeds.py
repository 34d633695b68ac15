"""Small valid files of every layout, for the mutator; each is its bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

__all__ = ["SECRET", "make_seeds"]

SECRET = b"the-bytes-of-another-file"
"""What lies in a file beside each mutant and must never come out of it."""

_ROWS = 40
_random = np.random.default_rng(0)
_NUMBERS = _random.integers(0, 1000, (_ROWS, 3), np.int32)
_TEXTS = [f"row number {row}" * (row % 4) for row in range(_ROWS)]


def _plain(out: h5py.File) -> None:
    out["x"] = _NUMBERS
    out["y"] = np.arange(_ROWS, dtype=">f4")
    out["obs/image"] = np.arange(_ROWS * 12, dtype=np.uint8).reshape(_ROWS, 3, 4)
    out["x"].attrs["units"] = "m/s"
    out.attrs["title"] = "plain"


def _chunked(**filters: Any) -> Callable[[h5py.File], None]:
    def write(out: h5py.File) -> None:
        out.create_dataset("x", data=_NUMBERS, chunks=(7, 3), **filters)
        out.create_dataset("y", data=np.arange(_ROWS, dtype="f8"), chunks=(16,), maxshape=(None,), **filters)
        out.create_dataset("sparse", (_ROWS, 2), "i2", chunks=(8, 1), fillvalue=-7, **filters)[10:12] = 5

    return write


def _texts(out: h5py.File) -> None:
    out["name"] = _TEXTS
    out.create_dataset("packed", data=np.array(_TEXTS, "S60"), chunks=(9,), compression="gzip")
    out.create_dataset("chunked", data=_TEXTS, chunks=(9,), dtype=h5py.string_dtype(), shuffle=True, compression=1)


def _lists(out: h5py.File) -> None:
    rows = out.create_dataset("lists", (_ROWS,), h5py.vlen_dtype(np.float32))
    nested = out.create_dataset("bytes", (_ROWS,), h5py.vlen_dtype(np.uint8), chunks=(8,))
    for row in range(_ROWS):
        rows[row] = np.arange(row % 5, dtype=np.float32)
        nested[row] = np.arange(row % 7, dtype=np.uint8)


def _compound(out: h5py.File) -> None:
    kind = np.dtype([("a", "i4"), ("b", "f8", (2,)), ("c", "S8")])
    table = np.zeros(_ROWS, kind)
    table["a"], table["c"] = np.arange(_ROWS), b"text"
    out.create_dataset("table", data=table, chunks=(11,), compression="gzip")
    out.create_dataset("label", data=np.arange(_ROWS) % 2, dtype=h5py.enum_dtype({"cat": 0, "dog": 1}, "i1"))
    out["flag"] = np.arange(_ROWS) % 3 == 0


def _linked(out: h5py.File) -> None:
    out["a/b/x"] = _NUMBERS
    out["a/soft"] = h5py.SoftLink("/a/b/x")
    out["hard"] = out["a/b/x"]
    out["reference"] = np.array([out["a/b"].ref] * _ROWS, h5py.ref_dtype)
    out["loop"] = out["a"]


def _episodes(out: h5py.File) -> None:
    for number in range(6):
        group = out.create_group(f"data/demo_{number}")
        group["action"] = np.full((number + 3, 2), number, np.float32)
        group["state"] = np.arange(number + 3)
        group.attrs["success"] = bool(number % 2)


def _virtual(out: h5py.File) -> None:
    out["part"] = _NUMBERS
    layout = h5py.VirtualLayout((_ROWS, 3), "i4")
    layout[:] = h5py.VirtualSource(".", "part", (_ROWS, 3))
    out.create_virtual_dataset("whole", layout)


def _outside(out: h5py.File) -> None:
    out["x"] = _NUMBERS
    out["link"] = h5py.ExternalLink("secret.h5", "/x")
    out.create_dataset("raw", (8,), "u1", external=[("secret.bin", 0, 8)])


_WRITERS: dict[str, Callable[[h5py.File], None]] = {
    "plain": _plain,
    "gzip": _chunked(compression="gzip", shuffle=True, fletcher32=True),
    "lzf": _chunked(compression="lzf"),
    "bare": _chunked(),
    "texts": _texts,
    "lists": _lists,
    "compound": _compound,
    "linked": _linked,
    "episodes": _episodes,
    "virtual": _virtual,
    "outside": _outside,
}


def make_seeds(folder: Path) -> dict[str, bytes]:
    """Write each file in the oldest format of the library, which has no checksums, and some in the newest."""
    seeds: dict[str, bytes] = {}
    for name, write in _WRITERS.items():
        for libver in ("earliest", "latest"):
            path = folder / f"{name}-{libver}.h5"
            # A small block of metadata, so that the file is mostly what the mutator is after.
            with h5py.File(path, "w", libver=libver, userblock_size=512 * (name == "compound")) as out:
                write(out)
            seeds[path.stem] = path.read_bytes()
    return seeds
