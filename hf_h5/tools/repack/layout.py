"""Which chunks and filters suit, and in which blocks rows are carried over. Pure; no I/O."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...errors import OptionError

__all__ = ["CODECS", "MANY_CHUNKS", "PURPOSES", "SMALL_BYTES", "Block", "Layout", "Wanted", "cut_blocks", "suit_chunk"]

CODECS = ("auto", "none", "lzf", "lz4", "zstd", "gzip")
PURPOSES = ("training", "streaming")

SMALL_BYTES = 64 << 10
"""Datasets up to this size are one read anyway, and stay as they are, unless they are in many chunks."""

MANY_CHUNKS = 64
"""As many chunks take longer to find and to decode one by one than all the values of a small dataset."""

_TARGET_BYTES = {"training": 64 << 10, "streaming": 1 << 20}
# An index of 100,000 chunks is looked up in 0.2 s; ten times as many would be felt at each opening.
_MAX_CHUNKS = 100_000
# A chunk is decoded as a whole, and one per thread is in memory.
_MAX_CHUNK_BYTES = 16 << 20

Block = tuple[slice, ...]
"""Half-open ranges, one for each axis."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a dataset is stored.

    Attributes
    ----------
    chunk
        Shape of a chunk; None for contiguous.
    codec
        One of `CODECS` but ``"auto"``, or the names of the filters that a file had before.
    """

    chunk: tuple[int, ...] | None
    codec: str

    def __str__(self) -> str:
        if self.chunk is None:
            return "contiguous"
        return f"chunks {'x'.join(map(str, self.chunk))}" + ("" if self.codec == "none" else f" {self.codec}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for.

    Attributes
    ----------
    purpose
        ``"training"``: rows in any order; ``"streaming"``: one after the other through a network.
    chunk_rows
        Rows of a chunk; None to choose by the bytes of a row.
    codec
        One of `CODECS`.
    """

    purpose: str = "training"
    chunk_rows: int | None = None
    codec: str = "auto"

    def __post_init__(self) -> None:
        for name, value, known in (("--for", self.purpose, PURPOSES), ("--codec", self.codec, CODECS)):
            if value not in known:
                raise OptionError(f"{name} {value!r} is not one of {', '.join(known)}")
        if self.chunk_rows is not None and self.chunk_rows < 1:
            raise OptionError(f"--chunk-rows {self.chunk_rows} is not a positive number")


def suit_chunk(shape: Sequence[int], item_bytes: int, wanted: Wanted) -> tuple[int, ...]:
    """Choose the shape of chunks: whole rows, as many as fill the target of the purpose.

    Rows that are larger than 16 MiB are cut along their first axes.

    >>> suit_chunk((60000, 28, 28), 1, Wanted("training"))
    (83, 28, 28)
    """
    row_bytes = math.prod(shape[1:]) * item_bytes
    target = max(_TARGET_BYTES[wanted.purpose], math.prod(shape) * item_bytes // _MAX_CHUNKS)
    rows = wanted.chunk_rows or max(1, min(target, _MAX_CHUNK_BYTES) // max(1, row_bytes))
    chunk = [min(rows, shape[0]), *shape[1:]]
    # What the user asked for may be larger; HDF5 has chunks of less than 4 GiB.
    largest = _MAX_CHUNK_BYTES if wanted.chunk_rows is None else (4 << 30) - 1
    for axis in range(len(chunk)):
        rest = math.prod(chunk[axis + 1 :]) * item_bytes
        fit = max(1, largest // (math.prod(chunk[:axis]) * rest))
        chunk[axis] = min(chunk[axis], fit)
    return tuple(chunk)


def cut_blocks(shape: Sequence[int], chunk: Sequence[int], item_bytes: int, max_bytes: int) -> Iterator[Block]:
    """Cut an array into blocks of whole chunks, each as large as ``max_bytes`` allows, in the order of storage.

    >>> list(cut_blocks((5, 2), (2, 2), 1, 8))
    [(slice(0, 4, None), slice(0, 2, None)), (slice(4, 5, None), slice(0, 2, None))]
    """
    steps, outer = [], 1
    for axis, (size, step) in enumerate(zip(shape, chunk, strict=True)):
        rest = math.prod(shape[axis + 1 :]) * item_bytes
        fit = max_bytes // max(1, outer * rest) // step * step
        steps.append(min(size, max(step, fit)))
        outer *= steps[-1]
    starts = [range(0, size, step) for size, step in zip(shape, steps, strict=True)]
    for corner in itertools.product(*starts):
        yield tuple(
            slice(start, min(start + step, size)) for start, step, size in zip(corner, steps, shape, strict=True)
        )
