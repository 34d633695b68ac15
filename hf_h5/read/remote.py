"""Ranges of a file behind a URL, as a source of rows."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..errors import ClosedError, FileChangedError
from ..remote.known import open_file
from ..remote.secrets import seal, unseal
from .fingerprint import Fingerprint

__all__ = ["RemoteSource"]

CHECK_INTERVAL_S = 30.0


class RemoteSource:
    """A file behind a URL; pickles as its name and version.

    Parameters
    ----------
    file
        The URL, or the name that stands for it.
    fingerprint
        Of the version to read; by default the present one.

    Raises
    ------
    MissingFileError
        If there is no such file.
    AccessError, TransferError
        If the server does not hand it out.
    MissingPackageError
        If the URL's file system needs a package that is not installed.
    """

    # Object stores answer in tens of milliseconds and send 50 to 100 MB/s per request: a hole of 32 KiB costs less
    # than a request, and 8 MiB keep several requests under way for a batch of usual size.
    gap_bytes = 32 << 10
    limit_bytes = 8 << 20
    answers_at_once = True

    def __init__(self, file: str, fingerprint: Fingerprint | None = None) -> None:
        self._remote = open_file(file)
        self.file = self._remote.name
        self._closed = False
        self._checked_s = time.monotonic()
        self.fingerprint = fingerprint or self._present()
        self._expect_same(self._present())

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.file, self.fingerprint, seal([self.file]))

    def check(self) -> None:
        """Ask now and then for the version of a file whose answers do not say which one they are of."""
        if self._remote.transport.has_versions or time.monotonic() - self._checked_s < CHECK_INTERVAL_S:
            return
        self._checked_s = time.monotonic()
        facts, _ = self._remote.transport.look(0)
        self._expect_same(Fingerprint(facts.size, tag=facts.tag))

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill ``out`` with the bytes from ``offset`` on."""
        out[:] = self.read_ranges([offset], [len(out)])[0]

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[memoryview]:
        """Return the bytes of each range; all are asked for at once.

        Raises
        ------
        DamagedFileError
            If the file ends before.
        FileChangedError, AccessError, TransferError
        """
        self._expect_open()
        return self._remote.read_ranges(offsets, sizes)

    def prefetch(self, offsets: Sequence[int], sizes: Sequence[int]) -> None:
        """Begin to fetch ranges that will be read."""
        self._expect_open()
        self._remote.prefetch(offsets, sizes)

    def view(self, offset: int, size: int) -> memoryview | None:
        """Return ``None``: nothing of a URL is mapped."""
        return None

    def close(self) -> None:
        """Let go of what was fetched ahead."""
        self._closed = True
        self._remote.forget_prefetched()

    def _expect_open(self) -> None:
        if self._closed:
            raise ClosedError("the file was closed", file=self.file)

    def _present(self) -> Fingerprint:
        return Fingerprint(self._remote.facts.size, tag=self._remote.facts.tag)

    def _expect_same(self, found: Fingerprint) -> None:
        if found != self.fingerprint:
            difference = self.fingerprint.difference(found)
            raise FileChangedError(f"the file changed: {difference}", file=self.file, hint="open it again")


def _rebuild(file: str, fingerprint: Fingerprint, sealed: bytes) -> RemoteSource:
    if sealed:
        unseal(sealed)
    return RemoteSource(file, fingerprint)
