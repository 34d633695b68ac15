"""In which order an epoch goes through the rows, and which rank gets which of them.

Pure; no I/O. Everything follows from (seed, epoch) and where the rows lie; which rank gets a row depends on the global
batch as well. Rows are numbered by their *position* in the view; *global rows* number them in the epoch's order.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError

__all__ = ["Dealt", "EpochOrder", "Groups", "Steps", "deal_steps", "find_groups", "make_order"]

Numbers = NDArray[np.int64]

# Dealing looks back to the last multiple of this many steps: the price of resuming at any step.
_CHAIN_STEPS = 64


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows of a view that lie together in the files.

    Attributes
    ----------
    starts
        ``(k + 1,)`` boundaries: group ``i`` are ``members[starts[i]:starts[i + 1]]``.
    stored_rows
        ``(k,)`` how many rows lie in the chunk that must be read for a group.
    members
        Positions in the view, by group; None where they are 0, 1, 2 and so on.
    """

    starts: Numbers
    stored_rows: Numbers
    members: Numbers | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows of the view."""
        return int(self.starts[-1])

    @cached_property
    def of_position(self) -> Numbers:
        """``(n_rows,)`` the group of each position."""
        numbers = np.repeat(np.arange(len(self.stored_rows)), np.diff(self.starts))
        if self.members is None:
            return numbers
        out = np.empty_like(numbers)
        out[self.members] = numbers
        return out

    def rows_of(self, groups: Numbers) -> tuple[Numbers, Numbers]:
        """Positions of the rows of some groups, one group after the other, and the place of each row's group."""
        sizes = np.diff(self.starts)[groups]
        places = np.repeat(np.arange(len(groups)), sizes)
        ends = np.cumsum(sizes)
        rows = np.arange(len(places)) + np.repeat(self.starts[groups] - (ends - sizes), sizes)
        return rows if self.members is None else self.members[rows], places


def find_groups(rows: range | Numbers, boundaries: Numbers) -> Groups:
    """Group the rows of a view by the chunks that hold them.

    Parameters
    ----------
    rows
        The source's number of each row of the view.
    boundaries
        ``(k + 1,)`` boundaries of the source's rows that are worth reading together.

    Examples
    --------
    >>> find_groups(range(2, 9), np.array([0, 4, 8, 12])).starts.tolist()
    [0, 2, 6, 7]
    >>> found = find_groups(np.array([9, 1, 0, 8]), np.array([0, 4, 8, 12]))
    >>> found.starts.tolist(), found.members.tolist(), found.stored_rows.tolist()
    ([0, 2, 4], [1, 2, 0, 3], [4, 4])
    """
    sizes = np.diff(boundaries)
    if isinstance(rows, range):
        inner = boundaries[(boundaries > rows.start) & (boundaries < rows.stop)]
        starts = np.concatenate(([rows.start], inner, [rows.stop])) if len(rows) else np.zeros(1, np.int64)
        first = np.searchsorted(boundaries, starts[:-1], side="right") - 1
        return Groups(starts - (rows.start if len(rows) else 0), sizes[first])
    owner = np.searchsorted(boundaries, rows, side="right") - 1
    members = np.argsort(owner, kind="stable")
    owner = owner[members]
    firsts = np.flatnonzero(np.diff(owner, prepend=-1))
    return Groups(np.append(firsts, len(rows)), sizes[owner[firsts]], members)


class EpochOrder:
    """The rows of one epoch in windows, which follow one another; inside a window rows of its groups are mixed.

    Parameters
    ----------
    groups
        Where the rows lie.
    window_rows
        About how many rows are mixed; a window holds whole groups, at least one.
    seed
        ``(seed, epoch)``; None for rows in the order of the view.
    """

    def __init__(self, groups: Groups, window_rows: int, seed: tuple[int, int] | None) -> None:
        self.groups, self.n_rows, self._seed = groups, groups.n_rows, seed
        if seed is None and groups.members is not None:
            # The view's own order goes to and fro between chunks: windows are cut wherever they are full.
            self._sequence = None
            self.window_starts = np.append(np.arange(0, self.n_rows, window_rows, dtype=np.int64), self.n_rows)
            return
        self._sequence = np.arange(len(groups.stored_rows)) if seed is None else _permuted(groups, seed)
        ends = np.cumsum(np.diff(groups.starts)[self._sequence])
        begins = ends - np.diff(groups.starts)[self._sequence]
        self._firsts = np.flatnonzero(np.diff(begins // window_rows, prepend=-1))
        self.window_starts = np.append(begins[self._firsts], self.n_rows)

    @property
    def n_windows(self) -> int:
        """Number of windows."""
        return len(self.window_starts) - 1

    def window(self, number: int) -> tuple[Numbers, Numbers]:
        """Positions of the rows of a window in order, and for each the number of its group.

        Numbers of groups grow from window to window: a group is never in two of them but where rows come in the
        order of the view.
        """
        if self._sequence is None:
            rows = np.arange(self.window_starts[number], self.window_starts[number + 1])
            return rows, self.groups.of_position[rows] + number * len(self.groups.stored_rows)
        first = int(self._firsts[number])
        last = int(self._firsts[number + 1]) if number + 1 < self.n_windows else len(self._sequence)
        rows, places = self.groups.rows_of(self._sequence[first:last])
        if self._seed is None:
            return rows, places + first
        mixed = np.random.default_rng([*self._seed, 1, number]).permutation(len(rows))
        return rows[mixed], places[mixed] + first


class ExactOrder(EpochOrder):
    """A uniformly random permutation of all rows; its windows are only parts of it."""

    def __init__(self, groups: Groups, window_rows: int, seed: tuple[int, int]) -> None:
        self.groups, self.n_rows = groups, groups.n_rows
        self._order = np.random.default_rng([*seed, 0]).permutation(self.n_rows)
        self.window_starts = np.append(np.arange(0, self.n_rows, window_rows, dtype=np.int64), self.n_rows)

    def window(self, number: int) -> tuple[Numbers, Numbers]:
        """Positions of some rows, and for each the number of its group, counted anew in each window."""
        rows = self._order[self.window_starts[number] : self.window_starts[number + 1]]
        return rows, self.groups.of_position[rows] + number * len(self.groups.stored_rows)


def _permuted(groups: Groups, seed: tuple[int, int]) -> Numbers:
    """The groups in random order; a single shorter one stays last, so that it does not shift all others.

    Shifted groups do not end where steps end, and each one cut in two is decoded twice.
    """
    random = np.random.default_rng([*seed, 0])
    sizes = np.diff(groups.starts)
    if len(sizes) > 1 and sizes[-1] < sizes[0] and (sizes[:-1] == sizes[0]).all():
        return np.append(random.permutation(len(sizes) - 1), len(sizes) - 1)
    return random.permutation(len(sizes))


def make_order(groups: Groups, *, shuffle: bool, exact: bool, seed: int, epoch: int, window_rows: int) -> EpochOrder:
    """The order of one epoch."""
    if not shuffle:
        return EpochOrder(groups, window_rows, None)
    return (ExactOrder if exact else EpochOrder)(groups, window_rows, (seed, epoch))


@dataclass(frozen=True)
class Steps:
    """How global rows are cut into steps, in each of which every rank gets one batch.

    Attributes
    ----------
    n_rows
        Rows of the epoch.
    batch_size, world_size
        Rows of a batch, number of ranks.
    drop_last
        Whether a last step of fewer rows is left out; if not, it is shared out evenly.
    origin
        The global row of the first step.
    """

    n_rows: int
    batch_size: int
    world_size: int
    drop_last: bool = False
    origin: int = 0

    def __post_init__(self) -> None:
        if not self.drop_last and 0 < self.n_rows - self.origin < self.world_size:
            raise OptionError(
                f"{self.n_rows - self.origin} rows cannot be shared among {self.world_size} ranks",
                hint="use fewer ranks, or drop_last=True",
            )

    @property
    def step_rows(self) -> int:
        """Rows of a full step over all ranks."""
        return self.batch_size * self.world_size

    def __len__(self) -> int:
        return self._n_steps

    @cached_property
    def _n_steps(self) -> int:
        full, rest = divmod(self.n_rows - self.origin, self.step_rows)
        # Fewer rows than ranks join the step before: every rank gets equally many batches.
        return full + (0 if self.drop_last or (full and rest < self.world_size) else bool(rest))

    def bounds(self, step: int) -> tuple[int, int]:
        """The global rows ``[start, stop)`` of a step."""
        start = self.origin + step * self.step_rows
        is_last = step == self._n_steps - 1 and not self.drop_last
        return start, self.n_rows if is_last else start + self.step_rows

    def step_at(self, row: int) -> int:
        """The step that begins at a global row, or the number of steps if it is the end."""
        return len(self) if row >= self.n_rows else (row - self.origin) // self.step_rows


class Dealt(NamedTuple):
    """A step: its positions in the epoch's order, and for each the window, the group and the rank.

    ``ranks`` is None where there is only one.
    """

    step: int
    rows: Numbers
    windows: Numbers
    groups: Numbers
    ranks: Numbers | None = None

    def of_rank(self, rank: int) -> tuple[Numbers, Numbers]:
        """Positions that a rank gets, and their windows."""
        if self.ranks is None:
            return self.rows, self.windows
        mine = self.ranks == rank
        return self.rows[mine], self.windows[mine]


def deal_steps(order: EpochOrder, steps: Steps, first: int = 0) -> Iterator[Dealt]:
    """Go through the steps from ``first`` on, dealing their rows to ranks.

    A rank keeps the groups that it has begun, and gets whole groups where it can, so that over all ranks each is read
    about once. The result does not depend on ``first``.
    """
    windows, owners = _Windows(order), dict[int, int]()
    is_alone = steps.world_size == 1
    for step in range(first if is_alone else first - first % _CHAIN_STEPS, len(steps)):
        start, stop = steps.bounds(step)
        rows, numbers, groups = windows.between(start, stop)
        if is_alone:
            yield Dealt(step, rows, numbers, groups)
            continue
        if step % _CHAIN_STEPS == 0:
            owners = {}
        ranks = _deal(groups, order.window_starts[numbers + 1] > stop, owners, steps.world_size)
        if step >= first:
            yield Dealt(step, rows, numbers, groups, ranks)


class _Windows:
    """The windows that steps, which go forward, take their rows from; each is made once."""

    def __init__(self, order: EpochOrder) -> None:
        self._order = order
        self._starts: list[int] = order.window_starts.tolist()
        self._made: dict[int, tuple[Numbers, Numbers, Numbers]] = {}

    def between(self, start: int, stop: int) -> tuple[Numbers, Numbers, Numbers]:
        """Positions of the global rows ``[start, stop)``, and for each its window and its group."""
        first = bisect_right(self._starts, start) - 1
        self._made = {number: each for number, each in self._made.items() if number >= first}
        parts = []
        for number in range(first, bisect_left(self._starts, stop)):
            if number not in self._made:
                rows, groups = self._order.window(number)
                self._made[number] = rows, np.full(len(rows), number), groups
            begin = self._starts[number]
            inner = slice(max(start - begin, 0), stop - begin)
            parts.append([each[inner] for each in self._made[number]])
        if len(parts) == 1:
            return parts[0][0], parts[0][1], parts[0][2]
        rows, numbers, groups = (np.concatenate(each) for each in zip(*parts, strict=True))
        return rows, numbers, groups


def _deal(groups: Numbers, continues: NDArray[np.bool_], owners: dict[int, int], world_size: int) -> Numbers:
    """Deal the rows of a step: the rank of each row.

    Parameters
    ----------
    groups, continues
        Per row its group, and whether rows of the group's window come in the next step.
    owners
        The rank that began a group; those of groups that continue are added.
    """
    found, inverse = np.unique(groups, return_inverse=True)
    # Of numbers of two bytes numpy sorts the digits, ten times as fast.
    order = np.argsort(inverse.astype(np.uint16) if len(found) < 1 << 16 else inverse, kind="stable")
    known = np.array([owners.get(group, -1) for group in found.tolist()], np.int64)
    owner = known[inverse[order]]
    goes_on = continues[order]
    quota = np.full(world_size, len(groups) // world_size)
    quota[: len(groups) % world_size] += 1
    ranks = np.full(len(groups), -1, np.int64)
    left = _give(ranks, np.flatnonzero(owner >= 0), owner, quota)
    new = np.flatnonzero((owner < 0) & goes_on)
    n_free = int((ranks < 0).sum())
    if 0 < len(new) < n_free:
        # Groups that go on are given whole and in proportion, so that no rank is left with too many of their rows;
        # what is missing then comes of the others.
        _, starts, counts = np.unique(inverse[order][new], return_index=True, return_counts=True)
        middles = starts + counts / 2
        wanted = np.searchsorted(np.cumsum(left) * (len(new) / n_free), middles, side="right")
        owner[new] = np.repeat(np.minimum(wanted, world_size - 1), counts)
        left = _give(ranks, new, owner, left)
    ranks[ranks < 0] = np.repeat(np.arange(world_size), left)
    still = np.flatnonzero(goes_on & (owner < 0))
    owner[still] = ranks[still]
    owners.clear()
    owners.update(zip(groups[order][goes_on].tolist(), owner[goes_on].tolist(), strict=True))
    out = np.empty_like(ranks)
    out[order] = ranks
    return out


def _give(ranks: Numbers, places: Numbers, owner: Numbers, quota: Numbers) -> Numbers:
    """Give rows to their groups' owners as far as these have room; return what room is left."""
    by_owner = places[np.argsort(owner[places], kind="stable")]
    owned = owner[by_owner]
    counts = np.bincount(owned, minlength=len(quota))
    turn = np.arange(len(by_owner)) - (np.cumsum(counts) - counts)[owned]
    fits = by_owner[turn < quota[owned]]
    ranks[fits] = owner[fits]
    return quota - np.bincount(owner[fits], minlength=len(quota))
