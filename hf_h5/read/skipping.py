"""Reading past rows that cannot be read: which they are, and why, is told and never kept quiet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError, DataError
from .rows import RowSource

__all__ = ["BadRows", "read_past"]

Batch = dict[str, NDArray[Any]]
# What is wrong with rows, and not with the reader, its options or the file as a whole.
_BAD = (DamagedFileError, DataError)


@dataclass(frozen=True)
class BadRows:
    """Rows ``[start, stop)`` of a table that cannot be read, and why not."""

    start: int
    stop: int
    problem: str

    def __len__(self) -> int:
        return self.stop - self.start


def read_past(source: RowSource, start: int, stop: int) -> tuple[Batch, list[BadRows]]:
    """Read rows ``[start, stop)`` without those that cannot be read.

    Parameters
    ----------
    source
        The rows.
    start, stop
        Which of them; at least one.

    Returns
    -------
    batch
        Per column the rows that can be read, in order.
    bad
        The others, in order; neighbours with one problem together.
    """
    try:
        return source.read(range(start, stop)), []
    except _BAD:
        pieces: list[Batch] = []
        bad: list[BadRows] = []
        for first, last in _cut(source, start, stop):
            for found in _halves(source, first, last):
                if isinstance(found, BadRows):
                    bad.append(found)
                else:
                    pieces.append(found)
        if not pieces:
            return source.read(range(0)), _joined(bad)
        return {name: _concatenate([piece[name] for piece in pieces]) for name in pieces[0]}, _joined(bad)


def _concatenate(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    if any(map(np.ma.isMaskedArray, arrays)):
        masked: NDArray[Any] = np.ma.concatenate(arrays)  # type: ignore[no-untyped-call]
        return masked
    return np.concatenate(arrays)


def _cut(source: RowSource, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The rows of each chunk, as far as they are asked for: a damaged one takes its own rows along and no others."""
    groups = source.row_groups()
    inner = groups[(groups > start) & (groups < stop)].tolist()
    yield from zip([start, *inner], [*inner, stop], strict=True)


def _halves(source: RowSource, start: int, stop: int) -> Iterator[Batch | BadRows]:
    try:
        yield source.read(range(start, stop))
    except _BAD as error:
        if stop - start == 1:
            yield BadRows(start, stop, str(error))
            return
        middle = (start + stop) // 2
        yield from _halves(source, start, middle)
        yield from _halves(source, middle, stop)


def _joined(bad: list[BadRows]) -> list[BadRows]:
    joined: list[BadRows] = []
    for each in bad:
        last = joined[-1] if joined else None
        if last is not None and last.stop == each.start and last.problem == each.problem:
            joined[-1] = BadRows(last.start, each.stop, last.problem)
        else:
            joined.append(each)
    return joined
