"""Which part of a volume each patch is: arithmetic over a grid, in an order that keeps the patches of a chunk together.

Pure; no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["PatchGrid", "find_block"]

Numbers = NDArray[np.int64]
Sizes = tuple[int, ...]

# Patches at the edge of a block share chunks with the next one: so often may a chunk be decoded in a pass.
_MOST_DECODES = 1.3


@dataclass(frozen=True, eq=False)
class PatchGrid:
    """Patches of volumes.

    They are numbered volume by volume, inside a volume block by block, and inside a block in C order; blocks too come
    in C order.

    Attributes
    ----------
    volumes
        ``(k, axes)`` the shape of each volume.
    shape, stride
        Of a patch, and from one to the next, along each axis.
    filled
        Whether there are patches that reach beyond the end: as many as it takes to cover the volume.
    block
        Patches of a block along each axis.

    Examples
    --------
    >>> grid = PatchGrid(np.array([[4, 4]]), (2, 2), (2, 2), False, (1, 2))
    >>> grid.locate(np.arange(4))[1].tolist()
    [[0, 0], [0, 2], [2, 0], [2, 2]]
    """

    volumes: Numbers
    shape: Sizes
    stride: Sizes
    filled: bool
    block: Sizes

    @cached_property
    def counts(self) -> Numbers:
        """``(k, axes)`` patches of each volume along each axis."""
        shape, stride = np.array(self.shape), np.array(self.stride)
        left = self.volumes - shape
        if not self.filled:
            counts: Numbers = np.maximum(left // stride + 1, 0)
        else:
            counts = np.minimum(-(-np.maximum(left, 0) // stride) + 1, -(-self.volumes // stride))
        return counts

    @cached_property
    def bounds(self) -> Numbers:
        """``(k + 1,)`` number of the first patch of each volume, and of all patches."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.counts.prod(axis=1))])

    def __len__(self) -> int:
        return int(self.bounds[-1])

    def locate(self, numbers: Numbers) -> tuple[Numbers, Numbers]:
        """The volume of each patch, and ``(n, axes)`` where it begins in it."""
        volumes = np.searchsorted(self.bounds, numbers, side="right") - 1
        rest = numbers - self.bounds[volumes]
        counts = list(self.counts[volumes].T)
        first: list[Numbers] = []
        heights: list[Numbers] = []
        for axis, count in enumerate(counts):
            # All blocks before this one along the axis are full, and hold so many patches with what follows whole.
            held = np.full(len(numbers), self.block[axis])
            for size in (*heights, *counts[axis + 1 :]):
                held *= size
            number = rest // held
            rest = rest - number * held
            first.append(number * self.block[axis])
            heights.append(np.minimum(self.block[axis], count - first[-1]))
        places = []
        for axis in range(len(counts) - 1, -1, -1):
            places.append(first[axis] + rest % heights[axis])
            rest = rest // heights[axis]
        return volumes, np.stack(places[::-1], axis=1) * np.array(self.stride)

    def extents(self, volumes: Numbers, corners: Numbers) -> Numbers:
        """``(n, axes)`` how much of each patch lies inside its volume."""
        found: Numbers = np.minimum(self.volumes[volumes] - corners, np.array(self.shape))
        return found

    def groups(self) -> Numbers:
        """``(m + 1,)`` boundaries of the blocks."""
        made: dict[Sizes, Numbers] = {}
        pieces = [np.empty(0, np.int64)]
        for counts in map(tuple, self.counts.tolist()):
            if counts not in made:
                made[counts] = self._block_sizes(counts)
            pieces.append(made[counts])
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(pieces))])

    def _block_sizes(self, counts: Sizes) -> Numbers:
        sizes = np.ones(1, np.int64)
        for count, step in zip(counts, self.block, strict=True):
            sides = np.minimum(step, count - np.arange(0, count, step))
            sizes = np.multiply.outer(sizes, sides).reshape(-1)
        return sizes


def find_block(shape: Sizes, stride: Sizes, chunk: Sizes | None, counts: Sequence[int], most: int) -> Sizes:
    """How many patches along each axis make a block, in which chunks are shared.

    A patch of whole chunks is a block of its own. Else blocks grow until a chunk is decoded hardly more than once in
    a pass, or a block has ``most`` patches.

    Parameters
    ----------
    chunk
        Of the stored data along the same axes; None where it is not stored in chunks.
    counts
        Patches along each axis.

    Examples
    --------
    >>> find_block((32, 32), (32, 32), (64, 64), [8, 8], 100)
    (2, 2)
    >>> find_block((64, 64), (64, 64), (32, 64), [8, 8], 100)
    (1, 1)
    """
    block = [1] * len(shape)
    while chunk is not None:
        decodes = [_decodes(*each) for each in zip(shape, stride, chunk, block, strict=True)]
        if math.prod(decodes) <= _MOST_DECODES:
            break
        grown = [axis for axis in range(len(shape)) if block[axis] < counts[axis] and decodes[axis] > 1]
        axis = max(grown, key=lambda axis: decodes[axis], default=-1)
        if axis < 0 or math.prod(block) // block[axis] * min(2 * block[axis], counts[axis]) > most:
            break
        block[axis] = min(2 * block[axis], counts[axis])
    return tuple(block)


def _decodes(length: int, stride: int, chunk: int, count: int) -> float:
    """How often a chunk is decoded along one axis, if blocks of ``count`` patches are read one by one."""
    covered = (count - 1) * stride + length
    step = count * stride
    if step % chunk == 0:
        touched = float(-(-covered // chunk))
    else:
        # Where a block begins inside a chunk differs from block to block: on average it touches so many.
        shared = math.gcd(step, chunk)
        touched = (covered - shared) / chunk + 1
    return touched * chunk / step
