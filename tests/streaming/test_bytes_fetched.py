"""Does a stream of a file behind a URL fetch only what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest

import hf_h5  # noqa: F401  registers the builder

from .served import Asked, http_files, n_bytes, noted_files

N_ROWS = 2048
MB = 1 << 20
# What is in the file beside the chunks of the columns, and the blocks in which it is fetched.
OVERHEAD = 2 * MB

Serve = Callable[[dict[str, bytes]], AbstractContextManager[tuple[str, Asked]]]


def contents() -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "labels": np.arange(N_ROWS),
        "images": random.integers(0, 256, (N_ROWS, 64, 64, 2), np.uint8),  # 16 MB that gzip cannot pack
        "words": np.array([f"word {number}" for number in range(N_ROWS)], object),
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("file") / "a.h5"
    values = contents()
    with h5py.File(file, "w") as handle:
        handle.create_dataset("images", data=values["images"], chunks=(32, 64, 64, 2), compression="gzip")
        for name in ("labels", "words"):
            handle.create_dataset(name, data=values[name], chunks=(512,), compression="gzip")
    return file


def by_http(files: dict[str, bytes]) -> AbstractContextManager[tuple[str, Asked]]:
    pytest.importorskip("aiohttp", reason="fsspec reads http with it")
    return http_files(files)


@pytest.fixture(params=[by_http, noted_files], ids=["http", "fsspec"])
def served(request: pytest.FixtureRequest, file: Path) -> Iterator[tuple[str, Asked]]:
    serve: Serve = request.param
    with serve({"a.h5": file.read_bytes()}) as (url, asked):
        yield f"{url}/a.h5", asked


def stream(url: str, **options: Any) -> datasets.IterableDataset:
    return datasets.load_dataset("hf_h5", data_files=url, split="train", streaming=True, **options)


def test_only_the_bytes_of_chosen_columns_travel(served: tuple[str, Asked]) -> None:
    url, asked = served
    rows = list(stream(url, columns=["labels"]))
    assert [row["labels"] for row in rows] == list(range(N_ROWS))
    assert 0 < n_bytes(asked) < OVERHEAD


def test_the_first_rows_need_the_first_chunks(served: tuple[str, Asked]) -> None:
    url, asked = served
    first = list(stream(url, columns=["images"]).with_format("numpy").take(3))
    np.testing.assert_array_equal([row["images"] for row in first], contents()["images"][:3])
    # Pieces of a sixteenth of the file: one, and the next, which is read while the first is used.
    assert n_bytes(asked) < 3 * MB + OVERHEAD


def test_a_whole_stream_fetches_each_chunk_once(served: tuple[str, Asked], file: Path) -> None:
    url, asked = served
    rows = list(stream(url).with_format("numpy"))
    np.testing.assert_array_equal([row["images"] for row in rows], contents()["images"])
    assert [row["words"] for row in rows] == contents()["words"].tolist()
    assert n_bytes(asked) < file.stat().st_size + OVERHEAD


def test_a_stream_that_goes_on_skips_what_it_had(served: tuple[str, Asked]) -> None:
    url, asked = served
    first = stream(url, columns=["images"]).with_format("numpy")
    rows = iter(first)
    for _ in range(N_ROWS - 10):
        next(rows)
    state = first.state_dict()
    rows.close()
    asked.clear()
    again = stream(url, columns=["images"]).with_format("numpy")
    again.load_state_dict(state)
    np.testing.assert_array_equal([row["images"] for row in again], contents()["images"][-10:])
    assert n_bytes(asked) < 3 * MB + OVERHEAD
