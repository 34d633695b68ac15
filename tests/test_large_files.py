"""Files much larger than memory: converted in little of it, with more values in a column than 32 bits count."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import datasets
import h5py
import numpy as np
import pytest

import hf_h5  # noqa: F401  registers the builder
from tests.benchmarks.convert_once import private_bytes

ROOT = Path(__file__).resolve().parents[1]
N_ROWS, SIDE = 20_480, 1024
WRITTEN = (0, 1, N_ROWS // 2, N_ROWS // 2 + 1, N_ROWS - 2, N_ROWS - 1)
LIMIT_BYTES = 300_000_000

# The Arrow files, which are as large, go where nothing is kept.
CONVERT = """
import sys

import datasets
import fsspec
from fsspec.implementations.memory import MemoryFileSystem

import hf_h5.hf_h5
import hf_h5.read.codecs
from tests.benchmarks.convert_once import private_bytes


class Sink:
    closed = False
    count = 0

    def write(self, part):
        Sink.count += len(part)
        return len(part)

    def flush(self):
        pass

    def close(self):
        self.closed = True


class Discarding(MemoryFileSystem):
    protocol = "discard"

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("discard:/"))

    def _open(self, path, mode="rb", **options):
        if mode != "wb" or not path.endswith(".arrow"):
            return super()._open(path, mode, **options)
        super()._open(path, mode, **options).close()  # an empty file, to be renamed
        return Sink()


fsspec.register_implementation("discard", Discarding)
datasets.disable_progress_bars()
builder = datasets.load_dataset_builder("hf_h5", data_files=sys.argv[1], cache_dir=sys.argv[2])
print(private_bytes("self"), flush=True)
builder.download_and_prepare(output_dir="discard://out")
print(builder.info.splits["train"].num_examples, Sink.count)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 20 GB, of which all but some rows are left out, as HDF5 does with chunks that nobody wrote."""
    file = tmp_path_factory.mktemp("large") / "large.h5"
    with h5py.File(file, "w") as handle:
        images = handle.create_dataset(
            "images", (N_ROWS, SIDE, SIDE), "u1", chunks=(1, SIDE, SIDE), compression="gzip", fillvalue=7
        )
        for row in WRITTEN:
            images[row] = values_of(row)
    return file


def values_of(row: int) -> np.ndarray:
    return np.random.default_rng(row).integers(0, 256, (SIDE, SIDE), np.uint8)


LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells how much memory is private")


def converted(file: Path, cache: Path) -> tuple[int, int, int]:
    """Convert a file to nowhere; return its rows, the bytes of Arrow, and the memory that this took."""
    peak_bytes = 0
    with subprocess.Popen(
        [sys.executable, "-c", CONVERT, str(file), str(cache)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        while process.poll() is None:
            try:
                peak_bytes = max(peak_bytes, private_bytes(process.pid))
            except ProcessLookupError:
                break
            time.sleep(0.02)
        after_import, n_rows, n_bytes = map(int, process.stdout.read().split())
    return n_rows, n_bytes, peak_bytes - after_import


@LINUX
def test_twenty_gigabytes_are_converted_in_little_memory(file: Path, tmp_path: Path) -> None:
    n_rows, n_bytes, memory_bytes = converted(file, tmp_path)
    assert n_rows == N_ROWS
    # More elements than 32 bits count, in one column.
    assert n_bytes > N_ROWS * SIDE * SIDE > 2**34
    assert memory_bytes < LIMIT_BYTES


@LINUX
@pytest.mark.parametrize("kind", ["numbers", "strings"])
def test_rows_that_are_large_each_are_converted_in_little_memory(tmp_path: Path, kind: str) -> None:
    with h5py.File(tmp_path / "large.h5", "w") as handle:
        if kind == "numbers":
            numbers = handle.create_dataset("x", (60, 5_000_000), "f4", chunks=(1, 1_000_000), compression="gzip")
            numbers[:, ::1_000_000] = 1  # all chunks are there: a file that declares much and stores nothing is refused
        else:
            words = handle.create_dataset("x", (60,), h5py.string_dtype())
            for row in range(60):
                words[row] = "word" * 4_000_000
    n_rows, n_bytes, memory_bytes = converted(tmp_path / "large.h5", tmp_path)
    assert n_rows == 60
    assert n_bytes > 60 * 16_000_000
    assert memory_bytes < LIMIT_BYTES


def test_rows_beyond_the_count_of_32_bits_have_their_values(file: Path) -> None:
    stream = datasets.load_dataset("hf_h5", data_files=str(file), split="train", streaming=True).with_format("numpy")
    last = stream.shard(stream.num_shards, stream.num_shards - 1)
    tables = [table for _, table in last._ex_iterable.iter_arrow()]
    values = np.concatenate(
        [table["images"].combine_chunks().storage.flatten().flatten().to_numpy() for table in tables]
    ).reshape(-1, SIDE, SIDE)
    np.testing.assert_array_equal(values[-2:], [values_of(row) for row in WRITTEN[-2:]])
    assert values[:-2].min() == values[:-2].max() == 7
