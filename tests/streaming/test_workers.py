"""Do the workers of a DataLoader, and ranks, share a stream of one file: no row lost, none twice."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from datasets.distributed import split_dataset_by_node

import hf_h5
from hf_h5.registry import make_list
from tests.written import write_h5

torch_data = pytest.importorskip("torch.utils.data")

N_ROWS = 100
METHODS = [method for method in ("fork", "spawn") if method in multiprocessing.get_all_start_methods()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_h5(tmp_path / "a.h5", {"x": np.arange(N_ROWS)}, chunks=(3,))


def stream(file: Path, **options: Any) -> datasets.IterableDataset:
    return datasets.load_dataset("hf_h5", data_files=str(file), split="train", streaming=True, **options)


def numbers(batches: Any) -> list[int]:
    return [int(number) for batch in batches for number in batch["x"]]


@pytest.mark.parametrize("method", METHODS)
def test_two_workers_share_one_file(file: Path, method: str) -> None:
    shared = stream(file).with_format("torch")
    loader = torch_data.DataLoader(shared, batch_size=7, num_workers=2, multiprocessing_context=method)
    batches = list(loader)
    assert sorted(numbers(batches)) == list(range(N_ROWS))
    # Both had their part: rows of the second half come before all of the first have come.
    assert numbers(batches[:2]) != list(range(14))


@pytest.mark.parametrize("isolate", [None, True])
def test_a_stream_that_was_read_before_the_workers_start_is_shared_too(file: Path, isolate: bool | None) -> None:
    shared = stream(file, isolate=isolate).with_format("torch")
    assert int(next(iter(shared))["x"]) == 0
    loader = torch_data.DataLoader(shared, batch_size=7, num_workers=2, multiprocessing_context=METHODS[0])
    assert sorted(numbers(loader)) == list(range(N_ROWS))
    assert [int(row["x"]) for row in shared] == list(range(N_ROWS))


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker processes")
def test_more_workers_than_shards_lose_and_repeat_nothing(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.arange(N_ROWS)}, chunks=(50,))
    shared = stream(file).with_format("torch")
    assert shared.num_shards == 2
    loader = torch_data.DataLoader(shared, batch_size=7, num_workers=3)
    for _ in range(2):
        assert sorted(numbers(loader)) == list(range(N_ROWS))


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_share_one_file(file: Path, world_size: int) -> None:
    ranks = [split_dataset_by_node(stream(file), rank, world_size) for rank in range(world_size)]
    rows = [[row["x"] for row in rank] for rank in ranks]
    assert all(rows)
    assert sorted(number for each in rows for number in each) == list(range(N_ROWS))


def test_ranks_with_workers_share_one_file(file: Path) -> None:
    rows: list[int] = []
    for rank in range(2):
        mine = split_dataset_by_node(stream(file).with_format("torch"), rank, 2)
        rows += numbers(torch_data.DataLoader(mine, batch_size=5, num_workers=2))
    assert sorted(rows) == list(range(N_ROWS))


def test_workers_shuffle_and_share(file: Path) -> None:
    shared = stream(file).with_format("torch").shuffle(seed=1, buffer_size=10)
    epochs = []
    for epoch in range(2):
        shared.set_epoch(epoch)
        epochs.append(numbers(torch_data.DataLoader(shared, batch_size=7, num_workers=2)))
        assert sorted(epochs[-1]) == list(range(N_ROWS))
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("buffer_size", [7, N_ROWS, 2 * N_ROWS])
@pytest.mark.parametrize("kind", [None, "numpy"])
def test_a_buffer_shuffles_fixed_lists_in_fixed_lists(tmp_path: Path, kind: str | None, buffer_size: int) -> None:
    # Of a buffer that is a slice Arrow's take returns other rows of these.
    rows = np.arange(N_ROWS * 4).reshape(N_ROWS, 2, 2)
    file = write_h5(tmp_path / "a.h5", {"number": rows, "text": rows.astype("S4")}, chunks=(10, 2, 2))
    whole = stream(file, arrays="list")
    assert whole.features["number"] == make_list(make_list(datasets.Value("int64"), 2), 2)
    with hf_h5.H5TorchView(file, arrays="list") as view:
        for shuffled in (whole, view.with_format(None).to_iterable_dataset(num_shards=3)):
            found = list(shuffled.with_format(kind).shuffle(seed=3, buffer_size=buffer_size))
            assert sorted(np.array(row["number"]).tolist() for row in found) == rows.tolist()
            assert all(np.array_equal(row["number"], np.array(row["text"], "U4").astype(int)) for row in found)
