"""HDF5 files behind URLs, for the HDF5 library: only the bytes that are needed travel."""

from __future__ import annotations

import atexit
import traceback
import weakref
from typing import Any

import h5py

from ..errors import DamagedFileError, H5Error, NotHDF5Error
from ..remote.known import expand, is_url, name_files, open_file
from ..remote.stream import RemoteStream

__all__ = ["expand_url", "is_url", "name_urls", "open_url", "starts_as_hdf5"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Files with these names are what they say; .mat and .nc are also those of older formats.
_SURE_ENDINGS = (".h5", ".hdf5", ".he5", ".h5ad", ".nwb")
# A signature behind a user block: those that are larger than this are not worth a transfer.
_PLACES = (0, 512, 1024, 2048, 4096)

# The library closes what is open at the very end of the process, and would then call a file object of a Python that is
# no more: that ends the process by a signal.
_OPEN: weakref.WeakValueDictionary[int, h5py.File] = weakref.WeakValueDictionary()


@atexit.register
def _close_all() -> None:
    for handle in list(_OPEN.values()):
        handle.close()


def open_url(url: str) -> h5py.File:
    """Open the file behind a URL for reading.

    Raises
    ------
    MissingFileError, NotHDF5Error, DamagedFileError, AccessError, TransferError, MissingPackageError
        Each with the URL.
    """
    file = open_file(url)
    if not file.facts.size:
        raise NotHDF5Error("the file is empty (0 bytes)", file=file.name, hint="an upload may have failed")
    stream = RemoteStream(file)
    try:
        handle = h5py.File(stream, "r")
        _OPEN[id(handle)] = handle
        return handle
    except BaseException as error:
        # The frames of h5py hold the library's property list, and that the stream: as long as somebody kept the error,
        # they would be left for the very end of the process, too.
        traceback.clear_frames(error.__traceback__)
        cause = stream.take_error()
        if isinstance(error, H5Error) or not isinstance(error, (OSError, RuntimeError, ValueError, KeyError)):
            raise
        if isinstance(cause, H5Error):
            raise cause from error
        start = bytes(file.read_for_library(0, len(_SIGNATURE)))
        if start != _SIGNATURE:
            problem = "the file is not HDF5: its signature is missing"
            raise NotHDF5Error(problem, file=file.name, hint="check the URL") from error
        raise DamagedFileError(
            f"the HDF5 library cannot open the file: {error}", file=file.name, hint="the upload may be incomplete"
        ) from error


def starts_as_hdf5(url: str) -> bool:
    """Whether the file behind a URL is HDF5, by its name where that says it, else by its first bytes."""
    if url.partition("?")[0].lower().endswith(_SURE_ENDINGS):
        return True
    start = bytes(open_file(url, as_now=True).read_for_library(0, _PLACES[-1] + len(_SIGNATURE)))
    return any(start[place : place + len(_SIGNATURE)] == _SIGNATURE for place in _PLACES)


def expand_url(url: str) -> list[str]:
    """The files that a URL, or a pattern of them, stands for, in order, by the names that they have in the package.

    Raises
    ------
    MissingFileError
        If the pattern matches nothing.
    """
    return expand(url)


def name_urls(files: Any) -> Any:
    """The same files, those behind URLs by the names that they have in the package, as they are now.

    A front door calls it: that is when versions are fixed.
    """
    return name_files(files)
