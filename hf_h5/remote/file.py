"""A remote file: its bytes by ranges, from what is kept of it or from the server, all that is missing at once."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from ..errors import DamagedFileError
from .http import Facts
from .index_file import FileIndex
from .requests import at_once, submit
from .secrets import kept_as
from .store_cache import FileCache
from .structure import find_format, first_blocks, next_blocks

__all__ = ["RemoteFile", "Transport"]

PAGE_BYTES = 4096
# Larger reads of the library are values, for which there is a cache elsewhere.
_LARGE_BYTES = 64 << 10
_FIRST_AHEAD_BYTES, _MOST_AHEAD_BYTES = 64 << 10, 1 << 20
_MOST_PAGES = (64 << 20) // PAGE_BYTES
_MOST_COMING_BYTES = 96 << 20
_FORGOTTEN_S = 60.0
# What is read along to have fewer requests for metadata.
_GAP_BYTES = 16 << 10
_MOST_BLOCKS = 100_000


class Transport(Protocol):
    """How bytes of one file come."""

    name: str
    has_versions: bool
    location: str | None
    modified_s: float | None
    beside_modified_s: float | None

    def look(self, head_bytes: int) -> tuple[Facts, bytes]:
        """Ask what the file is, and for its first bytes along."""

    def fetch(self, offset: int, out: memoryview, facts: Facts) -> None:
        """Fill ``out`` with the bytes from ``offset`` on."""

    def fetch_beside(self, ending: str, most_bytes: int) -> bytes | None:
        """The file of the same name with an ending."""


class RemoteFile:
    """One version of a remote file; used by many threads, and usable after a fork.

    Parameters
    ----------
    transport
        How its bytes come.
    facts
        Size and version.
    index, index_content
        The index that lies beside it, and its bytes as they came; they belong to this version.
    head
        Its first bytes, as far as they are known.
    """

    def __init__(
        self,
        transport: Transport,
        facts: Facts,
        *,
        index: FileIndex | None = None,
        index_content: bytes = b"",
        head: bytes = b"",
    ) -> None:
        self.name, self.facts = transport.name, facts
        self.index, self.index_content = index, index_content
        self.transport = transport
        # What names no version is kept for this opening alone: the next one may be of another file.
        self._kept_as = "\0".join((kept_as(self.name), str(facts.size), facts.tag or secrets.token_hex(16)))
        self.pages: dict[int, bytes] = {}
        self._is_followed = False
        self._start()
        self.put_pages(0, head)

    def _start(self) -> None:
        self._process = os.getpid()
        self._lock, self._pages_lock = threading.Lock(), threading.Lock()
        self._ahead_bytes = _FIRST_AHEAD_BYTES
        self._coming: OrderedDict[tuple[int, int], tuple[Future[memoryview], float]] = OrderedDict()
        self._coming_bytes = 0
        self._cache = FileCache(self._kept_as)

    def _of_this_process(self) -> None:
        if self._process != os.getpid():
            self._start()

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[memoryview]:
        """The bytes of each range, in memory of their own; all that are not kept are asked for at once.

        Raises
        ------
        DamagedFileError
            If a range lies beyond the end of the file.
        FileChangedError, AccessError, TransferError
        """
        self._of_this_process()
        self._expect_inside(offsets, sizes)
        coming = [self._take_coming(offset, size) for offset, size in zip(offsets, sizes, strict=True)]
        return self._fetch_all(offsets, sizes, coming)

    def _fetch_all(
        self, offsets: Sequence[int], sizes: Sequence[int], coming: Sequence[Future[memoryview] | None]
    ) -> list[memoryview]:
        """The bytes of each range, of which some may be coming already."""
        found: list[memoryview | Future[memoryview]] = []
        tasks = []
        for offset, size, begun in zip(offsets, sizes, coming, strict=True):
            if begun is not None:
                found.append(begun)
                continue
            out = memoryview(bytearray(size))
            found.append(out)
            for start, stop in self._cache.fill(offset, out):
                tasks.append(partial(self._fetch, start, out[start - offset : stop - offset]))
        if tasks:
            at_once(tasks)
        return [each.result() if isinstance(each, Future) else each for each in found]

    def prefetch(self, offsets: Sequence[int], sizes: Sequence[int]) -> None:
        """Begin to fetch ranges that `read_ranges` will be asked for, as far as there is room for them."""
        self._of_this_process()
        self._expect_inside(offsets, sizes)
        for offset, size in zip(offsets, sizes, strict=True):
            with self._lock:
                if (offset, size) in self._coming:
                    continue
                self._drop_forgotten()
                if self._coming_bytes + size > _MOST_COMING_BYTES:
                    return  # it is fetched when it is asked for
                self._coming[offset, size] = submit(self._fetch_whole, offset, size), time.monotonic()
                self._coming_bytes += size

    def _drop_forgotten(self) -> None:
        """Let go of what nobody came for in a while, as at the end of an epoch that was broken off."""
        while self._coming:
            (offset, size), (future, begun_s) = next(iter(self._coming.items()))
            if time.monotonic() - begun_s < _FORGOTTEN_S:
                return
            future.cancel()
            del self._coming[offset, size]
            self._coming_bytes -= size

    def forget_prefetched(self) -> None:
        """Let go of what was fetched ahead and is not wanted any more."""
        with self._lock:
            for future, _ in self._coming.values():
                future.cancel()
            self._coming.clear()
            self._coming_bytes = 0

    def read_for_library(self, offset: int, size: int) -> bytes | memoryview:
        """A range for the HDF5 library, which asks for many small ones, one after the other; shorter at the end."""
        self._of_this_process()
        size = max(0, min(size, self.facts.size - offset))
        if self.index is not None and (found := self.index.image.read(offset, size)) is not None:
            return found
        if size >= _LARGE_BYTES:
            return self._fetch_now([offset], [size])[0]
        if not self._is_followed and self.index is None:
            self._is_followed = True
            self._follow()
        return self._from_pages(offset, size)

    def _fetch_now(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[memoryview]:
        """Ranges for the library, which are not taken from what is coming.

        A thread that fetches ahead may be about to collect an object of `h5py`, and wait for the library's call.
        """
        return self._fetch_all(offsets, sizes, [None] * len(offsets))

    def put_pages(self, offset: int, content: bytes | memoryview) -> None:
        """Keep whole pages in memory; the last one of the file may be shorter."""
        stop = offset + len(content)
        for page in range(-(-offset // PAGE_BYTES), -(-stop // PAGE_BYTES)):
            start = page * PAGE_BYTES
            if start + PAGE_BYTES <= stop or stop == self.facts.size:
                self.pages[page] = bytes(content[start - offset : start - offset + PAGE_BYTES])

    def _from_pages(self, offset: int, size: int) -> bytes:
        first, last = offset // PAGE_BYTES, -(-(offset + size) // PAGE_BYTES)
        with self._pages_lock:
            missing = [page for page in range(first, last) if page not in self.pages]
            if missing:
                stop = max(last, missing[0] + self._ahead_bytes // PAGE_BYTES)
                self._ahead_bytes = min(_MOST_AHEAD_BYTES, 2 * self._ahead_bytes)
                if len(self.pages) > _MOST_PAGES:
                    self.pages.clear()
                self._fetch_pages([(min(missing[0], first), stop)])
            content = b"".join([self.pages[page] for page in range(first, last)])
        return content[offset - first * PAGE_BYTES :][:size]

    def _fetch_pages(self, runs: list[tuple[int, int]]) -> None:
        """Fetch runs of pages ``[first, last)``, as far as the file goes."""
        offsets = [first * PAGE_BYTES for first, _ in runs]
        stops = [min(last * PAGE_BYTES, self.facts.size) for _, last in runs]
        inside = [(offset, stop - offset) for offset, stop in zip(offsets, stops, strict=True) if stop > offset]
        found = self._fetch_now([offset for offset, _ in inside], [size for _, size in inside])
        for (offset, _), content in zip(inside, found, strict=True):
            self.put_pages(offset, content)

    def _follow(self) -> None:
        """Fetch the blocks that say what is in the file, level by level, before the library asks for one by one."""
        head = self._from_pages(0, min(self.facts.size, 2 * PAGE_BYTES))
        form = find_format(head)
        level = first_blocks(form) if form else []
        seen = set(level)
        while form and level and len(seen) <= _MOST_BLOCKS:
            with self._pages_lock:
                self._fetch_pages(self._missing_runs([(block.offset, block.size) for block in level]))
                if len(self.pages) > _MOST_PAGES:
                    return
            coming = []
            for block in level:
                if block.offset + block.size <= self.facts.size:
                    content = self._from_pages(block.offset, block.size)
                    coming += next_blocks(block, content, form)
            level = list(dict.fromkeys(block for block in coming if block not in seen))
            seen.update(level)

    def _missing_runs(self, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """The pages that are missing of ranges, joined to runs where that saves requests."""
        wanted = {
            page
            for offset, size in ranges
            if offset + size <= self.facts.size
            for page in range(offset // PAGE_BYTES, -(-(offset + size) // PAGE_BYTES))
        }
        runs: list[tuple[int, int]] = []
        for page in sorted(wanted - self.pages.keys()):
            if runs and page - runs[-1][1] <= _GAP_BYTES // PAGE_BYTES:
                runs[-1] = runs[-1][0], page + 1
            else:
                runs.append((page, page + 1))
        return runs

    def _take_coming(self, offset: int, size: int) -> Future[memoryview] | None:
        if not self._coming:
            return None
        with self._lock:
            found = self._coming.pop((offset, size), None)
            if found is not None:
                self._coming_bytes -= size
        return None if found is None else found[0]

    def _fetch_whole(self, offset: int, size: int) -> memoryview:
        out = memoryview(bytearray(size))
        if not threading.main_thread().is_alive():
            return out  # at the end of the process nobody comes for it
        for start, stop in self._cache.fill(offset, out):
            self._fetch(start, out[start - offset : stop - offset])
        return out

    def _fetch(self, offset: int, out: memoryview) -> None:
        self.transport.fetch(offset, out, self.facts)
        self._cache.keep(offset, out)

    def _expect_inside(self, offsets: Sequence[int], sizes: Sequence[int]) -> None:
        stop = max((offset + size for offset, size in zip(offsets, sizes, strict=True)), default=0)
        if stop > self.facts.size:
            raise DamagedFileError(
                f"the file ends at byte {self.facts.size}, but rows are stored up to byte {stop}", file=self.name
            )
