from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.errors import RowError
from hf_h5.read.plan import as_rows, batch_ranges, plan_ranges, plan_rows, row_starts

rows_and_total = st.integers(1, 60).flatmap(
    lambda n_rows: st.tuples(st.lists(st.integers(0, n_rows - 1), max_size=50), st.just(n_rows))
)
pieces = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 40)), max_size=40)


@given(rows_and_total, st.integers(1, 20))
def test_plan_covers_each_position_once_with_the_right_row(drawn, chunk_rows):
    rows, n_rows = drawn
    found = np.full(len(rows), -1)
    for read in plan_rows(as_rows(rows, n_rows), chunk_rows=chunk_rows):
        inner = np.arange(chunk_rows)[read.rows]
        assert len(inner) == read.n_rows
        assert (found[read.out] == -1).all()
        found[read.out] = read.chunk * chunk_rows + inner
    assert found.tolist() == rows


@given(rows_and_total, st.integers(1, 20))
def test_plan_touches_each_chunk_once_in_file_order(drawn, chunk_rows):
    rows, n_rows = drawn
    chunks = [read.chunk for read in plan_rows(as_rows(rows, n_rows), chunk_rows=chunk_rows)]
    assert chunks == sorted({row // chunk_rows for row in rows})


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 20))
def test_plan_of_a_range_is_that_of_its_rows(start, length, chunk_rows):
    by_range = plan_rows(range(start, start + length), chunk_rows=chunk_rows)
    by_rows = plan_rows(np.arange(start, start + length), chunk_rows=chunk_rows)
    assert by_range == by_rows


def test_plan_says_with_slices_where_rows_follow_each_other():
    read = plan_rows(np.array([7, 4, 5, 6]), chunk_rows=8)[0]
    assert (read.out.tolist() if isinstance(read.out, np.ndarray) else read.out) == slice(0, 4)
    assert isinstance(read.rows, np.ndarray)
    assert plan_rows(np.array([20, 4, 5, 6]), chunk_rows=8)[0].rows == slice(4, 7)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (slice(None), range(10)),
        (slice(2, 5), range(2, 5)),
        (slice(-3, None), range(7, 10)),
        (slice(5, 2), range(0)),
        (range(3, 6), range(3, 6)),
        (range(4, 9, 100), range(4, 5)),
        ([3, 4, 5], range(3, 6)),
        (np.array([9], np.uint8), [9]),
        ([], []),
    ],
)
def test_rows_in_order_become_a_range(asked, expected):
    found = as_rows(asked, 10)
    assert list(found) == list(expected)
    assert isinstance(found, range) == isinstance(expected, range)


@pytest.mark.parametrize("asked", [slice(None, None, 3), slice(None, None, -1), range(8, 0, -2)])
def test_rows_with_a_step_are_those_of_the_slice(asked):
    positions = range(10)[asked] if isinstance(asked, slice) else asked
    assert as_rows(asked, 10).tolist() == list(positions)


@pytest.mark.parametrize("asked", [[10], [-1], range(5, 11), range(-1, 3), np.array([0, 99])])
def test_rows_outside_the_table_are_an_error_that_names_one(asked):
    wrong = next(int(row) for row in asked if not 0 <= row < 10)
    with pytest.raises(RowError, match=f"row {wrong} lies outside 0 to 9"):
        as_rows(asked, 10)


@pytest.mark.parametrize("asked", [[1.5], [[1, 2]], [True, False], ["a"], 3])
def test_rows_that_are_no_list_of_integers_are_an_error(asked):
    with pytest.raises(TypeError, match="rows must be a list of integers"):
        as_rows(asked, 10)


@given(pieces, st.integers(0, 30), st.integers(1, 100))
def test_ranges_hold_each_piece_once_and_whole(drawn, gap_bytes, limit_bytes):
    offsets, sizes = [o for o, _ in drawn], [s for _, s in drawn]
    ranges = plan_ranges(offsets, sizes, gap_bytes=gap_bytes, limit_bytes=limit_bytes)
    members = [member for each in ranges for member in each.members.tolist()]
    assert sorted(members) == list(range(len(drawn)))
    for each in ranges:
        for member in each.members:
            assert each.offset <= offsets[member]
            assert offsets[member] + sizes[member] <= each.offset + each.size


@given(pieces, st.integers(0, 30), st.integers(1, 100))
def test_ranges_keep_to_their_gap_and_limit(drawn, gap_bytes, limit_bytes):
    offsets, sizes = np.array([o for o, _ in drawn], int), np.array([s for _, s in drawn], int)
    is_wanted = np.zeros(600, bool)
    for offset, size in drawn:
        is_wanted[offset : offset + size] = True
    for each in plan_ranges(offsets, sizes, gap_bytes=gap_bytes, limit_bytes=limit_bytes):
        begins, ends = offsets[each.members], (offsets + sizes)[each.members]
        wanted = np.flatnonzero(is_wanted[each.offset : each.offset + each.size])
        assert (np.diff(begins) >= 0).all()
        assert (np.diff(wanted) - 1 <= gap_bytes).all()
        assert begins[-1] - begins[0] < limit_bytes
        assert each.size == ends.max() - each.offset


def test_ranges_are_asked_for_in_windows_of_bounded_size():
    ranges = plan_ranges(np.arange(10) * 100, np.full(10, 10), gap_bytes=0, limit_bytes=10)
    windows = list(batch_ranges(ranges, window_bytes=30))
    assert [each.offset for window in windows for each in window] == list(range(0, 1000, 100))
    assert max(sum(each.size for each in window) for window in windows) == 30


def test_windows_of_no_ranges_are_none():
    assert list(batch_ranges([])) == []


def test_row_starts_end_with_the_number_of_rows():
    assert row_starts(10, 4).tolist() == [0, 4, 8, 10]
    assert row_starts(0, 4).tolist() == [0]
