"""A plain DataLoader over a view: each way to start workers, both collates, rows in order and each once.

Workers that import torch anew take seconds, so what is not about how they start is tried with the quickest way.
"""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

import hf_h5
from hf_h5.errors import FileChangedError, RowError
from tests.exact import assert_exact
from tests.written import digits, write_digits, write_h5

METHODS = [method for method in ("fork", "forkserver", "spawn") if method in multiprocessing.get_all_start_methods()]
N_ROWS = 50

every_method = pytest.mark.parametrize("method", METHODS)
both_collates = pytest.mark.parametrize("collate", [default_collate, hf_h5.collate], ids=["default", "hf_h5"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_digits(tmp_path / "digits.h5", N_ROWS, chunks=True, compression="gzip")


@pytest.fixture(autouse=True)
def _no_worker_outlives_its_test() -> Iterator[None]:
    # Clients of other tests may be there for the whole session.
    before = set(multiprocessing.active_children())
    yield
    gc.collect()
    assert set(multiprocessing.active_children()) <= before


def joined(loader: Any) -> dict[str, Any]:
    """Put the batches of an epoch together."""
    batches = list(loader)
    return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}


def expected() -> dict[str, Any]:
    rows = digits(N_ROWS)
    return {name: torch.tensor(rows[name], dtype=torch.int64) for name in ("images", "labels")}


@both_collates
def test_without_workers_an_epoch_holds_every_row_in_order(file: Path, collate: Any) -> None:
    with hf_h5.H5TorchView(file) as view:
        assert_exact(joined(DataLoader(view, batch_size=7, collate_fn=collate)), expected())


@both_collates
def test_workers_give_the_same_epoch(file: Path, collate: Any) -> None:
    with hf_h5.H5TorchView(file) as view:
        assert_exact(joined(DataLoader(view, batch_size=7, num_workers=2, collate_fn=collate)), expected())


@every_method
def test_a_view_that_was_read_before_the_workers_start_goes_on_in_both(file: Path, method: str) -> None:
    with hf_h5.H5TorchView(file) as view:
        before = view[3]
        loader = DataLoader(view, batch_size=7, num_workers=2, multiprocessing_context=method)
        batches = iter(loader)
        first = next(batches)
        between = view[3]
        rest = list(batches)
        assert_exact(before, between)
        assert_exact(view[3], before)
    found = {name: torch.cat([first[name], *(batch[name] for batch in rest)]) for name in first}
    assert_exact(found, expected())


@every_method
def test_persistent_workers_give_every_epoch_whole(file: Path, method: str) -> None:
    with hf_h5.H5TorchView(file) as view:
        loader = DataLoader(
            view,
            batch_size=8,
            num_workers=2,
            multiprocessing_context=method,
            persistent_workers=True,
            shuffle=True,
            collate_fn=hf_h5.collate,
        )
        epochs = [joined(loader) for _ in range(3)]
        del loader
    for epoch in epochs:
        order = torch.argsort(epoch["labels"])
        assert_exact({name: values[order] for name, values in epoch.items()}, expected())
    assert not torch.equal(epochs[0]["labels"], epochs[1]["labels"])


def test_a_selection_of_a_view_reaches_the_workers(file: Path) -> None:
    rows = [40, 3, 3, 17, 49]
    with hf_h5.H5TorchView(file) as view:
        chosen = view.select(rows).select_columns(["labels"]).with_format("torch", dtype=torch.int32)
        loader = DataLoader(chosen, batch_size=2, num_workers=2)
        assert_exact(joined(loader), {"labels": torch.tensor(rows, dtype=torch.int32)})


@pytest.mark.parametrize("workers", [0, 2])
def test_tuples_come_as_a_hand_written_dataset_gives_them(file: Path, workers: int) -> None:
    with hf_h5.H5TorchView(file) as view:
        pairs = view.as_tuple("images", "labels")
        batches = list(DataLoader(pairs, batch_size=16, num_workers=workers))
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert_exact({"images": images, "labels": labels}, expected())
    assert isinstance(batches[0], list | tuple)


@both_collates
def test_strings_and_lists_pass_the_collate_that_takes_them(tmp_path: Path, collate: Any) -> None:
    names = np.array(["a", "bb", "", "日"], object)
    with hf_h5.H5TorchView(write_h5(tmp_path / "a.h5", {"name": names, "x": np.arange(4.0)})) as view:
        batches = list(DataLoader(view, batch_size=3, collate_fn=collate))
    assert [name for batch in batches for name in batch["name"]] == names.tolist()


@pytest.mark.parametrize("method", METHODS[:1] + METHODS[-1:])
def test_workers_read_through_the_library_too(tmp_path: Path, method: str) -> None:
    # Variable-length strings and scale-offset chunks do not come by bytes.
    values = np.arange(60, dtype=np.int32).reshape(20, 3)
    file = write_h5(tmp_path / "a.h5", {"x": values}, chunks=(4, 3), scaleoffset=0)
    write_h5(tmp_path / "b.h5", {"name": np.array([f"row {i}" for i in range(20)], object)})
    with hf_h5.H5TorchView([str(file), str(tmp_path / "b.h5")], join="columns") as view:
        assert view[5]["name"] == "row 5"
        loader = DataLoader(view, batch_size=6, num_workers=2, multiprocessing_context=method)
        batches = list(loader)
    assert torch.cat([batch["x"] for batch in batches]).tolist() == values.tolist()
    assert [name for batch in batches for name in batch["name"]] == [f"row {i}" for i in range(20)]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_a_worker_reaches_the_loop_with_its_message(file: Path, workers: int) -> None:
    with hf_h5.H5TorchView(file) as view:
        loader = DataLoader(view, sampler=[1, 2, N_ROWS], batch_size=1, num_workers=workers)
        with pytest.raises(IndexError, match=r"out of range for 50 rows[\s\S]*digits\.h5") as caught:
            list(loader)
        assert isinstance(caught.value, RowError) or workers


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_changed_reaches_the_loop_from_a_worker(file: Path, workers: int) -> None:
    with hf_h5.H5TorchView(file) as view:
        view[0]
        write_digits(file.with_name("other.h5"), 20).replace(file)
        with pytest.raises((FileChangedError, OSError), match=r"digits\.h5"):
            list(DataLoader(view, batch_size=4, num_workers=workers))


def test_collate_hands_the_block_through_without_a_copy(file: Path) -> None:
    with hf_h5.H5TorchView(file) as view:
        rows = view.__getitems__([3, 1])
        assert len(rows) == 2
        assert rows[0]["labels"] == 3
        block = hf_h5.collate(rows)
        assert block is hf_h5.collate(rows)
        assert_exact(block, view[[3, 1]])
        assert_exact(hf_h5.collate([view[3], view[1]]), block)


def rows_by_label(rows: Any) -> Any:
    rows.sort(key=lambda row: -int(row["labels"]))
    return rows


@pytest.mark.parametrize("workers", [0, 2])
def test_a_collate_may_do_with_rows_what_lists_allow(file: Path, workers: int) -> None:
    with hf_h5.H5TorchView(file) as view:
        batches = list(DataLoader(view, batch_size=4, num_workers=workers, collate_fn=rows_by_label))
        first = view.__getitems__([2, 0, 1])
        labels = [row["labels"] for row in [*first[:1], *first[1:]]]
        assert [row["labels"] for row in [view[5], *first]] == [row["labels"] for row in first.__radd__([view[5]])]
        assert labels == [view[row]["labels"] for row in (2, 0, 1)]
        del first[0]
        first[0] = view[7]
        # What was changed is collated anew.
        assert_exact(hf_h5.collate(first), view[[7, 1]])
    found = [[int(row["labels"]) for row in batch] for batch in batches]
    assert found == [sorted(batch, reverse=True) for batch in found]
    assert len([row for batch in found for row in batch]) == len(view)


@both_collates
def test_a_sampler_of_whole_batches(file: Path, collate: Any) -> None:
    with hf_h5.H5TorchView(file) as view:
        whole = collate if collate is hf_h5.collate else None
        loader = DataLoader(view, batch_size=None, sampler=[[3, 1], [2, 5]], collate_fn=whole)
        assert_exact(list(loader), [view[[3, 1]], view[[2, 5]]])
