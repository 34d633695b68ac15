"""Damage of heap collections in which the HDF5 library would go round for ever.

It walks the objects of a collection by their sizes, and a free one of size 0 leads back to itself (HDF5 file format,
section III.E "Global Heap"). Values and attributes of variable length lie there, so that merely listing attributes
would never end.
"""

from __future__ import annotations

import functools
import mmap
import os
import re
import struct

from ..errors import DamagedFileError

__all__ = ["check_heaps"]

# Looked through in 5 to 40 ms. Larger files are not looked through: isolate=True ends what hangs in them.
_MAX_FILE_BYTES = 32 << 20
_HEADER = struct.Struct("<4sB3xQ")
# Number and size of an object; as quick as Python has it, for there may be 100,000 of them.
_unpack_head = struct.Struct("<H6xQ").unpack_from
_HEAD_BYTES = 16
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
        # Twice as quick as the map's own find; the signature does not overlap itself.
        for found in re.finditer(_SIGNATURE, content):
            if _is_endless(content, found.start()):
                where = f"the heap at byte {found.start():,}"
                raise DamagedFileError(
                    f"{where} holds a free space of no size, in which the HDF5 library would hang",
                    file=file,
                    hint="the file is corrupt; copy or make it anew",
                )


def _is_endless(content: mmap.mmap, start: int) -> bool:
    if start + _HEADER.size > len(content):
        return False
    _, version, size = _HEADER.unpack_from(content, start)
    stop = start + size
    if version != 1 or not start < stop <= len(content):
        return False
    place, last = start + _HEADER.size, stop - _HEAD_BYTES
    while place <= last:
        number, n_bytes = _unpack_head(content, place)
        if number:
            place += _HEAD_BYTES + (n_bytes + 7 & -8)
        elif n_bytes:
            place += n_bytes
        else:
            return True
    return False
