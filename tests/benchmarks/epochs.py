"""Ways to go through an epoch, and to get single rows: a view, what it is compared with, and the machine's limits.

A contender is a function that does its work once and returns how many rows it gave; every batch becomes tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import torch
from torch.utils.data import DataLoader

import hf_h5

from .contenders import THREADS, by_bare_decoding, by_memmap, slices_of
from .handwritten import HandWritten, HandWrittenVectors

Work = Callable[[], int]


def open_view(file: Path, **kwargs: Any) -> hf_h5.H5TorchView:
    # Without a cache: a file of this size would be decoded in the first epoch only.
    return hf_h5.H5TorchView(file, threads=THREADS, cache_bytes=0).with_format("torch", **kwargs)


def count(batches: Iterable[Any]) -> int:
    return sum(len(batch["x"]) for batch in batches)


def by_loader(file: Path, batch_size: int, **settings: Any) -> Work:
    """The loader, shuffled."""
    loader = open_view(file, dtype=None).loader(batch_size, shuffle=True, **settings)
    return lambda: count(loader)


def by_data_loader(file: Path, batch_size: int) -> Work:
    """A DataLoader without workers over the view, which hands blocks on whole."""
    loader = DataLoader(open_view(file, dtype=None), batch_size, shuffle=True, collate_fn=hf_h5.collate)
    return lambda: count(loader)


def by_h5py(file: Path, batch_size: int) -> Work:
    """h5py used well: slices along the chunks, in the file's order."""
    dataset = h5py.File(file)["x"]

    def epoch() -> int:
        return sum(len(torch.from_numpy(dataset[rows])) for rows in slices_of(len(dataset), batch_size))

    return epoch


def by_class(file: Path, n_batches: int) -> Work:
    """The class that everybody writes, shuffled, in a DataLoader in this process; some batches are enough."""
    loader = first_batches(HandWritten(file), 256, n_batches)
    return lambda: sum(len(images) for images, _ in loader)


def by_class_of_vectors(file: Path, batch_size: int) -> Work:
    """The same for a file of one column, one batch of it."""
    loader = first_batches(HandWrittenVectors(file), batch_size, 1)
    return lambda: sum(map(len, loader))


def first_batches(rows: Any, batch_size: int, n_batches: int) -> DataLoader:
    n_rows = n_batches * batch_size
    sampler = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:n_rows].tolist()
    return DataLoader(rows, batch_size=batch_size, sampler=sampler)


def by_decoding(file: Path, batch_size: int) -> Work:
    """Chunks in memory, decoded by two threads into memory that is used again: the limit of compressed rows."""
    read = by_bare_decoding(file)
    with h5py.File(file) as opened:
        n_rows = len(opened["x"])
    return lambda: sum(len(read(rows)) for rows in slices_of(n_rows, 4 * batch_size))


def by_take(folder: Path) -> Work:
    """numpy's take into memory that is used again: the limit of random rows."""
    read = by_memmap(folder)
    order = np.random.default_rng(0).permutation(len(np.load(folder / "y.npy")))
    return lambda: sum(len(read(order[rows])[0]) for rows in slices_of(len(order), 256))


def by_litdata(file: Path, batch_size: int) -> Work:
    """The same rows in litdata's own files, which are written first; shuffled, by its loader in this process."""
    import litdata
    from litdata.streaming import Cache

    folder = file.parent / f"{file.stem} litdata"
    if not folder.exists():
        written = Cache(str(folder), chunk_bytes="64MB")
        for number, (image, label) in enumerate(rows_of(file)):
            written[number] = {"x": torch.from_numpy(image), "y": label}
        written.done()
        written.merge()
    rows = litdata.StreamingDataset(str(folder), shuffle=True)
    loader = litdata.StreamingDataLoader(rows, batch_size=batch_size, num_workers=0)
    return lambda: count(loader)


def by_webdataset(file: Path, batch_size: int) -> Work:
    """The same rows in tar files, which are written first; shuffled with a buffer as large as the loader's window."""
    import webdataset

    folder = file.parent / f"{file.stem} webdataset"
    if not folder.exists():
        folder.mkdir()
        with webdataset.ShardWriter(str(folder / "%04d.tar"), maxcount=512, verbose=0) as written:
            for number, (image, label) in enumerate(rows_of(file)):
                written.write({"__key__": f"{number:06}", "x.npy": image, "y.cls": label})
    shards = sorted(map(str, folder.glob("*.tar")))
    rows = webdataset.WebDataset(shards, shardshuffle=len(shards)).shuffle(2048).decode().to_tuple("x.npy", "y.cls")
    loader = webdataset.WebLoader(rows.batched(batch_size), batch_size=None, num_workers=0)
    return lambda: sum(len(images) for images, _ in loader)


def rows_of(file: Path) -> Iterable[tuple[np.ndarray, int]]:
    with h5py.File(file) as opened:
        yield from zip(opened["x"][:], opened["y"][:].tolist(), strict=True)


def cache_of(file: Path) -> datasets.Dataset:
    """Convert a file once; the files are new in each run, and so is the folder beside them."""
    cached = datasets.load_dataset("hf_h5", data_files=str(file), split="train", cache_dir=str(file.parent / "cache"))
    return cached.with_format("torch")


def by_random_rows(rows: Any, n_batches: int) -> Work:
    """256 random rows at a time."""
    random = np.random.default_rng(5)
    batches = [random.integers(0, len(rows), 256).tolist() for _ in range(n_batches)]
    return lambda: count(rows[batch] for batch in batches)


def by_single_rows(rows: Any, n_rows: int) -> Work:
    """One random row at a time."""
    numbers = np.random.default_rng(6).integers(0, len(rows), n_rows).tolist()

    def go() -> int:
        for number in numbers:
            rows[number]
        return n_rows

    return go


def default_random_rows(file: Path, n_batches: int) -> Work:
    return by_random_rows(open_view(file), n_batches)


def default_random_rows_of_cache(file: Path, n_batches: int) -> Work:
    return by_random_rows(cache_of(file), n_batches)


def single_rows(file: Path, n_rows: int) -> Work:
    return by_single_rows(open_view(file, dtype=None), n_rows)


def single_rows_of_cache(file: Path, n_rows: int) -> Work:
    return by_single_rows(cache_of(file).with_format("torch", dtype=None), n_rows)


exact_loader = partial(by_loader, batch_size=256, exact=True)
