"""What the contenders of ``bench_remote`` do, in the process of a user of a loopback hub."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

BATCH, ROW_SHAPE, CHUNK_ROWS = 256, (64, 64, 3), 32


def write_file(file: Path, n_bytes: int) -> None:
    """Write images in chunks with gzip, ``n_bytes`` of them stored; chunks are packed once each and written often."""
    import zlib

    import h5py

    random = np.random.default_rng(0)
    packed = []
    for _ in range(64):
        values = random.integers(0, 64, (CHUNK_ROWS, *ROW_SHAPE), np.uint8)
        packed.append(zlib.compress(values.tobytes(), 1))
    n_chunks = n_bytes // len(packed[0])
    with h5py.File(file, "w") as handle:
        shape = (n_chunks * CHUNK_ROWS, *ROW_SHAPE)
        images = handle.create_dataset("images", shape, np.uint8, chunks=(CHUNK_ROWS, *ROW_SHAPE), compression=1)
        for number in range(n_chunks):
            images.id.write_direct_chunk((number * CHUNK_ROWS, 0, 0, 0), packed[number % len(packed)])
        handle["labels"] = np.arange(shape[0])


def forget() -> None:
    """Be as a process is that never saw the file."""
    from hf_h5.remote import known
    from hf_h5.remote.store_cache import cache_folder

    known._KNOWN.files.clear()
    shutil.rmtree(cache_folder(), ignore_errors=True)


def first_batch(url: str, rows: list[int]) -> float:
    import hf_h5

    forget()
    start = time.perf_counter()
    with hf_h5.H5TorchView(url, columns=["images"]) as view:
        assert view[rows]["images"].shape == (len(rows), *ROW_SHAPE)
    return time.perf_counter() - start


def epoch(url: str, cache_bytes: str = "4GB") -> tuple[float, int]:
    """Seconds of a shuffled epoch, and a sum of what came."""
    import hf_h5

    if "://" in url:
        forget()
    start, total = time.perf_counter(), 0
    with hf_h5.H5TorchView(url, columns=["labels", "images"], remote_cache_bytes=cache_bytes) as view:
        for batch in view.with_format("torch", dtype=None).loader(BATCH, shuffle=True):
            total += int(batch["labels"].sum()) + int(batch["images"][:, 0, 0, 0].sum())
    return time.perf_counter() - start, total


def download_and_epoch(url: str, size: int, file: Path) -> tuple[float, int]:
    """Seconds of a download in eight ranges and of an epoch over the file; the connections are those of hf_h5."""
    from hf_h5.remote.known import open_file

    forget()
    start = time.perf_counter()
    remote = open_file(url)
    file.write_bytes(b"")
    with open(file, "r+b") as stream:
        stream.truncate(size)
    step = -(-size // 8)

    def fetch(first: int) -> None:
        with open(file, "r+b") as stream:
            stream.seek(first)
            stop = min(size, first + step)
            buffer = bytearray(4 << 20)
            # One request for each eighth, whose body goes to disk in pieces.
            answer, _ = remote.transport._ask(remote.transport.url, f"bytes={first}-{stop - 1}")  # type: ignore[attr-defined]
            with answer:
                while count := answer.read_into(memoryview(buffer)):
                    stream.write(memoryview(buffer)[:count])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fetch, range(0, size, step)))
    seconds = time.perf_counter() - start
    local_s, total = epoch(str(file))
    return seconds + local_s, total


def h5py_rows(url: str, n_rows: int) -> float:
    """Seconds that h5py over HfFileSystem takes for rows in random order."""
    import h5py
    from huggingface_hub import HfFileSystem

    start = time.perf_counter()
    with HfFileSystem().open(url, "rb") as stream, h5py.File(stream, "r") as handle:
        random: Any = np.random.default_rng(0)
        images = handle["images"]
        for row in random.permutation(len(images))[:n_rows].tolist():
            images[row]
    return time.perf_counter() - start
