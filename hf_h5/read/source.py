"""From a file to the bytes of ranges, and whether it is still the same file.

``read/remote.py`` has the counterpart for URLs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from ..describe.urls import is_url
from ..errors import ClosedError, DamagedFileError, FileChangedError
from .fingerprint import Fingerprint
from .handles import Handle, HandlePool, key_of
from .remote import RemoteSource

__all__ = ["LocalSource", "RemoteSource", "Source", "fingerprint_of", "open_source"]

_HANDLES = HandlePool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_HANDLES.renew_lock)


class Source(Protocol):
    """Bytes of one file; safe to use from many threads, picklable, and usable after a fork.

    Attributes
    ----------
    file
        The path or URL, for messages.
    fingerprint
        Of the version that is read; any other is a `FileChangedError`.
    gap_bytes, limit_bytes
        How near pieces must lie to be read with one request, and how long that may get.
    answers_at_once
        Whether ranges should be asked for all at once, as each takes a round trip.
    """

    file: str
    fingerprint: Fingerprint
    gap_bytes: int
    limit_bytes: int
    answers_at_once: bool

    def check(self) -> None:
        """Raise `FileChangedError` if the file is no longer the one that was opened."""

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill ``out`` with the bytes from ``offset`` on."""

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[memoryview]:
        """Return the bytes of each range."""

    def prefetch(self, offsets: Sequence[int], sizes: Sequence[int]) -> None:
        """Begin to fetch ranges that will be asked for soon, where each takes a round trip."""

    def view(self, offset: int, size: int) -> memoryview | None:
        """Return mapped memory of a range, or ``None`` if it must be read; valid as long as it is referred to."""

    def close(self) -> None:
        """Give back what was opened; reading again raises `ClosedError`."""


class LocalSource:
    """A file on disk.

    Parameters
    ----------
    file
        Its path.
    fingerprint
        Of the version to read; by default the present one.

    Raises
    ------
    MissingFileError
        If there is no such file.
    """

    # A hole up to a few pages is cheaper to read along than another system call; the limit keeps all threads busy.
    gap_bytes = 16 << 10
    limit_bytes = 1 << 20
    answers_at_once = False

    def __init__(self, file: str | os.PathLike[str], fingerprint: Fingerprint | None = None) -> None:
        self.file = os.fspath(file)
        self.fingerprint = fingerprint or Fingerprint.of_file(self.file)
        self._key = key_of(self.file, self.fingerprint)
        self._closed = False

    def __reduce__(self) -> tuple[object, ...]:
        return LocalSource, (self.file, self.fingerprint)

    def check(self) -> None:
        """Compare the file on disk with the one that was opened; takes 2 µs."""
        known = self.fingerprint
        try:
            found = os.stat(self.file)
        except FileNotFoundError as error:
            raise FileChangedError("the file was removed while it was open", file=self.file) from error
        if found.st_mtime_ns != known.mtime_ns or found.st_size != known.size or found.st_ino != known.inode:
            difference = known.difference(Fingerprint.of_status(found))
            raise FileChangedError(f"the file changed: {difference}", file=self.file, hint="open it again")

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill ``out`` with the bytes from ``offset`` on.

        Raises
        ------
        DamagedFileError
            If the file ends before, or the system cannot read it.
        """
        handle = self._handle()
        if offset + len(out) > self.fingerprint.size:
            raise self._truncated(offset, len(out))
        try:
            count = handle.read_into(offset, out)
        except OSError as error:
            raise DamagedFileError(f"the file cannot be read: {error.strerror}", file=self.file) from error
        if count != len(out):
            raise self._truncated(offset, len(out))

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[memoryview]:
        """Return the bytes of each range, in memory of their own."""
        buffers = [memoryview(bytearray(size)) for size in sizes]
        for offset, buffer in zip(offsets, buffers, strict=True):
            self.read_into(offset, buffer)
        return buffers

    def prefetch(self, offsets: Sequence[int], sizes: Sequence[int]) -> None:
        """Do nothing: the file is here."""

    def view(self, offset: int, size: int) -> memoryview | None:
        """Return the mapped bytes of a range, or ``None`` where the file system cannot map files."""
        if offset + size > self.fingerprint.size:
            raise self._truncated(offset, size)
        mapped = self._handle().map()
        return None if mapped is None else mapped[offset : offset + size]

    def close(self) -> None:
        """Drop the handle; views that are still referred to stay valid."""
        self._closed = True
        _HANDLES.drop(self._key)

    def _handle(self) -> Handle:
        if self._closed:
            raise ClosedError("the file was closed", file=self.file)
        return _HANDLES.open(self._key, self.file, self.fingerprint)

    def _truncated(self, offset: int, size: int) -> DamagedFileError:
        return DamagedFileError(
            f"the file ends at byte {self.fingerprint.size}, but rows are stored up to byte {offset + size}",
            file=self.file,
            hint="it was cut off while it was written or copied; get it again",
        )


def open_source(file: str, fingerprint: Fingerprint | None = None) -> Source:
    """The bytes of a file on disk or behind a URL."""
    if is_url(file):
        return RemoteSource(file, fingerprint)
    return LocalSource(file, fingerprint)


def fingerprint_of(file: str) -> Fingerprint:
    """The present version of a file on disk or behind a URL."""
    return open_source(file).fingerprint
