"""Files and options -> a schema or a reader: what the view, ``open_table`` and the tools start from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np

from .describe.options import Options, count_bytes, make_options
from .describe.schema import Schema, Table
from .describe.urls import is_url, name_urls
from .errors import LayoutError, OptionError
from .isolate.choose import AnyReader, make_reader, resolve, scans_apart
from .isolate.reader import describe_isolated
from .read.plan import Rows, as_rows
from .registry import parse_split
from .resolve import describing
from .resolve.tables import Resolved

__all__ = ["DEFAULT_CACHE", "Opened", "count_bytes", "describe", "open_table", "open_tables"]

DEFAULT_CACHE = "256MB"


@dataclass(frozen=True)
class Opened:
    """A reader and the rows of it that were asked for.

    ``description`` says in words what the first file holds; ``was_open`` that the file was handed over open, so that
    nothing is known of when it changes.
    """

    reader: AnyReader
    rows: Rows
    options: Options
    description: str
    was_open: bool


def describe(file: Any, **options: Any) -> Schema:
    """Say what is in an HDF5 file: its tables, their columns and features, splits, metadata, and what is left out.

    Parameters
    ----------
    file
        A path, or an open ``h5py.File`` or group.
    **options
        The options of the package that concern what is read; see the reference page. With ``table``, ``columns``,
        ``class_labels``, ``features`` or ``splits`` by name the schema holds only the table that these make.

    Returns
    -------
    Schema
        ``str()`` of it is the tree that a person reads.

    Raises
    ------
    H5Error
        If the file is missing, no HDF5, damaged, or reaches outside itself.
    """
    chosen = make_options(**options)
    if isinstance(file, str | os.PathLike):
        is_apart = scans_apart(file, chosen)
        file = _named(os.fspath(file))
        if is_apart:
            return describe_isolated(file, options, chosen)
    return describing.describe(file, **options)


def _named(file: str) -> str:
    """The name of one file behind a URL; that of any other as it is."""
    if not is_url(file):
        return file
    names = name_urls([file])
    if len(names) > 1:
        raise OptionError(f"{len(names)} files match, and describe takes one at a time", file=file)
    return str(names[0])


def open_table(files: Any, *, split: str | None = None, **options: Any) -> AnyReader:
    """Open a table for reading as numpy arrays.

    Parameters
    ----------
    files
        A path, a pattern, a list of them, a mapping of them by split, or an open ``h5py.File`` or group.
    split
        Which split, where the files hold several.
    **options
        See the reference page of the options.

    Returns
    -------
    TableReader
        ``len()``, ``.read(rows)``, ``.close()``.

    Raises
    ------
    H5Error
        If the files cannot be read or do not form one table.
    """
    chosen = make_options(**options)
    _check_rows_kept(chosen)
    resolved = resolve(files, chosen)
    return _reader(_one_table(resolved, split), chosen, files)


def open_tables(files: Any, split: str | None, options: Options, cache_bytes: int | str = DEFAULT_CACHE) -> Opened:
    """Open the rows that a split such as ``"train[:10%]"`` or ``"train+test"`` names."""
    kept_bytes = count_bytes(cache_bytes, "cache_bytes")
    if split is not None and not isinstance(split, str):
        raise OptionError(f"split={split!r} is not a string", hint="'train+test' is two splits, 'train[:10%]' a part")
    _check_rows_kept(options)
    resolved = resolve(files, options)
    facts = (options, resolved.description, isinstance(files, h5py.Group))
    if split is None or split in resolved.splits:
        reader = _reader(_one_table(resolved, split), options, files, kept_bytes)
        return Opened(reader, range(len(reader)), *facts)
    pieces = _parse(split, resolved.splits)
    names = list(dict.fromkeys(name for name, _, _ in pieces))
    chosen = [resolved.splits[name] for name in names]
    joined = replace(chosen[0], parts=tuple(part for table in chosen for part in table.parts), splits={})
    offsets = dict(zip(names, np.cumsum([0, *(table.num_rows for table in chosen)]).tolist(), strict=False))
    rows = np.concatenate([np.arange(start, stop, dtype=np.int64) + offsets[name] for name, start, stop in pieces])
    reader = _reader(joined, options, files, kept_bytes)
    return Opened(reader, as_rows(rows, len(reader)), *facts)


def _check_rows_kept(options: Options) -> None:
    if options.on_bad_rows != "error":
        raise OptionError(
            "on_bad_rows='skip' is for load_dataset: here rows have numbers, and none is left out",
            hint="load_dataset(..., on_bad_rows='skip') converts or streams the rows that can be read",
        )


def _parse(split: str, tables: Mapping[str, Table]) -> list[tuple[str, int, int]]:
    """Parse a split's text; unknown splits are errors that list those there are."""
    try:
        return parse_split(split, {name: table.num_rows for name, table in tables.items()})
    except (ValueError, AssertionError, KeyError) as error:
        file = next(iter(tables.values())).files[0]
        raise OptionError(
            f"split={split!r}: {error}", file=file, hint=f"the splits are: {', '.join(tables)}"
        ) from error


def _one_table(resolved: Resolved, split: str | None) -> Table:
    tables = resolved.splits
    if split is None:
        if len(tables) == 1:
            return next(iter(tables.values()))
        sizes = ", ".join(f"{name!r} ({table.num_rows:,} rows)" for name, table in tables.items())
        file = next(iter(tables.values())).files[0]
        raise LayoutError(
            f"the file holds several splits: {sizes}",
            file=file,
            hint=f"pass split={next(iter(tables))!r}, or split={'+'.join(tables)!r} for all",
        )
    if split not in tables:
        file = next(iter(tables.values())).files[0]
        raise OptionError(f"there is no split {split!r}", file=file, hint=f"the splits are: {', '.join(tables)}")
    return tables[split]


def _reader(
    table: Table, options: Options, files: Any, cache_bytes: int = count_bytes(DEFAULT_CACHE, "cache_bytes")
) -> AnyReader:
    pinned = {files.file.filename: files.file} if isinstance(files, h5py.Group) else None
    reader = make_reader(table, options, cache_bytes=cache_bytes, pinned=pinned)
    reader.check_first_rows()
    return reader
