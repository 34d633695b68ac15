"""Whether the HDF5 library runs in this process or in one of its own: the one place that decides."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import h5py

from ..describe.options import Options
from ..describe.schema import Table
from ..describe.urls import is_url, name_urls
from ..errors import OptionError
from ..read.reader import DEFAULT_CACHE_BYTES, TableReader
from ..remote.store_cache import set_cache_bytes
from ..resolve.tables import Resolved, resolve_splits, resolve_tables
from .reader import IsolatedReader, resolve_isolated

__all__ = ["AnyReader", "make_reader", "resolve", "scans_apart"]

AnyReader = TableReader | IsolatedReader

# Files that anyone may have put there.
_STRANGERS = ("hf://", "https://")


def scans_apart(files: Any, options: Options) -> bool:
    """Whether files are looked at in a process of their own: as asked for, else where they come from strangers."""
    if isinstance(files, h5py.Group):
        if options.isolate:
            raise OptionError(
                "isolate=True, but the file is open in this process already",
                file=files.file.filename,
                hint="pass its path",
            )
        return False
    if options.isolate is not None:
        return options.isolate
    return os.name == "posix" and any(name.startswith(_STRANGERS) for name in _names(files))


def _names(files: Any) -> Iterator[str]:
    if isinstance(files, str | os.PathLike):
        yield os.fspath(files)
    elif isinstance(files, Mapping):
        for inner in files.values():
            yield from _names(inner)
    elif isinstance(files, list | tuple):
        for inner in files:
            yield from _names(inner)


def resolve(files: Any, options: Options) -> Resolved:
    """The table, or the splits, of one or several files; of a mapping of them by split."""
    if any(map(is_url, _names(files))):
        set_cache_bytes(options.remote_cache_bytes)
    is_apart = scans_apart(files, options)
    # Before, and not in the other process: what is learnt of files behind URLs serves their reading too.
    files = files if isinstance(files, h5py.Group) else name_urls(files)
    if is_apart:
        return resolve_isolated(files, options)
    if isinstance(files, Mapping) and not isinstance(files, h5py.Group):
        return resolve_splits(files, options)
    return resolve_tables(files, options)


def make_reader(
    table: Table,
    options: Options,
    *,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
    pinned: Mapping[str, h5py.File] | None = None,
) -> AnyReader:
    """A reader of the table; in a process of its own only where that was asked for."""
    if options.isolate:
        return IsolatedReader(table, options, cache_bytes=cache_bytes)
    return TableReader(table, options, cache_bytes=cache_bytes, pinned=pinned)
