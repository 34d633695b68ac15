"""``open_dataset``: files -> a ``datasets.Dataset`` over their mapped bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import datasets
import h5py
from datasets.features.features import require_decoding

from ..assemble.arrow import table_features
from ..describe.options import Options, make_options
from ..describe.schema import Table
from ..describe.urls import is_url
from ..errors import OptionError, warn
from ..isolate.choose import resolve
from ..loading import load_dataset
from ..read.mapping import map_column
from ..read.reader import TableReader
from ..registry import parse_split
from .table import H5MappedTable, MappedRows, cache_file_for

__all__ = ["find_unmapped", "is_small", "open_dataset", "open_mapped"]

# Columns that cannot be mapped are kept in memory up to here, all together; larger ones go through the cache.
_MEMORY_BYTES = 64 << 20


def open_dataset(files: Any, *, split: str | None = None, strict: bool = False, **options: Any) -> Any:
    """Open HDF5 files as a ``datasets.Dataset`` without converting them.

    Columns that lie contiguous in the file, uncompressed and in the machine's byte order, are Arrow arrays over the
    mapped file: nothing is copied or written, whatever their size. Others are read into memory where they are small,
    and converted into the cache of ``datasets`` where they are not.

    Parameters
    ----------
    files
        A local path, a pattern, a list of them, or a mapping of them by split.
    split
        The name of a split, or as in ``datasets`` a part of one, such as ``"train[:10%]"``; all splits if None.
    strict
        Whether columns that cannot be mapped are an error.
    **options
        See the reference page of the options.

    Returns
    -------
    datasets.Dataset or datasets.DatasetDict
        A dict where the files hold splits and none was named.

    Raises
    ------
    OptionError
        With ``strict=True``, if a column cannot be mapped; with the reason of each.
    H5Error
        If the files cannot be read or do not form one table.
    """
    return open_mapped(files, split, options, strict=strict)


def open_mapped(
    files: Any, split: str | None, options: dict[str, Any], *, strict: bool = False, tells: bool = True
) -> Any:
    """Do what ``open_dataset`` does; ``tells`` is whether columns that are kept in memory are named in a warning."""
    chosen = make_options(**options)
    if isinstance(files, h5py.Group):
        # It may hold rows that are not in the file yet.
        raise OptionError("an open HDF5 file cannot be mapped", file=files.file.filename, hint="pass its path")
    if chosen.isolate:
        raise OptionError("isolate=True reads rows in another process, and mapped ones are read in this one")
    if chosen.nested:
        raise OptionError("nested=True needs a conversion", hint="load_dataset(..., nested=True), or leave it out")
    resolved = resolve(files, chosen)
    opening = _Opening(files, resolved.splits, chosen, options, strict, tells)
    if split is not None and split not in resolved.splits:
        return _open_parts(opening, split)
    names = list(resolved.splits) if split is None else [split]
    opened = {name: opening.open(name) for name in names}
    if split is None and (resolved.inside or len(opened) > 1 or _names_splits(files)):
        return datasets.DatasetDict(opened)
    return opened[names[0]]


def _names_splits(files: Any) -> bool:
    return hasattr(files, "keys")


def _open_parts(opening: _Opening, split: str) -> datasets.Dataset:
    """Parts of splits, one after the other."""
    lengths = {name: table.num_rows for name, table in opening.splits.items()}
    try:
        pieces = parse_split(split, lengths)
    except (ValueError, AssertionError, KeyError) as error:
        raise OptionError(f"there is no split {split!r}", hint=f"the splits are: {', '.join(lengths)}") from error
    opened = {name: opening.open(name) for name in dict.fromkeys(name for name, _, _ in pieces)}
    parts = [opened[name].select(range(start, stop)) for name, start, stop in pieces]
    return parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)


@dataclass(frozen=True)
class _Opening:
    """What was asked of ``open_dataset``."""

    files: Any
    splits: Mapping[str, Table]
    chosen: Options
    options: dict[str, Any]
    strict: bool
    tells: bool

    def open(self, split: str) -> datasets.Dataset:
        """Open a split."""
        table = self.splits[split]
        reader = TableReader(table, self.chosen)
        features, reasons = find_unmapped(reader, self.chosen.features)
        if reasons and self.strict:
            listed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
            raise OptionError(f"strict=True, but not all columns can be mapped: {listed}", file=table.files[0])
        small = is_small(table, reasons)
        if reasons and (self.tells or not small):
            _tell(table, reasons, small=small)
        kept = tuple(reasons) if small else ()
        cached = [] if small else list(reasons)
        mapped = datasets.Features({name: feature for name, feature in features.items() if name not in cached})
        found = _dataset(reader, mapped, kept, split) if mapped else None
        if not cached:
            if found is None:
                raise OptionError("there are no columns", file=table.files[0])
            return found
        converted = load_dataset(self.files, split=split, **{**self.options, "columns": cached})
        if found is None:
            return converted
        return datasets.concatenate_datasets([found, converted], axis=1).select_columns(list(features))


def find_unmapped(reader: TableReader, given: Any) -> tuple[datasets.Features, dict[str, str]]:
    """The features of a table, of which the user's own count, and of the columns that cannot be mapped, why."""
    features = table_features(reader.schema, given=given)
    reasons = {name: reason for name in features if (reason := _why_not_mapped(reader, name, features[name]))}
    return features, reasons


def is_small(table: Table, names: Collection[str]) -> bool:
    """Whether some columns may be kept in memory."""
    return _most_bytes(table, names) <= _MEMORY_BYTES


def _most_bytes(table: Table, names: Collection[str]) -> int:
    """What some columns take in memory at most, as far as headers tell; of lists and strings no more than their files.

    Those of variable length lie in the file as they are; others are no longer than their type says.
    """
    total = 0
    for name in names:
        column = table.columns[name]
        item = column.memory.itemsize if column.memory is not None and not column.variable else 1
        total += max(column.row_bytes, item) * table.num_rows
    if any(table.columns[name].variable or table.columns[name].is_ragged for name in names):
        total += sum(os.path.getsize(file) for file in table.files if not is_url(file))
    return total


def _why_not_mapped(reader: TableReader, name: str, feature: Any) -> str | None:
    if require_decoding(feature):
        return "it is asked for as another type"
    mapped = map_column(reader, name)
    return mapped if isinstance(mapped, str) else None


def _tell(table: Table, reasons: dict[str, str], *, small: bool) -> None:
    place = "in memory" if small else "in the cache"
    listed = "; ".join(f"{name} ({reason})" for name, reason in list(reasons.items())[:8])
    more = f"; and {len(reasons) - 8} more" if len(reasons) > 8 else ""
    warn(f"{table.files[0]}: kept {place} and not mapped: {listed}{more}")


def _dataset(reader: TableReader, features: datasets.Features, kept: tuple[str, ...], split: str) -> datasets.Dataset:
    facts = (reader.fingerprint, str(features.to_dict()), kept)
    fingerprint = hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
    rows = MappedRows(reader, features, kept, cache_file_for(fingerprint))
    return datasets.Dataset(
        H5MappedTable.open(rows),
        info=datasets.DatasetInfo(features=features),
        split=datasets.NamedSplit(split),
        fingerprint=fingerprint,
    )
