"""Copy windows of rows, which may overlap, out of an array of rows.

Pure; no I/O.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..read.gather import gather_rows
from .window_rows import Gathered

__all__ = ["copy_windows", "window_mask"]

# Numbers of rows that are indexed at a time: they take eight bytes each, however small a row is.
_STEP_ROWS = 1 << 16


def copy_windows(rows: NDArray[Any], wanted: Gathered, target: NDArray[Any], filling: Any = None) -> None:
    """Put the rows of each window together.

    Parameters
    ----------
    rows
        ``(k, ...)`` the rows that ``wanted`` speaks of.
    target
        ``(n, length, ...)`` of the same type.
    filling
        What goes where a window has no row; None: its last row.
    """
    left = np.arange(len(target))
    if _are_bytes(rows, target):
        # A window is one run of bytes: it is copied as if it were a row.
        is_whole = wanted.counts == target.shape[1]
        whole = left[is_whole]
        if len(whole):
            row_nbytes = rows.nbytes // len(rows)
            places = None if len(whole) == len(left) else whole
            source, out = rows.reshape(-1).view(np.uint8), target.reshape(-1).view(np.uint8)
            gather_rows(source, wanted.begins[whole] * row_nbytes, row_nbytes * target.shape[1], out, places)
        left = left[~is_whole]
    step = max(1, _STEP_ROWS // target.shape[1])
    for start in range(0, len(left), step):
        _copy_by_index(rows, wanted, target, left[start : start + step], filling)


def _are_bytes(rows: NDArray[Any], target: NDArray[Any]) -> bool:
    both_plain = rows.flags.c_contiguous and target.flags.c_contiguous and rows.dtype == target.dtype
    return both_plain and rows.dtype.kind != "O" and rows.nbytes > 0


def _copy_by_index(
    rows: NDArray[Any], wanted: Gathered, target: NDArray[Any], windows: NDArray[np.int64], filling: Any
) -> None:
    steps = np.arange(target.shape[1])
    counts = wanted.counts[windows, np.newaxis]
    values = rows[wanted.begins[windows, np.newaxis] + np.minimum(steps, counts - 1)]
    if filling is not None:
        values[steps >= counts] = filling
    target[windows] = values


def window_mask(mask: NDArray[np.bool_], wanted: Gathered) -> NDArray[np.bool_] | None:
    """Which windows have no values; None if in some of them only a part of the rows has none.

    Parameters
    ----------
    mask
        ``(k,)`` whether a row has no value.
    """
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(mask)])
    absent = before[wanted.begins + wanted.counts] - before[wanted.begins]
    found = absent > 0
    return found if (absent[found] == wanted.counts[found]).all() else None
