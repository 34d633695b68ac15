"""A remote file as a file object, for the HDF5 library."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .file import RemoteFile

__all__ = ["RemoteStream"]


class RemoteStream(io.RawIOBase):
    """Reads a remote file from a place that moves; not for several threads.

    An error of ours that comes up in the middle of a call of the library is kept for `take_error`: the library makes
    one of its own of it.
    """

    def __init__(self, file: RemoteFile) -> None:
        self.file = file
        self._error: BaseException | None = None
        self._place = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The place of the next read."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.file.facts.size}[whence]
        return self._place

    def take_error(self) -> BaseException | None:
        """The last error of a read, which is not kept here any longer.

        The library holds the stream, and an error that is raised holds what the library was called with: a circle
        through C, which the collector does not see.
        """
        error, self._error = self._error, None
        return error

    def readinto(self, out: Any) -> int:
        """Fill as much of ``out`` as the file has."""
        try:
            with _no_collection():
                content = self.file.read_for_library(self._place, len(out))
        except BaseException as error:
            self._error = error
            raise
        out[: len(content)] = content
        self._place += len(content)
        return len(content)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python's collector from running while threads fetch what a call of the HDF5 library waits for.

    `h5py` holds its lock during that call, and takes it to drop an object of its own. A thread that fetches (or one of
    `fsspec`) and whose turn it is to collect such an object would wait for the call, and the call for it, for ever.
    The lock lets one thread at a time come here, and no process is forked meanwhile: `h5py` takes it for a fork, too.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
