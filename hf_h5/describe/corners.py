"""Where the chunks of a dataset begin: what the HDF5 library lists, put right where it lists other places.

Files of the newest format (``libver="latest"``, which writing while others read needs) keep the chunks of a dataset
with one unlimited axis in an *extensible array*, which is ordered by that axis first. Where that is not the first axis,
HDF5 up to 2.0 lists the chunks in other places: those of all channels of signals ``(channels, time)`` seem to be those
of the first. Reading, and searching by place, are right.
"""

from __future__ import annotations

import math
from array import array
from contextlib import suppress

import numpy as np
from h5py import h5d, h5s
from numpy.typing import NDArray

__all__ = ["is_found", "list_corners", "straighten"]

Corners = NDArray[np.int64]

# Searching takes 3 microseconds each.
_MAX_SEARCHES = 1024


def list_corners(dataset: h5d.DatasetID) -> Corners:
    """``(n, axes)`` the first element of each chunk that is stored."""
    listed = array("Q")
    if hasattr(dataset, "chunk_iter"):
        # h5py says that there is none by this exception.
        with suppress(StopIteration):
            dataset.chunk_iter(lambda info: listed.extend(info.chunk_offset))
    else:
        for number in range(dataset.get_num_chunks()):
            listed.extend(dataset.get_chunk_info(number).chunk_offset)
    return straighten(dataset, np.frombuffer(listed, np.int64).reshape(-1, len(dataset.shape)))


def straighten(dataset: h5d.DatasetID, corners: Corners) -> Corners:
    """``(n, axes)`` where chunks begin, of which the library said that they begin at ``corners``."""
    limits = dataset.get_space().get_simple_extent_dims(True)
    free = [axis for axis, limit in enumerate(limits) if limit == h5s.UNLIMITED]
    if len(free) != 1 or not free[0] or not len(corners) or corners[:, : free[0]].any():
        return corners
    axis, chunk = free[0], np.array(dataset.get_create_plist().get_chunk())
    counts = tuple(-(-limit // step) for limit, step in zip(limits[:axis], chunk[:axis].tolist(), strict=True))
    numbers = corners[:, axis] // chunk[axis]
    turned = corners // chunk
    turned[:, axis] = numbers // math.prod(counts)
    turned[:, :axis] = np.stack(np.unravel_index(numbers % math.prod(counts), counts), axis=1)
    turned *= chunk
    # Other kinds of index have chunks in these places only if they are the same ones.
    some = np.unique(np.linspace(0, len(turned) - 1, _MAX_SEARCHES).astype(np.int64))
    is_inside = (turned < np.array(dataset.shape)).all()
    return turned if is_inside and all(is_found(dataset, corner) for corner in turned[some].tolist()) else corners


def is_found(dataset: h5d.DatasetID, corner: list[int]) -> bool:
    """Whether the library finds a chunk that begins there; none of its bytes are read."""
    # Without room for it, a chunk that is found is not read.
    try:
        dataset.read_direct_chunk(tuple(corner), out=bytearray(0))
    except ValueError:
        return True
    except (OSError, RuntimeError):
        return False
    return True
