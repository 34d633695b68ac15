"""A look through a file for damage in which the HDF5 library would hang or crash, before the library opens it."""

from __future__ import annotations

import functools
import mmap
import os
from typing import cast

from ..errors import DamagedFileError
from .heaps import HEAP, find_endless_heaps
from .signatures import find_signatures
from .structures import STRUCTURES, find_bad_structures

__all__ = ["check_for_damage"]

# Looked through in 5 to 40 ms. Larger files are not looked through: isolate=True ends what crashes or hangs in them.
_MAX_FILE_BYTES = 32 << 20


def check_for_damage(file: str) -> None:
    """Look for structures that the library must not be handed.

    Raises
    ------
    DamagedFileError
        With the place of the structure.
    """
    status = os.stat(file)
    if 0 < status.st_size <= _MAX_FILE_BYTES:
        _look_through(file, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@functools.lru_cache(maxsize=1024)
def _look_through(file: str, version: tuple[int, ...]) -> None:
    """Look once at each version of a file, which is opened several times for one conversion."""
    with open(file, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        content = cast(bytes, mapped)  # it is read as bytes are
        places = find_signatures(content, (HEAP, *STRUCTURES))
        for damage in (find_endless_heaps(content, places[HEAP]), find_bad_structures(content, places)):
            for place, what in damage:
                raise DamagedFileError(
                    f"the structure at byte {place:,} {what}, in which the HDF5 library would crash or hang",
                    file=file,
                    hint="the file is corrupt or hostile; copy or make it anew",
                )
