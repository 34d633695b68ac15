"""Runs of rows, one after the other, against numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.read.spans import can_read_spans, number_rows, plan_spans, read_spans
from tests.read.stored import open_direct

RUNS = st.lists(st.tuples(st.integers(0, 199), st.integers(1, 200)), min_size=1, max_size=12)


def bounds(runs: list[tuple[int, int]]) -> tuple[Any, Any]:
    starts = np.array([start for start, _ in runs])
    return starts, np.minimum(starts + np.array([count for _, count in runs]), 200)


@given(runs=RUNS, chunk_rows=st.integers(1, 250))
def test_a_plan_covers_each_row_once_in_order(runs: list[tuple[int, int]], chunk_rows: int) -> None:
    starts, stops = bounds(runs)
    plan = plan_spans(starts, stops, chunk_rows)
    found = np.full(int((stops - starts).sum()), -1)
    for chunk, begin, n_rows, out in zip(*plan, strict=True):
        assert 0 <= begin < begin + n_rows <= chunk_rows
        found[out : out + n_rows] = chunk * chunk_rows + begin + np.arange(n_rows)
    np.testing.assert_array_equal(found, number_rows(starts, stops))


@pytest.mark.parametrize("row_shape", [(), (3,)], ids=str)
@pytest.mark.parametrize(
    "storage",
    [{}, {"chunks": 16}, {"chunks": 16, "compression": "gzip"}, {"chunks": 300, "maxshape": None, "shuffle": True}],
    ids=["contiguous", "chunks", "gzip", "one chunk"],
)
def test_runs_are_those_of_numpy(tmp_path: Path, storage: dict[str, Any], row_shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 1000, (200, *row_shape)).astype(">i8")
    chosen = dict(storage)
    if "chunks" in chosen:
        chosen["chunks"] = (chosen["chunks"], *row_shape)
    if "maxshape" in chosen:
        chosen["maxshape"] = (None, *row_shape)
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("x", data=values, **chosen)
    dataset, _ = open_direct(tmp_path / "x.h5")
    for runs in ([(3, 40), (150, 50), (3, 40)], [(0, 8), (8, 8), (16, 100)], [(190, 10), (20, 17)]):
        starts, stops = bounds(runs)
        assert can_read_spans(dataset, starts, stops)
        found = read_spans(dataset, starts, stops, None)
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values[number_rows(starts, stops)])


def test_rows_never_written_are_the_fill_value(tmp_path: Path) -> None:
    for number, filters in enumerate(({}, {"compression": "gzip"})):
        file = tmp_path / f"{number}.h5"
        with h5py.File(file, "w") as handle:
            dataset = handle.create_dataset("x", (200,), "f8", chunks=(32,), fillvalue=1.5, **filters)
            dataset[40:50] = 7
        expected = np.full(200, 1.5)
        expected[40:50] = 7
        starts, stops = bounds([(10, 60), (150, 50)])
        found = read_spans(open_direct(file)[0], starts, stops, None)
        np.testing.assert_array_equal(found, expected[number_rows(starts, stops)])


def test_short_runs_and_split_rows_are_read_row_by_row(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["x"] = np.arange(200)
        handle.create_dataset("y", data=np.zeros((200, 8)), chunks=(10, 4))
    starts, stops = bounds([(0, 2), (50, 3)])
    for path in ("x", "y"):
        assert not can_read_spans(open_direct(tmp_path / "x.h5", path)[0], starts, stops)
