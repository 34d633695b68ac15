"""Are row ranges and batches whole row groups, balanced, and of a sensible number and size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.sharding import BatchSize, batch_bounds, plan_batches, plan_ranges, split_range


@st.composite
def row_groups(draw: st.DrawFn) -> np.ndarray:
    """Boundaries of groups of 1 to 50 rows."""
    sizes = draw(st.lists(st.integers(1, 50), min_size=1, max_size=60))
    return np.concatenate([[0], np.cumsum(sizes)])


def covers(pieces: list[tuple[int, int]], start: int, stop: int) -> bool:
    """Whether pieces follow one another from start to stop, none of them empty."""
    bounds = [start, *(end for _, end in pieces)]
    follows = all(piece == pair for piece, pair in zip(pieces, itertools.pairwise(bounds), strict=True))
    return follows and bounds[-1] == stop and all(first < end for first, end in pieces)


@given(groups=row_groups(), row_bytes=st.integers(1, 1 << 24))
def test_ranges_are_whole_row_groups_that_cover_every_row_once(groups: np.ndarray, row_bytes: int) -> None:
    ranges = plan_ranges(groups, row_bytes)
    assert covers(ranges, 0, int(groups[-1]))
    assert {bound for each in ranges for bound in each} <= set(groups.tolist())


@pytest.mark.parametrize(
    ("n_files", "rows_of_a_file", "row_bytes", "least", "most"),
    [
        (1, 100_000, 100, 16, 16),  # a small file is for a few workers too
        (1, 1_000_000, 12_288, 350, 400),  # 12 GB: pieces of 32 MB
        (1, 100_000_000, 12_288, 1024, 1024),  # 1.2 TB: not 38,000 tasks
        (10_000, 1, 100, 16, 16),  # of tiny files not one task each
        (10_000, 1000, 12_288, 1000, 1024),
    ],
)
def test_the_number_of_ranges_is_sensible_for_one_file_and_for_ten_thousand(
    n_files: int, rows_of_a_file: int, row_bytes: int, least: int, most: int
) -> None:
    inside = np.arange(0, rows_of_a_file, 100)
    groups = np.append((np.arange(min(n_files, 10_000))[:, None] * rows_of_a_file + inside).ravel(), 0)
    groups[-1] = n_files * rows_of_a_file
    ranges = plan_ranges(groups, row_bytes)
    assert least <= len(ranges) <= most
    sizes = np.diff(ranges, axis=1)
    assert sizes.max() <= 2 * sizes.min() + 200


def test_no_rows_are_one_empty_range() -> None:
    assert plan_ranges(np.array([0]), 8) == [(0, 0)]


@given(groups=row_groups(), rows=st.integers(1, 200), data=st.data())
def test_batches_cover_a_range_and_end_with_row_groups_where_these_are_smaller(
    groups: np.ndarray, rows: int, data: st.DataObject
) -> None:
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, int(groups[-1]))] * 2)))
    pieces = batch_bounds(start, stop, rows, groups)
    assert covers(pieces, start, stop)
    assert all(end - first <= rows for first, end in pieces)
    if rows >= np.diff(groups).max():
        assert {end for _, end in pieces} <= {*groups.tolist(), stop}


@given(groups=row_groups(), data=st.data())
def test_a_range_is_cut_in_two_between_row_groups_or_not_at_all(groups: np.ndarray, data: st.DataObject) -> None:
    start, stop = sorted(data.draw(st.tuples(*[st.sampled_from(groups.tolist())] * 2)))
    pieces = split_range(start, stop, groups)
    assert pieces == [(start, stop)] or covers(pieces, start, stop)
    assert (len(pieces) == 2) == bool(((groups > start) & (groups < stop)).any())


def test_rows_beyond_what_32_bits_count_are_cut_alike() -> None:
    groups = np.arange(0, 2**40 + 1, 2**30)
    assert plan_ranges(groups, 1)[-1][1] == 2**40
    assert batch_bounds(2**33, 2**33 + 5, 2, groups) == [
        (2**33, 2**33 + 2),
        (2**33 + 2, 2**33 + 4),
        (2**33 + 4, 2**33 + 5),
    ]


def test_batches_of_rows_whose_size_is_not_known_grow_and_shrink_to_the_bytes_wanted() -> None:
    size = BatchSize(10_000, target_bytes=1 << 20)
    rows_seen = []
    for _, _, start, end in plan_batches([(0, 40_000)], size, np.array([0, 40_000])):
        rows_seen.append(end - start)
        row_bytes = 64 if start < 20_000 else 4096
        size.note(end - start, (end - start) * row_bytes)
    assert rows_seen[:4] == [64, 512, 4096, 10_000]
    # The first batch of larger rows is too large; no other is.
    assert rows_seen[4:6] == [10_000, 10_000]
    assert set(rows_seen[6:-1]) == {256}


def test_batches_of_rows_of_one_size_never_change() -> None:
    size = BatchSize(100)
    size.note(100, 1 << 40)
    assert size.rows == 100


def test_a_batch_holds_a_row_however_large() -> None:
    size = BatchSize(100, target_bytes=1024)
    size.note(64, 1 << 40)
    assert size.rows == 1
