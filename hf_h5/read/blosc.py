"""Unpack chunks of the Blosc (32001) and Blosc2 (32026) filters.

Pure; no I/O. A Blosc chunk stands for itself. Blosc2 wraps one chunk into a frame (c-blosc2's
``README_CFRAME_FORMAT.rst``), whose metalayer ``b2nd`` says how the items of a multidimensional chunk are blocked
(``README_B2ND_METALAYER.rst``).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError, FilterError
from .scratch import borrow_scratch

__all__ = ["unpack_blosc", "unpack_blosc2"]

_CHUNK_HEADER = struct.Struct("<4B3i")
_FRAME_MAGIC = b"\x9e\xa8b2frame\0"
# Values of msgpack, each behind a byte for its type: bytes of the header, the frame, unpacked and stored; bytes of an
# item and (behind those of a block) of a chunk.
_FRAME_HEADER = struct.Struct(">11xixQ6xqxqxi6xi")
_FRAME_TYPE = 26
_MIN_FRAME_BYTES = 87
_B2ND_KEY = b"\xa4b2nd\xd2"
_CONTIGUOUS_FRAME = 0
_ZEROS = 1


def unpack_blosc(codecs: ModuleType, raw: memoryview, out: NDArray[np.uint8]) -> int:
    """Unpack one Blosc chunk; its header must tell the truth, for the library believes it."""
    if len(raw) < _CHUNK_HEADER.size:
        raise DamagedFileError(f"its Blosc chunk has only {len(raw)} bytes")
    *_, unpacked, block_bytes, stored = _CHUNK_HEADER.unpack_from(raw)
    if unpacked != out.nbytes or stored != len(raw) or (unpacked and not 0 < block_bytes <= unpacked):
        raise DamagedFileError(f"its Blosc header says {unpacked} bytes in {stored}, in blocks of {block_bytes}")
    return len(codecs.blosc_decode(raw, numthreads=1, out=out))


def unpack_blosc2(codecs: ModuleType, raw: memoryview, out: NDArray[np.uint8]) -> int:
    """Unpack the only chunk of a Blosc2 frame, and bring its blocks into C order."""
    if len(raw) < _MIN_FRAME_BYTES or bytes(raw[: len(_FRAME_MAGIC)]) != _FRAME_MAGIC:
        raise DamagedFileError("it is not a Blosc2 frame")
    header_bytes, frame_bytes, unpacked, stored, itemsize, chunk_bytes = _FRAME_HEADER.unpack_from(raw)
    is_sound = _MIN_FRAME_BYTES <= header_bytes <= frame_bytes <= len(raw)
    if not is_sound or not 0 <= stored <= frame_bytes - header_bytes:
        raise DamagedFileError(f"its Blosc2 frame says {frame_bytes} bytes, but {len(raw)} are stored")
    if raw[_FRAME_TYPE] != _CONTIGUOUS_FRAME or unpacked > chunk_bytes or itemsize < 1:
        raise FilterError("its Blosc2 frame holds more than one chunk")
    blocked = _Blocked.find(raw[:header_bytes], itemsize)
    if out.nbytes != (unpacked if blocked is None else blocked.nbytes):
        raise DamagedFileError(f"its Blosc2 frame unpacks to {unpacked} bytes instead of {out.nbytes}")
    if blocked is not None and unpacked != blocked.padded_nbytes:
        raise DamagedFileError(f"its Blosc2 frame of {unpacked} bytes has blocks of {blocked.padded_nbytes} bytes")
    body = raw[header_bytes : header_bytes + stored]
    if not stored:
        return _fill_special(codecs, raw[header_bytes:frame_bytes], out)
    if blocked is None or blocked.is_plain:
        return len(codecs.blosc2_decode(body, numthreads=1, out=out))
    padded = borrow_scratch("blosc2", blocked.padded_nbytes)
    if len(codecs.blosc2_decode(body, numthreads=1, out=padded)) != padded.nbytes:
        raise DamagedFileError(f"its Blosc2 chunk does not unpack to the {padded.nbytes} bytes of its blocks")
    blocked.unblock(padded, out)
    return out.nbytes


def _fill_special(codecs: ModuleType, index: memoryview, out: NDArray[np.uint8]) -> int:
    """Fill in a chunk that has no bytes: the frame's index of offsets says what it consists of."""
    offset = np.zeros(1, "<i8")
    if len(codecs.blosc2_decode(index, numthreads=1, out=offset.view(np.uint8))) != offset.nbytes:
        raise DamagedFileError("the index of its Blosc2 frame is damaged")
    if int(offset.view(np.uint8)[7]) != 0x80 | _ZEROS:
        raise FilterError("its Blosc2 frame holds a special chunk other than zeros")
    out[:] = 0
    return out.nbytes


@dataclass(frozen=True, slots=True)
class _Blocked:
    """The layout of a multidimensional chunk: padded to whole blocks, one block after the other, each in C order.

    Shapes are in bytes along the last axis.
    """

    shape: tuple[int, ...]
    block: tuple[int, ...]

    @classmethod
    def find(cls, header: memoryview, itemsize: int) -> _Blocked | None:
        """Parse the metalayer ``b2nd``: version, dimensions, shape, chunk shape, block shape."""
        key = bytes(header).find(_B2ND_KEY)
        if key < 0:
            return None
        (at,) = struct.unpack_from(">i", header, key + len(_B2ND_KEY))
        ndim = header[at + 7]
        shapes = []
        at += 8
        for width in (9, 5, 5):  # int64, int32 and int32 of msgpack, each behind a byte for its type
            sizes = [header[at + 1 + i * width + 1 : at + 1 + (i + 1) * width] for i in range(ndim)]
            shapes.append(tuple(int.from_bytes(size, "big") for size in sizes))
            at += 1 + ndim * width
        shape, chunk, block = ((*sizes[:-1], sizes[-1] * itemsize) for sizes in shapes)
        if not ndim or shape != chunk:
            raise FilterError("its Blosc2 array holds more than one chunk")
        if not all(0 < b <= s for b, s in zip(block, shape, strict=True)):
            raise DamagedFileError(f"its Blosc2 array of {shape} has blocks of {block}")
        return cls(shape, block)

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape)

    @property
    def grid(self) -> tuple[int, ...]:
        return tuple(-(-size // block) for size, block in zip(self.shape, self.block, strict=True))

    @property
    def padded_nbytes(self) -> int:
        return math.prod(self.grid) * math.prod(self.block)

    @property
    def is_plain(self) -> bool:
        """Whether the blocks one after the other are C order already: only the first axis that counts is split."""
        split = next((axis for axis, size in enumerate(self.block) if size > 1), len(self.block))
        return self.padded_nbytes == self.nbytes and self.block[split + 1 :] == self.shape[split + 1 :]

    def unblock(self, padded: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        """Copy each block to its place, without its padding."""
        items = out.reshape(self.shape)
        for place, block in zip(np.ndindex(*self.grid), padded.reshape(-1, *self.block), strict=True):
            corner = [slice(i * size, (i + 1) * size) for i, size in zip(place, self.block, strict=True)]
            target = items[tuple(corner)]
            target[...] = block[tuple(slice(size) for size in target.shape)]
