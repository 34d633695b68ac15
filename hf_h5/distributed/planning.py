"""Files and options -> a plan: what the files hold is looked at once, and their rows are cut into shards."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..assemble.arrow import table_features
from ..describe.opening import expand_files, expect_names
from ..describe.options import Options, make_options
from ..describe.outside import outside_files
from ..describe.schema import Column, Table
from ..describe.urls import is_url
from ..errors import OptionError
from ..isolate.choose import resolve
from ..opening import count_bytes
from ..read.source import fingerprint_of
from ..resolve.saved import plain_splits
from ..sharding import cut_by_bytes
from ..version import installed_version
from .plan import FORMATS, FileVersion, Plan, PlannedShard

__all__ = ["DEFAULT_SHARD_SIZE", "make_plan", "plain_features", "plain_options"]

DEFAULT_SHARD_SIZE = "500MB"


def make_plan(
    files: Any, target_shard_bytes: int | str = DEFAULT_SHARD_SIZE, *, format: str = "parquet", **options: Any
) -> Plan:
    """Look at files and cut their rows into shards.

    The same files, options and size give the same plan, on every machine that sees the files under the same names.
    Shards end where chunks of the HDF5 files do; the rows of one after the other are those of the files in order.

    Parameters
    ----------
    files
        A path, a pattern, a list of them, or a mapping of these by split.
    target_shard_bytes
        Decoded bytes in a shard at most, as a number or ``"500MB"``, if all rows are stored alike: shards have about
        equally many stored bytes.
    format
        ``"parquet"``, or ``"arrow"`` for ``datasets.load_from_disk``.
    **options
        The options of the package; see the reference page.

    Raises
    ------
    H5Error
        If the files cannot be read or do not form one table.
    """
    if format not in FORMATS:
        raise OptionError(f"format={format!r} is not one of {', '.join(map(repr, FORMATS))}")
    target = count_bytes(target_shard_bytes, "target_shard_bytes", least=1)
    chosen = make_options(**options)
    named = _named(files)
    tables = resolve({split: list(names) for split, names in named.items()}, chosen).splits
    versions = {file: _version(file) for file in _files(tables)}
    first = next(iter(tables.values()))
    used = set(versions)
    return Plan(
        format=format,
        version=installed_version(),
        target_shard_bytes=target,
        options=plain_options(chosen),
        features=plain_features(first, chosen),
        named=named,
        skipped=tuple(file for names in named.values() for file in names if file not in used),
        files=(*versions.values(), *_outside(versions, chosen)),
        shards=tuple(_shards(tables, versions, target, format)),
        tables=plain_splits(tables),
    )


def plain_features(table: Table, options: Options) -> dict[str, Any]:
    """The features of a table, as JSON has them."""
    features = table_features(table, nested=options.nested, given=options.features)
    plain: dict[str, Any] = json.loads(json.dumps(features.to_dict()))
    return plain


def plain_options(options: Options) -> dict[str, Any]:
    """Options that differ from their defaults, as JSON has them.

    Raises
    ------
    OptionError
        If JSON would not give one back as it was.
    """
    default = Options()
    given = {each.name: getattr(options, each.name) for each in fields(options)}
    plain = {name: value for name, value in given.items() if value != getattr(default, name)}
    if "features" in plain:
        plain["features"] = options.features.to_dict()
    if "limits" in plain:
        plain["limits"] = asdict(options.limits)
    if "class_labels" in plain:
        plain["class_labels"] = {
            column: names if isinstance(names, str) else [str(name) for name in names]
            for column, names in plain["class_labels"].items()
        }
    try:
        return {name: json.loads(json.dumps(value)) for name, value in plain.items()}
    except (TypeError, ValueError) as error:
        raise OptionError(f"an option cannot be written into a plan: {error}") from error


def _named(files: Any) -> dict[str, tuple[str, ...]]:
    """Files by split, with names that hold on every machine."""
    expect_names(files)
    by_split = files if isinstance(files, Mapping) else {"train": files}
    return {
        str(split): tuple(name if is_url(name) else os.path.abspath(name) for name in expand_files(names))
        for split, names in by_split.items()
    }


def _files(tables: Mapping[str, Table]) -> list[str]:
    """Every file that rows come from, each once, in order."""
    found: dict[str, None] = {}
    for table in tables.values():
        looked_at: set[int] = set()
        for part in table.parts:
            found.setdefault(part.file)
            if id(part.columns) not in looked_at:
                looked_at.add(id(part.columns))
                found.update((column.file, None) for column in part.columns.values() if column.file)
    return list(found)


def _version(file: str, read_by: str | None = None) -> FileVersion:
    found = fingerprint_of(file)
    return FileVersion(file, found.size, found.mtime_ns, found.tag, read_by)


def _outside(versions: Mapping[str, FileVersion], options: Options) -> Iterator[FileVersion]:
    """The files that links lead to, where that is allowed."""
    if not options.allow_external:
        return
    for file in versions:
        if not is_url(file):
            for target in outside_files(file):
                if os.path.exists(target):
                    yield _version(target, read_by=file)


def _shards(
    tables: Mapping[str, Table], versions: Mapping[str, FileVersion], target: int, format: str
) -> Iterator[PlannedShard]:
    rows_of: dict[str, int] = {}
    for table in tables.values():
        for part in table.parts:
            rows_of[part.file] = rows_of.get(part.file, 0) + part.n_rows
    for split, table in tables.items():
        stored, decoded = _bytes_of_parts(table, versions, rows_of)
        starts, groups = table.starts, table.row_groups
        # Rows of a part are taken to be alike, so between the starts of parts bytes grow evenly.
        at_starts = np.concatenate([[0.0], np.cumsum(stored)]), np.concatenate([[0.0], np.cumsum(decoded)])
        stored_share = at_starts[0][-1] / max(1.0, at_starts[1][-1])
        bounds = cut_by_bytes(groups, np.interp(groups, starts, at_starts[0]), max(1.0, target * stored_share))
        for number, (start, stop) in enumerate(bounds):
            sizes = [int(np.diff(np.interp([start, stop], starts, each))[0]) for each in at_starts]
            name = _shard_name(split, number, len(bounds), format)
            yield PlannedShard(name, split, start, stop, sizes[0], sizes[1], tuple(_ranges(table, start, stop)))


def _shard_name(split: str, number: int, count: int, format: str) -> str:
    numbered = f"{number:05d}-of-{count:05d}"
    return f"{split}-{numbered}.parquet" if format == "parquet" else f"{split}/data-{numbered}.arrow"


def _bytes_of_parts(
    table: Table, versions: Mapping[str, FileVersion], rows_of: Mapping[str, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Stored and decoded bytes of each part's rows.

    Strings and lists lie in heaps, whose size only the whole file tells.
    """
    # What a column says that several parts of a file share, it says of all of them together.
    together: dict[tuple[str, int], int] = {}
    for part in table.parts:
        key = (part.file, id(part.columns))
        together[key] = together.get(key, 0) + part.n_rows
    mappings = {id(part.columns): part.columns for part in table.parts}
    known = {number: _facts_of(table, columns) for number, columns in mappings.items()}
    per_row: dict[tuple[str, int], tuple[float, float]] = {}
    for part in table.parts:
        key = (part.file, id(part.columns))
        if key not in per_row and part.n_rows:
            stored, plain, varies = known[id(part.columns)]
            stored /= together[key]
            if varies:
                stored = max(stored, versions[part.file].size / rows_of[part.file])
                plain = max(plain, stored)
            per_row[key] = (stored or plain, plain)
    sizes = [per_row.get((part.file, id(part.columns)), (0.0, 0.0)) for part in table.parts]
    counts = np.array([part.n_rows for part in table.parts], np.float64)
    both = np.array(sizes, np.float64).reshape(len(sizes), 2) * counts[:, None]
    return both[:, 0], both[:, 1]


def _facts_of(table: Table, columns: Mapping[str, Column]) -> tuple[float, float, bool]:
    """Stored bytes of all rows that share these columns, decoded bytes of one row, and whether rows differ in size."""
    used = [columns[name] for name in table.columns]
    stored = sum(column.storage.stored_bytes for column in used if column.storage)
    varies = any(column.is_ragged or column.dtype.kind == "O" for column in used)
    return float(stored), float(sum(column.row_bytes for column in used)), varies


def _ranges(table: Table, start: int, stop: int) -> Iterator[tuple[str, int, int]]:
    """Rows of a split as rows of its files, one after the other."""
    starts = table.starts
    first, last = int(np.searchsorted(starts, start, side="right")) - 1, int(np.searchsorted(starts, stop))
    touched = range(first, last) if stop > start else range(0)
    for file, numbers in itertools.groupby(touched, key=lambda number: table.parts[number].file):
        run = list(numbers)
        begin = run[0]
        # Rows are counted from the first of the parts of this file.
        while begin and table.parts[begin - 1].file == file:
            begin -= 1
        zero = int(starts[begin])
        yield file, max(start, int(starts[run[0]])) - zero, min(stop, int(starts[run[-1] + 1])) - zero
