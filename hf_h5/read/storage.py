"""Where the bytes of one dataset lie in its file, as a value that any process can read by.

Pure; no I/O. ``read/index.py`` makes it from an open dataset, ``read/direct.py`` reads by it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["REFERENCE", "UNALLOCATED", "FilterStep", "Kind", "StorageIndex"]

Kind = Literal["contiguous", "chunked", "compact", "unallocated"]
FilterStep = tuple[int, int, tuple[int, ...]]
"""One filter of the pipeline as HDF5 reports it: (identifier, flags, client values)."""

REFERENCE = np.dtype([("count", "<u4"), ("address", "<u8"), ("number", "<u4")])
"""What is stored for a value of variable length, where addresses have 8 bytes: how many items it has, where its heap
collection begins, and which object of that it is (HDF5 file format, section III.E "Global Heap")."""

UNALLOCATED = -1
"""Offset of a chunk that was never written; its rows are the fill value."""


@dataclass(frozen=True, slots=True, eq=False)
class StorageIndex:
    """Where and how the rows of one dataset are stored.

    The dimensions of array elements (H5T_ARRAY) are the last ones of ``shape``, ``chunk`` and ``grid``, so that
    ``dtype`` never has a shape of its own. Offsets count from the first byte of the file, a user block included.

    Attributes
    ----------
    kind
        ``"contiguous"`` (one block), ``"chunked"``, ``"compact"`` (inside the object header, kept in ``inline``)
        or ``"unallocated"`` (nothing was ever written: every row is the fill value).
    shape
        The shape of all rows together, first axis included.
    dtype
        The stored type of one value: byte order, padding and field offsets as in the file.
    chunk, grid
        Shape of one chunk, and how many chunks lie along each axis; one chunk of the whole shape unless chunked.
    offsets, sizes, masks
        Per chunk in C order of ``grid``: absolute byte offset (-1: not allocated), stored bytes (int64), and
        filter mask (uint32; bit ``i`` set: filter ``i`` was skipped).
    filters
        The filter pipeline in the order of writing.
    fill
        The bytes of one value of the fill value, array element dimensions included.
    inline
        The bytes of all rows, for ``"compact"`` only.
    """

    kind: Kind
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk: tuple[int, ...]
    grid: tuple[int, ...]
    offsets: NDArray[np.int64] = field(repr=False)
    sizes: NDArray[np.int64] = field(repr=False)
    masks: NDArray[np.uint32] = field(repr=False)
    filters: tuple[FilterStep, ...] = ()
    fill: bytes = field(default=b"", repr=False)
    inline: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not len(self.shape) == len(self.chunk) == len(self.grid) >= 1:
            raise ValueError(f"shape {self.shape}, chunk {self.chunk} and grid {self.grid} differ in length")
        if not self.offsets.shape == self.sizes.shape == self.masks.shape == (math.prod(self.grid),):
            raise ValueError(f"a grid of {self.grid} needs as many offsets, sizes and masks")

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return self.shape[0]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self.shape[1:]

    @property
    def row_nbytes(self) -> int:
        """Bytes of one row, unpacked."""
        return math.prod(self.row_shape) * self.dtype.itemsize

    @property
    def chunk_rows(self) -> int:
        """Rows that one chunk spans."""
        return self.chunk[0]

    @property
    def chunk_nbytes(self) -> int:
        """Bytes of one chunk, unpacked; HDF5 stores the chunks at the edges in full size too."""
        return math.prod(self.chunk) * self.dtype.itemsize

    @property
    def chunks_per_row(self) -> int:
        """How many chunks one row is spread over: 1 unless chunks split the inner dimensions."""
        return math.prod(self.grid[1:])

    @property
    def holds_whole_rows(self) -> bool:
        """Whether a row lies inside one chunk in one piece."""
        return self.chunk[1:] == self.row_shape

    def __getstate__(self) -> list[Any]:
        """Pickle small: stored sizes mostly fit 32 bits, and masks are mostly all zero."""
        state = {each.name: getattr(self, each.name) for each in fields(self)}
        if self.sizes.size and int(self.sizes.max()) < 2**32:
            state["sizes"] = self.sizes.astype(np.uint32)
        state["masks"] = self.masks if self.masks.any() else None
        return list(state.values())

    def __setstate__(self, state: list[Any]) -> None:
        for each, value in zip(fields(self), state, strict=True):
            object.__setattr__(self, each.name, value)
        object.__setattr__(self, "sizes", self.sizes.astype(np.int64))
        if self.masks is None:
            object.__setattr__(self, "masks", np.zeros(len(self.offsets), np.uint32))
