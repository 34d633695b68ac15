"""torchdata's StatefulDataLoader over a view: resumed in mid-epoch with workers, batch by batch the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hf_h5

from .rows import N_ROWS, write_rows

stateful = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed: make frameworks")

KINDS = {
    "batch_sampler": lambda view: {"batch_sampler": view.sampler(16, shuffle=True, seed=5)},
    "sampler": lambda view: {"batch_size": 16, "sampler": view.sampler(shuffle=True, seed=5)},
    "in order": lambda view: {"batch_size": 16},
}


@pytest.fixture
def view(tmp_path: Path) -> Iterator[hf_h5.H5TorchView]:
    with hf_h5.H5TorchView(write_rows(tmp_path / "rows.h5")) as opened:
        yield opened


def make_loader(view: Any, kind: str, workers: int) -> Any:
    settings = KINDS[kind](view)
    return stateful.StatefulDataLoader(view, num_workers=workers, collate_fn=hf_h5.collate, **settings)


def rows_of(batches: Any) -> list[list[int]]:
    return [batch["row"].tolist() for batch in batches]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_state_resumes_in_mid_epoch_and_the_next_epochs_follow(view: Any, kind: str, workers: int) -> None:
    loader = make_loader(view, kind, workers)
    epochs = [rows_of(loader) for _ in range(3)]
    assert all(sorted(row for batch in epoch for row in batch) == list(range(N_ROWS)) for epoch in epochs)
    loader = make_loader(view, kind, workers)
    assert rows_of(loader) == epochs[0]
    passing = iter(loader)
    begun = rows_of(next(passing) for _ in range(5))
    resumed = make_loader(view, kind, workers)
    resumed.load_state_dict(loader.state_dict())
    assert begun + rows_of(resumed) == epochs[1]
    assert rows_of(resumed) == epochs[2]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_state_after_an_epoch_begins_the_next(view: Any, kind: str, workers: int) -> None:
    loader = make_loader(view, kind, workers)
    rows_of(loader)
    resumed = make_loader(view, kind, workers)
    resumed.load_state_dict(loader.state_dict())
    assert rows_of(resumed) == rows_of(loader)
    assert rows_of(resumed) == rows_of(loader)
