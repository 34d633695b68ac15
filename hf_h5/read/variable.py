"""Rows of strings or lists of variable length, read without the HDF5 library.

What the dataset itself stores are references into the heap of the file. They are rows of a fixed size, in chunks or
not, and are read like others; then all values that a batch refers to are copied out of the heap together.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError
from .boxes import read_along
from .direct import DirectDataset
from .heap import Heap
from .packed import Packed, PackedLists, PackedTexts

__all__ = ["VariableDataset"]

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]

# No file is that long; such numbers fit where an address and an object's number are one.
_NO_ADDRESS = np.uint64(2**47)
# Up to so many strings are cut out one by one.
_FEW = 8
# A character that text hardly holds; where it does, its strings are cut out one by one.
_SEPARATOR = 1
_SEPARATOR_TO_NUL = bytes([0, 0, *range(2, 256)])
_LAST_WORD = np.array([(1 << 8 * n) - 1 for n in (8, *range(1, 8))], np.uint64)
# Strings of more words than this on average are copied one by one, as an index would take as much memory again.
_LONG_WORDS = 128
# Lists of more bytes than this on average are copied one by one, shorter ones by one gather of their items.
_LONG_BYTES = 1024


class VariableDataset:
    """The rows of one dataset of variable length; thread-safe, and usable after a fork.

    Parameters
    ----------
    references
        The dataset as it is stored: rows of `hf_h5.read.storage.REFERENCE`.
    heap
        Of the file.
    items
        The stored type of one item of a list, dimensions of its own included; ``S1`` for strings.
    """

    def __init__(self, references: DirectDataset, heap: Heap, items: np.dtype[Any]) -> None:
        self.references, self.heap, self.items = references, heap, items

    def __len__(self) -> int:
        return len(self.references)

    def read_rows(self, rows: Any, axis: int = 0, pool: Executor | None = None) -> Packed:
        """Read rows in the order given.

        Parameters
        ----------
        rows, pool
            As of `DirectDataset.read_rows`.
        axis
            Along which rows lie.

        Raises
        ------
        DamagedFileError
            If a reference leads nowhere, or to what has another size than it says.
        RowError, FileChangedError, FilterError
            As of `DirectDataset.read_rows`.
        """
        if axis:
            references = np.ascontiguousarray(read_along(self.references, rows, axis, pool=pool))
        else:
            references = self.references.read_rows(rows, pool=pool)
        with self.references.place:
            counts, memory, places = self._find(references.reshape(-1))
            if self.items.kind == "S":
                return PackedTexts(_join(memory, places, counts), references.shape)
            return self._pack(memory, places, counts, references.shape)

    def count_rows(self, n_rows: int, n_bytes: int) -> int:
        """How many of the first ``n_rows`` rows have at most so many bytes; at least one, if there is one."""
        n_rows = min(n_rows, len(self))
        counts = self.references.read_rows(range(n_rows))["count"].astype(np.int64)
        sizes = np.cumsum(counts.reshape(n_rows, -1).sum(axis=1)) * self.items.itemsize
        return max(min(1, n_rows), int(np.searchsorted(sizes, n_bytes, side="right")))

    def _find(self, references: NDArray[Any]) -> tuple[Numbers, Bytes, Numbers]:
        """The number of items of each value, and where they lie in memory."""
        counts = references["count"].astype(np.int64)
        addresses = references["address"]
        # Address 0 is a value that was never written (the library's H5T__vlen_disk_isnull).
        if len(addresses) and addresses.all():
            return counts, *self._find_live(references, counts)
        counts[addresses == 0] = 0
        places = np.zeros(len(counts), np.int64)
        live = np.flatnonzero(addresses)
        if not len(live):
            return counts, np.empty(0, np.uint8), places
        memory, places[live] = self._find_live(references[live], counts[live])
        return counts, memory, places

    def _find_live(self, references: NDArray[Any], counts: Numbers) -> tuple[Bytes, Numbers]:
        addresses, numbers = references["address"], references["number"].astype(np.int64)
        if addresses.max() >= _NO_ADDRESS:
            raise DamagedFileError("a value of variable length points outside the file")
        return self.heap.find(addresses.astype(np.int64), numbers, counts * self.items.itemsize)

    def _pack(self, memory: Bytes, places: Numbers, counts: Numbers, shape: tuple[int, ...]) -> PackedLists:
        offsets = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        base, inner = self.items.base, self.items.shape
        items = _gather(memory, places, counts * (self.items.itemsize // base.itemsize), base.itemsize)
        return PackedLists(items.view(base).reshape(-1, *inner), offsets, shape)


def _join(memory: Bytes, places: Numbers, sizes: Numbers) -> bytes:
    """All strings, with a NUL between each two; each ends at its first NUL, as for the HDF5 library."""
    if not sizes.any():
        return bytes(max(0, len(sizes) - 1))
    joined = _join_words(memory, places, sizes) if len(sizes) > _FEW else None
    if joined is not None:
        return joined
    view = memory.data
    begins, ends = places.tolist(), (places + sizes).tolist()
    parts = [bytes(view[begin:end]) for begin, end in zip(begins, ends, strict=True)]
    if any(0 in part for part in parts):
        parts = [part.partition(b"\0")[0] for part in parts]
    return b"\0".join(parts)


def _join_words(memory: Bytes, places: Numbers, sizes: Numbers) -> bytes | None:
    """Join strings without a loop in Python, or return ``None`` if that does not do.

    Content begins at multiples of 8 bytes. So words of 8 bytes are gathered, the one before each string along, which
    becomes its separator; then what pads the words is taken out. It takes half the time of cutting out each string.
    """
    n_words = (sizes + 15 >> 3).astype(np.int64, copy=False)
    ends = np.cumsum(n_words)
    if np.bitwise_or.reduce(places) & 7 or ends[-1] > _LONG_WORDS * len(sizes):
        return None
    firsts = ends - n_words
    index = np.arange(ends[-1])
    index += np.repeat((places >> 3) - 1 - firsts, n_words)
    words = memory[: len(memory) & -8].view("<u8")
    if index[-1] >= len(words) or np.maximum.reduce(index) >= len(words):
        return None
    found = words[index]
    # What pads a string is not always NUL; of an empty one this is the separator.
    found[ends - 1] &= _LAST_WORD[sizes & 7]
    found[firsts] = _SEPARATOR
    joined = found.tobytes().translate(_SEPARATOR_TO_NUL, b"\0")
    n_nuls = len(joined) - np.count_nonzero(np.frombuffer(joined, np.uint8))
    is_right = n_nuls == len(sizes) and len(joined) == int(np.add.reduce(sizes)) + len(sizes)
    return joined[1:] if is_right else None


def _gather(memory: Bytes, places: Numbers, counts: Numbers, itemsize: int) -> Bytes:
    """Copy the items of all lists one after the other."""
    total = int(counts.sum())
    out = np.empty(total * itemsize, np.uint8)
    if total * itemsize > _LONG_BYTES * len(counts):
        stop = 0
        for place, size in zip(places.tolist(), (counts * itemsize).tolist(), strict=True):
            start, stop = stop, stop + size
            out[start:stop] = memory[place : place + size]
        return out
    if not total:
        return out
    is_aligned = itemsize in (1, 2, 4, 8) and not (places % itemsize).any()
    unit = itemsize if is_aligned else 1
    lengths = counts * (itemsize // unit)
    firsts = np.cumsum(lengths) - lengths
    index = np.arange(len(out) // unit, dtype=np.int64) + np.repeat(places // unit - firsts, lengths)
    cells = memory[: len(memory) // unit * unit].view(f"u{unit}")
    np.take(cells, index, out=out.view(f"u{unit}"), mode="clip")
    return out
