"""One reader, many threads: no row is mixed up, whichever thread the interpreter runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import ClosedError
from tests.threads import switching_often

N_ROWS = 300


@pytest.fixture(autouse=True)
def _switch_threads_often() -> Iterator[None]:
    with switching_often():
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that takes every route: chunks, plain bytes, the library, and two groups of rows."""
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        handle["plain"] = np.arange(N_ROWS * 4).reshape(N_ROWS, 4)
        handle.create_dataset(
            "packed", data=np.arange(N_ROWS * 9).reshape(N_ROWS, 9), chunks=(7, 4), compression="gzip"
        )
        handle["text"] = [f"row {row}" for row in range(N_ROWS)]
        handle.create_dataset("scaled", data=np.arange(N_ROWS, dtype=np.int32), chunks=(16,), scaleoffset=0)
    return tmp_path / "a.h5"


def check(reader: Any, seed: int) -> None:
    """Read random rows and compare each value with what its row number says it is."""
    random = np.random.default_rng(seed)
    for _ in range(25):
        rows = random.integers(0, N_ROWS, random.integers(1, 40))
        found = reader.read(rows)
        assert (found["plain"] == rows[:, None] * 4 + np.arange(4)).all()
        assert (found["packed"] == rows[:, None] * 9 + np.arange(9)).all()
        assert found["text"].tolist() == [f"row {row}" for row in rows]
        assert (found["scaled"] == rows).all()


@pytest.mark.parametrize("route", ["auto", "h5py"])
@pytest.mark.parametrize("threads", [1, 3])
def test_many_threads_share_a_reader(file: Path, route: str, threads: int) -> None:
    with hf_h5.open_table(file, route=route, threads=threads) as reader, ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(check, reader, seed) for seed in range(8)]:
            done.result()


def test_threads_share_a_dataset_whose_values_lie_in_another_file(tmp_path: Path) -> None:
    n_rows = 6000
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        outside = handle.create_dataset("x", (n_rows, 100), "i2", external=[(str(tmp_path / "x.bin"), 0, n_rows * 200)])
        outside[:] = np.arange(n_rows)[:, None]
    with hf_h5.H5TorchView(tmp_path / "a.h5", allow_external=tmp_path, threads=4) as view:
        found = np.concatenate([batch["x"][:, 0] for batch in view.loader(8, shuffle=True, exact=True)])
    np.testing.assert_array_equal(np.sort(found), np.arange(n_rows))


def test_threads_that_start_at_once_share_a_reader_that_was_never_read(file: Path) -> None:
    for attempt in range(5):
        start = threading.Barrier(6)

        def run(seed: int) -> None:
            start.wait()  # noqa: B023
            check(reader, seed)

        with hf_h5.open_table(file) as reader, ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(run, 10 * attempt + seed) for seed in range(6)]:
                done.result()


def test_many_threads_share_a_view(file: Path) -> None:
    def read(view: hf_h5.H5TorchView, seed: int) -> None:
        for row in np.random.default_rng(seed).integers(0, N_ROWS, 60).tolist():
            found = view[row]
            assert found["plain"].tolist() == [4 * row, 4 * row + 1, 4 * row + 2, 4 * row + 3]
            assert found["text"] == f"row {row}"

    with hf_h5.H5TorchView(file) as view, ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(read, view, seed) for seed in range(8)]:
            done.result()


def test_a_tensor_that_was_handed_out_is_not_overwritten(file: Path) -> None:
    with hf_h5.H5TorchView(file) as view:
        kept = [view[start : start + 10] for start in range(0, N_ROWS, 10)]
        again = [view[start : start + 10] for start in range(0, N_ROWS, 10)]
    for one, other in zip(kept, again, strict=True):
        assert one["packed"].equal(other["packed"])
        assert one["packed"].data_ptr() != other["packed"].data_ptr()
    assert [int(batch["packed"][0, 0]) for batch in kept] == [90 * number for number in range(30)]


def test_closing_under_threads_ends_them_with_a_closed_error_and_nothing_else(file: Path) -> None:
    def read_on(reader: Any) -> None:
        while True:
            check(reader, 0)

    with ThreadPoolExecutor(4) as pool:
        reader = hf_h5.open_table(file)
        running = [pool.submit(read_on, reader) for _ in range(4)]
        check(reader, 1)
        reader.close()
        for done in running:
            with pytest.raises(ClosedError):
                done.result(timeout=60)
