"""Which rows make up which window: arithmetic over runs of rows, so that any number of windows costs nothing.

Pure; no I/O. A *run* are rows that follow one another in a time or space of their own: an episode, a file, a signal.
Windows lie inside one run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..read.plan import Rows

__all__ = ["Gathered", "Windows", "find_runs", "split_runs"]

Numbers = NDArray[np.int64]

# Windows that reach into the next chunk have it decoded once more: groups of so many chunks bound that.
_GROUP_CHUNKS = 4


class Gathered(NamedTuple):
    """The rows of some windows, each once, and where in them each window begins.

    Attributes
    ----------
    rows
        Rows of the source, in ascending order.
    begins, counts
        ``(n,)`` window ``i`` are ``rows[begins[i] : begins[i] + counts[i]]``; what it is short of the length is filled.
    """

    rows: Rows
    begins: Numbers
    counts: Numbers


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of ``length`` rows, one every ``stride`` rows of each run.

    Attributes
    ----------
    starts, sizes
        ``(k,)`` the first row of each run and how many rows it has.
    length, stride
        Rows of a window, and rows from the begin of one to that of the next.
    filled
        Whether windows that reach beyond the end of their run count too: then one begins at every stride.

    Examples
    --------
    >>> windows = Windows(np.array([0, 5]), np.array([5, 3]), length=4, stride=1, filled=False)
    >>> len(windows), windows.firsts_of(np.array([0, 1])).tolist()
    (2, [0, 1])
    """

    starts: Numbers
    sizes: Numbers
    length: int
    stride: int
    filled: bool

    @cached_property
    def counts(self) -> Numbers:
        """``(k,)`` windows of each run."""
        if self.filled:
            return -(-self.sizes // self.stride)
        return np.maximum((self.sizes - self.length) // self.stride + 1, 0)

    @cached_property
    def bounds(self) -> Numbers:
        """``(k + 1,)`` number of the first window of each run, and of all windows."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.counts)])

    def __len__(self) -> int:
        return int(self.bounds[-1])

    def runs_of(self, windows: Numbers) -> Numbers:
        """The run of each window."""
        return np.searchsorted(self.bounds, windows, side="right") - 1

    def firsts_of(self, windows: Numbers) -> Numbers:
        """The first row of each window."""
        runs = self.runs_of(windows)
        return self.starts[runs] + (windows - self.bounds[runs]) * self.stride

    def counts_of(self, windows: Numbers) -> Numbers:
        """How many rows of its run each window has; fewer than the length where it must be filled."""
        runs = self.runs_of(windows)
        return np.minimum(self.sizes[runs] - (windows - self.bounds[runs]) * self.stride, self.length)

    def place_of(self, window: int) -> tuple[int, int]:
        """The first row of one window, and how many rows of its run it has."""
        run = int(np.searchsorted(self.bounds, window, side="right")) - 1
        begin = (window - int(self.bounds[run])) * self.stride
        return int(self.starts[run]) + begin, min(int(self.sizes[run]) - begin, self.length)

    def gather(self, windows: Numbers) -> Gathered:
        """The rows of some windows in any order, each row once however many windows share it.

        >>> windows = Windows(np.array([0]), np.array([9]), length=3, stride=1, filled=False)
        >>> gathered = windows.gather(np.array([5, 0, 1]))
        >>> [int(row) for row in gathered.rows], gathered.begins.tolist()
        ([0, 1, 2, 3, 5, 6, 7], [4, 0, 1])
        """
        firsts, counts = self.firsts_of(windows), self.counts_of(windows)
        order = np.argsort(firsts, kind="stable")
        begins = firsts[order]
        reach = np.maximum.accumulate(begins + counts[order])
        opens = np.ones(len(begins), np.bool_)
        opens[1:] = begins[1:] > reach[:-1]
        lows, highs = begins[opens], reach[np.append(opens[1:], True)] if len(begins) else reach
        ends = np.cumsum(highs - lows)
        shifts = lows - (ends - (highs - lows))
        rows: Rows
        if len(lows) == 1:
            rows = range(int(lows[0]), int(highs[0]))
        else:
            rows = np.arange(ends[-1] if len(ends) else 0) + np.repeat(shifts, highs - lows)
        places = np.empty_like(begins)
        places[order] = begins - shifts[np.cumsum(opens) - 1]
        return Gathered(rows, places, counts)

    def groups(self, boundaries: Numbers, max_windows: int) -> Numbers:
        """``(k + 1,)`` boundaries of windows that are worth reading together.

        A group spans some chunks and several windows' lengths, as its last windows reach into the next group's rows;
        but it has at most ``max_windows``.

        Parameters
        ----------
        boundaries
            Those of the source's rows that share chunks.
        """
        edges = self._chunk_groups(boundaries, max_windows)
        parts = -(-np.diff(edges) // max_windows)
        places, sizes = np.repeat(edges[:-1], parts), np.repeat(np.diff(edges), parts)
        turns = np.arange(len(places)) - np.repeat(np.cumsum(parts) - parts, parts)
        return np.append(places + turns * sizes // np.repeat(parts, parts), edges[-1:])

    def _chunk_groups(self, boundaries: Numbers, max_windows: int) -> Numbers:
        """Boundaries of windows that begin in one or more whole chunks."""
        runs, cuts = _inside(self.starts, self.sizes, boundaries)
        inside = -(-(cuts - self.starts[runs]) // self.stride)
        inner = self.bounds[runs] + np.minimum(inside, self.counts[runs])
        edges = np.unique(np.concatenate([self.bounds[:-1], inner]))
        edges = edges[edges < len(self)]
        if not len(edges):
            return np.zeros(1, np.int64)
        last_rows = self.starts[runs] + (inside - 1) * self.stride + self.length
        if not ((last_rows > cuts) & (inside > 0)).any():
            return np.append(edges, len(self))
        chunk_windows = max(1, int(np.median(np.diff(np.append(edges, len(self))))))
        wanted = max(_GROUP_CHUNKS * chunk_windows, _GROUP_CHUNKS * self.length // self.stride)
        step = max(1, min(wanted, max_windows) // chunk_windows)
        # Runs begin groups anew: rows of two of them are seldom in one chunk.
        firsts = np.searchsorted(edges, self.bounds[:-1][self.counts > 0])
        turns = np.arange(len(edges)) - np.repeat(firsts, np.diff(np.append(firsts, len(edges))))
        return np.append(edges[turns % step == 0], len(self))


def find_runs(rows: Rows, starts: Numbers) -> tuple[Numbers, Numbers]:
    """Cut rows into runs that follow one another inside one part.

    Parameters
    ----------
    starts
        ``(k + 1,)`` number of the first row of each part, and of all rows.

    Returns
    -------
    tuple
        The first row of each run, and how many rows it has.

    Examples
    --------
    >>> [each.tolist() for each in find_runs(range(2, 9), np.array([0, 4, 4, 10]))]
    [[2, 4], [2, 5]]
    >>> [each.tolist() for each in find_runs(np.array([7, 8, 0, 1]), np.array([0, 4, 10]))]
    [[7, 0], [2, 2]]
    """
    if isinstance(rows, range):
        edges = np.clip(starts, rows.start, rows.stop)
        kept = np.diff(edges) > 0
        return edges[:-1][kept], np.diff(edges)[kept]
    if not len(rows):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    owner = np.searchsorted(starts, rows, side="right")
    breaks = (np.diff(rows) != 1) | (np.diff(owner) != 0)
    cuts = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(breaks) + 1])
    return rows[cuts], np.diff(np.append(cuts, len(rows)))


def split_runs(starts: Numbers, sizes: Numbers, breaks: Numbers) -> tuple[Numbers, Numbers]:
    """Cut runs further, before each of the given rows.

    Parameters
    ----------
    starts, sizes
        What ``find_runs`` returned.
    breaks
        Rows in ascending order; those that are in no run do not count.

    Examples
    --------
    >>> [each.tolist() for each in split_runs(np.array([2, 10]), np.array([5, 3]), np.array([1, 4, 6, 10]))]
    [[2, 4, 6, 10], [2, 2, 1, 3]]
    """
    runs, cuts = _inside(starts, sizes, breaks)
    owner, rows = np.concatenate([np.arange(len(starts)), runs]), np.concatenate([starts, cuts])
    order = np.lexsort((rows, owner))
    owner, rows = owner[order], rows[order]
    ends = np.append(rows[1:], 0)
    is_last = np.append(owner[1:] != owner[:-1], True)[: len(rows)]
    ends[: len(rows)][is_last] = (starts + sizes)[owner[is_last]]
    return rows, ends[: len(rows)] - rows


def _inside(starts: Numbers, sizes: Numbers, rows: Numbers) -> tuple[Numbers, Numbers]:
    """The rows, which ascend, that lie inside runs and begin none, run by run: the number of the run and the row."""
    first = np.searchsorted(rows, starts, side="right")
    stop = np.maximum(np.searchsorted(rows, starts + sizes, side="left"), first)
    counts = stop - first
    runs = np.repeat(np.arange(len(counts)), counts)
    turns = np.arange(len(runs)) - np.repeat(np.cumsum(counts) - counts, counts)
    return runs, rows[first[runs] + turns]
