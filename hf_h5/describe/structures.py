"""Damage in which the HDF5 library would crash or go round for ever, found before it opens a file.

B-trees of version 1 whose nodes lead back to themselves (HDF5 file format, section III.A.1), and fractal heaps and
B-trees of version 2 of sizes by which the library divides, or counts on, without a look (III.G and III.A.2). Those have
checksums: only who means harm writes them.

Pure; no I/O.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["STRUCTURES", "find_bad_structures"]

_NODES, _FRACTAL_HEAPS, _TREES = b"TREE", b"FRHP", b"BTHD"
STRUCTURES = (_NODES, _FRACTAL_HEAPS, _TREES)
"""How they begin: nodes of trees of version 1, fractal heaps, and trees of version 2."""

_LARGEST_USER_BLOCK = 1 << 20
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Signature, type, level, number of children, and the neighbours to the left and right.
_NODE = struct.Struct("<4sBBHQQ")
_GROUP = 0
# Of a fractal heap: table width, sizes of the first and the largest direct block, bits of the heap's size.
_BLOCKS = struct.Struct("<HQQH")
_BLOCKS_AT, _HEAP_BYTES = 110, 146
# Of a B-tree of version 2: bytes of a node and of a record, depth; then the root, and its number of records.
_TREE = struct.Struct("<IHHBBQH")
_TREE_AT, _TREE_BYTES = 6, 38
# What a node holds besides its records: signature, version, type and checksum.
_NODE_FRAME = 10
_MOST_DEPTH = 32


def find_bad_structures(content: bytes, places: Mapping[bytes, Sequence[int]]) -> Iterator[tuple[int, str]]:
    """Find structures that the library must not be handed: their places, and what is wrong.

    Parameters
    ----------
    content
        Of the file.
    places
        Where structures may begin, by how they do.
    """
    base = _find_base(content)
    if base is not None:
        yield from _bad_nodes(content, base, places[_NODES])
        yield from _bad_heaps(content, places[_FRACTAL_HEAPS])
        yield from _bad_trees(content, places[_TREES])


def _find_base(content: bytes) -> int | None:
    """Where addresses count from; None where they are not 8 bytes long, as everywhere since 1998."""
    base = 0
    while base < min(len(content) - 16, _LARGEST_USER_BLOCK):
        if content[base : base + 8] == _SIGNATURE:
            return base if content[base + (9 if content[base + 8] >= 2 else 13)] == 8 else None
        base = max(512, 2 * base)
    return None


def _whole(content: bytes, places: Sequence[int], size: int) -> Iterator[int]:
    return (place for place in places if place <= len(content) - size)


def _bad_nodes(content: bytes, base: int, places: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Nodes of trees that lead back to themselves, or down to no lower level."""
    nodes = {}
    for place in _whole(content, places, _NODE.size):
        _, kind, level, count, left, right = _NODE.unpack_from(content, place)
        nodes[place - base] = (kind, level, count, left, right)
    for side in (3, 4):
        seen: set[int] = set()
        for first in nodes:
            on_the_way: set[int] = set()
            at = first
            while at in nodes and at not in seen:
                on_the_way.add(at)
                seen.add(at)
                at = nodes[at][side]
            if at in on_the_way:
                yield at + base, "is its own neighbour"
    for at, (kind, level, count, _, _) in nodes.items():
        if kind == _GROUP and level:
            for place in range(
                at + base + _NODE.size + 8, min(at + base + _NODE.size + 16 * count, len(content) - 8), 16
            ):
                child = int.from_bytes(content[place : place + 8], "little")
                if child in nodes and nodes[child][1] >= level:
                    yield at + base, "is its own child"


def _bad_heaps(content: bytes, places: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Fractal heaps whose table of blocks cannot be."""
    for place in _whole(content, places, _HEAP_BYTES):
        width, first, largest, bits = _BLOCKS.unpack_from(content, place + _BLOCKS_AT)
        is_right = all(map(_is_power, (width, first, largest))) and first <= largest <= 1 << 32 and 0 < bits <= 64
        if not is_right and _is_sealed(content, place, _HEAP_BYTES):
            yield place, "has blocks that cannot be"


def _bad_trees(content: bytes, places: Sequence[int]) -> Iterator[tuple[int, str]]:
    """B-trees of version 2 whose nodes cannot hold their records."""
    for place in _whole(content, places, _TREE_BYTES):
        node, record, depth, _, _, _, count = _TREE.unpack_from(content, place + _TREE_AT)
        room = node - _NODE_FRAME
        is_right = record > 0 and record <= room and node <= max(len(content), 1 << 16)
        is_right = is_right and depth <= _MOST_DEPTH and count * record <= room
        if not is_right and _is_sealed(content, place, _TREE_BYTES):
            yield place, "has nodes that cannot hold their records"


def _is_power(number: int) -> bool:
    return number > 0 and number & number - 1 == 0


def _is_sealed(content: bytes, place: int, size: int) -> bool:
    """Whether the checksum at the end of a structure is right; the library looks at no other."""
    end = place + size - 4
    return bool(struct.unpack_from("<I", content, end)[0] == checksum(content[place:end]))


_ROUNDS = ((0, 2, 4, 1), (1, 0, 6, 2), (2, 1, 8, 0), (0, 2, 16, 1), (1, 0, 19, 2), (2, 1, 4, 0))
_LAST_ROUNDS = ((2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24))
_WORD = 0xFFFFFFFF


def checksum(content: bytes) -> int:
    """The checksum of metadata: lookup3 of Bob Jenkins, ``hashlittle`` from 0.

    >>> hex(checksum(b"Four score and seven years ago"))
    '0x17770551'
    """
    words = [(0xDEADBEEF + len(content)) & _WORD] * 3
    at = 0
    while len(content) - at > 12:
        words = [word + more & _WORD for word, more in zip(words, struct.unpack_from("<III", content, at), strict=True)]
        for one, two, bits, three in _ROUNDS:
            words[one] = (words[one] - words[two] & _WORD) ^ _turned(words[two], bits)
            words[two] = words[two] + words[three] & _WORD
        at += 12
    if at == len(content):
        return words[2]
    last = struct.unpack("<III", content[at:].ljust(12, b"\0"))
    words = [word + more & _WORD for word, more in zip(words, last, strict=True)]
    for one, two, bits in _LAST_ROUNDS:
        words[one] = (words[one] ^ words[two]) - _turned(words[two], bits) & _WORD
    return words[2]


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _WORD
