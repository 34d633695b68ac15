"""What a derived column is made of, read for it: decoded rows of plain columns of one part."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.schema import Column, Part
from ..errors import DataError
from .plan import as_rows
from .routes import Routes
from .values import ValueProblemError, decode_values, pick_field

__all__ = ["PartFetch", "make_derived"]


class PartFetch:
    """Reads plain columns of a part; see ``describe.derived.Fetch``."""

    def __init__(self, routes: Routes, part: Part) -> None:
        self._routes, self._part = routes, part

    def rows(self, source: Column, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Rows in any order, decoded."""
        self._check(source, rows)
        return self._fetch(source, rows)

    def spans(self, source: Column, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[Any]:
        """Runs of rows, one after the other."""
        self._check(source, starts)
        self._check(source, stops - 1)
        counts = stops - starts
        if (counts < 0).any():
            raise DataError(
                "a run of rows ends before it begins", file=self._part.file, path=self._part.path_of(source)
            )
        firsts = np.cumsum(counts) - counts
        rows = np.arange(int(counts.sum()), dtype=np.int64) + np.repeat(starts - firsts, counts)
        return self._fetch(source, rows)

    def whole(self, source: Column) -> NDArray[Any]:
        """The whole dataset."""
        values: NDArray[Any] = self._fetch(replace(source, take="whole"), np.zeros(1, np.int64))[0]
        return values

    def _fetch(self, source: Column, rows: NDArray[np.int64]) -> NDArray[Any]:
        file, path = self._part.file_of(source), self._part.path_of(source)
        raw = self._routes.fetch(file, path, source, as_rows(rows, int(rows.max(initial=-1)) + 1))
        try:
            return decode_values(source.element, pick_field(raw, source.fields))
        except ValueProblemError as error:
            raise DataError(str(error), file=file, path=path, hint=error.hint) from error

    def _check(self, source: Column, rows: NDArray[np.int64]) -> None:
        """Row numbers come from other datasets of the file, so that they may lead anywhere."""
        length = _length(source)
        if len(rows) and not -1 <= rows.min() <= rows.max() < length:
            raise DataError(
                f"rows {rows.min():,} to {rows.max():,} are pointed to, and the dataset has {length:,}",
                file=self._part.file_of(source),
                path=self._part.path_of(source),
                hint="the file contradicts itself; layout='raw' reads its datasets as they are",
            )


def _length(source: Column) -> int:
    if source.storage is None or source.memory is None:
        raise ValueError(f"{source.path} is no dataset")
    n_values = source.storage.n_values * math.prod(source.memory.shape)
    return n_values // max(1, math.prod(size for size in source.row_shape if size is not None))


def make_derived(routes: Routes, part: Part, column: Column, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Make the values of some rows of a part's derived column.

    Raises
    ------
    DataError
        With the file and the column, where the datasets contradict each other.
    """
    if column.derived is None:
        raise ValueError(f"column {column.name!r} is not derived")
    try:
        return column.derived.make(rows, PartFetch(routes, part))
    except DataError as error:
        if error.file is not None:
            raise
        place = f"column {column.name!r} ({column.derived})"
        raise DataError(f"{place}: {error.problem}", file=part.file_of(column), hint=error.hint) from error
