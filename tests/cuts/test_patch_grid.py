"""Which part of a volume each patch is, against plain loops."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.cuts.patch_grid import PatchGrid, find_block


@st.composite
def grids(draw):
    rank = draw(st.integers(1, 3))

    def sizes(low: int, high: int):
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    volumes = np.array([sizes(0, 9) for _ in range(draw(st.integers(1, 3)))], np.int64)
    return PatchGrid(volumes, sizes(1, 6), sizes(1, 5), draw(st.booleans()), sizes(1, 3))


def starts(size: int, length: int, stride: int, filled: bool) -> list[int]:
    """Where patches begin along one axis."""
    if not filled:
        return [at for at in range(0, size, stride) if at + length <= size]
    found = []
    for at in range(0, size, stride):
        if not found or found[-1] + length < size:
            found.append(at)
    return found


@given(grids())
def test_patches_are_those_of_plain_loops_and_blocks_are_groups(grid: PatchGrid) -> None:
    volumes, corners = grid.locate(np.arange(len(grid)))
    expected = []
    for volume, size in enumerate(grid.volumes.tolist()):
        sides = zip(size, grid.shape, grid.stride, strict=True)
        expected += [(volume, *at) for at in itertools.product(*(starts(*side, grid.filled) for side in sides))]
    found = [(volume, *corner) for volume, corner in zip(volumes.tolist(), corners.tolist(), strict=True)]
    assert sorted(found) == expected
    bounds = grid.groups()
    assert bounds[-1] == len(grid)
    steps = np.array(grid.stride) * np.array(grid.block)
    blocks = [tuple(block) for block in np.column_stack([volumes, corners // steps]).tolist()]
    groups = [blocks[start:stop] for start, stop in itertools.pairwise(bounds.tolist())]
    assert all(len(set(group)) == 1 for group in groups)
    assert len(groups) == len(set(blocks))


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=3),
    st.integers(1, 50),
)
def test_a_block_has_no_more_patches_than_allowed(sides, most: int) -> None:
    shape, stride, chunk = zip(*sides, strict=True)
    block = find_block(shape, stride, chunk, [20] * len(sides), most)
    assert 1 <= np.prod(block) <= most
    assert find_block(shape, shape, shape, [20] * len(sides), most) == (1,) * len(sides)
