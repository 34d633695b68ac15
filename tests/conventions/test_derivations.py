"""Columns made of others have the values that numpy makes of the same arrays."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hf_h5.conventions.derivations import lists_column, regular_column, scaled_column
from hf_h5.describe.elements import Number, Ragged
from hf_h5.describe.schema import Column


@dataclass
class Arrays:
    """Columns by path, in memory."""

    arrays: dict[str, NDArray[Any]]

    def rows(self, source: Column, rows: NDArray[np.int64]) -> NDArray[Any]:
        return self.arrays[source.path][rows]

    def spans(self, source: Column, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[Any]:
        values = self.arrays[source.path]
        pieces = [values[start:stop] for start, stop in zip(starts, stops, strict=True)]
        return np.concatenate([values[:0], *pieces])

    def whole(self, source: Column) -> NDArray[Any]:
        return self.arrays[source.path]


def column(path: str, dtype: str = "f4", *shape: int) -> Column:
    return Column(path[1:], path, "rows", Number(np.dtype(dtype)), shape)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.data())
def test_lists_follow_each_other(counts: list[int], data: st.DataObject) -> None:
    values = np.arange(sum(counts), dtype="f4")
    fetch = Arrays({"/v": values, "/v_index": np.cumsum(counts).astype("u2")})
    rows = np.array(data.draw(st.lists(st.integers(0, len(counts) - 1))), np.int64)
    made = lists_column("v", column("/v"), column("/v_index", "u2"))
    assert made.row_shape == (None,)
    assert made.derived is not None
    found = made.derived.make(rows, fetch)
    expected = np.split(values, np.cumsum(counts)[:-1])
    assert [each.tolist() for each in found] == [expected[row].tolist() for row in rows]


@given(st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=5))
def test_lists_of_lists_follow_each_other(counts: list[list[int]]) -> None:
    inner = [count for row in counts for count in row]
    fetch = Arrays(
        {
            "/v": np.arange(2 * sum(inner)).reshape(-1, 2),
            "/i": np.cumsum(inner, dtype=np.int64),
            "/o": np.cumsum([len(row) for row in counts]),
        }
    )
    made = lists_column("v", column("/v", "i8", 2), column("/i", "i8"), column("/o", "i8"))
    assert made.element == Ragged(Number(np.dtype("i8")), (2,))
    assert made.row_shape == (None,)
    assert made.derived is not None
    found = made.derived.make(np.arange(len(counts)), fetch)
    assert [[len(each) for each in row] for row in found] == counts
    flat = [value for row in found for each in row for value in each.ravel()]
    assert flat == list(range(2 * sum(inner)))


def test_regular_times_need_no_dataset() -> None:
    made = regular_column("timestamps", 1.5, 30.0, {"unit": "seconds"})
    assert made.derived is not None
    found = made.derived.make(np.array([0, 3, 1]), Arrays({}))
    assert found.tolist() == (np.arange(4) / 30.0 + 1.5)[[0, 3, 1]].tolist()
    assert pickle.loads(pickle.dumps(made)) == made
    assert str(made.derived) == "1.5 + row / 30"


def test_scaled_values_take_a_factor_for_each_channel() -> None:
    made = scaled_column(column("/x", "i2", 2), (0.5, 2.0), 1.0)
    assert made.dtype == np.float64
    assert made.derived is not None
    found = made.derived.make(np.array([1]), Arrays({"/x": np.array([[1, 2], [3, 4]], "i2")}))
    assert found.tolist() == [[2.5, 9.0]]
