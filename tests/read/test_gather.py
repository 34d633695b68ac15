from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.read import gather
from hf_h5.read.gather import as_cells, as_row_array, copy_rows, gather_rows, join_runs

BUFFER = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8)


@given(st.integers(1, 300), st.lists(st.integers(0, 4700), min_size=1, max_size=40), st.sampled_from([64, 1 << 20]))
def test_rows_are_gathered_from_any_byte(row_nbytes, addresses, block_bytes):
    original, gather._BLOCK_BYTES = gather._BLOCK_BYTES, block_bytes
    out = np.zeros(row_nbytes * len(addresses), np.uint8)
    gather_rows(BUFFER, np.array(addresses), row_nbytes, out)
    gather._BLOCK_BYTES = original
    assert out.tobytes() == b"".join(BUFFER[at : at + row_nbytes].tobytes() for at in addresses)


@pytest.mark.parametrize(("loop_row", "large_row"), [(1 << 13, 1 << 16), (1, 1 << 16), (1, 1)])
def test_rows_are_gathered_to_any_place(monkeypatch, loop_row, large_row):
    monkeypatch.setattr(gather, "_LOOP_ROW", loop_row)
    monkeypatch.setattr(gather, "LARGE_ROW", large_row)
    out = np.zeros(50, np.uint8)
    gather_rows(BUFFER, np.array([7, 4000]), 10, out, np.array([3, 1]))
    assert out[30:40].tobytes() == BUFFER[7:17].tobytes()
    assert out[10:20].tobytes() == BUFFER[4000:4010].tobytes()
    assert not out[:10].any()
    gather_rows(BUFFER, np.array([7, 4000]), 10, out, slice(1, 3))
    assert out[10:30].tobytes() == BUFFER[7:17].tobytes() + BUFFER[4000:4010].tobytes()


@given(st.lists(st.integers(0, 9), max_size=20), st.permutations(range(20)))
def test_rows_are_copied_in_any_order(rows, places):
    source, out = BUFFER[:70].reshape(10, 7), np.zeros((20, 7), np.uint8)
    where = np.array(places[: len(rows)], int)
    copy_rows(as_row_array(source.ravel(), 7), np.array(rows, int), as_row_array(out.ravel(), 7), where)
    assert (out[where] == source[rows]).all()
    copy_rows(as_row_array(source.ravel(), 7), np.array(rows, int), as_row_array(out.ravel(), 7), slice(0, len(rows)))
    assert (out[: len(rows)] == source[rows]).all()


@pytest.mark.parametrize("itemsize", [1, 2, 3, 4, 8, 16, 100])
def test_cells_are_copied_whole(itemsize):
    cells = as_cells(BUFFER[: itemsize * 10].copy(), itemsize)
    assert cells.shape == (10,)
    assert cells[[3, 1]].tobytes() == BUFFER[3 * itemsize : 4 * itemsize].tobytes() + cells[1].tobytes()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=20))
def test_joined_runs_cover_the_same_bytes(steps):
    gaps, sizes = np.array(steps).T
    begins = np.cumsum(gaps + sizes) - sizes
    joined, lengths = join_runs(begins, sizes)
    expected = [byte for begin, size in zip(begins, sizes, strict=True) for byte in range(begin, begin + size)]
    assert [
        byte for begin, size in zip(joined, lengths, strict=True) for byte in range(begin, begin + size)
    ] == expected
    assert (joined[1:] != (joined + lengths)[:-1]).all()
