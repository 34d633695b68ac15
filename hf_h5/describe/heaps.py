"""Damage of heap collections in which the HDF5 library would go round for ever.

It walks the objects of a collection by their sizes, and a free one of size 0 leads back to itself (HDF5 file format,
section III.E "Global Heap"). Values and attributes of variable length lie there, so that merely listing attributes
would never end.

Pure; no I/O.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

__all__ = ["HEAP", "find_endless_heaps"]

HEAP = b"GCOL"
"""How a collection begins."""

_HEADER = struct.Struct("<4sB3xQ")
# Number and size of an object; as quick as Python has it, for there may be 100,000 of them.
_unpack_head = struct.Struct("<H6xQ").unpack_from
_HEAD_BYTES = 16


def find_endless_heaps(content: bytes, places: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Find heap collections that have no end: their places, and what is wrong.

    Parameters
    ----------
    content
        Of the file.
    places
        Where collections may begin.
    """
    for place in places:
        if _is_endless(content, place):
            yield place, "holds a free space of no size"


def _is_endless(content: bytes, start: int) -> bool:
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
