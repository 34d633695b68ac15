"""accelerate over a view: each row of an epoch, on one rank and on two."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

import hf_h5
from tests.processes.ranks import run_ranks

from .rows import N_ROWS, Classifier, write_rows

accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed: make frameworks")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "rows.h5")


@pytest.fixture
def view(file: Path) -> Iterator[hf_h5.H5TorchView]:
    with hf_h5.H5TorchView(file) as opened:
        yield opened


@pytest.mark.parametrize("workers", [0, 2])
def test_a_prepared_data_loader_trains(view: Any, workers: int) -> None:
    accelerator = accelerate.Accelerator(cpu=True)
    classifier = Classifier()
    optimizer = torch.optim.SGD(classifier.parameters(), lr=0.05)
    rows = DataLoader(view, batch_size=16, shuffle=True, num_workers=workers, collate_fn=hf_h5.collate)
    model, optimizer, rows = accelerator.prepare(classifier, optimizer, rows)
    losses = []
    for _ in range(2):
        for batch in rows:
            loss = model(**batch)["loss"]
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    assert losses[-1] < losses[0]
    for epoch in (classifier.seen[:13], classifier.seen[13:]):
        assert sorted(row for batch in epoch for row in batch) == list(range(N_ROWS))


def test_two_ranks_share_the_rows(file: Path) -> None:
    found = [json.loads(printed.splitlines()[-1]) for printed in run_ranks("tests.frameworks.accelerate_rank", 2, file)]
    assert [size for size, _ in found] == [2, 2]
    for way in ("DataLoader", "stream", "loader"):
        ranks = [ways[way] for _, ways in found]
        times = Counter(row for batches in ranks for batch in batches for row in batch)
        assert set(times) == set(range(N_ROWS)), way
        # accelerate fills its last step up with rows that came before, so that ranks do as many; the loader never does.
        assert times.total() <= N_ROWS + (0 if way == "loader" else 2 * 8), way
        assert len(ranks[0]) == len(ranks[1]), way
