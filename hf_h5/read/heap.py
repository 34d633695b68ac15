"""Where values of variable length lie in a file's heap, found without the HDF5 library.

A value of variable length is stored as an address and a number: of a heap collection, and of an object in it. A
collection is a header and then its objects, each of them 16 bytes that hold its number and size, and content padded to
a multiple of 8 bytes; object 0 is free space (HDF5 file format, section III.E "Global Heap").

Values that were written one after the other lie one after the other. So where each begins is guessed from the sizes of
those before it and then looked up, all at once; only where a guess fails are the objects gone through one by one.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError
from .cache import ChunkCache, number_dataset
from .plan import batch_ranges, plan_ranges
from .source import Source

__all__ = ["TABLES_BYTES", "Heap"]

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]

TABLES_BYTES = 16 << 20
"""Bound of the tables of collections that were gone through: those of some 100 MB of strings."""

# What stands before the content of an object, and before the objects of a collection.
_HEAD_BYTES = 16
_OBJECT = np.dtype([("number", "<u2"), ("references", "<u2"), ("reserved", "<u4"), ("size", "<i8")])
_COLLECTION = np.dtype([("signature", "<u4"), ("version", "u1"), ("reserved", "u1", (3,)), ("size", "<i8")])
_SIGNATURE = int.from_bytes(b"GCOL", "little")
# The word of a head that holds number, count of references (any) and reserved bytes (zero).
_NUMBER_BITS = np.int64(-(1 << 32) | 0xFFFF)
_PLACE = np.dtype("<i8")
_unpack_head = Struct("<H6xq").unpack_from

# What the HDF5 library makes a collection of, unless an object needs more.
_USUAL_BYTES = 4096
# The object that holds a table takes about 400 bytes, which must not be many times what is counted.
_LEAST_PLACES = 64
_MAX_ENDS = 64
# Up to so many objects are found one by one.
_FEW = 8
# To search for one object takes some 10 us, to go through a collection of 64 KiB up to 800.
_FEW_OBJECTS = 64
_MAX_SEARCHED = 4096


class _Held(NamedTuple):
    """Collections in memory: their addresses in the file, and where they begin and end in the memory."""

    memory: Bytes
    addresses: Numbers
    starts: Numbers
    ends: Numbers


class Heap:
    """The global heap of one file; thread-safe, and usable after a fork. Pickles without what it knows.

    Parameters
    ----------
    source
        The file.
    base
        Where addresses count from: the size of the user block.
    cache
        Keeps the collections of a file that is not mapped.
    tables
        Keeps where the objects of collections begin that were gone through, for files that share it.
    """

    def __init__(
        self, source: Source, base: int, cache: ChunkCache | None = None, tables: ChunkCache | None = None
    ) -> None:
        self.source, self.base, self.cache = source, base, cache
        self._number = number_dataset((source.file, source.fingerprint, "global heap"))
        self._tables = ChunkCache(TABLES_BYTES) if tables is None else tables
        self._ends: dict[tuple[int, int], int] = {}
        self._searched: dict[int, int] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return Heap, (self.source, self.base, self.cache, self._tables)

    def find(self, addresses: Numbers, numbers: Numbers, sizes: Numbers) -> tuple[Bytes, Numbers]:
        """Find objects.

        Parameters
        ----------
        addresses, numbers, sizes
            ``(n,)``, n > 0, in any order, repeats allowed: the collection of each, its number in it, and the bytes
            that it must have.

        Returns
        -------
        memory, places
            Where the content of each begins in this memory, in which it ends too.

        Raises
        ------
        DamagedFileError
            If there is no such object, or it has another size.
        """
        size = self.source.fingerprint.size
        if np.maximum.reduce(numbers) > 0xFFFF or np.maximum.reduce(addresses) > size - self.base - _HEAD_BYTES:
            raise DamagedFileError("a value of variable length points to where no heap can be")
        few = self._find_few(addresses, numbers, sizes) if len(numbers) <= _FEW else None
        if few is not None:
            return few
        keys = addresses << 16 | numbers
        steps = keys[1:] - keys[:-1]
        if np.minimum.reduce(steps, initial=1) > 0:
            return self._find_sorted(addresses, numbers, sizes, steps)
        order = np.argsort(keys, kind="stable")
        steps = np.diff(keys[order])
        if np.minimum.reduce(steps, initial=1) > 0:
            memory, found = self._find_sorted(addresses[order], numbers[order], sizes[order], steps)
            places = np.empty_like(found)
            places[order] = found
            return memory, places
        keys, chosen, back = np.unique(keys, return_index=True, return_inverse=True)
        if (sizes[chosen][back] != sizes).any():
            raise _wrong_size()
        steps = keys[1:] - keys[:-1]
        memory, places = self._find_sorted(addresses[chosen], numbers[chosen], sizes[chosen], steps)
        return memory, places[back]

    def _find_few(self, addresses: Numbers, numbers: Numbers, sizes: Numbers) -> tuple[Bytes, Numbers] | None:
        """Find objects of collections whose tables are there, without numpy's 60 us on small arrays."""
        view = self.source.view(0, self.source.fingerprint.size)
        if view is None:
            return None
        tables = self._tables.get_many((self._number, address) for address in addresses.tolist())
        places = []
        for address, number, size, table in zip(
            *(each.tolist() for each in (addresses, numbers, sizes)), tables, strict=True
        ):
            if table is None or 8 * number >= len(table):
                return None
            at = address + self.base + int.from_bytes(table[8 * number : 8 * number + 8], "little")
            if _unpack_head(view, at) != (number, size):
                return None
            places.append(at + _HEAD_BYTES)
        return np.frombuffer(view, np.uint8), np.array(places, np.int64)

    def _find_sorted(
        self, addresses: Numbers, numbers: Numbers, sizes: Numbers, steps: Numbers
    ) -> tuple[Bytes, Numbers]:
        """Find different objects; ``steps`` is 1 where one of the same collection has the next number."""
        runs = _starts_where(steps != 1)
        of_runs = addresses[runs]
        is_new = of_runs[1:] != of_runs[:-1]
        firsts = _starts_where(is_new)
        held = self._hold(of_runs[firsts])
        owners = np.cumsum(np.concatenate(([0], is_new)))
        heads = self._guess(held, owners, runs, numbers, sizes)
        lasts = np.append(runs[1:], len(heads)) - 1
        if not _are_there(held, owners, lasts, heads, numbers, sizes):
            owners = np.repeat(owners, _lengths(runs, len(numbers)))
            heads = self._look_up(held, owners, numbers, sizes)
            if not _are_there(held, owners, np.arange(len(heads)), heads, numbers, sizes):
                raise _wrong_size()
        elif len(firsts) <= _MAX_ENDS:
            lasts = lasts[np.append(firsts[1:], len(runs)) - 1]
            self._note_ends(held, heads[lasts] - held.starts, numbers[lasts], sizes[lasts])
        return held.memory, heads + _HEAD_BYTES

    def _guess(self, held: _Held, owners: Numbers, runs: Numbers, numbers: Numbers, sizes: Numbers) -> Numbers:
        """Where objects begin if those of one collection with consecutive numbers lie one after the other.

        Each is compared with what lies there, and the first of them is known: so they are the collection's objects,
        as the next one always begins where one ends. ``runs`` are the firsts, and ``owners`` their collections.
        """
        begins = held.starts[owners] + _HEAD_BYTES
        of_runs = numbers[runs]
        unknown = np.flatnonzero(of_runs != 1)
        if len(unknown):
            begins[unknown] = self._find_begins(held, owners[unknown], of_runs[unknown], sizes[runs[unknown]])
        steps = _HEAD_BYTES + (sizes + 7 & -8)
        before: Numbers = np.cumsum(steps) - steps
        return before + np.repeat(begins - before[runs], _lengths(runs, len(numbers)))

    def _note_ends(self, held: _Held, last: Numbers, numbers: Numbers, sizes: Numbers) -> None:
        """Note where the objects begin that follow the last one of each collection: the next batch may go on there."""
        if len(self._ends) > 8 * _MAX_ENDS:
            self._ends.clear()
        ends = last + _HEAD_BYTES + (sizes + 7 & -8)
        following = zip(held.addresses.tolist(), (numbers + 1).tolist(), strict=True)
        self._ends.update(zip(following, ends.tolist(), strict=True))

    def _find_begins(self, held: _Held, owners: Numbers, numbers: Numbers, sizes: Numbers) -> Numbers:
        """Where the first objects of runs begin: after those of the batch before, or by looking for them."""
        if len(owners) <= _MAX_ENDS:
            runs = zip(held.addresses[owners].tolist(), numbers.tolist(), strict=True)
            ends = [self._ends.get(run) for run in runs]
            if None not in ends:
                return held.starts[owners] + np.array(ends, np.int64)
        return self._look_up(held, owners, numbers, sizes)

    def _look_up(self, held: _Held, owners: Numbers, numbers: Numbers, sizes: Numbers) -> Numbers:
        """Where objects begin that may lie anywhere in their collections; ``owners`` are sorted."""
        firsts = _starts_where(owners[1:] != owners[:-1])
        addresses = held.addresses[owners[firsts]].tolist()
        tables = self._tables.get_many([(self._number, address) for address in addresses])
        heads = np.empty(len(owners), np.int64)
        low = 0
        for address, table, count in zip(addresses, tables, _lengths(firsts, len(owners)).tolist(), strict=True):
            part = slice(low, low + count)
            start, end = int(held.starts[owners[low]]), int(held.ends[owners[low]])
            heads[part] = self._look_into(held.memory, start, end, address, table, numbers[part], sizes[part])
            low += count
        return heads

    def _look_into(
        self, memory: Bytes, start: int, end: int, address: int, table: Bytes | None, numbers: Numbers, sizes: Numbers
    ) -> Numbers:
        """Where objects of one collection begin: by its table, or a search where that is quicker than to make one."""
        if table is None:
            if self._is_rarely_used(address, len(numbers)):
                found = _search(memory, start, end, numbers, sizes)
                if found is not None:
                    return found
            table = self._tables.get_or_make((self._number, address), lambda: _walk(memory.data, start, end))
        known: Numbers = table.view(_PLACE)
        places = known[np.minimum(numbers, len(known) - 1)]
        if not places.all():
            raise DamagedFileError("a value of variable length points to an object that its heap does not hold")
        return start + places

    def _is_rarely_used(self, address: int, count: int) -> bool:
        """Whether so few of a collection's objects were looked for that it was not worth to go through all of them."""
        if len(self._searched) > _MAX_SEARCHED:
            self._searched.clear()
        total = self._searched[address] = self._searched.get(address, 0) + count
        return total <= _FEW_OBJECTS

    def _hold(self, addresses: Numbers) -> _Held:
        """Bring collections into memory: mapped, or fetched over the network."""
        size = self.source.fingerprint.size
        view = self.source.view(0, size)
        if view is not None:
            memory, starts = np.frombuffer(view, np.uint8), addresses + self.base
        else:
            blocks = self._fetch(addresses)
            memory = np.concatenate(blocks)
            lengths = np.array([len(block) for block in blocks])
            starts = np.cumsum(lengths) - lengths
        sizes = _read_sizes(memory, starts)
        if (sizes > len(memory) - starts).any():
            raise DamagedFileError("a heap collection ends outside the file")
        return _Held(memory, addresses, starts, starts + sizes)

    def _fetch(self, addresses: Numbers) -> list[Bytes]:
        """The bytes of collections of a file that is not mapped, out of the cache as far as they are there."""
        keys = [(self._number, address) for address in addresses.tolist()]
        blocks = self.cache.get_many(keys) if self.cache is not None else [None] * len(keys)
        missing = np.array([place for place, block in enumerate(blocks) if block is None], np.int64)
        offsets = addresses[missing] + self.base
        room = self.source.fingerprint.size - offsets
        fetched = self._read(offsets, np.minimum(_USUAL_BYTES, room))
        sizes = np.array([_read_sizes(block, np.zeros(1, np.int64))[0] for block in fetched], np.int64)
        if (sizes > room).any():
            raise DamagedFileError("a heap collection ends outside the file")
        large = np.flatnonzero(sizes > _USUAL_BYTES)
        for place, block in zip(large.tolist(), self._read(offsets[large], sizes[large]), strict=True):
            fetched[place] = block
        for place, block in zip(missing.tolist(), fetched, strict=True):
            blocks[place] = block if self.cache is None else self.cache.get_or_make(keys[place], lambda: block)  # noqa: B023
        return [block for block in blocks if block is not None]

    def _read(self, offsets: Numbers, sizes: Numbers) -> list[Bytes]:
        """Read ranges, those near each other by one request."""
        found: list[Bytes] = [np.empty(0, np.uint8)] * len(offsets)
        limits = {"gap_bytes": self.source.gap_bytes, "limit_bytes": self.source.limit_bytes}
        for window in batch_ranges(plan_ranges(offsets, sizes, **limits)):
            contents = self.source.read_ranges([each.offset for each in window], [each.size for each in window])
            for each, content in zip(window, contents, strict=True):
                for member in each.members.tolist():
                    begin = int(offsets[member]) - each.offset
                    found[member] = np.frombuffer(content, np.uint8)[begin : begin + int(sizes[member])].copy()
        return found


def _read_sizes(memory: Bytes, starts: Numbers) -> Numbers:
    """How many bytes each collection has; raises if something else lies there."""
    heads = _overlapping(memory, _COLLECTION)[starts]
    sizes: Numbers = heads["size"].astype(np.int64)
    if (heads["signature"] != _SIGNATURE).any() or (heads["version"] != 1).any() or (sizes < _HEAD_BYTES).any():
        raise DamagedFileError("a value of variable length points to what is no heap collection")
    return sizes


def _are_there(held: _Held, owners: Numbers, lasts: Numbers, heads: Numbers, numbers: Numbers, sizes: Numbers) -> bool:
    """Whether an object of that number and size begins at each place, and ends inside its collection.

    Between those of ``lasts``, which belong to collections ``owners``, each lies before the next.
    """
    if (heads[lasts] + _HEAD_BYTES + sizes[lasts] > held.ends[owners]).any():
        return False
    if (heads & 7).any():
        found = _overlapping(held.memory, _OBJECT)[heads]
        return bool((found["number"] == numbers).all() and (found["size"] == sizes).all())
    # Collections begin at multiples of 8 bytes in nearly all files; words are gathered four times as fast.
    words = held.memory[: len(held.memory) & -8].view("<i8")
    places = heads >> 3
    return bool((words[places + 1] == sizes).all() and (words[places] & 0xFFFF == numbers).all())


def _search(memory: Bytes, start: int, end: int, numbers: Numbers, sizes: Numbers) -> Numbers | None:
    """Find objects by the words of their heads, wherever these stand; ``None`` if other bytes look like one too.

    A collection has one object of a number, so that the only place that looks like it is it.
    """
    words = memory[start : start + (end - start & -8)].view("<i8")
    heads = []
    for number, size in zip(numbers.tolist(), sizes.tolist(), strict=True):
        places = np.flatnonzero(words[1:] == size)
        places = places[words[places] & _NUMBER_BITS == number]
        if len(places) != 1:
            return None
        heads.append(int(places[0]))
    return start + 8 * np.array(heads, np.int64)


def _starts_where(begins: NDArray[np.bool_]) -> Numbers:
    """The first of each group of items; ``begins[i]`` says that item ``i + 1`` begins one."""
    firsts = np.flatnonzero(begins)
    firsts += 1
    return np.concatenate(([0], firsts))


def _lengths(firsts: Numbers, n_items: int) -> Numbers:
    lengths = np.empty_like(firsts)
    np.subtract(firsts[1:], firsts[:-1], out=lengths[:-1])
    lengths[-1] = n_items - firsts[-1]
    return lengths


def _overlapping(memory: Bytes, kind: np.dtype[np.void]) -> NDArray[np.void]:
    """See memory as items that begin at each of its bytes."""
    return np.ndarray((max(0, len(memory) - kind.itemsize + 1),), kind, memory.data, strides=(1,))


def _walk(memory: memoryview, start: int, end: int) -> Bytes:
    """Go through a collection: where each object begins, counted from the collection's first byte; 0 is none."""
    numbers, places = [], []
    at = start + _HEAD_BYTES
    while at + _HEAD_BYTES <= end:
        number, size = _unpack_head(memory, at)
        step = _HEAD_BYTES + (size + 7 & -8) if number else size
        if size < 0 or step < _HEAD_BYTES or at + step > end:
            break
        if number:
            numbers.append(number)
            places.append(at - start)
        at += step
    table = np.zeros(max(_LEAST_PLACES, *numbers, 0) + 1, _PLACE)
    table[numbers] = places
    return table.view(np.uint8)


def _wrong_size() -> DamagedFileError:
    return DamagedFileError("a value of variable length has another size than its place in the heap")
