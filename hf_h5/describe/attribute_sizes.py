"""What values of variable length take in memory, before they are read.

They are references into the file's heap, with the length of each value. The library makes room for as much, 4 GB for
one damaged length, and only then finds that the heap holds another; and many references may lead to one large value,
so that 64 kB of them and 10 MB of heap become gigabytes. Those of an attribute stand in the header of its object (HDF5
file format, sections IV.A.1 "Data Object Header Prefix" and IV.A.2.m "Attribute Message").
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any

from h5py import h5a, h5d, h5fd, h5i, h5o, h5t

__all__ = ["UNKNOWN_BYTES", "HeldBytes", "count_held_by_dataset"]

UNKNOWN_BYTES = 1 << 62
"""Of an attribute whose lengths are not found; more than any budget."""

# So many values are read where they do not stand in a header, but in a heap: of objects of more than eight attributes.
_FEW_UNKNOWN = 64
_ATTRIBUTE, _CONTINUATION, _SHARED = 0x0C, 0x10, 0x02
# A header of more pieces, or larger ones, holds no attributes that h5py could have listed.
_MAX_PIECES, _MAX_PIECE_BYTES = 4096, 1 << 20


class HeldBytes:
    """Counts what the attributes of an object refer to; its header is read once, when it is first needed.

    Parameters
    ----------
    owner
        The library's object.
    """

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._contents: dict[bytes, bytes] | None = None

    def count(self, attribute: h5a.AttrID) -> int:
        """Bytes of strings and lists that an attribute refers to: 0 of others, and of a few in a heap of their own.

        `UNKNOWN_BYTES` if the file does not tell.
        """
        kind = attribute.get_type()
        if not _is_variable(kind):
            return 0
        count, item_bytes = attribute.get_space().get_simple_extent_npoints(), _item_bytes(kind)
        if not count:
            return 0  # the library raises when asked for the size of nothing
        if not item_bytes:
            return UNKNOWN_BYTES
        content = self._content_of(attribute.name)
        step = attribute.get_storage_size() // count
        if content is None or step * count > len(content):
            return UNKNOWN_BYTES if count > _FEW_UNKNOWN else 0
        return item_bytes * _sum_of_lengths(content, count, step)

    def _content_of(self, name: bytes) -> bytes | None:
        if self._contents is None:
            try:
                self._contents = dict(_named_contents(self._owner))
            except (OSError, struct.error):
                self._contents = {}
        return self._contents.get(name)


def count_held_by_dataset(dataset: h5d.DatasetID) -> int:
    """Bytes of strings and lists that a dataset refers to, where its references lie in one piece; 0 elsewhere."""
    item_bytes, offset, count = (
        _item_bytes(dataset.get_type()),
        dataset.get_offset(),
        dataset.get_space().get_simple_extent_npoints(),
    )
    access = h5i.get_file_id(dataset).get_access_plist()
    if offset is None or not item_bytes or access.get_driver() != h5fd.SEC2:
        return 0
    stored = dataset.get_storage_size()
    content = os.pread(h5i.get_file_id(dataset).get_vfd_handle(access), min(stored, _MAX_PIECE_BYTES), offset)
    return item_bytes * _sum_of_lengths(content, count, stored // max(count, 1))


def _sum_of_lengths(content: bytes, count: int, step: int) -> int:
    return sum(int.from_bytes(content[at : at + 4], "little") for at in range(0, count * step, step))


def _is_variable(kind: h5t.TypeID) -> bool:
    if isinstance(kind, h5t.TypeCompoundID):
        return any(_is_variable(kind.get_member_type(number)) for number in range(kind.get_nmembers()))
    if isinstance(kind, h5t.TypeArrayID):
        return _is_variable(kind.get_super())
    return isinstance(kind, h5t.TypeVlenID) or (isinstance(kind, h5t.TypeStringID) and bool(kind.is_variable_str()))


def _item_bytes(kind: h5t.TypeID) -> int:
    """Bytes of one item of each value; 0 where values are not plain strings or lists."""
    if isinstance(kind, h5t.TypeStringID):
        return 1
    if isinstance(kind, h5t.TypeVlenID) and not _is_variable(kind.get_super()):
        return int(kind.get_super().get_size())
    return 0


def _named_contents(owner: Any) -> Iterator[tuple[bytes, bytes]]:
    """The attributes in the header of an object by name, as far as the file can be read here."""
    file = h5i.get_file_id(owner)
    access = file.get_access_plist()
    if access.get_driver() != h5fd.SEC2:
        return
    plist = file.get_create_plist()
    header = _Header(file.get_vfd_handle(access), plist.get_userblock(), *plist.get_sizes())
    for content in header.attributes(h5o.get_info(owner).addr):
        yield _split(content)


class _Header:
    """The messages of object headers of both versions; raises ``struct.error`` where something else lies."""

    def __init__(self, descriptor: int, base: int, offset_bytes: int, length_bytes: int) -> None:
        self._descriptor, self._base = descriptor, base
        self._offset_bytes, self._length_bytes = offset_bytes, length_bytes

    def attributes(self, address: int) -> Iterator[bytes]:
        """The content of the messages that are attributes and stand in the header itself."""
        start = self._read(address, 32)
        if start[:4] == b"OHDR":
            flags = start[5]
            at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            size_bytes = 1 << (flags & 3)
            size = int.from_bytes(self._read(address + at, size_bytes), "little")
            pieces, is_old, head = [(address + at + size_bytes, size)], False, 6 if flags & 4 else 4
        else:
            pieces, is_old, head = [(address + 16, struct.unpack_from("<I", start, 8)[0])], True, 8
        number = 0
        while number < min(len(pieces), _MAX_PIECES):
            place, size = pieces[number]
            piece = self._read(place, min(size, _MAX_PIECE_BYTES))
            if not is_old and number:
                # A signature before, a checksum behind.
                piece = piece[4:-4]
            for kind, flags, content in _messages(piece, is_old, head):
                if kind == _CONTINUATION:
                    pieces.append(self._place(content))
                elif kind == _ATTRIBUTE and not flags & _SHARED:
                    yield content
            number += 1

    def _place(self, content: bytes) -> tuple[int, int]:
        middle = self._offset_bytes
        return (
            int.from_bytes(content[:middle], "little"),
            int.from_bytes(content[middle : middle + self._length_bytes], "little"),
        )

    def _read(self, address: int, size: int) -> bytes:
        if address >= 1 << 62:
            raise struct.error("no address")
        return os.pread(self._descriptor, size, self._base + address)


def _messages(piece: bytes, is_old: bool, head: int) -> Iterator[tuple[int, int, bytes]]:
    """Kind, flags and content of each message of a piece of a header."""
    at = 0
    while at + head <= len(piece):
        kind, size, flags = struct.unpack_from("<HHB" if is_old else "<BHB", piece, at)
        at += head
        yield kind, flags, piece[at : at + size]
        at += size


def _split(content: bytes) -> tuple[bytes, bytes]:
    """The name of an attribute message, and its data."""
    version, _, *sizes = struct.unpack_from("<BBHHH", content)
    at = 9 if version == 3 else 8
    name = content[at : at + sizes[0]].partition(b"\0")[0]
    return name, content[at + sum((size + 7 & ~7) if version == 1 else size for size in sizes) :]
