"""Undo the filter pipeline of a chunk, into the caller's memory and without the GIL.

Pure; no I/O. Filters are those of the HDF5 library (file format document, section IV.A.2.l) and of the HDF Group's
registry of filter plugins. The wheel `imagecodecs` has a decoder for each that takes an output buffer and releases
the GIL; without it, deflate and bzip2 are undone by the standard library and the rest goes through h5py.
"""

from __future__ import annotations

import functools
import importlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError
from . import standard_codecs
from .blosc import unpack_blosc, unpack_blosc2
from .scratch import borrow_scratch
from .shuffles import BITSHUFFLE_LZ4, BITSHUFFLE_NONE, BITSHUFFLE_ZSTD, HEADROOM, Stored, bitunshuffle, unshuffle
from .standard_codecs import bz2_decode
from .storage import FilterStep

__all__ = ["Decoder", "why_not_decodable"]

DEFLATE, SHUFFLE, FLETCHER32, SZIP, NBIT, SCALEOFFSET = 1, 2, 3, 4, 5, 6
BZIP2, LZF, BLOSC, LZ4, BITSHUFFLE, ZSTD, BLOSC2 = 307, 32000, 32001, 32004, 32008, 32015, 32026

_SZIP_VALUES = 4
_BLOSC_CODECS = frozenset({0, 1, 2, 4, 5})  # blosclz, lz4, lz4hc, zlib, zstd; 3 (snappy) is not in the wheel
_BLOSC_SHUFFLES = frozenset({0, 1, 2})  # none, byte, bit
_MAX_CHUNK_BYTES = 2**31 - 1  # what the decoders' 32-bit lengths reach

# The wheel's own errors are RuntimeErrors; the others come from lengths that make no sense.
_UNPACKING_ERRORS = (RuntimeError, ValueError, IndexError, OverflowError, EOFError, struct.error, zlib.error)

Bytes = NDArray[np.uint8]
Client = tuple[int, ...]
Decode = Callable[[ModuleType, Stored, Bytes, Client], int]


@dataclass(frozen=True, slots=True)
class _Filter:
    """How to undo one kind of filter.

    ``size`` says what becomes of the number of bytes in writing: ``"same"``, ``"unknown"`` (it compresses) or
    ``"checksum"`` (four more). ``needs`` are the parts of the wheel that must be there. ``refuses`` gives the reason
    why client values are not understood.
    """

    name: str
    size: Literal["same", "unknown", "checksum"]
    decode: Decode
    needs: tuple[str, ...] = ()
    refuses: Callable[[Client], str | None] = lambda values: None


def _verify_fletcher32(codecs: ModuleType, stored: Stored, out: Bytes, values: Client) -> int:
    """Compare the checksum in the last four bytes (little endian) with that of the bytes before it.

    HDF5 up to 1.6.2 swapped the bytes of each half on little endian machines; the library accepts both, and so must
    this.
    """
    noted = bytes(stored.content[-4:])
    found = int(codecs.h5checksum_fletcher32(stored.content[:-4])).to_bytes(4, "little")
    if noted not in (found, bytes((found[1], found[0], found[3], found[2]))):
        raise DamagedFileError(f"its checksum is {noted.hex()}, but that of its bytes is {found.hex()}")
    return len(stored.content) - 4


def _unpack_szip(codecs: ModuleType, stored: Stored, out: Bytes, values: Client) -> int:
    """Unpack szip: its length (uint32, little endian) comes first (``H5Zszip.c``)."""
    (unpacked,) = struct.unpack_from("<I", stored.content)
    if unpacked != out.nbytes:
        raise DamagedFileError(f"its szip header says {unpacked} bytes instead of {out.nbytes}")
    mask, block, bits, line = values[:_SZIP_VALUES]
    return len(codecs.szip_decode(stored.content, mask, block, bits, line, header=True, out=out))


def _unpack_bitshuffle(codecs: ModuleType, stored: Stored, out: Bytes, values: Client) -> int:
    itemsize, block_items, compression = values[2], *(*values[3:5], 0, 0)[:2]
    return bitunshuffle(codecs, stored.content, out, itemsize, block_items, compression)


def _refuse_szip(values: Client) -> str | None:
    return None if len(values) >= _SZIP_VALUES else "szip without its parameters"


def _refuse_bitshuffle(values: Client) -> str | None:
    if len(values) < 3 or not values[2]:
        return "bitshuffle without its item size"
    known = (BITSHUFFLE_NONE, BITSHUFFLE_LZ4, BITSHUFFLE_ZSTD)
    if len(values) > 3 and values[3] % 8:
        return f"bitshuffle blocks of {values[3]} items"
    return f"bitshuffle compression {values[4]}" if len(values) > 4 and values[4] not in known else None


def _refuse_blosc(values: Client) -> str | None:
    if len(values) > 6 and values[6] not in _BLOSC_CODECS:
        return f"Blosc codec {values[6]}"
    return f"Blosc shuffle {values[5]}" if len(values) > 5 and values[5] not in _BLOSC_SHUFFLES else None


_FILTERS = {
    DEFLATE: _Filter(
        "deflate", "unknown", lambda c, s, out, _: len(c.deflate_decode(s.content, out=out)), ("DEFLATE",)
    ),
    SHUFFLE: _Filter("shuffle", "same", lambda c, s, out, values: unshuffle(c, s, out, (*values, 1)[0])),
    FLETCHER32: _Filter("fletcher32", "checksum", _verify_fletcher32, ("H5CHECKSUM",)),
    SZIP: _Filter("szip", "unknown", _unpack_szip, ("SZIP",), _refuse_szip),
    # The wheel's decoder takes a stream that goes on for one that ends.
    BZIP2: _Filter("bzip2", "unknown", lambda _, s, out, values: len(bz2_decode(s.content, out=out))),
    LZF: _Filter("lzf", "unknown", lambda c, s, out, _: len(c.lzf_decode(s.content, out=out)), ("LZF",)),
    BLOSC: _Filter("blosc", "unknown", lambda c, s, out, _: unpack_blosc(c, s.content, out), ("BLOSC",), _refuse_blosc),
    LZ4: _Filter("lz4", "unknown", lambda c, s, out, _: len(c.lz4h5_decode(s.content, out=out)), ("LZ4H5",)),
    BITSHUFFLE: _Filter(
        "bitshuffle",
        "unknown",
        _unpack_bitshuffle,
        ("BITSHUFFLE", "LZ4", "LZ4H5", "ZSTD"),
        _refuse_bitshuffle,
    ),
    ZSTD: _Filter("zstd", "unknown", lambda c, s, out, _: len(c.zstd_decode(s.content, out=out)), ("ZSTD",)),
    BLOSC2: _Filter(
        "blosc2", "unknown", lambda c, s, out, _: unpack_blosc2(c, s.content, out), ("BLOSC2",), _refuse_blosc
    ),
}


@functools.cache
def _wheel() -> ModuleType:
    """Import the decoders on first use; without the wheel, the standard library's."""
    try:
        return importlib.import_module("imagecodecs")
    except ImportError:
        return standard_codecs


def why_not_decodable(filters: tuple[FilterStep, ...], chunk_nbytes: int) -> str | None:
    """Return why a filter pipeline cannot be undone here, or ``None`` if it can.

    >>> why_not_decodable(((6, 0, (2,)),), 1024)
    'filter 6 (scaleoffset) is not decoded here'
    """
    compressed_by = ""
    for code, _, values in filters:
        each = _FILTERS.get(code)
        if each is None:
            name = {NBIT: " (nbit)", SCALEOFFSET: " (scaleoffset)"}.get(code, "")
            return f"filter {code}{name} is not decoded here"
        missing = [part for part in each.needs if not _has_part(part)]
        if missing:
            return f"filter {code} ({each.name}) needs the package imagecodecs"
        refused = each.refuses(values)
        if refused is not None:
            return f"{refused} is not decoded here"
        if compressed_by and each.size != "checksum":
            return f"{each.name} comes after {compressed_by}, so that the size of what it holds is not known"
        compressed_by = each.name if each.size == "unknown" else compressed_by
    if filters and chunk_nbytes > _MAX_CHUNK_BYTES:
        return "its filtered chunks are larger than 2 GiB"
    return None


def _has_part(name: str) -> bool:
    return bool(getattr(getattr(_wheel(), name, None), "available", False))


class Decoder:
    """Undoes one filter pipeline, for chunks of one size.

    Safe to use from many threads at once; pickles.

    Parameters
    ----------
    filters
        The pipeline in the order of writing; `why_not_decodable` must have found nothing against it.
    chunk_nbytes
        Bytes of a chunk, unpacked.
    """

    __slots__ = ("_plans", "chunk_nbytes", "filters")

    def __init__(self, filters: tuple[FilterStep, ...], chunk_nbytes: int) -> None:
        self.filters = filters
        self.chunk_nbytes = chunk_nbytes
        self._plans: dict[int, tuple[_Step, ...]] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return Decoder, (self.filters, self.chunk_nbytes)

    def decode(self, raw: memoryview, mask: int, out: Bytes) -> None:
        """Unpack the stored bytes of a chunk into ``out``.

        Parameters
        ----------
        raw
            The chunk as it is stored.
        mask
            Its filter mask: filter ``i`` was skipped in writing if bit ``i`` is set.
        out
            ``(chunk_nbytes,)``, contiguous; every byte is written, though in no order, and arbitrary after an error.

        Raises
        ------
        DamagedFileError
            If a checksum does not match or the chunk does not unpack to exactly ``chunk_nbytes``. The caller adds
            file, path and chunk.
        FilterError
            If a chunk is valid, but packed in a way that is not understood here.
        """
        steps = self._plans.get(mask)
        if steps is None:
            steps = self._plans[mask] = _plan_steps(self.filters, mask, self.chunk_nbytes)
        stored = Stored(raw)
        for step in steps:
            stored = step.run(stored, out)
        if len(stored.content) != self.chunk_nbytes:
            raise DamagedFileError(f"it unpacks to {len(stored.content)} bytes instead of {self.chunk_nbytes}")
        if not steps or not steps[-1].writes_out:
            out[:] = stored.content


@dataclass(frozen=True, slots=True)
class _Step:
    """Undo one filter: from the bytes before it to ``n_bytes`` in a scratch buffer, or in the caller's ``out``."""

    filter: _Filter
    values: Client
    n_bytes: int
    role: str
    writes_out: bool

    def run(self, stored: Stored, out: Bytes) -> Stored:
        n_stored = len(stored.content)
        if not n_stored:
            raise DamagedFileError("no bytes are stored for it")
        if self.filter.size == "same" and n_stored != self.n_bytes:
            raise DamagedFileError(f"{self.filter.name} finds {n_stored} bytes instead of {self.n_bytes}")
        if self.filter.size == "checksum":
            if n_stored <= 4:
                raise DamagedFileError(f"its {n_stored} bytes are too few for a checksum")
            self.filter.decode(_wheel(), stored, out, self.values)
            return stored.without_tail(4)
        room = None if self.writes_out else borrow_scratch(self.role, HEADROOM + self.n_bytes)
        target = out if room is None else room[HEADROOM:]
        try:
            written = self.filter.decode(_wheel(), stored, target, self.values)
        except _UNPACKING_ERRORS as error:
            raise DamagedFileError(f"{self.filter.name} cannot unpack it: {error}") from error
        if written != self.n_bytes:
            raise DamagedFileError(f"{self.filter.name} unpacks it to {written} bytes instead of {self.n_bytes}")
        return Stored(target.data, room)


def _plan_steps(filters: tuple[FilterStep, ...], mask: int, chunk_nbytes: int) -> tuple[_Step, ...]:
    """Return what is to be done to a chunk of this mask, last filter first, with the size that each step leaves."""
    applied = [filters[i] for i in range(len(filters)) if not mask >> i & 1]
    steps: list[_Step] = []
    n_bytes = chunk_nbytes
    for i, (code, _, values) in enumerate(applied):
        each = _FILTERS[code]
        steps.append(_Step(each, values, n_bytes, f"step{i % 2}", i == 0 and each.size != "checksum"))
        n_bytes += 4 if each.size == "checksum" else 0
    return tuple(reversed(steps))
