"""Row ranges that workers can share: whole row groups, balanced, a sensible number of them.

Pure; no I/O.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["BatchSize", "batch_bounds", "join_ranges", "plan_batches", "plan_ranges", "split_range"]

# A range is worth a task of its own from about this size on ...
RANGE_BYTES = 32 << 20
# ... but a small file is cut too, so that a few workers can share it, ...
MIN_RANGES = 16
# ... and a huge one is not cut into more tasks than schedulers and progress bars like.
MAX_RANGES = 1024
# Of rows whose size nobody knows before they are read, these are few if they are large ...
_FIRST_ROWS = 64
_FIRST_KNOWN_ROWS = 4096
# ... and soon enough many if they are not.
_GROWTH = 8


def plan_ranges(groups: NDArray[np.int64], row_bytes: int) -> list[tuple[int, int]]:
    """Cut a table into half-open row ranges of about equal size, at the boundaries of row groups.

    Parameters
    ----------
    groups
        ``(k + 1,)`` boundaries of rows that are read together, as a reader's ``row_groups`` returns them.
    row_bytes
        Bytes of one decoded row.

    Examples
    --------
    >>> plan_ranges(np.array([0, 4, 8, 10]), 100_000_000)
    [(0, 4), (4, 8), (8, 10)]
    """
    n_rows = int(groups[-1])
    if not n_rows:
        return [(0, 0)]
    wanted = max(MIN_RANGES, min(MAX_RANGES, n_rows * row_bytes // RANGE_BYTES))
    inner = np.unique(groups)
    marks = np.linspace(0, n_rows, wanted + 1)
    # Each mark moves to the nearest boundary; marks that meet leave one range.
    places = np.clip(np.searchsorted(inner, marks), 1, len(inner) - 1)
    nearer = np.where(marks - inner[places - 1] <= inner[places] - marks, places - 1, places)
    bounds = np.unique(np.concatenate([inner[[0]], inner[nearer], inner[[-1]]])).tolist()
    return list(itertools.pairwise(bounds))


def cut_by_bytes(
    groups: NDArray[np.int64], at_groups: NDArray[np.float64], budget_bytes: float
) -> list[tuple[int, int]]:
    """Cut a table at the boundaries of row groups into as few ranges as a budget of each allows, and these evenly.

    A row group that exceeds the budget is a range of its own.

    Parameters
    ----------
    groups
        ``(k + 1,)`` boundaries of rows that are read together.
    at_groups
        ``(k + 1,)`` bytes of all rows before each boundary.

    Examples
    --------
    >>> cut_by_bytes(np.array([0, 4, 8, 10, 12]), np.array([0.0, 400.0, 500.0, 900.0, 1000.0]), 900)
    [(0, 8), (8, 12)]
    """
    places = _fill(at_groups, budget_bytes)
    if len(places) < 2:
        return [(0, int(groups[-1]))]
    # The smallest budget that makes do with as many ranges, to within a thousandth.
    low, high = budget_bytes / 2, budget_bytes
    for _ in range(10):
        middle = (low + high) / 2
        tried = _fill(at_groups, middle)
        if len(tried) == len(places):
            places, high = tried, middle
        else:
            low = middle
    return [(int(start), int(stop)) for start, stop in itertools.pairwise(groups[places])]


def _fill(at_groups: NDArray[np.float64], budget_bytes: float) -> list[int]:
    """Boundaries of ranges that each take row groups as long as the budget lasts."""
    # Sums of fractions must not cut a group off that just fits.
    room = budget_bytes + 1e-9 * float(at_groups[-1])
    places = [0]
    while places[-1] < len(at_groups) - 1:
        reach = int(np.searchsorted(at_groups, at_groups[places[-1]] + room, side="right")) - 1
        places.append(max(places[-1] + 1, reach))
    return places


def split_range(start: int, stop: int, groups: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cut one range in two at the row group nearest its middle; one of a single row group stays whole.

    >>> split_range(0, 10, np.array([0, 4, 8, 10]))
    [(0, 4), (4, 10)]
    """
    inner = groups[(groups > start) & (groups < stop)]
    if not len(inner):
        return [(start, stop)]
    middle = int(inner[np.abs(inner - (start + stop) / 2).argmin()])
    return [(start, middle), (middle, stop)]


def join_ranges(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Make one range of those that follow one another.

    >>> join_ranges([(0, 4), (4, 8), (10, 12)])
    [(0, 8), (10, 12)]
    """
    joined: list[tuple[int, int]] = []
    for start, stop in ranges:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


class BatchSize:
    """How many rows the next batch has: about ``target_bytes`` of them, by what those before turned out to hold.

    Parameters
    ----------
    rows
        Rows of every batch; the most that one has if rows vary.
    least
        The fewest that one has if rows vary.
    row_bytes
        What a row has at most on average, if this is known before one was read.
    target_bytes
        Bytes that a batch is to hold; None if all rows are of one size, so that ``rows`` says it all.

    Examples
    --------
    >>> size = BatchSize(1000, target_bytes=4096)
    >>> size.rows
    64
    >>> size.note(64, 64 * 16)
    >>> size.rows
    256
    """

    def __init__(
        self, rows: int, least: int = 1, *, target_bytes: int | None = None, row_bytes: int | None = None
    ) -> None:
        self._most, self._least = rows, least
        self._target_bytes = target_bytes
        self.rows = rows
        if target_bytes is not None:
            first = _FIRST_ROWS if row_bytes is None else min(_FIRST_KNOWN_ROWS, target_bytes // max(1, row_bytes))
            self.rows = max(least, min(rows, first))

    def note(self, n_rows: int, n_bytes: int) -> None:
        """Learn from a batch how large rows are; the next one is at most eight times as long."""
        if self._target_bytes is not None and n_rows:
            fitting = self._target_bytes * n_rows // max(1, n_bytes)
            self.rows = max(self._least, min(fitting, _GROWTH * n_rows, self._most))


def batch_bounds(start: int, stop: int, rows: int, groups: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cut a range into batches of about ``rows`` rows that end where row groups do, as far as groups are no larger.

    >>> batch_bounds(0, 10, 5, np.array([0, 4, 8, 10]))
    [(0, 4), (4, 8), (8, 10)]
    """
    return [(first, end) for _, _, first, end in plan_batches([(start, stop)], BatchSize(rows), groups)]


def plan_batches(
    ranges: Sequence[tuple[int, int]], size: BatchSize, groups: NDArray[np.int64]
) -> Iterator[tuple[int, int, int, int]]:
    """Cut ranges into batches as ``batch_bounds`` does, one by one: each has the size known when it is asked for.

    Yields
    ------
    tuple
        Number of the range, number of the batch in it, first row, and the row after the last.
    """
    for shard, (start, stop) in enumerate(ranges):
        inner = groups[np.searchsorted(groups, start, side="right") : np.searchsorted(groups, stop)]
        for batch in itertools.count():
            if start >= stop:
                break
            end = min(start + size.rows, stop)
            if end < stop:
                place = int(np.searchsorted(inner, end, side="right")) - 1
                if place >= 0 and inner[place] > start:
                    end = int(inner[place])
            yield shard, batch, start, end
            start = end
