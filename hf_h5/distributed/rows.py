"""The rows of a shard: a reader of just the files that hold them, as they were when the plan was made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import datasets
import numpy as np
import pyarrow as pa

from ..assemble.arrow import to_arrow_table
from ..batching import CACHE_BYTES
from ..describe.options import Options, make_options
from ..describe.schema import Table
from ..errors import FileChangedError, MissingFileError
from ..isolate.choose import AnyReader, make_reader, resolve
from ..read.fingerprint import Fingerprint
from ..read.source import fingerprint_of
from ..resolve.saved import restore_splits
from .plan import FileVersion, Plan, PlannedShard
from .planning import plain_features

__all__ = ["ShardRows", "missing_columns", "open_rows", "plan_features", "plan_options", "plan_tables"]

_KEPT_PLANS = 2
_TABLES: dict[str, Mapping[str, Table]] = {}


@dataclass(frozen=True)
class ShardRows:
    """A reader, and which of its rows are the shard's.

    Attributes
    ----------
    offset
        The number in the split of the reader's first row.
    """

    reader: AnyReader
    start: int
    stop: int
    offset: int
    options: Options
    features: Any

    @property
    def to_table(self) -> Callable[[dict[str, Any]], pa.Table]:
        """Makes Arrow tables of batches of columns."""
        table, features, nested = self.reader.schema, self.features, self.options.nested
        return lambda rows: to_arrow_table(rows, table, features, nested=nested)

    def __enter__(self) -> ShardRows:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()


def plan_options(plan: Plan, threads: int | None = None) -> Options:
    """The options of a plan; ``threads`` decode where it names no number of its own."""
    given = dict(plan.options)
    if "features" in given:
        given["features"] = datasets.Features.from_dict(given["features"])
    if threads is not None:
        given.setdefault("threads", threads)
    return make_options(**given)


def plan_features(plan: Plan) -> datasets.Features:
    """The features of every split."""
    return datasets.Features.from_dict(plan.features)


def open_rows(
    plan: Plan, shard: PlannedShard, *, threads: int | None = None, columns: Iterable[str] | None = None
) -> ShardRows:
    """Open the files of a shard.

    Parameters
    ----------
    threads
        How many decode.
    columns
        Of a plan without nested columns: only these.

    Raises
    ------
    FileChangedError, MissingFileError
        If a file is not what it was when the plan was made.
    """
    options = plan_options(plan, threads)
    whole = plan_tables(plan)[shard.split]
    table, offset = _part_of(whole, shard.start, shard.stop)
    features = plan_features(plan)
    if columns is not None:
        names = list(columns)
        table, features = table.select(names), datasets.Features({name: features[name] for name in names})
    _check_versions(plan, table)
    reader = make_reader(table, options, cache_bytes=CACHE_BYTES)
    return ShardRows(reader, shard.start - offset, shard.stop - offset, offset, options, features)


def plan_tables(plan: Plan) -> Mapping[str, Table]:
    """The tables of a plan, made once in a process for all of its shards."""
    if plan.id not in _TABLES:
        tables = restore_splits(plan.tables) if plan.tables is not None else _looked_up(plan)
        while len(_TABLES) >= _KEPT_PLANS:
            _TABLES.pop(next(iter(_TABLES)), None)
        _TABLES[plan.id] = tables
    return _TABLES[plan.id]


def missing_columns(plan: Plan, split: str) -> set[str]:
    """The columns that some rows of a split have no value of."""
    mappings = {id(part.columns): part.columns for part in plan_tables(plan)[split].parts}
    return {name for columns in mappings.values() for name, column in columns.items() if column.take == "missing"}


def _looked_up(plan: Plan) -> Mapping[str, Table]:
    """What the files hold, looked at again; it must be what the plan was made of."""
    options = plan_options(plan)
    tables = resolve({split: list(files) for split, files in plan.named.items()}, options).splits
    first = next(iter(tables.values()))
    if (
        plain_features(first, options) != plan.features
        or {split: table.num_rows for split, table in tables.items()} != plan.num_rows
    ):
        raise FileChangedError(
            "the files hold other columns or rows than when the plan was made", file=first.files[0], hint=_HINT
        )
    return tables


def _part_of(table: Table, start: int, stop: int) -> tuple[Table, int]:
    """The parts that hold some rows, as a table, and the number of its first row."""
    starts = table.starts
    first = min(int(np.searchsorted(starts, start, side="right")) - 1, max(0, len(table.parts) - 1))
    last = max(first + 1, int(np.searchsorted(starts, stop)))
    return replace(table, parts=table.parts[first:last], splits={}), int(starts[first])


_HINT = "make the plan again, and write to another folder"


def _check_versions(plan: Plan, table: Table) -> None:
    for version in _versions_of(plan, set(table.files_of_rows())):
        try:
            found = fingerprint_of(version.file)
        except MissingFileError as error:
            raise MissingFileError(
                "a file of the plan is not there",
                file=version.file,
                hint="every machine must see the files under the names that they had when the plan was made",
            ) from error
        # Inodes differ between machines that see the same file.
        now = Fingerprint(found.size, found.mtime_ns, tag=found.tag)
        then = Fingerprint(version.size, version.mtime_ns, tag=version.tag)
        if now != then:
            raise FileChangedError(
                f"the file changed after the plan was made: {then.difference(now)}", file=version.file, hint=_HINT
            )


def _versions_of(plan: Plan, files: set[str]) -> list[FileVersion]:
    return [each for each in plan.files if each.file in files or each.read_by in files]
