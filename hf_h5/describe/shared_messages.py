"""Messages of object headers that are shared with themselves, in which the HDF5 library calls itself without end.

A message may stand for the one of its kind in another header (HDF5 file format, section IV.A.2, "shared messages"), as
do types that have a name. The message there is not shared in turn: where it is, they lead to one another in the end,
and the process dies of a full stack when the library looks at the object.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Collection, Iterator
from typing import Any, cast

import h5py
from h5py import h5fd, h5i, h5o

from ..errors import DamagedFileError

__all__ = ["check_shared_messages", "find_endless_sharing"]

# Kind, size and flags of a message, by the version of its header.
_unpack_old = struct.Struct("<HHB").unpack_from
_unpack_new = struct.Struct("<BHB").unpack_from
_unpack_size = struct.Struct("<I").unpack_from
_unpack_address = struct.Struct("<Q").unpack_from
_unpack_place = struct.Struct("<QQ").unpack_from
_CONTINUATION = 0x10
_SHARED, _HAS_TIMES, _HAS_PHASES, _HAS_ORDER = 0x02, 0x20, 0x10, 0x04
# Of version 3: not in another header, but in a heap.
_IN_HEAP = 1
# Headers of a file have some ten messages. More are looked at up to here, so that no file takes hours.
_MOST_MESSAGES, _MOST_OF_EACH = 1 << 20, 256
_HINT = "the file is corrupt or hostile; copy or make it anew"


def check_shared_messages(handle: h5py.Group, file: str, addresses: Collection[int]) -> None:
    """Look for headers that the library must not be asked about; of a file on disk, as far as it is open here.

    Parameters
    ----------
    handle
        A group.
    file
        Its name in messages.
    addresses
        Of the headers of what lies below it.

    Raises
    ------
    DamagedFileError
        With the place of the header.
    """
    opened = h5i.get_file_id(handle.id)
    access, created = opened.get_access_plist(), opened.get_create_plist()
    if access.get_driver() != h5fd.SEC2 or created.get_sizes() != (8, 8):
        return
    try:
        own = h5o.get_info(handle.id).addr
    except (RuntimeError, OSError) as error:
        raise DamagedFileError(f"the header of a group cannot be read: {error}", file=file, hint=_HINT) from error
    try:
        whole = mmap.mmap(opened.get_vfd_handle(access), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return  # a file system that maps no files
    with whole:
        content = cast(bytes, whole)  # it is read as bytes are
        found = find_endless_sharing(content, created.get_userblock(), [own, *addresses])
    if found is not None:
        raise DamagedFileError(
            f"the header at byte {found + created.get_userblock():,} shares a message with itself, for which the HDF5 "
            "library would crash",
            file=file,
            hint=_HINT,
        )


def find_endless_sharing(content: bytes, base: int, addresses: Collection[int]) -> int | None:
    """Find a header with a message that stands for one that is shared itself; its address, or None.

    Takes some 5 µs for each header.

    Parameters
    ----------
    content
        Of the file, or its memory; its addresses and lengths are of 8 bytes.
    base
        Where addresses count from.
    addresses
        Of the headers.
    """
    headers = _Headers(content, base, _MOST_MESSAGES + _MOST_OF_EACH * len(addresses))
    seen: dict[int, dict[int, int]] = {}
    for address in addresses:
        for kind, target in headers.shared(address).items():
            if target not in seen:
                seen[target] = headers.shared(target)
            if kind in seen[target]:
                return address
    return None


class _Headers:
    """The shared messages of object headers of both versions.

    Parameters
    ----------
    n_left
        How many messages are looked at.
    """

    def __init__(self, content: bytes, base: int, n_left: int) -> None:
        self._content, self._base, self._n_left = content, base, n_left

    def shared(self, address: int) -> dict[int, int]:
        """By kind, which other header has the message that one of this header stands for."""
        found: dict[int, int] = {}
        try:
            for kind, place in self._shared_messages(self._base + address):
                version = self._content[place]
                if version < 3 or self._content[place + 1] != _IN_HEAP:
                    found[kind] = _unpack_address(self._content, place + (16 if version == 1 else 2))[0]
        except (IndexError, struct.error):
            pass  # the file ends within the header, which the library says better
        return found

    def _shared_messages(self, start: int) -> Iterator[tuple[int, int]]:
        """Kind and place of each."""
        content, is_new = self._content, self._content[start : start + 4] == b"OHDR"
        if not is_new and content[start] != 1:
            return
        unpack, head, first = self._begin(start) if is_new else (_unpack_old, 8, (start + 16, _size(content, start)))
        pieces = [first]
        for at, n_bytes in pieces:
            stop = min(at + n_bytes, len(content)) - head
            while at <= stop and self._n_left > 0:
                self._n_left -= 1
                kind, size, flags = unpack(content, at)
                at += head
                if flags & _SHARED:
                    yield kind, at
                elif kind == _CONTINUATION:
                    further, length = _unpack_place(content, at)
                    # Those of version 2 have a signature before and a checksum behind.
                    pieces.append((self._base + further + 4, length - 8) if is_new else (self._base + further, length))
                at += size

    def _begin(self, start: int) -> tuple[Any, int, tuple[int, int]]:
        """How messages begin in a header of version 2, and its first piece."""
        flags = self._content[start + 5]
        place = start + 6 + (16 if flags & _HAS_TIMES else 0) + (4 if flags & _HAS_PHASES else 0)
        stop = place + (1 << (flags & 3))
        size = int.from_bytes(self._content[place:stop], "little")
        return _unpack_new, 6 if flags & _HAS_ORDER else 4, (stop, size)


def _size(content: bytes, start: int) -> int:
    return int(_unpack_size(content, start + 8)[0])
