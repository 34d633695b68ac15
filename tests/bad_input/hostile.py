"""Small valid files with some bytes made hostile: one for each class of published flaws of the HDF5 library.

The old format has no checksums, so that a patched byte is believed; in the new one they are computed anew.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from hf_h5.describe.structures import checksum

__all__ = ["HOSTILE", "write_hostile"]

Content = bytearray
_UNDEFINED = b"\xff" * 8
_CONTINUATION = 0x10


def write_hostile(file: Path, name: str) -> None:
    """Write the file of that name."""
    write, patch = HOSTILE[name]
    write(file)
    content = Content(file.read_bytes())
    before = bytes(content)
    patch(content)
    assert content != before, "nothing was patched"
    file.write_bytes(content)


def old(file: Path) -> None:
    """Groups, chunks, filters, strings and attributes in the oldest format."""
    with h5py.File(file, "w", libver="earliest") as out:
        fill(out)


def new(file: Path) -> None:
    """The same in the newest."""
    with h5py.File(file, "w", libver="latest") as out:
        fill(out)
        many = out.create_group("many")
        for number in range(30):
            # Links and attributes beyond eight lie in fractal heaps.
            many.attrs[f"a{number}"] = number
            many.create_group(f"g{number}")


def fill(out: h5py.File) -> None:
    x = out.create_dataset("x", data=np.arange(60).reshape(20, 3), chunks=(6, 3), compression="gzip", shuffle=True)
    x.attrs["unit"] = "metre"
    x.attrs["scale"] = np.arange(4.0)
    out.create_dataset("y", data=np.arange(20.0), chunks=(5,), maxshape=(None,), fillvalue=-1.0)
    out["plain"] = np.arange(20, dtype="i2")
    out["s"] = [f"text {number}" for number in range(20)]
    out["group/inner"] = np.arange(3)
    out["table"] = np.zeros(20, [("a", "i4"), ("b", "f8", (2,)), ("c", "S8")])
    out.create_dataset("label", data=np.zeros(20, "i1"), dtype=h5py.enum_dtype({"cat": 0, "dog": 1}, "i1"))


def compact(file: Path) -> None:
    with h5py.File(file, "w", libver="earliest") as out:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((10,))
        rows = h5py.h5d.create(out.id, b"x", h5py.h5t.NATIVE_INT64, space, plist)
        rows.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(10))


def scaled(file: Path) -> None:
    with h5py.File(file, "w", libver="earliest") as out:
        out.create_dataset("x", data=np.arange(64), chunks=(16,), scaleoffset=0)
        out.create_dataset("f", data=np.arange(64.0), chunks=(16,), fletcher32=True)
        out.create_dataset("l", data=np.zeros(64), chunks=(64,), compression="lzf")


def outside(file: Path) -> None:
    with h5py.File(file, "w", libver="earliest") as out:
        out["x"] = np.arange(20)
        layout = h5py.VirtualLayout((20,), "i8")
        layout[:] = h5py.VirtualSource(".", "x", (20,))
        out.create_virtual_dataset("v", layout)
        out.create_dataset("e", (8,), "u1", external=[("beside.bin", 0, 8)])


# Where things are, in the old format.


def header_of(content: Content, path: str) -> int:
    """The address of an object's header."""
    with h5py.File.in_memory(bytes(content)) as opened:
        return int(h5py.h5o.get_info(opened[path].id).addr)


def messages(content: Content, path: str) -> Iterator[tuple[int, int, int]]:
    """Kind, place and size of each message of a header of version 1."""
    start = header_of(content, path)
    pieces = [(start + 16, struct.unpack_from("<I", content, start + 8)[0])]
    for place, size in pieces:
        at = place
        while at < place + size:
            kind, length = struct.unpack_from("<HH", content, at)
            if kind == _CONTINUATION:
                pieces.append(struct.unpack_from("<QQ", content, at + 8))
            yield kind, at + 8, length
            at += 8 + length


def message(content: Content, path: str, kind: int) -> int:
    """The place of the first message of a kind."""
    return next(place for found, place, _ in messages(content, path) if found == kind)


SPACE, TYPE, FILL, EXTERNAL, LAYOUT, FILTERS, ATTRIBUTE, SYMBOLS = 1, 3, 5, 7, 8, 11, 12, 17


def put(kind: int, offset: int, value: bytes, path: str = "/x") -> Callable[[Content], None]:
    """Overwrite some bytes of a message of an object."""

    def patch(content: Content) -> None:
        at = message(content, path, kind) + offset
        content[at : at + len(value)] = value

    return patch


def at_signature(signature: bytes, offset: int, value: bytes, *, last: bool = False) -> Callable[[Content], None]:
    """Overwrite some bytes behind a signature."""

    def patch(content: Content) -> None:
        at = (content.rfind if last else content.find)(signature) + offset
        content[at : at + len(value)] = value

    return patch


def at_byte(offset: int, value: bytes) -> Callable[[Content], None]:
    def patch(content: Content) -> None:
        content[offset : offset + len(value)] = value

    return patch


def points_to_itself(kind: int, offset: int, path: str = "/x") -> Callable[[Content], None]:
    """Let an address in a message be that of the object itself."""

    def patch(content: Content) -> None:
        struct.pack_into("<Q", content, message(content, path, kind) + offset, header_of(content, path))

    return patch


def endless_tree(signature: bytes) -> Callable[[Content], None]:
    """A node of a B-tree becomes an inner one, whose first child is itself."""

    def patch(content: Content) -> None:
        node = content.rfind(signature)
        content[node + 5] = 1
        key_bytes = 8 if signature[4] == 0 else 8 + 8 * 3
        struct.pack_into("<Q", content, node + 24 + key_bytes, node)

    return patch


def neighbour_is_itself(signature: bytes) -> Callable[[Content], None]:
    def patch(content: Content) -> None:
        node = content.rfind(signature)
        struct.pack_into("<QQ", content, node + 8, node, node)

    return patch


def endless_header(content: Content) -> None:
    """The continuation of a header is the header."""
    at = header_of(content, "/x")
    place = next(place for kind, place, _ in messages(content, "/x") if kind == SPACE)
    # The first message becomes a continuation.
    struct.pack_into("<HH", content, place - 8, _CONTINUATION, 16)
    struct.pack_into("<QQ", content, place, at + 16, 256)


def shared(kind: int, path: str, *, owner: str | None = None, version: int = 2) -> Callable[[Content], None]:
    """A message of an object is that of another object, which is the object itself unless an owner is named."""

    def patch(content: Content) -> None:
        header, place = header_of(content, owner or path), message(content, path, kind)
        content[place - 8 + 4] |= 2
        content[place : place + 2] = bytes([version, 2])
        struct.pack_into("<Q", content, place + (16 if version == 1 else 2), header)

    return patch


def shared_in_a_ring(content: Content) -> None:
    """The types of three objects are those of one another."""
    # Found before the first is patched: the library dies of the second.
    ring = ["/plain", "/table", "/label"]
    patches = [shared(TYPE, path, owner=owner) for path, owner in zip(ring, [*ring[1:], ring[0]], strict=True)]
    before = bytes(content)
    for patch in patches:
        changed = Content(before)
        patch(changed)
        for place in range(len(before)):
            if changed[place] != before[place]:
                content[place] = changed[place]


def new_type_shared_with_itself(content: Content) -> None:
    """The type of a dataset of the newest format is its own."""
    header, kind = header_of(content, "/plain"), b"\x03\x0c\0"
    sealed_header("/plain", kind, kind + b"\x02\x03\x02" + struct.pack("<Q", header))(content)


def symbols_of_root(content: Content) -> None:
    """A group's table of symbols is the root's: groups inside each other without end."""
    source, target = message(content, "/", SYMBOLS), message(content, "/group", SYMBOLS)
    content[target : target + 16] = content[source : source + 16]


def entry_is_parent(content: Content) -> None:
    """The object of a name is the root group."""
    node = content.find(b"SNOD")
    root = header_of(content, "/")
    for number in range(3):
        struct.pack_into("<Q", content, node + 8 + 40 * number + 8, root)


# The new format: checksums are made anew.


_SIZES = {b"FRHP": 146, b"BTHD": 38, b"FAHD": 28, b"EAHD": 72}


def sealed(signature: bytes, offset: int, value: bytes, number: int = 0) -> Callable[[Content], None]:
    """Overwrite bytes of a structure of fixed size and make its checksum anew."""

    def patch(content: Content) -> None:
        place = [found.start() for found in re.finditer(signature, content)][number]
        end = place + _SIZES[signature] - 4
        assert struct.unpack_from("<I", content, end)[0] == checksum(bytes(content[place:end])), "another size"
        content[place + offset : place + offset + len(value)] = value
        struct.pack_into("<I", content, end, checksum(bytes(content[place:end])))

    return patch


def sealed_header(path: str, find: bytes, value: bytes) -> Callable[[Content], None]:
    """Replace bytes in the first piece of a header of version 2 and make its checksum anew."""

    def patch(content: Content) -> None:
        place = header_of(content, path)
        flags = content[place + 5]
        at = place + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        n_bytes = 1 << (flags & 3)
        end = at + n_bytes + int.from_bytes(content[at : at + n_bytes], "little")
        assert struct.unpack_from("<I", content, end)[0] == checksum(bytes(content[place:end])), "another size"
        found = content.index(find, place, end)
        content[found : found + len(value)] = value
        struct.pack_into("<I", content, end, checksum(bytes(content[place:end])))

    return patch


_HUGE = struct.pack("<Q", 1 << 62)
_MOST = b"\xff" * 4

HOSTILE: dict[str, tuple[Callable[[Path], None], Callable[[Content], None]]] = {
    # Superblock (HDF5 file format, section II.A).
    "base address outside": (old, at_byte(24, _HUGE)),
    "end of file far away": (old, at_byte(40, _HUGE)),
    "sizes of offsets of 255 bytes": (old, at_byte(13, b"\xff\xff")),
    "leaves of no symbols": (old, at_byte(16, b"\0\0\0\0")),
    "nodes of 65,535 symbols": (old, at_byte(16, b"\xff\xff\xff\xff")),
    "root outside": (old, at_byte(64, _HUGE)),
    # Groups: symbol tables, their trees and heaps.
    "symbols that point to themselves": (old, points_to_itself(SYMBOLS, 0, "/group")),
    "symbols of the root inside it": (old, symbols_of_root),
    "names in the header": (old, points_to_itself(SYMBOLS, 8, "/group")),
    "an entry is its parent": (old, entry_is_parent),
    "an endless tree of a group": (old, endless_tree(b"TREE\0")),
    "a tree of a group beside one outside the file": (old, at_signature(b"TREE\0", 16, b"\xff\xff\xff\x7f" + bytes(4))),
    "a tree of a group beside itself": (old, neighbour_is_itself(b"TREE\0")),
    "a node of 65,535 children": (old, at_signature(b"TREE\0", 6, b"\xff\xff")),
    "a node of level 255": (old, at_signature(b"TREE\0", 5, b"\xff")),
    "65,535 symbols in a leaf": (old, at_signature(b"SNOD", 6, b"\xff\xff")),
    "a name outside the heap": (old, at_signature(b"SNOD", 8, _HUGE)),
    "an object outside the file": (old, at_signature(b"SNOD", 16, _HUGE)),
    "a heap of names of 2**62 bytes": (old, at_signature(b"HEAP", 8, _HUGE)),
    "a free list outside the heap": (old, at_signature(b"HEAP", 16, _HUGE)),
    "names outside the file": (old, at_signature(b"HEAP", 24, _HUGE)),
    # Headers.
    "a header that goes on in itself": (old, endless_header),
    "a type shared with itself": (old, shared(TYPE, "/plain")),
    "a shape shared with itself": (old, shared(SPACE, "/plain", version=1)),
    "a fill value shared with itself": (old, shared(FILL, "/y")),
    "filters shared with themselves": (old, shared(FILTERS, "/x", version=1)),
    "an attribute shared with itself": (old, shared(ATTRIBUTE, "/x", version=3)),
    "types shared in a ring": (old, shared_in_a_ring),
    "a new type shared with itself": (new, new_type_shared_with_itself),
    "a message longer than its header": (old, put(SPACE, -6, b"\xff\xff")),
    "65,535 messages": (old, lambda content: at_byte(header_of(content, "/x") + 2, b"\xff\xff")(content)),
    "a header of 4 GB": (old, lambda content: at_byte(header_of(content, "/x") + 8, _MOST)(content)),
    # Dataspaces.
    "255 dimensions": (old, put(SPACE, 1, b"\xff")),
    "2**62 rows": (old, put(SPACE, 8, _HUGE)),
    "2**62 rows in one piece": (old, put(SPACE, 8, _HUGE, "/plain")),
    "more rows than in one piece": (old, put(SPACE, 8, struct.pack("<Q", 1 << 20), "/plain")),
    "more strings than references": (old, put(SPACE, 8, struct.pack("<Q", 1 << 20), "/s")),
    # Types.
    "a type of no bytes": (old, put(TYPE, 4, b"\0\0\0\0", "/plain")),
    "a type of 4 GB": (old, put(TYPE, 4, _MOST, "/plain")),
    "numbers of more bits than bytes": (old, put(TYPE, 10, b"\xff\xff", "/plain")),
    "a type of an unknown class": (old, put(TYPE, 0, b"\x1f", "/plain")),
    "65,535 fields": (old, put(TYPE, 1, b"\xff\xff", "/table")),
    "no fields": (old, put(TYPE, 1, b"\0\0", "/table")),
    "a table of rows of 1 byte": (old, put(TYPE, 4, b"\1\0\0\0", "/table")),
    "65,535 names of an enum": (old, put(TYPE, 1, b"\xff\xff", "/label")),
    "strings of an unknown kind": (old, put(TYPE, 1, b"\xff\xff\xff", "/s")),
    # Layouts: CVE-2018-11206, CVE-2018-17432 and their kin.
    "a layout of 255 dimensions": (old, put(LAYOUT, 2, b"\xff")),
    "a layout of no dimensions": (old, put(LAYOUT, 2, b"\0")),
    "a layout of another rank": (old, put(LAYOUT, 2, b"\2")),
    "chunks of no rows": (old, put(LAYOUT, 11, b"\0\0\0\0")),
    "chunks of 4 billion rows": (old, put(LAYOUT, 11, _MOST)),
    "chunks of elements of no bytes": (old, put(LAYOUT, 19, b"\0\0\0\0")),
    "an unknown layout": (old, put(LAYOUT, 1, b"\x07")),
    "an unknown version of a layout": (old, put(LAYOUT, 0, b"\xff")),
    "one piece outside the file": (old, put(LAYOUT, 2, _HUGE, "/plain")),
    "one piece of 2**62 bytes": (old, put(LAYOUT, 10, _HUGE, "/plain")),
    "one piece of 1 byte": (old, put(LAYOUT, 10, b"\1" + bytes(7), "/plain")),
    "a compact dataset larger than its message": (compact, put(LAYOUT, 2, b"\xff\xff")),
    "a compact dataset of no bytes": (compact, put(LAYOUT, 2, b"\0\0")),
    # Chunks.
    "an endless tree of chunks": (old, endless_tree(b"TREE\1")),
    "a tree of chunks beside itself": (old, neighbour_is_itself(b"TREE\1")),
    "a tree of chunks that is none": (old, points_to_itself(LAYOUT, 3)),
    "a chunk of 4 GB": (old, at_signature(b"TREE\1", 24, _MOST)),
    "a chunk of no bytes": (old, at_signature(b"TREE\1", 24, bytes(4))),
    "a chunk outside the file": (old, at_signature(b"TREE\1", 24 + 32, _HUGE)),
    "a chunk at no address": (old, at_signature(b"TREE\1", 24 + 32, _UNDEFINED)),
    "a chunk that is the superblock": (old, at_signature(b"TREE\1", 24 + 32, bytes(8))),
    "a chunk outside its dataset": (old, at_signature(b"TREE\1", 32, _HUGE)),
    "65,535 chunks": (old, at_signature(b"TREE\1", 6, b"\xff\xff")),
    "filters skipped for a packed chunk": (old, at_signature(b"TREE\1", 28, _MOST)),
    # Filters.
    "255 filters": (old, put(FILTERS, 1, b"\xff")),
    "an unknown filter": (old, put(FILTERS, 8, b"\x39\x30")),
    "a filter with a name of 64 kB": (old, put(FILTERS, 10, b"\xff\xff")),
    "a filter of 65,535 numbers": (old, put(FILTERS, 14, b"\xff\xff")),
    "shuffled by 4 billion bytes": (old, put(FILTERS, 24, _MOST)),
    "shuffled by no bytes": (old, put(FILTERS, 24, bytes(4))),
    "scaled by negative numbers": (scaled, put(FILTERS, 40, b"\xff" * 24)),
    "lzf of chunks of 4 GB": (scaled, put(FILTERS, 32, b"\xff" * 12, "/l")),
    # Fill values and attributes.
    "a fill value of 4 GB": (old, put(FILL, 4, _MOST, "/y")),
    "a fill value of -1 bytes": (old, put(FILL, 4, b"\xff\xff\xff\x7f", "/y")),
    "a fill value of 1 byte": (old, put(FILL, 4, b"\1\0\0\0", "/y")),
    "an attribute with a name of 64 kB": (old, put(ATTRIBUTE, 2, b"\xff\xff")),
    "an attribute with a type of 64 kB": (old, put(ATTRIBUTE, 4, b"\xff\xff")),
    "an attribute with a space of 64 kB": (old, put(ATTRIBUTE, 6, b"\xff\xff")),
    "an attribute with a name without end": (old, put(ATTRIBUTE, 2, b"\1\0")),
    # Heaps of values of variable length.
    "a heap of 2**62 bytes": (old, at_signature(b"GCOL", 8, _HUGE)),
    "a heap of no bytes": (old, at_signature(b"GCOL", 8, bytes(8))),
    "a value of 2**62 bytes": (old, at_signature(b"GCOL", 24, _HUGE)),
    "a value of no number": (old, at_signature(b"GCOL", 16, b"\xff\xff")),
    # Data elsewhere.
    "65,535 other files": (outside, put(EXTERNAL, 4, b"\xff\xff\xff\xff", "/e")),
    "names of other files that are no heap": (outside, points_to_itself(EXTERNAL, 8, "/e")),
    "a virtual dataset that is no heap": (outside, points_to_itself(LAYOUT, 2, "/v")),
    # Fractal heaps and their trees.
    "a fractal heap of width 0": (new, sealed(b"FRHP", 110, b"\0\0")),
    "a fractal heap of blocks of no bytes": (new, sealed(b"FRHP", 112, bytes(8))),
    "a fractal heap of blocks of 2**62 bytes": (new, sealed(b"FRHP", 112, _HUGE)),
    "a fractal heap of 2**65,535 bytes": (new, sealed(b"FRHP", 128, b"\xff\xff")),
    "a fractal heap whose block is itself": (new, sealed(b"FRHP", 132, bytes(8))),
    "a fractal heap of 65,535 rows": (new, sealed(b"FRHP", 140, b"\xff\xff")),
    "a fractal heap with filters": (new, sealed(b"FRHP", 7, b"\xff\xff")),
    "names of 65,535 bytes in a fractal heap": (new, sealed(b"FRHP", 5, b"\xff\xff")),
    "a tree of nodes of no bytes": (new, sealed(b"BTHD", 6, bytes(4))),
    "a tree of nodes of 4 GB": (new, sealed(b"BTHD", 6, _MOST)),
    "a tree of records of no bytes": (new, sealed(b"BTHD", 10, b"\0\0")),
    "a tree of depth 65,535": (new, sealed(b"BTHD", 12, b"\xff\xff")),
    "a tree whose root is the superblock": (new, sealed(b"BTHD", 16, bytes(8))),
    "a tree of 65,535 records": (new, sealed(b"BTHD", 24, b"\xff\xff")),
    "an array of chunks of 2**62 items": (new, sealed(b"FAHD", 8, _HUGE)),
    "an array of chunks of pages of 2**255": (new, sealed(b"FAHD", 7, b"\xff")),
    "an array of chunks of items of no bytes": (new, sealed(b"FAHD", 6, b"\0")),
    "an array of chunks that is itself": (new, sealed(b"FAHD", 16, bytes(8))),
    "a growing array of items of no bytes": (new, sealed(b"EAHD", 6, b"\0")),
    "a growing array of 2**255 items": (new, sealed(b"EAHD", 7, b"\xff")),
    "a growing array of blocks of no items": (new, sealed(b"EAHD", 8, bytes(4))),
    "a growing array that is itself": (new, sealed(b"EAHD", 60, bytes(8))),
    "a new header of 2**62 rows": (new, sealed_header("/plain", struct.pack("<Q", 20), _HUGE)),
    "a new header with a long type": (new, sealed_header("/plain", b"\x10\x08\0\0\2\0\0\0", b"\x10\x08\0\0" + _MOST)),
}
