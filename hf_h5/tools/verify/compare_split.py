"""Compare the rows of one split: the direct mode with plain h5py, or else the HDF5 library, and with a dataset."""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...assemble.arrow import table_features, to_arrow_table
from ...describe.options import Options
from ...describe.schema import Table
from ...errors import DamagedFileError, FilterError
from ...isolate.choose import AnyReader, make_reader, scans_apart
from ...sharding import BatchSize, plan_batches
from ..compare import Difference
from ..compare_arrow import count_values, rows_unlike_h5py, to_storage, unequal_rows, value_at
from ..oracle import NoCounterpartError, Oracle
from .digest import ColumnDigest
from .report import ColumnReport, SplitReport
from .stored import RowSource

__all__ = ["Other", "compare_split"]

Rows = range | NDArray[np.int64]
Mask = NDArray[np.bool_]

# Rows that are compared together, in bytes of Arrow.
_BATCH_BYTES = 16 << 20
_CACHE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Other:
    """The same split of what the files are compared with, and its name in the report."""

    rows: RowSource
    label: str


def compare_split(
    name: str, table: Table, options: Options, other: Other | None, rows: Rows, progress: Callable[[int], None]
) -> SplitReport:
    """Compare rows of one split, some megabytes at a time.

    Parameters
    ----------
    other
        What else the rows are compared with, if anything.
    rows
        Ascending numbers.
    progress
        Called with the number of rows that were compared since the last call.
    """
    with contextlib.ExitStack() as stack:
        return _Comparison(table, options, other, stack).run(name, rows, progress)


@dataclass
class _Tally:
    """What was found out about a column so far."""

    digest: ColumnDigest = field(default_factory=ColumnDigest)
    n_values: int = 0
    compared: dict[str, None] = field(default_factory=dict)
    note: str | None = None
    n_different: int = 0
    first: Difference | None = None

    def add(self, name: str, rows: Rows, mask: Mask, held: Mapping[str, Any]) -> None:
        """Count the rows of a batch that differ; ``held`` has the values of each source."""
        found = np.flatnonzero(mask)
        self.n_different += len(found)
        if len(found) and self.first is None:
            place = int(found[0])
            values = {source: value_at(each, place) for source, each in sorted(held.items(), reverse=True)}
            self.first = Difference(name, int(rows[place]), values)

    def report(self) -> ColumnReport:
        return ColumnReport(
            self.n_values, tuple(self.compared), self.note, self.n_different, self.first, self.digest.hexdigest()
        )


class _Comparison:
    """The comparison of one split."""

    def __init__(self, table: Table, options: Options, other: Other | None, stack: contextlib.ExitStack) -> None:
        self._table, self._options, self._other, self._stack = table, options, other, stack
        self._features = table_features(table, given=None if options.nested else options.features)
        self._direct = self._opened(options, _CACHE_BYTES)
        # Of files that are not trusted nothing is opened in this process.
        self._oracle = None if scans_apart(table.files, options) else stack.enter_context(Oracle(table))
        self._library: AnyReader | None = None
        self._tallies = {name: _Tally() for name in table.columns}
        self._problems: list[str] = []

    def run(self, name: str, rows: Rows, progress: Callable[[int], None]) -> SplitReport:
        """Compare rows."""
        shared = [] if self._other is None else self._check_features(self._other.rows.features)
        size = BatchSize(max(1, len(rows)), target_bytes=_BATCH_BYTES)
        for batch in _batches(self._table, rows, size):
            size.note(len(batch), self._compare(batch, shared))
            progress(len(batch))
        n_rows = self._table.num_rows
        if self._other is not None and (count := self._other.rows.count()) != n_rows:
            self._problems.append(f"the dataset has {count:,} rows, and the files {n_rows:,}")
        columns = {name: tally.report() for name, tally in self._tallies.items()}
        return SplitReport(name, n_rows, len(rows), columns, tuple(self._problems))

    def _check_features(self, features: Any) -> list[str]:
        """Columns that the dataset has too; others, and those of another type, are noted."""
        theirs = _flat(features, self._table)
        known = {column.nested_name[0] for column in self._table.columns.values()} | set(self._features)
        self._problems += [f"the dataset has no column {name!r}" for name in self._features if name not in theirs]
        self._problems += [f"the files have no column {name!r}" for name in features if name not in known]
        shared = []
        for name, feature in theirs.items():
            mine = self._features[name]
            if feature != mine:
                kinds = f"{feature} in the dataset, and {mine} by the files"
                self._problems.append(f"column {name!r} is {kinds}{_way_out(feature, mine)}")
            if _storage_type(feature) == _storage_type(mine):
                shared.append(name)
        return shared

    def _compare(self, rows: Rows, shared: list[str]) -> int:
        """Compare a batch; returns how many bytes it had."""
        mine = self._rows_of(self._direct, rows, list(self._features))
        theirs = self._other.rows.read(rows) if self._other is not None and shared else None
        for name, tally in self._tallies.items():
            held = {"direct": to_storage(mine[name])}
            tally.n_values += count_values(held["direct"])
            tally.digest.update(held["direct"])
            mask = self._unlike_h5py(name, rows, held, tally)
            if self._other is not None and theirs is not None and name in shared:
                found = held[self._other.label] = to_storage(_inner(theirs, self._table, name))
                mask = mask | unequal_rows(held["direct"], found)[: len(rows)]
                tally.compared[self._other.label] = None
            tally.add(name, rows, mask, held)
        return int(mine.nbytes)

    def _rows_of(self, reader: AnyReader, rows: Rows, names: list[str]) -> pa.Table:
        features = datasets.Features({name: self._features[name] for name in names})
        return to_arrow_table(reader.read(rows, names), self._table, features)

    def _unlike_h5py(self, name: str, rows: Rows, held: dict[str, Any], tally: _Tally) -> Mask:
        """Rows in which h5py has other values, or the library where h5py has none of its own."""
        if self._oracle is None:
            tally.note = "the HDF5 library runs in a process of its own"
        elif tally.note is None:
            try:
                return _unlike_plain(self._oracle, name, rows, held, tally)
            except NoCounterpartError as error:
                tally.note = str(error)
        if self._table.columns[name].take in ("constant", "counter", "missing"):
            return np.zeros(len(rows), np.bool_)
        try:
            held["library"] = to_storage(self._rows_of(self._by_library(), rows, [name])[name])
        except (DamagedFileError, FilterError) as error:
            tally.note = f"the HDF5 library cannot read it: {error.problem}"
            return np.zeros(len(rows), np.bool_)
        tally.compared["library"] = None
        return unequal_rows(held["direct"], held["library"])[: len(rows)]

    def _by_library(self) -> AnyReader:
        """A reader that takes all bytes from the HDF5 library, but knows what they mean as ours does."""
        if self._library is None:
            self._library = self._opened(replace(self._options, route="h5py"), 0)
        return self._library

    def _opened(self, options: Options, cache_bytes: int) -> AnyReader:
        reader = make_reader(self._table, options, cache_bytes=cache_bytes)
        self._stack.callback(reader.close)
        return reader


def _unlike_plain(oracle: Oracle, name: str, rows: Rows, held: dict[str, Any], tally: _Tally) -> Mask:
    mask: Mask = np.zeros(len(rows), np.bool_)
    pieces = _Pieces([], [])
    for start, values in oracle.rows(name, rows):
        piece = held["direct"][start : start + len(values)]
        mask[start : start + len(values)] = rows_unlike_h5py(piece, values)[: len(piece)]
        pieces.starts.append(start)
        pieces.values.append(values)
    held["h5py"] = pieces
    tally.compared["h5py"] = None
    return mask


@dataclass(frozen=True)
class _Pieces:
    """Values of a batch, of which each piece starts at a row."""

    starts: list[int]
    values: list[Any]

    def __len__(self) -> int:
        return self.starts[-1] + len(self.values[-1]) if self.starts else 0

    def __getitem__(self, row: int) -> Any:
        piece = bisect.bisect_right(self.starts, row) - 1
        return self.values[piece][row - self.starts[piece]]


def _batches(table: Table, rows: Rows, size: BatchSize) -> Iterator[Rows]:
    """Rows in order, in batches of the size known when each is asked for; of all rows they end where chunks do."""
    if isinstance(rows, range):
        for _, _, start, stop in plan_batches([(rows.start, rows.stop)], size, table.row_groups):
            yield range(start, stop)
        return
    start = 0
    while start < len(rows):
        stop = start + size.rows
        yield rows[start:stop]
        start = stop


def _flat(features: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """The features of the table's columns, which may lie in nested ones."""
    found = {}
    for name, column in table.columns.items():
        inner: Any = features.get(name)
        if inner is None:
            inner = features
            for part in column.nested_name:
                inner = inner.get(part) if isinstance(inner, Mapping) else None
        if inner is not None:
            found[name] = inner
    return found


def _inner(rows: pa.Table, table: Table, name: str) -> Any:
    """A column, which may be a field of nested ones."""
    if name in rows.column_names:
        return rows[name]
    first, *fields = table.columns[name].nested_name
    array = to_storage(rows[first])
    for part in fields:
        array = to_storage(array.field(part))
    return array


def _way_out(theirs: Any, mine: Any) -> str:
    """Which option makes both alike, where the dataset was converted with another value of it."""
    if isinstance(theirs, datasets.ClassLabel) and not isinstance(mine, datasets.ClassLabel):
        return ": if it was converted with --class-labels (class_labels=), pass that here as well"
    are_arrays = [type(feature).__name__.startswith("Array") for feature in (theirs, mine)]
    if are_arrays[0] == are_arrays[1]:
        return ""
    other = "array" if are_arrays[0] else "list"
    return f": if it was converted with --arrays {other} (arrays={other!r}), pass that here as well"


def _storage_type(feature: Any) -> pa.DataType:
    kind = datasets.Features({"x": feature}).type.field("x").type
    return kind.storage_type if isinstance(kind, pa.ExtensionType) else kind
