"""Does a stream go on at the very row where its state was taken: in every epoch, shuffled or not, with workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

import hf_h5  # noqa: F401  registers the builder
from tests.written import write_h5

N_ROWS = 200


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Two files, whose rows are counted through."""
    return [
        str(write_h5(tmp_path / f"{name}.h5", {"x": np.arange(first, first + N_ROWS // 2)}, chunks=(7,)))
        for first, name in [(0, "a"), (N_ROWS // 2, "b")]
    ]


def stream(files: list[str], **options: Any) -> datasets.IterableDataset:
    return datasets.load_dataset("hf_h5", data_files=files, split="train", streaming=True, **options)


def numbers(rows: Any) -> list[int]:
    return [row["x"] for row in rows]


def test_one_file_and_several_are_several_shards(files: list[str]) -> None:
    assert stream(files[:1]).num_shards >= 8
    assert stream(files).num_shards >= 8


@pytest.mark.parametrize("batch_size", [None, 3])
@pytest.mark.parametrize("n_seen", [0, 1, 7, 50, 99, 100, 101, 199])
def test_a_stream_goes_on_in_mid_epoch_at_the_exact_row(files: list[str], n_seen: int, batch_size: int | None) -> None:
    first = stream(files, batch_size=batch_size)
    rows = iter(first)
    seen = [next(rows)["x"] for _ in range(n_seen)]
    again = stream(files, batch_size=batch_size)
    again.load_state_dict(first.state_dict())
    assert seen + numbers(again) == list(range(N_ROWS))


def test_each_epoch_can_be_resumed(files: list[str]) -> None:
    kept = stream(files)
    for _ in range(3):
        rows = iter(kept)
        seen = [next(rows)["x"] for _ in range(33)]
        state = kept.state_dict()
        rest = numbers(rows)
        resumed = stream(files)
        resumed.load_state_dict(state)
        assert numbers(resumed) == rest
        assert seen + rest == list(range(N_ROWS))


@pytest.mark.skipif(datasets.__version__.startswith("3."), reason="this version of datasets loses what it had buffered")
def test_shards_in_another_order_each_epoch_are_resumed_too(files: list[str]) -> None:
    orders = []
    for epoch in range(3):
        first, again = (stream(files).shuffle(seed=5, buffer_size=1) for _ in range(2))
        first.set_epoch(epoch)
        again.set_epoch(epoch)
        rows = iter(first)
        seen = [next(rows)["x"] for _ in range(61)]
        again.load_state_dict(first.state_dict())
        orders.append(seen + numbers(again))
        assert sorted(orders[-1]) == list(range(N_ROWS))
    assert orders[0] != orders[1] != orders[2]


def test_a_state_survives_json_and_pickle(files: list[str]) -> None:
    import json
    import pickle

    first = stream(files)
    rows = iter(first)
    seen = [next(rows)["x"] for _ in range(42)]
    state = first.state_dict()
    for copied in (json.loads(json.dumps(state)), pickle.loads(pickle.dumps(state))):
        again = stream(files)
        again.load_state_dict(copied)
        assert seen + numbers(again) == list(range(N_ROWS))


def test_batched_and_formatted_streams_are_resumed(files: list[str]) -> None:
    first = stream(files).with_format("numpy").batch(8)
    batches = iter(first)
    seen = [next(batches)["x"] for _ in range(6)]
    again = stream(files).with_format("numpy").batch(8)
    again.load_state_dict(first.state_dict())
    rest = [batch["x"] for batch in again]
    assert np.concatenate([*seen, *rest]).tolist() == list(range(N_ROWS))


@pytest.mark.skipif(not hasattr(datasets.IterableDataset, "reshard"), reason="this version of datasets lacks reshard()")
def test_reshard_gives_more_shards_of_the_same_rows_in_the_same_order(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "many.h5", {"x": np.arange(1000)}, chunks=(10,))
    kept = stream([str(file)])
    finer = kept.reshard()
    assert kept.num_shards < finer.num_shards <= 2 * kept.num_shards
    assert numbers(finer) == list(range(1000))
    # Not beyond chunks, each of which is decoded as a whole.
    finest = finer.reshard().reshard().reshard()
    assert finest.num_shards == 100
    assert numbers(finest) == list(range(1000))
    rows = iter(finest)
    seen = [next(rows)["x"] for _ in range(155)]
    state = finest.state_dict()
    finest.load_state_dict(state)
    assert seen + numbers(finest) == list(range(1000))
