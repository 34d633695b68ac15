"""How a loader goes through the rows of a view: what it mixes, whether it decodes chunks ahead, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..describe.derived import Sized
from ..describe.schema import Column, Table
from ..describe.urls import is_url
from ..sampling import EpochOrder, Groups, Steps, deal_steps, find_groups

if TYPE_CHECKING:
    from ..view.state import ViewState

__all__ = ["Layout", "LoaderReport", "find_layout", "make_report"]

Numbers = NDArray[np.int64]

# Rows without chunks may be grouped as one likes: small enough that a window holds many, large enough for a disk.
_PLAIN_GROUP_BYTES = 256 << 10
# The part of the reader's cache that the columns of a view may take to be read through it: others may use it too.
_CACHE_SHARE = 0.5
# Stored bytes that are worth a request to a server: at 50 ms and 32 requests at once, 640 MB/s.
_REMOTE_GROUP_BYTES = 1 << 20
# A report looks at about so many rows.
_REPORT_ROWS = 2_000_000


@dataclass(frozen=True)
class Layout:
    """Where the rows of a view lie, and how they are read.

    Attributes
    ----------
    groups
        Rows that lie together.
    window_rows
        Rows that are mixed; a whole number of groups where these are equally large.
    reads_blocks
        Whether chunks are decoded into blocks from which batches are gathered; if not, each batch is read by itself.
    row_bytes
        Bytes of a row in memory.
    """

    groups: Groups
    window_rows: int
    reads_blocks: bool
    row_bytes: int


def find_layout(view: ViewState, shuffle_bytes: int) -> Layout:
    """Look at how a view's columns are stored.

    Parameters
    ----------
    shuffle_bytes
        Bound of the rows in memory that are mixed: those that batches are made of, and those that are read meanwhile.
    """
    columns = [view._table.columns[name] for name in view._maker.read_names]
    row_bytes = max(1, sum(column.row_bytes for column in columns))
    needs_blocks = _needs_blocks(columns, view)
    boundaries = view._source.row_groups()
    if any(is_url(file) for file in view._table.files):
        boundaries = _join_groups(boundaries, view._table)
    window_bytes, kept_bytes = shuffle_bytes // 2, row_bytes
    if not needs_blocks:
        # Columns that are made of the same datasets, as those of a block, have one read for all of them.
        kept_bytes = max(1, sum({_read_key(column): _read_bytes(column) for column in columns}.values()))
        if any(isinstance(column.derived, Sized) and column.derived.group_rows > 1 for column in columns):
            # A window's chunks stay in the reader's cache until all of its rows are given; so do those of the next.
            window_bytes = min(window_bytes, view.cache_info().max_bytes // 3)
        else:
            boundaries = _split_groups(boundaries, max(1, _PLAIN_GROUP_BYTES // kept_bytes))
    groups = find_groups(view._rows, boundaries)
    group_rows = int(np.diff(groups.starts).max(initial=1))
    # Two windows are in memory: one being used, one being filled. A power of two groups ends where steps of common
    # batch sizes end.
    n_groups = max(1, window_bytes // (kept_bytes * group_rows))
    return Layout(groups, group_rows << (n_groups.bit_length() - 1), needs_blocks, row_bytes)


def _needs_blocks(columns: list[Column], view: ViewState) -> bool:
    """Whether reading rows one by one would decode chunks many times, or ask a server for each of them."""
    if any(is_url(file) for file in view._table.files):
        return True
    # Runs of other datasets are small beside the rows that are made of them: they are kept, and not what is made.
    whole = [column for column in columns if not isinstance(column.derived, Sized)]
    decoded = sum(column.row_bytes for column in whole if _is_decoded(column))
    return decoded * len(view._source) > _CACHE_SHARE * view.cache_info().max_bytes


def _read_key(column: Column) -> tuple[object, ...]:
    if not isinstance(column.derived, Sized):
        return (column.name,)
    return tuple((source.path, source.fields) for source in column.derived.sources)


def _read_bytes(column: Column) -> int:
    return column.derived.read_bytes if isinstance(column.derived, Sized) else column.row_bytes


def _is_decoded(column: Column) -> bool:
    if column.take in ("constant", "counter", "missing"):
        return False
    if column.converted or column.variable or column.storage is None or column.take != "rows":
        return True
    return bool(column.storage.filters) or column.storage.layout not in ("contiguous", "chunked", "compact")


def _join_groups(boundaries: Numbers, table: Table) -> Numbers:
    """Boundaries of groups that are worth a request each: small chunks of a remote file are read with those beside."""
    first = table.parts[0]
    stored = max((column.storage.stored_bytes for column in first.columns.values() if column.storage), default=0)
    least_rows = int(_REMOTE_GROUP_BYTES * first.n_rows // max(1, stored))
    if least_rows <= 1:
        return boundaries
    firsts = np.flatnonzero(np.diff(boundaries[:-1] // least_rows, prepend=-1))
    return np.append(boundaries[firsts], boundaries[-1:])


def _split_groups(boundaries: Numbers, most_rows: int) -> Numbers:
    """Boundaries of groups of at most ``most_rows``.

    >>> _split_groups(np.array([0, 5, 7]), 2).tolist()
    [0, 2, 4, 5, 7]
    """
    counts = -(-np.diff(boundaries) // most_rows)
    places = np.repeat(boundaries[:-1], counts)
    turns = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.append(places + turns * most_rows, boundaries[-1:])


@dataclass(frozen=True)
class LoaderReport:
    """What a loader's order is worth, and what it costs, over all ranks.

    Attributes
    ----------
    n_rows, n_batches
        Rows of an epoch; batches of each rank.
    window_rows
        Rows that are mixed with one another; all of them if the order is a uniform permutation.
    groups_per_step, groups_per_uniform_step
        Chunks that the rows of a global step come from, on average, and as many if they were drawn uniformly.
    decodes_per_chunk
        How often a chunk is decoded in an epoch, over all ranks.
    read_amplification
        Rows that are decoded for each row that is delivered.
    examined_rows
        Rows of the epoch that these averages are of.
    """

    n_rows: int
    n_batches: int
    window_rows: int
    groups_per_step: float
    groups_per_uniform_step: float
    decodes_per_chunk: float
    read_amplification: float
    examined_rows: int

    @property
    def randomness(self) -> float:
        """Chunks in a step for each one in a uniformly drawn step: 1 is as well mixed as can be."""
        return min(1.0, self.groups_per_step / max(1.0, self.groups_per_uniform_step))

    def __str__(self) -> str:
        return (
            f"{self.n_rows:,} rows in {self.n_batches:,} batches for each rank\n"
            f"randomness: {self.randomness:.0%} ({self.groups_per_step:.1f} chunks in a step, "
            f"{self.groups_per_uniform_step:.1f} if drawn uniformly; {self.window_rows:,} rows are mixed)\n"
            f"decodes: {self.decodes_per_chunk:.2f} of each chunk over all ranks, "
            f"{self.read_amplification:.2f} rows for each one delivered"
        )


def make_report(order: EpochOrder, steps: Steps, layout: Layout, *, exact: bool) -> LoaderReport:
    """Go through the plan of an epoch, or of its first rows, and count."""
    groups = order.groups
    decoded: set[tuple[int, int]] = set()
    seen: set[int] = set()
    n_rows = n_steps = n_groups = n_decoded = stored = 0
    sizes = np.diff(groups.starts)
    for dealt in deal_steps(order, steps):
        numbers = groups.of_position[dealt.rows]
        here = np.unique(numbers)
        n_groups += len(here)
        seen.update(here.tolist())
        ranks = np.zeros(len(numbers), np.int64) if dealt.ranks is None else dealt.ranks
        pairs = set(zip(ranks.tolist(), numbers.tolist(), strict=True))
        # In an exact order a chunk's rows are far apart: each batch decodes what it needs.
        new = pairs if exact else pairs - decoded
        decoded |= new
        n_decoded += len(new)
        stored += int(groups.stored_rows[[group for _, group in new]].sum())
        n_steps, n_rows = n_steps + 1, n_rows + len(dealt.rows)
        if n_rows >= _REPORT_ROWS:
            break
    mean = n_rows / max(1, n_steps)
    # A chunk is missed by a uniform draw of m rows with probability (1 - its share) ^ m.
    uniform = float((1 - (1 - sizes / max(1, order.n_rows)) ** mean).sum())
    return LoaderReport(
        order.n_rows,
        len(steps),
        order.n_rows if exact else min(layout.window_rows, order.n_rows),
        n_groups / max(1, n_steps),
        uniform,
        n_decoded / max(1, len(seen)),
        stored / max(1, n_rows),
        n_rows,
    )
