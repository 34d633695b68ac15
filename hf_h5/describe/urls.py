"""HDF5 files behind URLs: opened through `fsspec`, so that only the bytes that are needed travel."""

from __future__ import annotations

from typing import Any

import h5py

from ..errors import DamagedFileError, MissingFileError, MissingPackageError, NotHDF5Error

__all__ = ["expand_url", "is_url", "open_url", "starts_as_hdf5"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Headers lie scattered; blocks of this size bring most of them in a few requests without fetching data along.
_BLOCK_BYTES = 1 << 18
# Files with these names are what they say; .mat and .nc are also those of older formats.
_SURE_ENDINGS = (".h5", ".hdf5", ".he5", ".h5ad", ".nwb")
# A signature behind a user block: those that are larger than this are not worth a transfer.
_PLACES = (0, 512, 1024, 2048, 4096)


def is_url(file: str) -> bool:
    """Whether a name is a URL (``https://``, ``hf://``, ``memory://``, chained ones too) and not a path.

    >>> is_url("hf://datasets/me/x/a.h5"), is_url("data/a.h5"), is_url("C:\\\\data\\\\a.h5")
    (True, False, False)
    """
    return "://" in file or "::" in file


def open_url(url: str) -> h5py.File:
    """Open the file behind a URL for reading.

    Raises
    ------
    MissingFileError, NotHDF5Error, DamagedFileError, MissingPackageError
        Each with the URL.
    """
    system, path = _system(url)
    try:
        stream = system.open(path, "rb", block_size=_BLOCK_BYTES)
        start = stream.read(len(_SIGNATURE))
    except FileNotFoundError as error:
        raise MissingFileError("there is no such file", file=url, hint="check the URL and your access to it") from error
    if not start:
        raise NotHDF5Error("the file is empty (0 bytes)", file=url, hint="an upload may have failed")
    try:
        stream.seek(0)
        return h5py.File(stream, "r")
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        if start != _SIGNATURE:
            problem = "the file is not HDF5: its signature is missing"
            raise NotHDF5Error(problem, file=url, hint="check the URL") from error
        raise DamagedFileError(
            f"the HDF5 library cannot open the file: {error}", file=url, hint="the upload may be incomplete"
        ) from error


def starts_as_hdf5(url: str) -> bool:
    """Whether the file behind a URL is HDF5, by its name where that says it, else by its first bytes."""
    system, path = _system(url)
    if path.lower().endswith(_SURE_ENDINGS):
        return True
    start = system.cat_file(path, 0, _PLACES[-1] + len(_SIGNATURE))
    return any(start[place : place + len(_SIGNATURE)] == _SIGNATURE for place in _PLACES)


def expand_url(url: str) -> list[str]:
    """The URLs that a pattern matches, in order; a URL without wildcards itself.

    Raises
    ------
    MissingFileError
        If the pattern matches nothing.
    """
    if not any(sign in url for sign in "*[") or url.startswith(("http://", "https://")):
        return [url]
    system, path = _system(url)
    found = [system.unstrip_protocol(name) for name in sorted(system.glob(path))]
    if not found:
        raise MissingFileError("no file matches the pattern", file=url, hint="check the URL and your access to it")
    return found


def _system(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(url)
    except ImportError as error:
        raise MissingPackageError(f"reading this URL needs a package: {error}", file=url) from error
    except ValueError as error:
        raise MissingFileError(f"the URL cannot be opened: {error}", file=url, hint="check its scheme") from error
    return system, str(path)
