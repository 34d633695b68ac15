"""The plan of an epoch: every row once, the same steps on any number of ranks, each chunk read about once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.errors import OptionError
from hf_h5.sampling import Dealt, EpochOrder, Groups, Steps, deal_steps, find_groups, make_order


def chunks(n_rows: int, chunk_rows: int) -> Groups:
    return find_groups(range(n_rows), np.append(np.arange(0, n_rows, chunk_rows), n_rows))


def shuffled(groups: Groups, window_rows: int, seed: int = 0, epoch: int = 0, *, exact: bool = False) -> EpochOrder:
    return make_order(groups, shuffle=True, exact=exact, seed=seed, epoch=epoch, window_rows=window_rows)


def all_rows(order: EpochOrder) -> list[int]:
    return [row for number in range(order.n_windows) for row in order.window(number)[0].tolist()]


@st.composite
def layouts(draw: st.DrawFn) -> Groups:
    """Draw chunks of any sizes, and a view of some of their rows in any order."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=12))
    boundaries = np.concatenate([[0], np.cumsum(sizes)])
    if draw(st.booleans()):
        start, stop = sorted(draw(st.lists(st.integers(0, int(boundaries[-1])), min_size=2, max_size=2)))
        return find_groups(range(start, stop), boundaries)
    rows = draw(st.lists(st.integers(0, int(boundaries[-1]) - 1), max_size=40))
    return find_groups(np.array(rows, np.int64), boundaries)


@given(groups=layouts(), window_rows=st.integers(1, 30), kind=st.sampled_from(["in order", "shuffled", "exact"]))
def test_every_order_goes_through_each_row_once(groups: Groups, window_rows: int, kind: str) -> None:
    order = make_order(
        groups, shuffle=kind != "in order", exact=kind == "exact", seed=3, epoch=1, window_rows=window_rows
    )
    rows = all_rows(order)
    assert sorted(rows) == list(range(groups.n_rows))
    assert kind != "in order" or rows == sorted(rows)
    for number in range(order.n_windows):
        positions, numbers = order.window(number)
        assert len(positions) == len(numbers) == np.diff(order.window_starts)[number]


@given(groups=layouts())
def test_groups_are_the_rows_of_one_chunk(groups: Groups) -> None:
    rows, places = groups.rows_of(np.arange(len(groups.stored_rows)))
    assert sorted(rows.tolist()) == list(range(groups.n_rows))
    assert groups.of_position[rows].tolist() == places.tolist()
    assert (np.diff(groups.starts) >= 1).all()


def test_a_window_holds_whole_groups_which_are_mixed_row_by_row() -> None:
    order = shuffled(chunks(40, 4), window_rows=12)
    rows, groups = order.window(0)
    assert len(rows) == 12
    assert {len(rows[groups == group]) for group in set(groups.tolist())} == {4}
    assert len({tuple(sorted(rows[groups == group] // 4)) for group in set(groups.tolist())}) == 3
    assert not (np.diff(groups) >= 0).all()


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    groups = chunks(100, 4)
    orders = {
        (seed, epoch, exact): tuple(all_rows(shuffled(groups, 16, seed, epoch, exact=exact)))
        for seed in (0, 1)
        for epoch in (0, 1)
        for exact in (False, True)
    }
    assert len(set(orders.values())) == len(orders)
    assert tuple(all_rows(shuffled(groups, 16, 1, 1))) == orders[1, 1, False]


def test_first_rows_are_uniform_over_seeds() -> None:
    """Each row comes first about equally often, whole chunks and the short last one apart."""
    groups = chunks(24, 4)
    for exact in (False, True):
        firsts = np.bincount([all_rows(shuffled(groups, 8, seed, exact=exact))[0] for seed in range(2400)])
        assert firsts.min() > 60
        assert firsts.max() < 150


@given(
    groups=layouts(),
    window_rows=st.integers(1, 30),
    batch_size=st.integers(1, 7),
    world_size=st.integers(1, 5),
    drop_last=st.booleans(),
    shuffle=st.booleans(),
)
def test_steps_are_dealt_evenly_and_hold_every_row_once(
    groups: Groups, window_rows: int, batch_size: int, world_size: int, drop_last: bool, shuffle: bool
) -> None:
    order = make_order(groups, shuffle=shuffle, exact=False, seed=0, epoch=0, window_rows=window_rows)
    if not drop_last and 0 < groups.n_rows < world_size:
        with pytest.raises(OptionError, match="cannot be shared"):
            Steps(groups.n_rows, batch_size, world_size)
        return
    steps = Steps(groups.n_rows, batch_size, world_size, drop_last)
    dealt = list(deal_steps(order, steps))
    assert len(dealt) == len(steps)
    counts = [np.array([len(each.of_rank(rank)[0]) for rank in range(world_size)]) for each in dealt]
    assert all(count.max() - count.min() <= 1 and count.min() >= 1 for count in counts)
    assert all((count == batch_size).all() for count in counts[:-1])
    taken = [row for each in dealt for row in each.rows.tolist()]
    whole = all_rows(order)
    assert taken == whole[: len(taken)]
    left = len(whole) - len(taken)
    assert left == (len(whole) % (batch_size * world_size) if drop_last else 0)


@given(first=st.integers(0, 150), world_size=st.integers(1, 4), window_rows=st.sampled_from([8, 24, 100]))
def test_dealing_may_begin_at_any_step(first: int, world_size: int, window_rows: int) -> None:
    order = shuffled(chunks(1201, 8), window_rows)
    steps = Steps(1201, 2, world_size)
    whole = list(deal_steps(order, steps))[first:]
    for one, other in zip(deal_steps(order, steps, first), whole, strict=True):
        assert one.step == other.step
        assert all(np.array_equal(a, b) for a, b in zip(one[1:4], other[1:4], strict=True))
        for rank in range(world_size):
            assert np.array_equal(one.of_rank(rank)[0], other.of_rank(rank)[0])


@pytest.mark.parametrize("world_size", [1, 2, 4, 8])
def test_the_rows_of_a_step_are_the_same_on_any_number_of_ranks(world_size: int) -> None:
    order = shuffled(chunks(1000, 10), 80)
    sets = [frozenset(each.rows.tolist()) for each in deal_steps(order, Steps(1000, 64 // world_size, world_size))]
    assert sets == [frozenset(each.rows.tolist()) for each in deal_steps(order, Steps(1000, 64, 1))]


def decodes(dealt: list[Dealt], n_groups: int) -> float:
    return (
        len({pair for each in dealt for pair in zip(each.ranks.tolist(), each.groups.tolist(), strict=True)}) / n_groups
    )


@pytest.mark.parametrize("world_size", [2, 8, 64])
@pytest.mark.parametrize("windows_per_step", [1, 1.2, 1.5, 2, 2.7, 4, 6.3])
@pytest.mark.parametrize("extra_rows", [0, 777])
def test_over_all_ranks_each_chunk_is_read_about_once(
    world_size: int, windows_per_step: float, extra_rows: int
) -> None:
    """Where a step spans a window: at most 1.3 times, also where windows do not end where steps do."""
    step_rows = 256 * world_size
    groups = chunks(step_rows * 6 + extra_rows, 64)
    order = shuffled(groups, max(64, int(step_rows / windows_per_step) // 64 * 64))
    dealt = list(deal_steps(order, Steps(groups.n_rows, 256, world_size)))
    assert decodes(dealt, len(groups.stored_rows)) <= 1.3


def test_rows_fewer_than_ranks_join_the_step_before() -> None:
    steps = Steps(67, 8, 4)
    assert len(steps) == 2
    assert [steps.bounds(step) for step in range(2)] == [(0, 32), (32, 67)]
    assert [Steps(70, 8, 4).bounds(step) for step in range(3)] == [(0, 32), (32, 64), (64, 70)]
    assert len(Steps(67, 8, 4, drop_last=True)) == 2
