"""Decoded chunks of all files and columns, bounded in bytes together; each is decoded once."""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CacheInfo", "ChunkCache", "number_dataset"]

Block = NDArray[np.uint8]
Key = tuple[int, int]
"""Number of a dataset (see `number_dataset`), number of its chunk."""


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """How a cache is used: bytes and chunks held, its bound, and how often a chunk was found or had to be made."""

    n_bytes: int
    n_chunks: int
    max_bytes: int
    hits: int
    misses: int


class _Flight:
    """A block that one thread is making while others may wait for it."""

    __slots__ = ("block", "done")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.block: Block | None = None


class ChunkCache:
    """The blocks used last, at most ``max_bytes`` together.

    Safe to use from many threads. A copy made by pickling, or by a fork, is empty: neither blocks nor locks travel.

    Parameters
    ----------
    max_bytes
        Bound of the blocks' bytes; blocks larger than this are made and not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        if max_bytes < 0:
            raise ValueError(f"max_bytes must not be negative: {max_bytes}")
        self.max_bytes = max_bytes
        self._start_empty()
        _CACHES.add(self)

    def __reduce__(self) -> tuple[object, ...]:
        return ChunkCache, (self.max_bytes,)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._blocks: OrderedDict[Key, Block] = OrderedDict()
        self._flights: dict[Key, _Flight] = {}
        self._n_bytes = self._hits = self._misses = 0

    def get_many(self, keys: Iterable[Key]) -> list[Block | None]:
        """Return the blocks that are there, ``None`` for the others, under one lock."""
        blocks, kept = [], self._blocks
        with self._lock:
            for key in keys:
                block = kept.get(key)
                if block is not None:
                    kept.move_to_end(key)
                blocks.append(block)
            found = sum(block is not None for block in blocks)
            self._hits += found
        return blocks

    def lacks(self, keys: Iterable[Key]) -> list[bool]:
        """Return which blocks are not there; it counts as no use of the others."""
        with self._lock:
            return [key not in self._blocks for key in keys]

    def get_or_make(self, key: Key, make: Callable[[], Block]) -> Block:
        """Return a block, made by this thread or by the one that is already making it.

        Parameters
        ----------
        make
            Called without any lock held; what it raises goes to this caller alone and is not kept: the next thread
            that waits tries for itself. The block becomes the cache's and read-only.
        """
        while True:
            with self._lock:
                block = self._blocks.get(key)
                if block is not None:
                    self._blocks.move_to_end(key)
                    self._hits += 1
                    return block
                flight = self._flights.get(key)
                if flight is None:
                    flight = self._flights[key] = _Flight()
                    self._misses += 1
                    break
            flight.done.wait()
            if flight.block is not None:
                with self._lock:
                    self._hits += 1
                return flight.block
        try:
            flight.block = make()
            flight.block.flags.writeable = False
        finally:
            self._land(key, flight)
        return flight.block

    def _land(self, key: Key, flight: _Flight) -> None:
        """Keep what was made, make room for it, and wake the threads that wait."""
        dropped = []
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
                if flight.block is not None and flight.block.nbytes <= self.max_bytes:
                    self._blocks[key] = flight.block
                    self._n_bytes += flight.block.nbytes
            while self._n_bytes > self.max_bytes:
                dropped.append(self._blocks.popitem(last=False)[1])
                self._n_bytes -= dropped[-1].nbytes
        flight.done.set()
        # Large blocks go back to the operating system: not under the lock.
        dropped.clear()

    def drop(self, dataset: int) -> None:
        """Forget all blocks of one dataset; what threads are making meanwhile is not kept."""
        with self._lock:
            for key in [key for key in self._blocks if key[0] == dataset]:
                self._n_bytes -= self._blocks.pop(key).nbytes
            for key in [key for key in self._flights if key[0] == dataset]:
                del self._flights[key]

    def clear(self) -> None:
        """Forget all blocks; what threads are making meanwhile is not kept."""
        with self._lock:
            self._blocks.clear()
            self._flights.clear()
            self._n_bytes = 0

    def info(self) -> CacheInfo:
        """Return how the cache is used."""
        with self._lock:
            return CacheInfo(self._n_bytes, len(self._blocks), self.max_bytes, self._hits, self._misses)


_CACHES: weakref.WeakSet[ChunkCache] = weakref.WeakSet()
_NUMBERS: dict[Hashable, int] = {}
_NEXT_NUMBER = itertools.count()


def number_dataset(identity: Hashable) -> int:
    """Return a number for a dataset of a file version: short keys are what makes a look-up cheap.

    >>> number_dataset("a") == number_dataset("a") != number_dataset("b")
    True
    """
    return _NUMBERS.setdefault(identity, next(_NEXT_NUMBER))


def _empty_after_fork() -> None:
    """Empty the caches of a forked child: their locks may be held by threads that it does not have."""
    for cache in list(_CACHES):
        cache._start_empty()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_empty_after_fork)
