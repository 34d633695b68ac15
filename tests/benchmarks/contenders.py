"""Ways to read the same rows: this package, what it is compared with, and the limit that the machine sets.

A contender is a function from row numbers to the values of these rows. Each may use memory of its own again, as the
values are looked at before the next call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import hf_h5
from hf_h5.read.codecs import Decoder
from hf_h5.read.index import build_index

from .handwritten import HandWritten

Rows = Any
Read = Callable[[Rows], Any]

THREADS = 2


def by_hf_h5(file: Path, *, reuse: bool = True, **options: Any) -> Read:
    """The reader of this package, into memory that is used again."""
    reader = hf_h5.open_table(file, threads=THREADS, **options)
    outs: dict[int, Any] = {}

    def read(rows: Rows) -> Any:
        numbers = np.arange(len(reader))[rows] if isinstance(rows, slice) else rows
        out = outs.get(len(numbers)) if reuse else None
        found = reader.read(rows, out=out)
        outs[len(numbers)] = found
        return found["x"] if list(found) == ["x"] else list(found.values())

    return read


def by_h5py(file: Path) -> Read:
    """h5py used well: slices along the chunks, into memory that is used again."""
    opened = h5py.File(file)
    datasets = [opened[name] for name in opened]
    outs: dict[int, list[np.ndarray]] = {}

    def read(rows: slice) -> Any:
        stop = min(rows.stop, len(datasets[0]))
        count = stop - rows.start
        found = outs.setdefault(count, [np.empty((count, *each.shape[1:]), each.dtype) for each in datasets])
        for each, out in zip(datasets, found, strict=True):
            each.read_direct(out, np.s_[rows.start : stop])
        return found[0] if len(found) == 1 else found

    return read


def by_h5py_strings(file: Path) -> Read:
    """h5py for strings, which have no memory to use again."""
    dataset = h5py.File(file)["x"].asstr()
    return lambda rows: dataset[rows]


def by_h5py_lists(file: Path) -> Read:
    """h5py for lists of variable length."""
    dataset = h5py.File(file)["x"]
    return lambda rows: dataset[rows]


def by_handwritten(file: Path) -> Read:
    """The class that everybody writes, in a DataLoader in this process, which is its fastest form here."""
    from torch.utils.data import DataLoader

    dataset = HandWritten(file)

    def read(rows: np.ndarray) -> list[np.ndarray]:
        batch = next(iter(DataLoader(dataset, batch_size=len(rows), sampler=rows.tolist())))
        return [part.numpy() for part in batch]

    return read


def by_pyfive(file: Path) -> Read:
    """pyfive reads HDF5 in pure Python."""
    import pyfive

    dataset = pyfive.File(file)["x"]
    return lambda rows: dataset[rows]


def by_hidefix(file: Path) -> Read:
    """hidefix reads HDF5 in Rust, with threads."""
    import hidefix

    dataset = hidefix.Index(str(file)).dataset("x")
    return lambda rows: dataset[(rows,)]


def by_memmap(folder: Path) -> Read:
    """numpy's take from mapped .npy files into memory that is used again: the limit of random rows."""
    stored = [np.load(folder / name, mmap_mode="r") for name in ("x.npy", "y.npy")]
    outs: dict[int, list[np.ndarray]] = {}

    def read(rows: np.ndarray) -> list[np.ndarray]:
        found = outs.get(len(rows))
        if found is None:
            found = outs[len(rows)] = [np.empty((len(rows), *each.shape[1:]), each.dtype) for each in stored]
        return [np.take(each, rows, 0, out, "clip") for each, out in zip(stored, found, strict=True)]

    return read


def by_bare_decoding(file: Path) -> Read:
    """Chunks in memory, decoded by two threads into memory that is used again: the limit of compressed rows."""
    with h5py.File(file) as opened:
        dataset = opened["x"]
        index = build_index(dataset)
        starts = [(start,) + (0,) * (dataset.ndim - 1) for start in range(0, len(dataset), index.chunk_rows)]
        stored = [dataset.id.read_direct_chunk(start) for start in starts]
    decoder, pool = Decoder(index.filters, index.chunk_nbytes), ThreadPoolExecutor(THREADS)
    outs: dict[int, np.ndarray] = {}

    def read(rows: slice) -> np.ndarray:
        chunks = range(rows.start // index.chunk_rows, -(-min(rows.stop, index.n_rows) // index.chunk_rows))
        out = outs.setdefault(len(chunks), np.empty((len(chunks), index.chunk_nbytes), np.uint8))

        def unpack(chunk: int) -> None:
            mask, raw = stored[chunk]
            decoder.decode(memoryview(raw), mask, out[chunk - chunks.start])

        list(pool.map(unpack, chunks))
        return out.reshape(-1).view(index.dtype).reshape(-1, *index.row_shape)[: rows.stop - rows.start]

    return read


def slices_of(n_rows: int, batch_rows: int) -> Iterator[slice]:
    """Yield one pass over all rows in order."""
    for start in range(0, n_rows, batch_rows):
        yield slice(start, min(start + batch_rows, n_rows))
