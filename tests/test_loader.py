"""Batches made by threads: every row of an epoch once, on any number of ranks, resumed anywhere, never overwritten."""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import hf_h5
from hf_h5.errors import ClosedError, DamagedFileError, OptionError
from tests.exact import assert_exact

N_ROWS = 203


def write_images(file: Path, n_rows: int = N_ROWS, **storage: Any) -> Path:
    """Write images that tell their row, in chunks of eight rows, and columns of every kind."""
    random = np.random.default_rng(0)
    with h5py.File(file, "w") as handle:
        images = random.integers(0, 256, (n_rows, 6, 5), np.uint8)
        images[:, 0, 0] = np.arange(n_rows) % 256
        handle.create_dataset("images", data=images, **(storage or {"chunks": (8, 6, 5), "compression": "gzip"}))
        handle.create_dataset("row", data=np.arange(n_rows), chunks=(50,), compression="gzip")
        handle["names"] = [f"n{number}" for number in range(n_rows)]
        lists = handle.create_dataset("lists", (n_rows,), h5py.vlen_dtype(np.dtype("i4")))
        for number in range(n_rows):
            lists[number] = np.arange(number % 4)
        handle["truth"] = np.arange(n_rows) % 3 == 0
    return file


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hf_h5.H5TorchView]:
    file = write_images(tmp_path_factory.mktemp("loader") / "images.h5")
    with hf_h5.H5TorchView(file, threads=3) as opened:
        yield opened


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hf_h5.H5TorchView]:
    file = write_images(tmp_path_factory.mktemp("loader") / "plain.h5", chunks=None)
    with hf_h5.H5TorchView(file, threads=3) as opened:
        yield opened


@pytest.fixture(autouse=True)
def decoded_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small files be read as large ones are: chunks into blocks, not through the cache."""
    monkeypatch.setattr("hf_h5.loader.layout._CACHE_SHARE", 0)
    monkeypatch.setattr("hf_h5.loader.blocks._TASK_BYTES", 600)


def rows_of(batches: Any) -> list[list[int]]:
    return [batch["row"].tolist() for batch in batches]


def flat(batches: Any) -> list[int]:
    return [row for batch in rows_of(batches) for row in batch]


SETTINGS: list[dict[str, Any]] = [
    {},
    {"shuffle": True},
    {"shuffle": True, "shuffle_bytes": 3000},
    {"shuffle": True, "shuffle_bytes": 1, "prefetch": 1},
    {"shuffle": True, "exact": True},
    {"shuffle_bytes": 2000},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", [("torch", {}), ("torch", {"dtype": None}), ("numpy", {}), (None, {})], ids=str)
def test_batches_are_what_the_view_gives_for_their_rows(view: Any, kind: Any, settings: dict[str, Any]) -> None:
    formatted = view.with_format(kind[0], **kind[1])
    seen: list[int] = []
    for batch in formatted.loader(16, **settings):
        rows = [int(row) for row in batch["row"]]
        assert_exact(batch, formatted[rows])
        seen += rows
    assert sorted(seen) == list(range(N_ROWS))
    assert settings.get("shuffle") or seen == sorted(seen)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_plain_rows_come_the_same_way(plain: Any, settings: dict[str, Any]) -> None:
    chosen = plain.select_columns(["images", "row", "truth"])
    batches = list(chosen.loader(16, **settings))
    assert sorted(flat(batches)) == list(range(N_ROWS))
    for batch in batches:
        assert_exact(batch, chosen[batch["row"].tolist()])


@given(
    rows=st.lists(st.integers(0, N_ROWS - 1), min_size=1, max_size=60),
    batch_size=st.integers(1, 20),
    shuffle=st.booleans(),
    shuffle_bytes=st.integers(1, 4000),
)
def test_views_of_some_rows_load_each_as_often_as_they_hold_it(
    view: Any, rows: list[int], batch_size: int, shuffle: bool, shuffle_bytes: int
) -> None:
    loader = view.select(rows).loader(batch_size, shuffle, shuffle_bytes=shuffle_bytes)
    found = flat(loader)
    assert sorted(found) == sorted(rows)
    assert shuffle or found == rows


def test_tuples_transforms_and_chosen_columns_come_as_from_the_view(view: Any) -> None:
    chosen = view.as_tuple("names", "row")
    for names, rows in chosen.loader(50):
        assert names == [f"n{row}" for row in rows.tolist()]
    threads = set()

    def negate(batch: dict[str, Any]) -> dict[str, Any]:
        threads.add(threading.current_thread())
        return {"minus": -batch["row"]}

    batches = list(view.with_transform(negate).loader(100))
    assert batches[2]["minus"].tolist() == [-200, -201, -202]
    assert threads == {threading.main_thread()}
    assert set(next(iter(view.select_columns("row").loader(2)))) == {"row"}


def test_missing_values_stay_missing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        for number in range(4):
            group = handle.create_group(f"demo_{number}")
            group.create_dataset("x", data=np.arange(10) + 10 * number, chunks=(4,), compression="gzip")
            if number != 2:
                group.attrs["score"] = number / 2
    view = hf_h5.H5TorchView(tmp_path / "a.h5", layout="episodes").with_format(None)
    for batch in view.loader(3, shuffle=True, shuffle_bytes=1000):
        assert batch["score"] == [None if x[0] == 20 else x[0] / 20 for x in batch["x"]]


@pytest.mark.parametrize("prefetch", [1, 3, 50])
def test_a_tensor_given_to_the_consumer_is_never_overwritten(view: Any, prefetch: int) -> None:
    formatted = view.with_format("torch", dtype=None).select_columns(["images", "row"])
    loader = formatted.loader(16, shuffle=True, shuffle_bytes=2000, prefetch=prefetch)
    kept, copies = [], []
    for _ in range(3):
        for batch in loader:
            kept.append(batch["images"][::2])
            copies.append(batch["images"][::2].clone())
            del batch
            gc.collect(0)
    assert all(torch.equal(one, other) for one, other in zip(kept, copies, strict=True))


@pytest.mark.parametrize("kind", [("torch", {}), ("torch", {"dtype": None}), ("numpy", {})], ids=str)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_who_keeps_every_batch_of_two_epochs_finds_them_unchanged(
    tmp_path: Path, kind: Any, settings: dict[str, Any]
) -> None:
    # Batches of 160 KB and more: memory of that size is used again when it is free.
    images = np.random.default_rng(1).integers(0, 256, (130, 10_007), np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        handle.create_dataset("images", data=images, chunks=(8, 10_007), compression="gzip", compression_opts=1)
        handle["row"] = np.arange(130)
    with hf_h5.H5TorchView(tmp_path / "a.h5") as opened:
        loader = opened.with_format(kind[0], **kind[1]).loader(16, **settings)
        kept = [batch for _ in range(2) for batch in loader]
        dropped = sum(len(batch["row"]) for batch in loader)  # an epoch whose memory is free for others
    assert dropped == 130
    assert sorted(flat(kept)) == sorted([*range(130)] * 2)
    for batch in kept:
        np.testing.assert_array_equal(np.asarray(batch["images"]), images[batch["row"].tolist()])


@pytest.mark.parametrize("exact", [False, True])
def test_memory_of_dropped_batches_is_used_again(tmp_path: Path, exact: bool) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        handle.create_dataset("images", (128, 10_000), "u1", chunks=(8, 10_000), compression="gzip")
    with hf_h5.H5TorchView(tmp_path / "a.h5").with_format("torch", dtype=None) as opened:
        loader = opened.loader(16, shuffle=True, prefetch=2, exact=exact, shuffle_bytes="640KB")
        addresses = {batch["images"].data_ptr() for _ in range(6) for batch in loader}
    # Of 48 batches; two windows of two batches, or as many batches as are under way.
    assert len(addresses) <= 12


def test_each_pass_is_the_next_epoch_unless_one_is_set(view: Any) -> None:
    loader, other = (view.loader(16, shuffle=True, seed=4) for _ in range(2))
    first, second = rows_of(loader), rows_of(loader)
    assert first != second
    assert loader.epoch == 1
    other.set_epoch(1)
    assert rows_of(other) == second
    other.set_epoch(0)
    assert rows_of(other) == first
    assert rows_of(view.loader(16, shuffle=True, seed=5)) != first


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "settings", [{}, {"shuffle": True, "shuffle_bytes": 3000}, {"shuffle": True, "exact": True}], ids=str
)
def test_ranks_share_each_step(view: Any, world_size: int, settings: dict[str, Any]) -> None:
    chosen = view.select_columns("row")
    ranks = [
        rows_of(chosen.loader(30 // world_size, rank=rank, world_size=world_size, **settings))
        for rank in range(world_size)
    ]
    assert len({len(batches) for batches in ranks}) == 1
    whole = rows_of(chosen.loader(30 // world_size * world_size, **settings))
    for step, batches in zip(whole, zip(*ranks, strict=True), strict=True):
        assert sorted(row for batch in batches for row in batch) == sorted(step)


@pytest.mark.parametrize(("before", "after"), [(1, 1), (1, 3), (4, 1), (2, 2), (2, 5)])
@pytest.mark.parametrize(
    "settings", [{}, {"shuffle": True, "shuffle_bytes": 3000}, {"shuffle": True, "exact": True}], ids=str
)
@pytest.mark.parametrize("stop_at", [0, 1, 3])
def test_any_ranks_state_resumes_any_number_of_ranks(
    view: Any, before: int, after: int, settings: dict[str, Any], stop_at: int
) -> None:
    chosen = view.select_columns("row")
    taken: list[int] = []
    states = []
    for rank in range(before):
        loader = chosen.loader(8, rank=rank, world_size=before, **settings)
        passing = iter(loader)
        taken += flat(next(passing) for _ in range(stop_at))
        states.append(loader.state_dict())
    assert all(state == states[0] for state in states)
    for rank in range(after):
        loader = chosen.loader(8, rank=rank, world_size=after, **settings)
        loader.load_state_dict(states[-1])
        taken += flat(loader)
    assert sorted(taken) == list(range(N_ROWS))


LAYOUTS = st.fixed_dictionaries({"batch_size": st.integers(1, 23), "world_size": st.integers(1, 9)})


@given(data=st.data(), kind=st.sampled_from(["in order", "shuffled", "exact"]), epoch=st.integers(0, 2))
def test_any_state_of_any_rank_resumes_any_layout_again_and_again(
    view: Any, data: st.DataObject, kind: str, epoch: int
) -> None:
    """Ranks stop at any batch, and others go on from any rank's state, until an epoch ends: each row comes once."""
    settings = {"shuffle": kind != "in order", "exact": kind == "exact", "shuffle_bytes": 3000, "seed": 9}
    state, taken = None, 0
    seen: list[int] = []
    while taken < N_ROWS:
        layout = data.draw(LAYOUTS)
        ranks = [view.sampler(rank=rank, **layout, **settings) for rank in range(layout["world_size"])]
        if N_ROWS - taken < layout["world_size"] and state is not None:
            with pytest.raises(OptionError, match="cannot be shared"):
                ranks[0].load_state_dict(state)
            continue
        stop = data.draw(st.integers(1, 12))
        for sampler in ranks:
            sampler.set_epoch(epoch) if state is None else sampler.load_state_dict(state)
            seen += [row for batch in itertools.islice(sampler, stop) for row in batch]
        states = [sampler.state_dict() for sampler in ranks]
        assert all(each == states[0] for each in states)
        state = json.loads(json.dumps(data.draw(st.sampled_from(states))))
        taken = state["row"] if state["epoch"] == epoch else N_ROWS
        assert len(seen) == taken
    assert sorted(seen) == list(range(N_ROWS))


def test_a_resumed_pass_gives_the_very_batches_and_then_the_next_epoch(view: Any) -> None:
    settings = {"shuffle": True, "shuffle_bytes": 3000, "rank": 1, "world_size": 2}
    loader = view.loader(8, **settings)
    whole = [rows_of(loader), rows_of(loader)]
    loader.set_epoch(0)
    passing = iter(loader)
    for _ in range(5):
        next(passing)
    state = loader.state_dict()
    again = view.loader(8, **settings)
    again.load_state_dict(state)
    assert rows_of(again) == whole[0][5:]
    assert rows_of(again) == whole[1]
    ended = again.state_dict()
    third = view.loader(8, **settings)
    third.load_state_dict(ended)
    assert third.epoch == 2


def test_a_training_loop_that_sets_every_epoch_goes_on_from_a_loaded_state(view: Any) -> None:
    loader = view.loader(16, shuffle=True)
    epochs = [rows_of(loader) for _ in range(3)]
    loader.set_epoch(1)
    passing = iter(loader)
    for _ in range(4):
        next(passing)
    state = loader.state_dict()
    passing.close()
    resumed = view.loader(16, shuffle=True)
    resumed.load_state_dict(state)
    iter(resumed)  # frameworks make iterators which they do not use
    found = []
    for epoch in range(state["epoch"], 3):
        resumed.set_epoch(epoch)
        found.append(rows_of(resumed))
    assert found == [epochs[1][4:], epochs[2]]
    resumed.set_epoch(1)
    assert rows_of(resumed) == epochs[1]


def test_a_state_after_the_last_batch_is_the_start_of_the_next_epoch(view: Any) -> None:
    loader = view.loader(16, shuffle=True)
    passing = iter(loader)
    for _ in range(len(loader)):
        next(passing)
    state = loader.state_dict()
    assert (state["epoch"], state["row"]) == (1, 0)
    assert loader.epoch == 0
    resumed = view.loader(16, shuffle=True)
    resumed.load_state_dict(state)
    assert rows_of(resumed) == rows_of(loader)


def test_a_batch_whose_transform_failed_comes_again(view: Any) -> None:
    fails_at = [3]

    def fail_once(batch: dict[str, Any]) -> dict[str, Any]:
        fails_at[0] -= 1
        if fails_at[0] == 0:
            raise KeyboardInterrupt
        return batch

    loader = view.with_transform(fail_once).loader(10, shuffle=True)
    seen = []
    with contextlib.suppress(KeyboardInterrupt):
        for batch in loader:
            seen.append(batch["row"].tolist())
    assert len(seen) == 2
    resumed = view.loader(10, shuffle=True)
    resumed.load_state_dict(loader.state_dict())
    assert sorted(itertools.chain(*seen, *rows_of(resumed))) == list(range(N_ROWS))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_an_epoch_that_a_fork_inherits_says_so(view: Any) -> None:
    loader = view.loader(10)
    passing = iter(loader)
    next(passing)
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            try:
                list(passing)
            except ClosedError:
                code = 0 if len(list(loader)) == len(loader) else 2
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_states_are_plain_numbers_whatever_the_arguments_were(view: Any) -> None:
    loader = view.loader(np.int64(10), shuffle=True, seed=np.int64(3), world_size=np.int32(2), rank=np.int8(1))
    state = loader.state_dict()
    assert json.loads(json.dumps(state)) == state


@pytest.mark.parametrize("change", [{"row": -10}, {"row": N_ROWS + 1}, {"epoch": 1.5}, {"origin": "0"}], ids=str)
def test_states_that_count_rows_that_there_are_not_are_refused(view: Any, change: dict[str, Any]) -> None:
    loader = view.loader(10)
    with pytest.raises(OptionError, match=f"has {next(iter(change))}="):
        loader.load_state_dict(loader.state_dict() | change)
    with pytest.raises(OptionError, match="no state of a loader: it lacks row, order"):
        loader.load_state_dict({k: v for k, v in loader.state_dict().items() if k not in ("row", "order")})


def test_states_of_another_order_are_refused(view: Any) -> None:
    state = view.loader(8, shuffle=True).state_dict()
    for other in (view.loader(8), view.loader(8, shuffle=True, seed=1), view.take(9).loader(3, shuffle=True)):
        with pytest.raises(OptionError, match="the state was taken with"):
            other.load_state_dict(state)
    with pytest.raises(OptionError, match="version"):
        view.loader(8).load_state_dict({})


def test_an_abandoned_pass_leaves_no_thread_and_the_next_is_another_epoch(view: Any) -> None:
    before = threading.active_count()
    loader = view.loader(8, shuffle=True)
    passing = iter(loader)
    next(passing)
    assert threading.active_count() > before
    passing.close()
    assert threading.active_count() == before
    for _ in loader:
        break
    assert threading.active_count() == before
    assert loader.epoch == 1


def test_what_goes_wrong_in_a_thread_names_its_place_at_the_consumer(tmp_path: Path) -> None:
    file = write_images(tmp_path / "damaged.h5")
    with h5py.File(file) as handle:
        info = handle["images"].id.get_chunk_info(12)
    with file.open("r+b") as handle:
        handle.seek(info.byte_offset)
        handle.write(b"\xff" * info.size)
    before = threading.active_count()
    with hf_h5.H5TorchView(file) as view, pytest.raises(DamagedFileError, match=r"rows 96 to 103.*images") as raised:
        list(view.loader(16, shuffle=True, shuffle_bytes=3000))
    assert any("batch" in note for note in raised.value.__notes__)
    assert threading.active_count() == before


def test_what_the_transform_raises_comes_as_it_is(view: Any) -> None:
    def fail(batch: Any) -> Any:
        raise ZeroDivisionError("mine")

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError, match="mine"):
        next(iter(view.with_transform(fail).loader(8)))
    assert threading.active_count() == before


def test_no_rows_are_no_batches(view: Any) -> None:
    assert list(view.select([]).loader(4, shuffle=True)) == []
    assert len(view.take(3).loader(4, drop_last=True)) == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 0},
        {"batch_size": 2.5},
        {"seed": -1},
        {"prefetch": 0},
        {"rank": 2, "world_size": 2},
        {"rank": 0},
        {"exact": True},
        {"shuffle_bytes": "lots"},
        {"batch_size": 1, "rank": 0, "world_size": N_ROWS + 1},
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_are_errors(view: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        view.loader(**settings)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("num_workers", "threads of this process"),
        ("collate_fn", "with_transform"),
        ("batchsize", "batch_size, shuffle, seed"),
    ],
)
def test_arguments_of_a_dataloader_say_what_to_do_instead(view: Any, name: str, said: str) -> None:
    with pytest.raises(OptionError, match=rf"loader\(\) has no argument {name}=\n  hint: .*{said}"):
        view.loader(8, **{name: 2})


def test_the_report_counts_what_the_order_costs(view: Any) -> None:
    report = view.loader(8, shuffle=True, shuffle_bytes=3000).report()
    assert report.decodes_per_chunk == 1
    assert report.read_amplification == pytest.approx(1, abs=0.05)
    assert 0 < report.randomness < 1
    exact = view.loader(8, shuffle=True, exact=True).report()
    assert exact.randomness == pytest.approx(1, abs=0.1)
    assert exact.decodes_per_chunk > 5
    assert "decodes: 1.00 of each chunk" in str(report)


@pytest.mark.parametrize("world_size", [2, 8, 64])
@pytest.mark.parametrize("windows_per_step", [1, 2, 4])
def test_over_many_ranks_each_chunk_is_decoded_about_once(
    tmp_path: Path, world_size: int, windows_per_step: int
) -> None:
    step_rows = 32 * world_size
    n_rows = 5 * step_rows + 77
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        handle.create_dataset("row", data=np.arange(n_rows), chunks=(16,), compression="gzip")
    with hf_h5.H5TorchView(tmp_path / "a.h5") as opened:
        # Two windows are in memory.
        settings = {"shuffle": True, "shuffle_bytes": 2 * 8 * step_rows // windows_per_step}
        report = opened.loader(32, rank=1, world_size=world_size, **settings).report()
        assert report.window_rows == step_rows // windows_per_step
        assert report.examined_rows == n_rows
        assert report.decodes_per_chunk <= 1.3
        counts = np.zeros(n_rows, np.int64)
        for rank in range(world_size):
            np.add.at(counts, flat(opened.loader(32, rank=rank, world_size=world_size, **settings)), 1)
    assert (counts == 1).all()


def test_chunks_are_decoded_once_in_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hf_h5.read.codecs import Decoder

    decoded = []
    decode = Decoder.decode

    def counted(self: Decoder, *args: Any) -> None:
        decoded.append(args)
        decode(self, *args)

    with hf_h5.H5TorchView(write_images(tmp_path / "a.h5"), columns=["images"], cache_bytes=0) as view:
        view[0]  # the first read compares rows with those of the library
        monkeypatch.setattr(Decoder, "decode", counted)
        list(view.loader(16, shuffle=True, shuffle_bytes=3000))
    assert len(decoded) == -(-N_ROWS // 8)


def test_samplers_give_the_order_of_the_loader_to_a_data_loader(view: Any) -> None:
    settings = {"shuffle": True, "seed": 3, "shuffle_bytes": 3000}
    expected = rows_of(view.loader(16, **settings))
    sampler = view.sampler(16, **settings)
    assert len(sampler) == len(expected)
    data_loader = torch.utils.data.DataLoader(view, batch_sampler=sampler, collate_fn=hf_h5.collate)
    assert rows_of(data_loader) == expected
    assert rows_of(data_loader) != expected
    sampler.set_epoch(0)
    passing = iter(sampler)
    next(passing)
    state = sampler.state_dict()
    again = view.sampler(16, **settings)
    again.load_state_dict(state)
    assert [view[batch]["row"].tolist() for batch in again] == expected[1:]


def test_a_sampler_of_rows_resumes_at_the_row(view: Any) -> None:
    sampler = view.sampler(shuffle=True)
    passing = iter(sampler)
    taken = [next(passing) for _ in range(100)]
    again = view.sampler(shuffle=True)
    again.load_state_dict(sampler.state_dict())
    assert sorted(taken + list(again)) == list(range(N_ROWS))
    assert len(again) == N_ROWS
