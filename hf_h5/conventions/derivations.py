"""Ways in which several conventions make a column of others: lists by their ends, regular times, scaled values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.derived import Derivation, Fetch
from ..describe.elements import Element, Number, Ragged
from ..describe.schema import Column
from ..errors import DataError

__all__ = [
    "Lists",
    "ListsOfLists",
    "LookedUp",
    "Picked",
    "Regular",
    "Scaled",
    "lists_column",
    "made_rows",
    "picked_column",
    "plain_sources",
    "read_spans",
    "regular_column",
    "scaled_column",
    "split_rows",
]


@dataclass(frozen=True)
class Lists:
    """Row *i* is ``values[starts[i]:ends[i]]``; without ``starts``, each list begins where the one before ends."""

    values: Column
    ends: Column
    starts: Column | None = None

    @property
    def sources(self) -> tuple[Column, ...]:
        """The values, and where each list begins and ends."""
        return (self.values, self.ends) if self.starts is None else (self.values, self.starts, self.ends)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """An object array of one array per row."""
        starts, stops = _bounds(self.starts, self.ends, rows, fetch)
        return split_rows(read_spans(self.values, starts, stops, fetch), stops - starts)

    def __str__(self) -> str:
        source = _last_name(self.values.path)
        if self.starts is None:
            return f"lists of {source}, which end where {_last_name(self.ends.path)} says"
        return f"rows of {source} from {_last_name(self.starts.name)} to {_last_name(self.ends.name)}"


@dataclass(frozen=True)
class ListsOfLists:
    """Row *i* holds the lists ``outer_ends[i-1]`` to ``outer_ends[i]``, of which each ends where ``ends`` says."""

    values: Column
    ends: Column
    outer_ends: Column

    @property
    def sources(self) -> tuple[Column, ...]:
        """The values, and where each list ends."""
        return self.values, self.ends, self.outer_ends

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """An object array of object arrays of arrays."""
        firsts, lasts = _bounds(None, self.outer_ends, rows, fetch)
        counts = np.maximum(lasts - firsts, 0)
        numbers = np.arange(int(counts.sum()), dtype=np.int64) + np.repeat(
            firsts - (np.cumsum(counts) - counts), counts
        )
        starts, stops = _bounds(None, self.ends, numbers, fetch)
        lists = split_rows(read_spans(self.values, starts, stops, fetch), stops - starts)
        return split_rows(lists, counts)

    def __str__(self) -> str:
        return f"lists of lists, which end where {_last_name(self.outer_ends.path)} says"


def _last_name(path: str) -> str:
    return path.rpartition("/")[2]


def _bounds(
    starts: Column | None, ends: Column, rows: NDArray[np.int64], fetch: Fetch
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and past-the-last value of each row's list."""
    if starts is not None:
        return fetch.rows(starts, rows).astype(np.int64), fetch.rows(ends, rows).astype(np.int64)
    # One request, so that each chunk is unpacked once.
    both = fetch.rows(ends, np.concatenate([np.maximum(rows - 1, 0), rows])).astype(np.int64)
    return np.where(rows > 0, both[: len(rows)], 0), both[len(rows) :]


def read_spans(values: Column, starts: NDArray[np.int64], stops: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
    """Rows ``[starts[0], stops[0])`` of a column, then ``[starts[1], stops[1])`` and so on; any may be empty."""
    # An empty list may begin past the last value, where nothing is to be read.
    filled = starts != stops
    return fetch.spans(values, starts[filled], stops[filled])


def split_rows(flat: NDArray[Any], counts: NDArray[np.int64]) -> NDArray[Any]:
    """Values one after the other as one array per row."""
    out = np.empty(len(counts), object)
    stops = np.cumsum(counts)
    for number, (start, stop) in enumerate(zip((stops - counts).tolist(), stops.tolist(), strict=True)):
        out[number] = flat[start:stop]
    return out


def lists_column(name: str, values: Column, ends: Column, outer_ends: Column | None = None) -> Column:
    """The ragged column of a dataset whose lists follow each other; of lists of lists with ``outer_ends``."""
    element: Element = values.element
    shape: tuple[int | None, ...] = (None, *values.row_shape)
    derivation: Derivation = Lists(values, ends)
    if outer_ends is not None:
        element, shape = Ragged(element, tuple(size or 0 for size in values.row_shape)), (None,)
        derivation = ListsOfLists(values, ends, outer_ends)
    return replace(values, name=name, take="derived", element=element, row_shape=shape, fields=(), derived=derivation)


@dataclass(frozen=True)
class Regular:
    """Values at an even rate: ``start + row / rate``."""

    start: float
    rate: float

    @property
    def sources(self) -> tuple[Column, ...]:
        """Nothing is read."""
        return ()

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """``(n,)`` float64."""
        return rows / self.rate + self.start

    def __str__(self) -> str:
        return f"{self.start:g} + row / {self.rate:g}"


def regular_column(name: str, start: float, rate: float, attrs: Mapping[str, Any]) -> Column:
    """A column of values at an even rate."""
    return Column(name, "", "derived", Number(np.dtype("f8")), (), attrs=attrs, derived=Regular(start, rate))


@dataclass(frozen=True)
class Scaled:
    """``values * factor + offset`` in float64; several factors are those of the last axis of a row."""

    values: Column
    factors: tuple[float, ...]
    offset: float

    @property
    def sources(self) -> tuple[Column, ...]:
        """The stored numbers."""
        return (self.values,)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """``(n, *row_shape)`` float64."""
        values = fetch.rows(self.values, rows).astype(np.float64)
        return values * (self.factors[0] if len(self.factors) == 1 else np.array(self.factors)) + self.offset

    def __str__(self) -> str:
        factor = f"{self.factors[0]:g}" if len(self.factors) == 1 else "a factor for each channel"
        return f"stored numbers times {factor}" + (f" plus {self.offset:g}" if self.offset else "")


def scaled_column(values: Column, factors: tuple[float, ...], offset: float) -> Column:
    """The column of stored numbers in their unit."""
    derivation = Scaled(values, factors, offset)
    return replace(values, take="derived", element=Number(np.dtype("f8")), fields=(), derived=derivation)


def made_rows(column: Column, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
    """Rows of a column that a derivation is made of, which may be derived itself."""
    return fetch.rows(column, rows) if column.derived is None else column.derived.make(rows, fetch)


def plain_sources(*columns: Column) -> tuple[Column, ...]:
    """The plain columns that are read for some columns, which may be derived themselves."""
    return tuple(
        source for column in columns for source in (column.derived.sources if column.derived is not None else (column,))
    )


@dataclass(frozen=True)
class Picked:
    """One position along the last axis of each row of a block."""

    block: Column
    position: int

    @property
    def sources(self) -> tuple[Column, ...]:
        """The block."""
        return (self.block,)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """Rows without their last axis; those of one block are read once for all columns that are picked of it."""
        return fetch.rows(self.block, rows)[..., self.position]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of one column."""
        return max(1, self.read_bytes // max(1, self.block.row_shape[-1] or 1))

    @property
    def read_bytes(self) -> int:
        """Bytes of one row of the block."""
        return self.block.row_bytes

    @property
    def group_rows(self) -> int:
        """Rows of one chunk; 1 where the block has none."""
        storage = self.block.storage
        return storage.chunks[self.block.axis] if storage is not None and storage.chunks else 1

    def __str__(self) -> str:
        holder = self.block.fields[-1] if self.block.fields else self.block.path.rpartition("/")[2]
        return f"column {self.position} of {holder}"


def picked_column(block: Column, position: int) -> Column:
    """The column at one position along the last axis of a block's rows, under the name of the block."""
    shape = block.row_shape[:-1]
    return replace(block, take="derived", row_shape=shape, derived=Picked(block, position))


@dataclass(frozen=True)
class LookedUp:
    """``values[codes]``, with one row of ``values`` for each code; nothing for a negative code."""

    codes: Column
    values: Column
    n_values: int

    @property
    def sources(self) -> tuple[Column, ...]:
        """The codes, and the few values that they stand for."""
        return plain_sources(self.codes, self.values)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """The value of each row, masked where it has none."""
        codes = made_rows(self.codes, rows, fetch).astype(np.int64)
        key = f"values of {self.values.path} {self.values.fields}"
        values = fetch.kept(key, lambda: made_rows(self.values, np.arange(self.n_values), fetch))
        if codes.max(initial=-1) >= self.n_values:
            raise DataError(
                f"code {codes.max()} is none of the {self.n_values} of {self.values.path}",
                hint="the file contradicts itself; layout='raw' reads its datasets as they are",
            )
        if not self.n_values:
            return np.ma.MaskedArray(np.zeros(len(codes), values.dtype), True)
        return np.ma.MaskedArray(values[np.maximum(codes, 0)], codes < 0)

    def __str__(self) -> str:
        return f"values of {self.values.path}, by their codes"
