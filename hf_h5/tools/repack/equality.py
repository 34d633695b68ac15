"""Do two files hold the same objects: links, types, shapes, attributes and every value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5p, h5r

from ...describe.corners import list_corners
from ..console import Progress
from .attributes import attribute_names
from .elements import (
    address_of,
    has_filling_place,
    has_filling_reference,
    is_fixed,
    memory_file,
    open_object,
    read_attribute,
    read_block,
    read_fill,
    stored_blocks,
)
from .layout import Block, cut_blocks
from .objects import link_names

__all__ = ["Compared", "count_bytes", "find_difference"]

_BLOCK_BYTES = 16 << 20


class Compared(NamedTuple):
    """The place and kind of the first difference, if there is one; and the datasets whose values nobody here reads."""

    difference: str | None
    unread: tuple[str, ...]


def find_difference(first: h5py.File, second: h5py.File, progress: Progress) -> Compared:
    """Compare two files, up to the first difference."""
    with memory_file() as memory:
        comparison = _Comparison(first, second, progress, memory)
        difference = next(comparison.differences(), None)
    return Compared(difference, tuple(comparison.unread))


def count_bytes(paths: dict[tuple[int, int], bytes], file: h5py.File) -> int:
    """Bytes of all values of all datasets: what a comparison reads."""
    total = 0
    for path in paths.values():
        opened = open_object(file.id, path)
        if isinstance(opened, h5d.DatasetID) and opened.shape is not None:
            total += math.prod(opened.shape) * opened.get_type().get_size()
    return total


class _Comparison:
    """Walks both files at once; objects are told apart by where they were met first."""

    def __init__(self, first: h5py.File, second: h5py.File, progress: Progress, memory: h5py.File) -> None:
        self._files = (first, second)
        self._met: tuple[dict[tuple[int, int], bytes], ...] = ({}, {})
        self.unread: list[str] = []
        self._progress, self._memory = progress, memory

    def differences(self) -> Iterator[str]:
        first, second = (open_object(file.id, b"/") for file in self._files)
        self._met[0][address_of(first)] = self._met[1][address_of(second)] = b"/"
        yield from self._groups(first, second, b"")
        # References and types with names are compared by where they lead, which is known only now.
        for path in self._met[0].values():
            pair = [open_object(file.id, path) for file in self._files]
            yield from (
                f"{path.decode('utf-8', 'replace')}: {what}" for what in self._insides(first, second, path, *pair)
            )

    def _insides(self, first: h5g.GroupID, second: h5g.GroupID, path: bytes, one: Any, two: Any) -> Iterator[str]:
        """Compare two objects but for their links; ``first`` and ``second`` are the roots."""
        if first.get_comment(path) != second.get_comment(path):
            yield "another comment"
        if _order(one) != _order(two):
            yield "the order in which things were made is kept for others"
        yield from self._attributes(one, two)
        if isinstance(one, h5d.DatasetID):
            if not self._are_like(one, two):
                yield "another type or shape"
            elif not self._same_fill(one, two):
                yield "another fill value"
            else:
                yield from self._values(one, two)

    def _groups(self, first: h5g.GroupID, second: h5g.GroupID, at: bytes) -> Iterator[str]:
        names = list(link_names(first))
        if names != list(link_names(second)):
            yield f"{at.decode('utf-8', 'replace') or '/'}: other members, or in another order"
            return
        for name in names:
            path, infos = at + b"/" + name, [each.links.get_info(name) for each in (first, second)]
            if infos[0].type != infos[1].type or infos[0].cset != infos[1].cset:
                yield f"{path.decode('utf-8', 'replace')}: another kind of link"
            elif infos[0].type != h5l.TYPE_HARD:
                if first.links.get_val(name) != second.links.get_val(name):
                    yield f"{path.decode('utf-8', 'replace')}: a link to elsewhere"
            else:
                yield from self._objects(open_object(first, name), open_object(second, name), path)

    def _objects(self, first: Any, second: Any, path: bytes) -> Iterator[str]:
        where = [met.setdefault(address_of(each), path) for met, each in zip(self._met, (first, second), strict=True)]
        name = path.decode("utf-8", "replace")
        if where[0] != where[1] or type(first) is not type(second):
            yield f"{name}: another object"
        elif where[0] != path:
            return
        elif isinstance(first, h5g.GroupID):
            yield from self._groups(first, second, path)
        elif not isinstance(first, h5d.DatasetID) and not first.equal(second):
            yield f"{name}: another type"

    def _attributes(self, first: Any, second: Any) -> Iterator[str]:
        names = attribute_names(first)
        if names != attribute_names(second):
            yield "other attributes, or in another order"
            return
        for name in names:
            pair = [h5a.open(each, name) for each in (first, second)]
            before = read_attribute(pair[0])
            try:
                is_same = self._are_like(*pair) and self._are_equal(before, read_attribute(pair[1]))
            except (OSError, RuntimeError, TypeError):
                is_same = False
            if not is_same:
                yield f"attribute {name.decode('utf-8', 'replace')!r} differs"

    def _values(self, first: h5d.DatasetID, second: h5d.DatasetID) -> Iterator[str]:
        if first.shape is None or not first.get_space().get_simple_extent_npoints():
            return
        plist, item_bytes = first.get_create_plist(), first.get_type().get_size()
        chunk = plist.get_chunk() if plist.get_layout() == h5d.CHUNKED else (1,) * len(first.shape)
        blocks: Iterable[Block] = cut_blocks(first.shape, chunk, item_bytes, _BLOCK_BYTES) if first.shape else [()]
        if has_filling_place(first) and plist.get_layout() == h5d.CHUNKED:
            blocks = stored_blocks(first)
            if blocks != stored_blocks(second):
                yield "other chunks are stored"
                return
        for block in blocks:
            where = f"values of rows {block[0].start:,} to {block[0].stop:,}" if block else "the value"
            try:
                before = read_block(first, block)
            except (OSError, RuntimeError, TypeError):
                # What nobody can decode here was copied as it is stored.
                if first.get_create_plist().get_layout() == h5d.CHUNKED and is_fixed(first.get_type()):
                    yield from _stored_chunks(first, second)
                else:
                    self.unread.append(h5py.h5i.get_name(first).decode("utf-8", "replace"))
                return
            try:
                after = read_block(second, block)
            except (OSError, RuntimeError, TypeError) as error:
                yield f"{where} cannot be read in it: {error}"
                return
            if not self._are_equal(before, after):
                yield f"{where}: not the same"
                return
            self._progress.add(before.size * item_bytes)

    def _same_fill(self, first: h5d.DatasetID, second: h5d.DatasetID) -> bool:
        if has_filling_reference(first, self._memory):
            # Where it points to in the new file is known too late; it is in the rows themselves.
            return read_fill(second, self._memory) is None
        return self._are_equal(*(read_fill(each, self._memory) for each in (first, second)))

    def _are_like(self, first: Any, second: Any) -> bool:
        """Whether datasets or attributes have the same type, of the same name if it has one, and the same shape."""
        types, spaces = (first.get_type(), second.get_type()), (first.get_space(), second.get_space())
        if types[0].committed() != types[1].committed() or not types[0].equal(types[1]):
            return False
        if types[0].committed():
            names = [met.get(address_of(tid)) for met, tid in zip(self._met, types, strict=True)]
            if names[0] != names[1]:
                return False
        return all(
            spaces[0].get_simple_extent_type() == spaces[1].get_simple_extent_type()
            and spaces[0].get_simple_extent_dims(largest) == spaces[1].get_simple_extent_dims(largest)
            for largest in (False, True)
        )

    def _are_equal(self, first: Any, second: Any) -> bool:
        """Whether values are the same bytes, and references lead to the same place."""
        if first is None or second is None:
            return first is second
        if first.dtype.kind == "V" and not first.dtype.names and first.dtype.subdtype is None:
            return bool(first.shape == second.shape and first.tobytes() == second.tobytes())
        return bool(first.shape == second.shape) and self._same(first, second)

    def _same(self, first: Any, second: Any) -> bool:
        if isinstance(first, np.ndarray):
            if first.dtype.names:
                return all(self._same(first[name], second[name]) for name in first.dtype.names)
            if first.dtype.kind != "O":
                return bool(first.tobytes() == second.tobytes())
            return len(first.flat) == len(second.flat) and all(map(self._same, first.flat, second.flat))
        if isinstance(first, h5r.Reference):
            return self._same_reference(first, second)
        return bool(first == second)

    def _same_reference(self, first: h5r.Reference, second: h5r.Reference) -> bool:
        places = [self._place(number, each) for number, each in enumerate((first, second))]
        if places[0] != places[1] or places[0] is None or not isinstance(first, h5r.RegionReference):
            return places[0] == places[1]
        regions = [h5r.get_region(each, file.id) for each, file in zip((first, second), self._files, strict=True)]
        return bool(regions[0].encode() == regions[1].encode())

    def _place(self, number: int, reference: h5r.Reference) -> bytes | None:
        """Where a reference leads; None for nowhere, or an object without a name, which becomes null."""
        if not reference:
            return None
        try:
            return self._met[number].get(address_of(h5r.dereference(reference, self._files[number].id)))
        except (RuntimeError, ValueError, OSError, KeyError):
            return None


def _order(opened: Any) -> tuple[int, ...]:
    """Of what the order is kept in which it was made."""
    if not hasattr(opened, "get_create_plist"):
        return ()
    plist = opened.get_create_plist()
    links = plist.get_link_creation_order() if isinstance(opened, h5g.GroupID) else 0
    return plist.get_attr_creation_order() & h5p.CRT_ORDER_TRACKED, links & h5p.CRT_ORDER_TRACKED


def _filters(dataset: h5d.DatasetID) -> list[tuple[Any, ...]]:
    plist = dataset.get_create_plist()
    return [plist.get_filter(number) for number in range(plist.get_nfilters())]


def _stored_chunks(first: h5d.DatasetID, second: h5d.DatasetID) -> Iterator[str]:
    """Compare the chunks as they are stored: of what varies in length they hold places, which differ."""
    if (
        _filters(first) != _filters(second)
        or first.get_create_plist().get_chunk() != second.get_create_plist().get_chunk()
    ):
        yield "other filters or chunks"
        return
    if first.get_num_chunks() != second.get_num_chunks():
        yield "other chunks are stored"
        return
    for corner in map(tuple, list_corners(first).tolist()):
        if first.read_direct_chunk(corner) != second.read_direct_chunk(corner):
            yield f"the chunk at {corner} differs"
