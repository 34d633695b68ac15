"""What the machine allows: chunks that are in memory, decoded by all threads; plain bytes gathered by numpy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ...read.codecs import Decoder
from ...read.direct import DirectDataset
from ...read.reader import TableReader
from ...read.storage import StorageIndex

__all__ = ["limit_of"]

_GATHERED_ROWS = 256


def limit_of(reader: TableReader, names: list[str], n_rows: int, threads: int) -> Callable[[], int] | str:
    """Return what does the bare work for rows, and returns how many; or why the limit is not known.

    Parameters
    ----------
    reader
        A reader of the table, whose columns must be numbers that are read directly.
    n_rows
        Rows of the first part, from its first one on.
    threads
        Threads that decode.
    """
    from .handwritten import why_not_plain

    part = reader.schema.parts[0]
    if len(reader.schema.parts) > 1:
        return "rows lie in several datasets"
    works: dict[tuple[str, str], Callable[[ThreadPoolExecutor], None]] = {}
    for name in names:
        column = part.columns[name]
        if why := why_not_plain(column):
            return f"{name}: {why}"
        key = part.file_of(column), part.path_of(column)
        if key in works:
            continue
        found = reader.find_dataset(part, column)
        if isinstance(found, str) or column.take != "rows" or column.axis:
            return f"{name} is read through the HDF5 library"
        if not isinstance(found, DirectDataset):
            return f"{name} has rows of different lengths"
        works[key] = _decoding(found, n_rows) if found.index.filters else _gathering(found.index, n_rows)
    pool = ThreadPoolExecutor(threads)

    def work() -> int:
        for each in works.values():
            each(pool)
        return n_rows

    return work


def _decoding(dataset: DirectDataset, n_rows: int) -> Callable[[ThreadPoolExecutor], None]:
    """Decode each chunk of the rows once, into memory that is used again."""
    index = dataset.index
    n_chunks = min(len(index.offsets), -(-n_rows // index.chunk_rows) * index.chunks_per_row)
    stored = [
        (bytes(dataset.source.read_ranges([int(offset)], [int(size)])[0]), int(mask))
        for offset, size, mask in zip(
            index.offsets[:n_chunks], index.sizes[:n_chunks], index.masks[:n_chunks], strict=True
        )
        if offset >= 0
    ]
    decoder = Decoder(index.filters, index.chunk_nbytes)
    of_thread = threading.local()

    def unpack(number: int) -> None:
        if not hasattr(of_thread, "out"):
            of_thread.out = np.empty(index.chunk_nbytes, np.uint8)
        raw, mask = stored[number]
        decoder.decode(memoryview(raw), mask, of_thread.out)

    def decode(pool: ThreadPoolExecutor) -> None:
        for _ in pool.map(unpack, range(len(stored))):
            pass

    return decode


def _gathering(index: StorageIndex, n_rows: int) -> Callable[[ThreadPoolExecutor], None]:
    """Take random rows of an array in memory into memory that is used again."""
    rows = np.zeros((n_rows, index.row_nbytes), np.uint8)
    order = np.random.default_rng(0).permutation(n_rows)
    out = np.empty((min(_GATHERED_ROWS, n_rows), index.row_nbytes), np.uint8)

    def gather(_: Any) -> None:
        for start in range(0, n_rows, _GATHERED_ROWS):
            chosen = order[start : start + _GATHERED_ROWS]
            np.take(rows, chosen, 0, out[: len(chosen)], "clip")

    return gather
