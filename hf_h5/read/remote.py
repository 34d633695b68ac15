"""Ranges of a file behind a URL, asked for together."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ClosedError, DamagedFileError, FileChangedError, MissingFileError, MissingPackageError
from .fingerprint import Fingerprint

__all__ = ["RemoteSource"]

CHECK_INTERVAL_S = 30.0


class RemoteSource:
    """A file behind any URL that `fsspec` knows.

    Parameters
    ----------
    url
        Chained URLs are understood.
    storage_options
        What the file system of the URL is made with: tokens, endpoints.
    fingerprint
        Of the version to read; by default the present one.

    Raises
    ------
    MissingFileError
        If there is no such file.
    MissingPackageError
        If the URL's file system needs a package that is not installed.
    """

    # Object stores answer in tens of milliseconds and send 50 to 100 MB/s per request: a hole of 256 KiB costs less
    # than a request, and 8 MiB keep several requests under way for a batch of usual size.
    gap_bytes = 256 << 10
    limit_bytes = 8 << 20
    answers_at_once = True

    def __init__(
        self, url: str, storage_options: Mapping[str, Any] | None = None, fingerprint: Fingerprint | None = None
    ) -> None:
        self.file = url
        self.storage_options = dict(storage_options or {})
        self._closed = False
        self._process = -1
        self._system: Any = None
        self._path = ""
        self._checked_s = time.monotonic() if fingerprint is None else -CHECK_INTERVAL_S
        self.fingerprint = fingerprint or self._look()

    def __reduce__(self) -> tuple[object, ...]:
        return RemoteSource, (self.file, self.storage_options, self.fingerprint)

    def check(self) -> None:
        """Ask for the fingerprint again, at most twice a minute: it takes a round trip."""
        if time.monotonic() - self._checked_s < CHECK_INTERVAL_S:
            return
        self._checked_s = time.monotonic()
        found = self._look()
        if found != self.fingerprint:
            difference = self.fingerprint.difference(found)
            raise FileChangedError(f"the file changed: {difference}", file=self.file, hint="open it again")

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill ``out`` with the bytes from ``offset`` on."""
        out[:] = self.read_ranges([offset], [len(out)])[0]

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[memoryview]:
        """Return the bytes of each range; all are asked for at once.

        Raises
        ------
        DamagedFileError
            If the file ends before, or the server sends another number of bytes.
        """
        stops = [offset + size for offset, size in zip(offsets, sizes, strict=True)]
        if max(stops, default=0) > self.fingerprint.size:
            raise DamagedFileError(
                f"the file ends at byte {self.fingerprint.size}, but rows are stored up to byte {max(stops)}",
                file=self.file,
            )
        system, path = self._connect()
        found = system.cat_ranges([path] * len(stops), list(offsets), stops, on_error="raise")
        for offset, size, part in zip(offsets, sizes, found, strict=True):
            if len(part) != size:
                raise DamagedFileError(
                    f"the server sent {len(part)} bytes from byte {offset} on instead of {size}", file=self.file
                )
        return [memoryview(part) for part in found]

    def view(self, offset: int, size: int) -> memoryview | None:
        """Return ``None``: nothing of a URL is mapped."""
        return None

    def close(self) -> None:
        """Let go of the connection."""
        self._closed = True
        self._system = None

    def _connect(self) -> tuple[Any, str]:
        """Return the file system, made anew after a fork: its event loop does not survive one."""
        if self._closed:
            raise ClosedError("the file was closed", file=self.file)
        if self._process != os.getpid():
            self._system, self._path = _open_system(self.file, self.storage_options)
            self._process = os.getpid()
        return self._system, self._path

    def _look(self) -> Fingerprint:
        system, path = self._connect()
        system.invalidate_cache(path)
        try:
            info = system.info(path)
        except FileNotFoundError as error:
            raise MissingFileError("no such file", file=self.file) from error
        if info.get("size") is None:
            raise DamagedFileError(
                "the server does not say how large the file is, so that parts of it cannot be asked for",
                file=self.file,
                hint="download it first",
            )
        return Fingerprint.of_info(info)


def _open_system(url: str, storage_options: Mapping[str, Any]) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(url, **storage_options)
    except ImportError as error:
        raise MissingPackageError(f"reading this URL needs a package: {error}", file=url) from error
    return system, str(path)
