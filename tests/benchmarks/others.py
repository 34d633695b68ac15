"""Ways to train from the same images in other formats, or by other packages from HDF5: an epoch in shuffled batches.

A contender says which rows its batches hold, so that what they hold can be compared before anything is timed. What it
reads is written beside the HDF5 file first, in the other package's default compression where none is named. Shuffling
by chunks reads chunks in random order and mixes the rows of a window of them, as the loader does; by rows, each batch
holds rows from anywhere, and a few batches are enough to tell the speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch.utils.data import DataLoader

from .contenders import THREADS
from .epochs import first_batches, open_view
from .files import FILTERS, IMAGE_ROWS, LONGER, make_images

__all__ = [
    "Way",
    "by_arrays_of_datasets",
    "by_bytes_of_parquet",
    "by_h5torch",
    "by_lists_of_parquet",
    "by_loader",
    "by_loader_of_its_file",
    "by_tensordict",
    "by_tensordict_chunks",
    "by_zarr",
    "by_zarr_chunks",
    "write_images",
]

BATCH_ROWS = 256
# 25 MB: no more than the loader mixes, and kinder to the processor's cache.
WINDOW_CHUNKS = 32
# Lists of lists take seconds for each thousand of images to write; their speed is the same for fewer of them.
N_ARRAYS = 4096
ROW_SHAPE = (64, 64, 3)


@dataclass(frozen=True)
class Way:
    """How batches are made, anew in each call of ``batches``, and the numbers of the rows in them, in any order."""

    batches: Callable[[], Iterable[torch.Tensor]]
    rows: np.ndarray


def write_images(folder: Path) -> dict[str, Path]:
    """Write the images of the long files of ``files``, as the same chunks in three compressions."""
    images = np.tile(make_images(), (LONGER, 1, 1, 1))
    files = {name: folder / f"{name}.h5" for name in ("gzip", "zstd", "lz4")}
    for name, file in files.items():
        with h5py.File(file, "w") as opened:
            opened.create_dataset("x", data=images, chunks=(IMAGE_ROWS, *ROW_SHAPE), **FILTERS[name])
    return files


def images_of(file: Path) -> np.ndarray:
    with h5py.File(file) as opened:
        return opened["x"][:]


def number_of_rows(file: Path) -> int:
    with h5py.File(file) as opened:
        return len(opened["x"])


def by_loader(file: Path, column: str = "x") -> Way:
    """The loader of this package."""
    view = open_view(file, dtype=None)
    loader = view.loader(BATCH_ROWS, shuffle=True)
    return Way(lambda: (batch[column] for batch in loader), np.arange(len(view)))


def by_rows(read: Callable[[np.ndarray], torch.Tensor], n_rows: int, n_batches: int) -> Way:
    """Batches of uniformly random rows."""
    batches = np.random.default_rng(7).permutation(n_rows)[: n_batches * BATCH_ROWS].reshape(n_batches, -1)
    return Way(lambda: map(read, batches), batches.ravel())


def by_chunks(read: Callable[[list[int]], np.ndarray], n_rows: int, n_windows: int | None = None) -> Way:
    """Batches out of windows of random chunks, whose numbers are given to ``read`` in order."""
    rng = np.random.default_rng(8)
    chunks = rng.permutation(n_rows // IMAGE_ROWS)
    windows = [np.sort(chunks[at : at + WINDOW_CHUNKS]) for at in range(0, len(chunks), WINDOW_CHUNKS)][:n_windows]

    def batches() -> Iterator[torch.Tensor]:
        for window in windows:
            rows = read(window.tolist())
            order = rng.permutation(len(rows))
            for at in range(0, len(order), BATCH_ROWS):
                yield torch.from_numpy(rows.take(order[at : at + BATCH_ROWS], 0))

    return Way(batches, (np.concatenate(windows)[:, None] * IMAGE_ROWS + np.arange(IMAGE_ROWS)).ravel())


def chunk_slice(chunk: int) -> slice:
    return slice(chunk * IMAGE_ROWS, (chunk + 1) * IMAGE_ROWS)


def open_zarr(file: Path) -> Any:
    import zarr

    folder = file.with_suffix(".zarr")
    if not folder.exists():
        zarr.create_array(str(folder), data=images_of(file), chunks=(IMAGE_ROWS, *ROW_SHAPE))
    return zarr.open_array(str(folder), mode="r")


def by_zarr(file: Path) -> Way:
    """Random rows of an array in zarr's own format and default codec, asked for in its order."""
    stored = open_zarr(file)
    return by_rows(lambda rows: torch.from_numpy(stored.oindex[np.sort(rows)]), stored.shape[0], n_batches=2)


def by_zarr_chunks(file: Path) -> Way:
    """The chunks of this array, read by threads: ``oindex`` of all of their rows takes three times as long."""
    stored, pool = open_zarr(file), ThreadPoolExecutor(THREADS)

    def read(chunks: list[int]) -> np.ndarray:
        return np.concatenate(list(pool.map(stored.__getitem__, map(chunk_slice, chunks))))

    return by_chunks(read, stored.shape[0])


def write_parquet(
    file: Path, name: str, make_column: Callable[[np.ndarray], pa.Array], **options: Any
) -> pq.ParquetFile:
    """Write images as a column with as many rows in a row group as in a chunk."""
    written = file.with_name(f"{file.stem} {name}.parquet")
    if not written.exists():
        pq.write_table(pa.table({"x": make_column(images_of(file))}), written, row_group_size=IMAGE_ROWS, **options)
    return pq.ParquetFile(written)


def by_bytes_of_parquet(file: Path, compression: str = "snappy") -> Way:
    """Each image as so many bytes, whose shape and type the code must know; snappy is pyarrow's default."""

    def make_column(images: np.ndarray) -> pa.Array:
        kind = pa.binary(images[0].nbytes)
        return pa.FixedSizeBinaryArray.from_buffers(kind, len(images), [None, pa.py_buffer(images)])

    parquet = write_parquet(file, f"bytes {compression}", make_column, compression=compression)

    def read(chunks: list[int]) -> np.ndarray:
        column = parquet.read_row_groups(chunks)["x"].combine_chunks()
        found = np.frombuffer(column.buffers()[1], np.uint8, len(column) * column.type.byte_width)
        return found.reshape(-1, *ROW_SHAPE)

    return by_chunks(read, number_of_rows(file))


def by_lists_of_parquet(file: Path) -> Way:
    """Each image as a list of numbers, as other tools read it."""

    def make_column(images: np.ndarray) -> pa.Array:
        return pa.FixedSizeListArray.from_arrays(pa.array(images.ravel()), images[0].size)

    parquet = write_parquet(file, "lists", make_column)

    def read(chunks: list[int]) -> np.ndarray:
        column = parquet.read_row_groups(chunks)["x"].combine_chunks()
        return column.flatten().to_numpy().reshape(-1, *ROW_SHAPE)

    return by_chunks(read, number_of_rows(file), n_windows=1)


def by_arrays_of_datasets(file: Path) -> Way:
    """Images as ``datasets`` writes and loads them; a batch at a time, which its guide to PyTorch says is faster."""
    written, cache = file.with_name(f"{file.stem} arrays.parquet"), str(file.parent / "cache")
    if not written.exists():
        columns = {"x": datasets.Array3D(ROW_SHAPE, "uint8")}
        made = datasets.Dataset.from_dict({"x": images_of(file)[:N_ARRAYS]}, datasets.Features(columns))
        made.to_parquet(str(written))
    loaded = datasets.load_dataset("parquet", data_files=str(written), split="train", cache_dir=cache)
    rows = np.random.default_rng(9).permutation(len(loaded))[: 4 * BATCH_ROWS].reshape(4, -1)
    loader = DataLoader(loaded.with_format("torch", dtype=None), batch_size=None, sampler=rows.tolist())
    return Way(lambda: (batch["x"] for batch in loader), rows.ravel())


def h5torch_file(file: Path) -> Path:
    """The same images as h5torch writes them, which is without compression."""
    import h5torch

    written = file.with_name(f"{file.stem} h5torch.h5")
    if not written.exists():
        with h5torch.File(str(written), "w") as opened:
            opened.register(images_of(file), "central")
    return written


def by_h5torch(file: Path, n_batches: int, *, in_memory: bool = False) -> Way:
    """h5torch's dataset over its own file, in a DataLoader in this process."""
    import h5torch

    rows = h5torch.Dataset(str(h5torch_file(file)), in_memory=in_memory)
    loader = first_batches(rows, BATCH_ROWS, n_batches)
    return Way(lambda: (batch["central"] for batch in loader), np.array(loader.sampler))


def by_loader_of_its_file(file: Path) -> Way:
    """The loader of this package over h5torch's file."""
    return by_loader(h5torch_file(file), "central")


def open_tensordict(file: Path) -> Any:
    from tensordict import PersistentTensorDict

    opened = PersistentTensorDict.from_h5(str(file))
    opened.batch_size = [number_of_rows(file)]
    return opened


def by_tensordict(file: Path) -> Way:
    """Random rows, for which it reads all rows from the first of them to the last."""
    opened = open_tensordict(file)
    return by_rows(lambda rows: opened[torch.from_numpy(rows)]["x"], len(opened), n_batches=1)


def by_tensordict_chunks(file: Path) -> Way:
    """Slices along the chunks."""
    opened = open_tensordict(file)

    def read(chunks: list[int]) -> np.ndarray:
        return np.concatenate([opened[chunk_slice(chunk)]["x"].numpy() for chunk in chunks])

    return by_chunks(read, len(opened), n_windows=4)
