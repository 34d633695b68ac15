"""Which rows make up which window, against plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.cuts.window_rows import Windows, find_runs
from hf_h5.read.plan import as_rows


@st.composite
def windows(draw):
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=6))
    starts = np.cumsum([0, *sizes[:-1]])
    order = draw(st.permutations(range(len(sizes))))
    length, stride = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    return Windows(starts[order], np.array(sizes)[order], length, stride, draw(st.booleans()))


def looped(cut: Windows) -> list[list[int]]:
    """The rows of each window."""
    found = []
    for start, size in zip(cut.starts.tolist(), cut.sizes.tolist(), strict=True):
        rows = range(start, start + size)
        for first in range(0, size, cut.stride):
            window = list(rows[first : first + cut.length])
            if cut.filled or len(window) == cut.length:
                found.append(window)
    return found


@given(windows(), st.data())
def test_gathered_rows_come_once_each_and_make_up_the_windows(cut: Windows, data) -> None:
    expected = looped(cut)
    assert len(cut) == len(expected)
    chosen = data.draw(st.lists(st.integers(0, max(0, len(cut) - 1)), max_size=20 if expected else 0))
    gathered = cut.gather(np.array(chosen, np.int64))
    assert list(gathered.rows) == sorted({row for number in chosen for row in expected[number]})
    for number, begin, count in zip(chosen, gathered.begins.tolist(), gathered.counts.tolist(), strict=True):
        assert list(gathered.rows[begin : begin + count]) == expected[number]


@given(windows(), st.integers(1, 30), st.integers(1, 500))
def test_groups_are_all_windows_in_order_and_begin_anew_in_each_run(cut: Windows, chunk: int, most: int) -> None:
    n_rows = int(cut.sizes.sum())
    bounds = cut.groups(np.append(np.arange(0, n_rows, chunk), n_rows), most)
    assert bounds[0] == 0
    assert bounds[-1] == len(cut)
    assert (np.diff(bounds) > 0).all()
    assert (np.diff(bounds) <= most).all()
    assert set(cut.bounds[cut.bounds < len(cut)].tolist()) <= set(bounds.tolist())


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.data())
def test_runs_cover_the_rows_in_order_and_stay_inside_parts(sizes: list[int], data) -> None:
    starts = np.concatenate([[0], np.cumsum(sizes)])
    n_rows = int(starts[-1])
    bound = st.integers(0, n_rows)
    pieces = data.draw(st.lists(st.tuples(bound, bound).map(sorted), max_size=3))
    rows = as_rows(np.concatenate([np.empty(0, np.int64), *(np.arange(*piece) for piece in pieces)]), n_rows)
    firsts, counts = find_runs(rows, starts)
    joined = [row for first, count in zip(firsts, counts, strict=True) for row in range(first, first + count)]
    assert joined == list(rows)
    owner = np.searchsorted(starts, firsts, side="right")
    assert (np.searchsorted(starts, firsts + counts - 1, side="right") == owner).all()
