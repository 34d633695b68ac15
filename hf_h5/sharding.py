"""Row ranges that workers can share: whole row groups, balanced, a sensible number of them.

Pure; no I/O.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["batch_bounds", "plan_ranges", "split_range"]

# A range is worth a task of its own from about this size on ...
RANGE_BYTES = 32 << 20
# ... but a small file is cut too, so that a few workers can share it, ...
MIN_RANGES = 16
# ... and a huge one is not cut into more tasks than schedulers and progress bars like.
MAX_RANGES = 1024


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


def batch_bounds(start: int, stop: int, rows: int, groups: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cut a range into batches of about ``rows`` rows that end where row groups do, as far as groups are no larger.

    >>> batch_bounds(0, 10, 5, np.array([0, 4, 8, 10]))
    [(0, 4), (4, 8), (8, 10)]
    """
    bounds: list[tuple[int, int]] = []
    edges: Any = groups[(groups > start) & (groups < stop)]
    while start < stop:
        end = min(start + rows, stop)
        if end < stop:
            place = int(np.searchsorted(edges, end, side="right")) - 1
            if place >= 0 and edges[place] > start:
                end = int(edges[place])
        bounds.append((start, end))
        start = end
    return bounds
