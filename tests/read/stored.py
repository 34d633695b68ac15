"""HDF5 files to read, and what they hold according to the HDF5 library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from h5py import h5s

from hf_h5.read.cache import ChunkCache
from hf_h5.read.direct import DirectDataset
from hf_h5.read.index import build_index, why_not_direct
from hf_h5.read.source import LocalSource

FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "gzip": {"compression": "gzip", "compression_opts": 4},
    "gzip+shuffle": {"compression": "gzip", "shuffle": True},
    "gzip+shuffle+fletcher32": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "shuffle": {"shuffle": True},
    "fletcher32": {"fletcher32": True},
    "lzf": {"compression": "lzf"},
    "lzf+shuffle": {"compression": "lzf", "shuffle": True},
    "szip": {"compression": "szip"},
    "bzip2": dict(hdf5plugin.BZip2()),
    "lz4": dict(hdf5plugin.LZ4()),
    "lz4, small blocks": dict(hdf5plugin.LZ4(nbytes=64)),
    "zstd": dict(hdf5plugin.Zstd()),
    "zstd+shuffle+fletcher32": {"shuffle": True, "fletcher32": True, **hdf5plugin.Zstd()},
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="none")),
    "bitshuffle+lz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "bitshuffle+lz4, small blocks": dict(hdf5plugin.Bitshuffle(cname="lz4", nelems=16)),
    "bitshuffle+zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    "blosc+lz4": dict(hdf5plugin.Blosc(cname="lz4", shuffle=hdf5plugin.Blosc.SHUFFLE)),
    "blosc+zstd+bit": dict(hdf5plugin.Blosc(cname="zstd", shuffle=hdf5plugin.Blosc.BITSHUFFLE)),
    "blosc+blosclz": dict(hdf5plugin.Blosc(cname="blosclz", shuffle=hdf5plugin.Blosc.NOSHUFFLE)),
    "blosc+zlib": dict(hdf5plugin.Blosc(cname="zlib")),
    "blosc+lz4hc": dict(hdf5plugin.Blosc(cname="lz4hc")),
    "blosc2+zstd": dict(hdf5plugin.Blosc2(cname="zstd", filters=hdf5plugin.Blosc2.SHUFFLE)),
    "blosc2+lz4+bit": dict(hdf5plugin.Blosc2(cname="lz4", filters=hdf5plugin.Blosc2.BITSHUFFLE)),
    "blosc2+blosclz": dict(hdf5plugin.Blosc2(cname="blosclz", filters=hdf5plugin.Blosc2.NOFILTER)),
    "blosc2+zlib": dict(hdf5plugin.Blosc2(cname="zlib")),
}
"""Keyword arguments of ``create_dataset`` for every filter pipeline that must be read directly."""


def read_stored(dataset: h5py.Dataset) -> np.ndarray:
    """Read a whole dataset through the HDF5 library as it is stored, byte order and padding included."""
    base, inner = dataset.dtype, ()
    while base.subdtype:
        base, shape = base.subdtype
        inner += shape
    out = np.zeros((*dataset.shape, *inner), base)
    if out.size:
        dataset.id.read(h5s.ALL, h5s.ALL, out, dataset.id.get_type())
    return out


def open_direct(
    file: Path, path: str = "x", *, cache: ChunkCache | None = None, threads: int = 1
) -> tuple[DirectDataset, np.ndarray]:
    """Open a dataset for direct reads, and return it with all its rows as the HDF5 library reads them."""
    with h5py.File(file) as opened:
        assert why_not_direct(opened[path]) is None
        index, expected = build_index(opened[path]), read_stored(opened[path])
    source = LocalSource(file)
    return DirectDataset(index, source, file=str(file), path=f"/{path}", cache=cache, threads=threads), expected


def pick_rows(stored: np.ndarray, rows: Any) -> np.ndarray:
    """Index rows, padding included: numpy copies structured values field by field."""
    opaque = stored.view(np.dtype((np.void, stored.dtype.itemsize)))
    return opaque[rows if isinstance(rows, slice) else np.array(rows, int)].view(stored.dtype)


def same_bytes(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether two arrays agree in shape, type and every byte, NaNs and padding included."""
    return found.shape == expected.shape and found.dtype == expected.dtype and found.tobytes() == expected.tobytes()


def filter_ids(dataset: h5py.Dataset) -> Sequence[int]:
    """Return the identifiers of a dataset's filters."""
    properties = dataset.id.get_create_plist()
    return [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
