"""Open files of this process, few at a time however many are read."""

from __future__ import annotations

import mmap
import os
import threading
from collections import OrderedDict

from ..errors import FileChangedError, MissingFileError
from .fingerprint import Fingerprint

__all__ = ["Handle", "HandlePool", "key_of", "open_limit"]

_DEFAULT_LIMIT = 128


def open_limit() -> int:
    """Return how many files to keep open: a quarter of what the process may have, at most 128.

    A handle takes two descriptors, as Python's `mmap` duplicates its own, and others need some too.
    """
    try:
        import resource
    except ImportError:
        return _DEFAULT_LIMIT
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _DEFAULT_LIMIT if soft == resource.RLIM_INFINITY else max(2, min(_DEFAULT_LIMIT, soft // 4))


class Handle:
    """An open file, closed when nobody holds it any more, so that a pool may drop one that a thread is reading."""

    __slots__ = ("__weakref__", "_lock", "_map", "descriptor", "size")

    def __init__(self, file: str, expected: Fingerprint) -> None:
        self.descriptor = -1
        try:
            self.descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
        except FileNotFoundError as error:
            raise MissingFileError("no such file", file=file) from error
        found = Fingerprint.of_status(os.fstat(self.descriptor))
        if found != expected:
            raise FileChangedError(f"the file changed: {expected.difference(found)}", file=file)
        self.size = found.size
        self._lock = threading.Lock()
        self._map: memoryview | None = None

    def map(self) -> memoryview | None:
        """Return the whole file as mapped memory, or ``None`` where the file system cannot map it.

        The map lives as long as the view or anything that was made from it.
        """
        if self._map is None:
            with self._lock:
                if self._map is None:
                    self._map = self._make_map()
        return self._map or None

    def _make_map(self) -> memoryview:
        try:
            return memoryview(mmap.mmap(self.descriptor, 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError):
            return memoryview(b"")

    def read_into(self, offset: int, out: memoryview) -> int:
        """Fill ``out`` from ``offset`` on and return how many bytes the file had."""
        done = 0
        while done < len(out):
            count = _read_at(self.descriptor, out[done:], offset + done)
            if not count:
                break
            done += count
        return done

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


_SEEK_LOCK = threading.Lock()


def _read_at(descriptor: int, out: memoryview, offset: int) -> int:
    """Read once at an offset, without moving the descriptor where the system can do that."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [out], offset)
    if hasattr(os, "pread"):
        found = os.pread(descriptor, len(out), offset)
    else:
        with _SEEK_LOCK:
            os.lseek(descriptor, offset, os.SEEK_SET)
            found = os.read(descriptor, len(out))
    out[: len(found)] = found
    return len(found)


def key_of(file: str, expected: Fingerprint) -> str:
    """Return the name of a version of a file in a `HandlePool`."""
    return f"{file}\0{expected.size}\0{expected.mtime_ns}\0{expected.inode}\0{expected.tag}"


class HandlePool:
    """The handles used last, at most ``limit`` of them; one for all sources and threads of a process.

    Parameters
    ----------
    limit
        How many handles to keep; by default what `open_limit` says at the first use.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, Handle] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, key: str, file: str, expected: Fingerprint) -> Handle:
        """Return a handle of the file, opening it if it is not kept.

        ``key`` is what `key_of` returned: one string is quicker to look up than the file and its fingerprint.

        Raises
        ------
        FileChangedError
            If the file is no longer the expected one.
        MissingFileError
            If it is gone.
        """
        with self._lock:
            handle = self._kept.get(key)
            if handle is not None:
                self._kept.move_to_end(key)
                return handle
        opened = Handle(file, expected)
        with self._lock:
            self._limit = self._limit or open_limit()
            handle = self._kept.setdefault(key, opened)
            dropped = [self._kept.popitem(last=False)[1] for _ in range(len(self._kept) - self._limit)]
        # Closing may take long on a network file system: not under the lock.
        del dropped, opened
        return handle

    def drop(self, key: str) -> None:
        """Forget a handle; it closes as soon as no thread reads from it."""
        with self._lock:
            handle = self._kept.pop(key, None)
        del handle

    def __len__(self) -> int:
        return len(self._kept)

    def renew_lock(self) -> None:
        """Replace the lock, which another thread may have held when this process was forked."""
        self._lock = threading.Lock()
