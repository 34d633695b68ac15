"""Undo the filters that reorder bytes or bits: shuffle and bitshuffle.

Pure; no I/O.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError
from .scratch import borrow_scratch

__all__ = [
    "BITSHUFFLE_LZ4",
    "BITSHUFFLE_NONE",
    "BITSHUFFLE_ZSTD",
    "HEADROOM",
    "Stored",
    "bitunshuffle",
    "unshuffle",
]

Bytes = NDArray[np.uint8]

HEADROOM = 24
"""Bytes left free before those that are unpacked on the way, for the header that makes a Blosc chunk of them."""

_BLOSC_HEADER = struct.Struct("<4B3i2i")
_BLOSC_SHUFFLED = (2, 1, 0b0011_0001)  # format, version of LZ4; shuffled, not split into streams, LZ4
_FAST_ITEMS = (2, 4, 8, 16)
_MAX_FAST_BYTES = 16 << 20  # Blosc takes memory for blocks on the way

BITSHUFFLE_NONE, BITSHUFFLE_LZ4, BITSHUFFLE_ZSTD = 0, 2, 3
_HEADER = struct.Struct(">QI")
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that are to be unpacked.

    ``room`` is this thread's memory that ends with them and begins `HEADROOM` bytes before, or ``None`` for bytes
    that lie in memory of others.
    """

    content: memoryview
    room: Bytes | None = None

    def without_tail(self, n_bytes: int) -> Stored:
        """Return all but the last bytes."""
        return Stored(self.content[:-n_bytes], None if self.room is None else self.room[:-n_bytes])


def unshuffle(codecs: ModuleType, stored: Stored, out: Bytes, itemsize: int) -> int:
    """Undo the shuffle filter: byte ``j`` of every item lies in plane ``j``; a rest shorter than an item stays.

    A single item is not shuffled (``H5Zshuffle.c``); that also keeps an absurd item size from making as many planes.
    """
    n_bytes = out.nbytes
    if itemsize <= 1 or n_bytes < 2 * itemsize:
        out[:] = stored.content
    elif itemsize in _FAST_ITEMS and n_bytes % itemsize == 0 and n_bytes <= _MAX_FAST_BYTES and _has_fast(codecs):
        _unshuffle_fast(codecs, stored, out, itemsize)
    else:
        _unshuffle_by_planes(stored.content, out, itemsize)
    return n_bytes


def _unshuffle_by_planes(content: memoryview, out: Bytes, itemsize: int) -> None:
    """Copy plane by plane, at 3.5 GB/s; transposes (1.4) and blocks that fit the first cache (2.9) are slower."""
    planes = np.frombuffer(content, np.uint8)
    whole = out.nbytes // itemsize * itemsize
    items = out[:whole].reshape(-1, itemsize)
    for j, plane in enumerate(planes[:whole].reshape(itemsize, -1)):
        items[:, j] = plane
    out[whole:] = planes[whole:]


def _unshuffle_fast(codecs: ModuleType, stored: Stored, out: Bytes, itemsize: int) -> None:
    """Let Blosc undo it with vector instructions, at 10 GB/s.

    With a header before them, shuffled bytes are a Blosc chunk of one block that shuffled well but did not compress
    (c-blosc's ``README_CHUNK_FORMAT.rst``): header, where the block begins, its length.
    """
    room = stored.room
    if room is None:
        room = borrow_scratch("shuffle", HEADROOM + out.nbytes)
        room[HEADROOM:] = np.frombuffer(stored.content, np.uint8)
    header = _BLOSC_HEADER.pack(*_BLOSC_SHUFFLED, itemsize, out.nbytes, out.nbytes, room.nbytes, 20, out.nbytes)
    room[:HEADROOM] = np.frombuffer(header, np.uint8)
    written = len(codecs.blosc2_decode(room, numthreads=1, out=out))
    if written != out.nbytes:
        raise DamagedFileError(f"shuffle undoes {written} bytes instead of {out.nbytes}")


@functools.cache
def _has_fast(codecs: ModuleType) -> bool:
    """Try whether this version of the decoders undoes shuffles that way, and rightly."""
    if not bool(getattr(getattr(codecs, "BLOSC2", None), "available", False)):
        return False
    planes = np.arange(1 << 12, dtype=np.uint16).view(np.uint8)
    fast, slow = np.zeros_like(planes), np.zeros_like(planes)
    for itemsize in _FAST_ITEMS:
        try:
            _unshuffle_fast(codecs, Stored(planes.data), fast, itemsize)
        except (RuntimeError, ValueError, DamagedFileError):
            return False
        _unshuffle_by_planes(planes.data, slow, itemsize)
        if not np.array_equal(fast, slow):
            return False
    return True


def bitunshuffle(
    codecs: ModuleType, raw: memoryview, out: Bytes, itemsize: int, block_items: int, compression: int
) -> int:
    """Undo the bitshuffle filter (registered filter 32008), alone or with LZ4 or Zstandard inside.

    A compressed chunk is a header (uint64 bytes unpacked, uint32 bytes of a block, both big endian), then each
    block with its length (uint32) before it, then the up to seven items that do not fill a group of eight, as they
    are. The last block holds the remaining groups of eight.
    """
    if compression == BITSHUFFLE_NONE:
        return len(codecs.bitshuffle_decode(raw, itemsize=itemsize, blocksize=block_items, out=out))
    unpacked, block_bytes = _HEADER.unpack_from(raw)
    if unpacked != out.nbytes or not block_bytes or block_bytes % (8 * itemsize):
        raise DamagedFileError(f"its bitshuffle header asks for {unpacked} bytes in blocks of {block_bytes}")
    rest = out.nbytes % (8 * itemsize)
    blocks, end = _find_blocks(raw, -(-(out.nbytes - rest) // block_bytes))
    if len(raw) - end != rest:
        raise DamagedFileError(f"{len(raw) - end} bytes follow its bitshuffle blocks instead of {rest}")
    shuffled = borrow_scratch("bitshuffle", out.nbytes)
    body = shuffled[: out.nbytes - rest]
    if compression == BITSHUFFLE_ZSTD:
        written = len(codecs.zstd_decode(b"".join(blocks), out=body))
    else:
        written = _unpack_lz4(codecs, raw[:end], blocks, body, block_bytes)
    if written != body.nbytes:
        raise DamagedFileError(f"its bitshuffle blocks hold {written} bytes instead of {body.nbytes}")
    shuffled[body.nbytes :] = raw[end:]
    block_items = block_bytes // itemsize
    return len(codecs.bitshuffle_decode(shuffled.data, itemsize=itemsize, blocksize=block_items, out=out))


def _find_blocks(raw: memoryview, count: int) -> tuple[list[memoryview], int]:
    """Return the compressed blocks, and where they end."""
    blocks, at = [], _HEADER.size
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size + length
        blocks.append(raw[at - length : at])
    return blocks, at


def _unpack_lz4(codecs: ModuleType, raw: memoryview, blocks: list[memoryview], body: Bytes, block_bytes: int) -> int:
    """Unpack LZ4 blocks, in one call where their layout is also that of the HDF5 LZ4 filter.

    That filter stores a block that is as long as its content uncompressed, which bitshuffle never does; its header
    counts the rest after the last block too. One call keeps the interpreter out of blocks of 8 KiB.
    """
    ambiguous = (block_bytes, body.nbytes - (len(blocks) - 1) * block_bytes)
    if _HEADER.unpack_from(raw)[0] == body.nbytes and not any(len(block) in ambiguous for block in blocks):
        return len(codecs.lz4h5_decode(raw, out=body))
    written = 0
    for block in blocks:
        written += len(codecs.lz4_decode(block, out=body[written : written + block_bytes]))
    return written
