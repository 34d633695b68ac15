"""What a derived column is made of, read for it: decoded rows of plain columns of one part."""

from __future__ import annotations

import functools
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..describe.derived import Derivation, Fills
from ..describe.schema import Column, Part
from ..errors import DataError
from .direct import DirectDataset
from .plan import Rows, as_rows
from .pool import shared_pool
from .routes import Routes
from .spans import can_read_spans, number_rows, read_spans
from .values import ValueProblemError, decode_values, pick_field

__all__ = ["KeptValues", "PartFetch", "can_fill", "make_derived"]

Kept = TypeVar("Kept")

_Key = tuple[str, int, tuple[str, ...]]
"""A dataset's path, the axis along which its rows lie, and the fields that lead to the values."""


# Of what is kept, small values (where the rows of a sparse matrix begin) and large ones (a matrix that was turned
# round) have bounds of their own: a table may be of thousands of files.
_SMALL_BYTES = 16 << 20
_MAX_SMALL_BYTES, _MAX_LARGE_BYTES = 64 << 20, 4 << 30


class KeptValues:
    """What derivations keep while a reader is open, the values used last; thread-safe, each made once at a time."""

    def __init__(self) -> None:
        self._values: OrderedDict[tuple[str, str, str], Any] = OrderedDict()
        # Held while a value is made: others that come meanwhile need the same one.
        self._lock = threading.RLock()

    def find(self, key: tuple[str, str, str], make: Callable[[], Kept]) -> Kept:
        """Return a value, made now if it is not there."""
        with self._lock:
            if key not in self._values:
                made = make()
                self._values[key] = made
                self._make_room(_n_bytes(made) <= _SMALL_BYTES)
            self._values.move_to_end(key)
            found: Kept = self._values[key]
            return found

    def _make_room(self, small: bool) -> None:
        """Drop the values of one kind that were used longest ago, but for the newest."""
        sizes = {key: _n_bytes(value) for key, value in self._values.items()}
        kind = [key for key, size in sizes.items() if (size <= _SMALL_BYTES) == small]
        total = sum(sizes[key] for key in kind)
        for key in kind[:-1]:
            if total > (_MAX_SMALL_BYTES if small else _MAX_LARGE_BYTES):
                total -= sizes[key]
                del self._values[key]


def _n_bytes(value: Any) -> int:
    return sum(map(_n_bytes, value)) if isinstance(value, tuple) else int(value.nbytes)


class PartFetch:
    """Reads plain columns of a part for one request; see ``describe.derived.Fetch``.

    Columns that are made of one dataset's same rows (where the lists of each row begin and end, the columns of a
    block, the fields of a compound) read them once.
    """

    def __init__(self, routes: Routes, part: Part, kept: KeptValues) -> None:
        self._routes, self._part, self._kept = routes, part, kept
        self._read: dict[_Key, tuple[Column, NDArray[np.int64], NDArray[Any]]] = {}
        self._stored: dict[_Key, tuple[NDArray[np.int64], NDArray[Any]]] = {}
        self._numbers: tuple[Rows | None, NDArray[np.int64]] = (None, np.empty(0, np.int64))

    def numbers(self, rows: Rows) -> NDArray[np.int64]:
        """Row numbers as an array, the same one for all columns of a request."""
        if self._numbers[0] is not rows:
            numbers = np.arange(rows.start, rows.stop) if isinstance(rows, range) else np.asarray(rows, np.int64)
            self._numbers = (rows, numbers)
        return self._numbers[1]

    def rows(self, source: Column, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Rows in any order, decoded."""
        key = (source.path, source.axis, source.fields)
        known = self._read.get(key)
        # One dataset may be codes to one column and labels to another.
        if known is not None and known[0].element == source.element and _same(known[1], rows):
            return known[2]
        self._check(source, rows)
        values = self._decoded(source, self._stored_rows(source, rows)) if source.fields else self._fetch(source, rows)
        self._read[key] = (source, rows, values)
        return values

    def _stored_rows(self, source: Column, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Rows of a compound, for all of its fields."""
        key = (source.path, source.axis, ())
        before, raw = self._stored.get(key, (None, None))
        if before is None or raw is None or not _same(before, rows):
            raw = self._fetch_stored(source, rows)
            self._stored[key] = (rows, raw)
        return raw

    def spans(
        self, source: Column, starts: NDArray[np.int64], stops: NDArray[np.int64], *, scratch: str | None = None
    ) -> NDArray[Any]:
        """Runs of rows, one after the other; empty ones may lie anywhere."""
        if (stops < starts).any():
            raise DataError(
                "a run of rows ends before it begins", file=self._part.file, path=self._part.path_of(source)
            )
        filled = stops > starts
        if not filled.all():
            starts, stops = starts[filled], stops[filled]
        self._check(source, starts)
        self._check(source, stops - 1)
        found = self._routes.find(self._part.file_of(source), self._part.path_of(source), source)
        if isinstance(found, DirectDataset) and not source.axis and can_read_spans(found, starts, stops):
            return self._decoded(source, read_spans(found, starts, stops, shared_pool(found.threads), scratch))
        return self._fetch(source, number_rows(starts, stops))

    def whole(self, source: Column) -> NDArray[Any]:
        """The whole dataset."""
        values: NDArray[Any] = self._fetch(replace(source, take="whole"), np.zeros(1, np.int64))[0]
        return values

    def kept(self, key: str, make: Callable[[], Kept]) -> Kept:
        """What was made the first time."""
        return self._kept.find((self._part.file, self._part.prefix, key), make)

    def _fetch(self, source: Column, rows: NDArray[np.int64]) -> NDArray[Any]:
        return self._decoded(source, self._fetch_stored(source, rows))

    def _fetch_stored(self, source: Column, rows: NDArray[np.int64]) -> Any:
        file, path = self._part.file_of(source), self._part.path_of(source)
        return self._routes.fetch(file, path, source, as_rows(rows, int(rows.max(initial=-1)) + 1))

    def _decoded(self, source: Column, raw: Any) -> NDArray[Any]:
        file, path = self._part.file_of(source), self._part.path_of(source)
        try:
            return decode_values(source.element, pick_field(raw, source.fields))
        except ValueProblemError as error:
            raise DataError(str(error), file=file, path=path, hint=error.hint) from error

    def _check(self, source: Column, rows: NDArray[np.int64]) -> None:
        """Row numbers come from other datasets of the file, so that they may lead anywhere."""
        if 0 in source.row_shape:
            return  # rows that hold nothing: how many of them there are, the number of values does not tell
        length = _length(source)
        if len(rows) and not 0 <= rows.min() <= rows.max() < length:
            raise DataError(
                f"rows {rows.min():,} to {rows.max():,} are pointed to, and the dataset has {length:,}",
                file=self._part.file_of(source),
                path=self._part.path_of(source),
                hint="the file contradicts itself; layout='raw' reads its datasets as they are",
            )


def _length(source: Column) -> int:
    if source.storage is None or source.memory is None:
        raise ValueError(f"{source.path} is no dataset")
    # A field may be an array itself, whose dimensions are among those of the row.
    n_values, memory = source.storage.n_values * math.prod(source.memory.shape), source.memory.base
    for name in source.fields:
        if memory.names:
            memory = memory[name]
            n_values, memory = n_values * math.prod(memory.shape), memory.base
    return n_values // max(1, math.prod(size for size in source.row_shape if size is not None))


def _same(rows: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
    return rows is others or np.array_equal(rows, others)


def can_fill(derivation: Derivation | None) -> bool:
    """Whether a derivation fills memory that is there already."""
    kind: Any = type(derivation)
    return _has_fill(kind)


@functools.cache
def _has_fill(kind: type[Any]) -> bool:
    # To ask the protocol itself takes 60 µs, each time.
    return hasattr(kind, "fill")


def make_derived(
    fetch: PartFetch, part: Part, column: Column, rows: Rows, out: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Make the values of some rows of a part's derived column, in ``out`` if the derivation can fill it.

    Raises
    ------
    DataError
        With the file and the column, where the datasets contradict each other.
    """
    if column.derived is None:
        raise ValueError(f"column {column.name!r} is not derived")
    numbers = fetch.numbers(rows)
    try:
        if out is not None and isinstance(column.derived, Fills):
            column.derived.fill(numbers, fetch, out)
            return out
        return column.derived.make(numbers, fetch)
    except DataError as error:
        if error.file is not None:
            raise
        place = f"column {column.name!r} ({column.derived})"
        raise DataError(f"{place}: {error.problem}", file=part.file_of(column), hint=error.hint) from error
