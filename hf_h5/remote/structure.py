"""Which blocks of an HDF5 file a block refers to, so that all of one level are asked for at once. Pure; no I/O.

The HDF5 library reads one block, learns from it where the next lies, and so on: over a network each takes a round
trip. Here the groups and the trees of chunks of the classic format are followed ahead of it (HDF5 file format, sections
II.A superblock, III.A version 1 B-trees, III.B symbol table nodes, III.D local heaps, IV.A object headers). What is
not understood is left out: the library then asks for it by itself. Nothing read here becomes a value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Block", "Format", "find_format", "first_blocks", "next_blocks"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_UNDEFINED = 2**64 - 1
_HEADER_BYTES = 512
_HEAP_BYTES = 512
_LARGEST_BLOCK = 1 << 20
_SYMBOLS, _LAYOUT, _CONTINUED = 0x11, 0x08, 0x10


class Block(NamedTuple):
    """A part of the file that says something about it; ``key_bytes`` is for trees of chunks."""

    kind: str
    offset: int
    size: int
    key_bytes: int = 0


class Format(NamedTuple):
    """How large the file's blocks are, by its superblock, and where its root group is."""

    group_node_bytes: int
    symbols_bytes: int
    chunk_rank: int
    root: int


def find_format(head: bytes) -> Format | None:
    """Read a superblock of version 0 or 1; ``None`` for what is not followed here."""
    if len(head) < 128 or head[:8] != _SIGNATURE or head[8] > 1 or head[13:15] != b"\x08\x08":
        return None
    leaf, internal = struct.unpack_from("<HH", head, 16)
    rank, at = (struct.unpack_from("<H", head, 24)[0], 28) if head[8] else (32, 24)
    base, root = struct.unpack_from("<Q", head, at)[0], struct.unpack_from("<Q", head, at + 40)[0]
    if base or not 0 < leaf <= 512 or not 0 < internal <= 4096 or not 0 < rank <= 4096:
        return None
    return Format(24 + 16 * internal + 8 * (2 * internal + 1), 8 + 80 * leaf, rank, root)


def first_blocks(form: Format) -> list[Block]:
    """The header of the root group."""
    return [Block("header", form.root, _HEADER_BYTES)]


def next_blocks(block: Block, content: bytes, form: Format) -> list[Block]:
    """The blocks that a block refers to; none if it is not what it was taken for."""
    finders = {"header": _of_header, "messages": _of_messages, "group": _of_group, "symbols": _of_symbols}
    finders |= {"heap": _of_heap, "chunks": _of_chunks}
    try:
        found = list(finders[block.kind](block, content, form)) if block.kind in finders else []
    except struct.error:
        return []
    return [each for each in found if each.offset != _UNDEFINED and 0 < each.size <= _LARGEST_BLOCK]


def _of_header(block: Block, content: bytes, form: Format) -> Iterator[Block]:
    if content[0] != 1:
        return
    size = struct.unpack_from("<I", content, 8)[0]
    if 16 + size > len(content) and block.size == _HEADER_BYTES:
        yield Block("header", block.offset, 16 + size)
        return
    yield from _of_messages(block, content[16 : 16 + size], form)


def _of_messages(block: Block, content: bytes, form: Format) -> Iterator[Block]:
    at = 0
    while at + 8 <= len(content):
        kind, size = struct.unpack_from("<HH", content, at)
        at += 8
        if kind == _SYMBOLS:
            tree, heap = struct.unpack_from("<QQ", content, at)
            yield from _group(tree, heap, form)
        elif kind == _LAYOUT and content[at : at + 2] == b"\x03\x02":
            key_bytes = 8 + 8 * content[at + 2]
            node_bytes = 24 + 16 * form.chunk_rank + (2 * form.chunk_rank + 1) * key_bytes
            yield Block("chunks", struct.unpack_from("<Q", content, at + 3)[0], node_bytes, key_bytes)
        elif kind == _CONTINUED:
            yield Block("messages", *struct.unpack_from("<QQ", content, at))
        at += size


def _group(tree: int, heap: int, form: Format) -> Iterator[Block]:
    yield Block("group", tree, form.group_node_bytes)
    yield Block("heap", heap, _HEAP_BYTES)


def _of_group(block: Block, content: bytes, form: Format) -> Iterator[Block]:
    if content[:5] != b"TREE\x00":
        return
    level, count = struct.unpack_from("<BH", content, 5)
    kind, size = ("group", block.size) if level else ("symbols", form.symbols_bytes)
    for number in range(min(count, (len(content) - 32) // 16)):
        yield Block(kind, struct.unpack_from("<Q", content, 32 + 16 * number)[0], size)


def _of_symbols(block: Block, content: bytes, form: Format) -> Iterator[Block]:
    if content[:4] != b"SNOD":
        return
    count = struct.unpack_from("<H", content, 6)[0]
    for at in range(8, min(8 + 40 * count, len(content) - 39), 40):
        header, cached = struct.unpack_from("<QI", content, at + 8)
        yield Block("header", header, _HEADER_BYTES)
        if cached == 1:
            tree, heap = struct.unpack_from("<QQ", content, at + 24)
            yield from _group(tree, heap, form)


def _of_heap(block: Block, content: bytes, form: Format) -> Iterator[Block]:
    if content[:4] == b"HEAP":
        size, _, place = struct.unpack_from("<QQQ", content, 8)
        if not block.offset <= place <= place + size <= block.offset + len(content):
            yield Block("names", place, size)


def _of_chunks(block: Block, content: bytes, form: Format) -> Iterator[Block]:
    if content[:5] != b"TREE\x01":
        return
    level, count = struct.unpack_from("<BH", content, 5)
    step = block.key_bytes + 8
    for number in range(min(count, (len(content) - 24) // step) if level else 0):
        child = struct.unpack_from("<Q", content, 24 + block.key_bytes + step * number)[0]
        yield Block("chunks", child, block.size, block.key_bytes)
