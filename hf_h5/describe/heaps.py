"""Damage of heap collections in which the HDF5 library would go round for ever.

It walks the objects of a collection by their sizes, and a free one of size 0 leads back to itself (HDF5 file format,
section III.E "Global Heap"). Values and attributes of variable length lie there, so that merely listing attributes
would never end.
"""

from __future__ import annotations

import functools
import mmap
import os
import struct

from ..errors import DamagedFileError

__all__ = ["check_heaps"]

# Looked through in 10 to 60 ms. Larger files are not looked through: isolate=True ends what hangs in them.
_MAX_FILE_BYTES = 32 << 20
_HEADER = struct.Struct("<4sB3xQ")
_OBJECT = struct.Struct("<HHIQ")
_SIGNATURE = b"GCOL"


def check_heaps(file: str) -> None:
    """Look for a heap collection that has no end.

    Raises
    ------
    DamagedFileError
        With the place of the collection.
    """
    status = os.stat(file)
    if 0 < status.st_size <= _MAX_FILE_BYTES:
        _look_through(file, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@functools.lru_cache(maxsize=1024)
def _look_through(file: str, version: tuple[int, ...]) -> None:
    """Look once at each version of a file, which is opened several times for one conversion."""
    with open(file, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_SIGNATURE)
        while start >= 0:
            if _is_endless(content, start):
                raise DamagedFileError(
                    f"the heap at byte {start:,} holds a free space of no size, in which the HDF5 library would hang",
                    file=file,
                    hint="the file is corrupt; copy or make it anew",
                )
            start = content.find(_SIGNATURE, start + 1)


def _is_endless(content: mmap.mmap, start: int) -> bool:
    if start + _HEADER.size > len(content):
        return False
    _, version, size = _HEADER.unpack_from(content, start)
    stop = start + size
    if version != 1 or not start < stop <= len(content):
        return False
    place = start + _HEADER.size
    while place + _OBJECT.size <= stop:
        number, _, _, n_bytes = _OBJECT.unpack_from(content, place)
        step = n_bytes if number == 0 else _OBJECT.size + (n_bytes + 7 & ~7)
        if step == 0:
            return True
        place += step
    return False
