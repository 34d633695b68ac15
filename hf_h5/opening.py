"""Files and options -> a reader: what the view, ``open_table`` and the tools start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np

from .describe.options import Options, make_options
from .describe.resolve import Resolved, resolve_splits, resolve_tables
from .describe.schema import Table
from .errors import LayoutError, OptionError
from .read.plan import Rows, as_rows
from .read.reader import TableReader
from .registry import parse_split

__all__ = ["Opened", "open_table", "open_tables"]


@dataclass(frozen=True)
class Opened:
    """A reader and the rows of it that were asked for."""

    reader: TableReader
    rows: Rows
    options: Options


def open_table(files: Any, *, split: str | None = None, **options: Any) -> TableReader:
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
    resolved = _resolve(files, chosen)
    return _reader(_one_table(resolved, split), chosen, files)


def open_tables(files: Any, split: str | None, options: Options) -> Opened:
    """Open the rows that a split such as ``"train[:10%]"`` or ``"train+test"`` names."""
    resolved = _resolve(files, options)
    if split is None or split in resolved.splits:
        reader = _reader(_one_table(resolved, split), options, files)
        return Opened(reader, range(len(reader)), options)
    pieces = _parse(split, resolved.splits)
    names = list(dict.fromkeys(name for name, _, _ in pieces))
    chosen = [resolved.splits[name] for name in names]
    joined = replace(chosen[0], parts=tuple(part for table in chosen for part in table.parts), splits={})
    offsets = dict(zip(names, np.cumsum([0, *(table.num_rows for table in chosen)]).tolist(), strict=False))
    rows = np.concatenate([np.arange(start, stop, dtype=np.int64) + offsets[name] for name, start, stop in pieces])
    reader = _reader(joined, options, files)
    return Opened(reader, as_rows(rows, len(reader)), options)


def _parse(split: str, tables: Mapping[str, Table]) -> list[tuple[str, int, int]]:
    """Parse a split's text; unknown splits are errors that list those there are."""
    try:
        return parse_split(split, {name: table.num_rows for name, table in tables.items()})
    except (ValueError, AssertionError, KeyError) as error:
        file = next(iter(tables.values())).files[0]
        raise OptionError(
            f"split={split!r}: {error}", file=file, hint=f"the splits are: {', '.join(tables)}"
        ) from error


def _resolve(files: Any, options: Options) -> Resolved:
    if isinstance(files, Mapping) and not isinstance(files, h5py.Group):
        return resolve_splits(files, options)
    return resolve_tables(files, options)


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


def _reader(table: Table, options: Options, files: Any) -> TableReader:
    pinned = {files.file.filename: files.file} if isinstance(files, h5py.Group) else None
    reader = TableReader(table, options, pinned=pinned)
    reader.check_first_rows()
    return reader
