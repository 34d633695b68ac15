"""Ranks over gloo: each row of an epoch once, also when they are killed and others go on; torch's own sampler."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import h5py
import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler

import hf_h5
from tests.written import digits

from .ranks import start_ranks

N_ROWS = 203


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = digits(N_ROWS)
    with h5py.File(tmp_path / "digits.h5", "w") as handle:
        for name, values in rows.items():
            handle.create_dataset(name, data=values, chunks=(8, *values.shape[1:]), compression="gzip")
    return tmp_path / "digits.h5"


def read_log(folder: Path, rank: int, n_steps: int) -> list[int]:
    lines = (folder / f"rank{rank}.log").read_text().splitlines()[:n_steps]
    assert len(lines) == n_steps
    return [row for line in lines for row in json.loads(line)]


def test_two_ranks_are_killed_in_mid_epoch_and_one_or_three_go_on(file: Path, tmp_path: Path) -> None:
    with start_ranks("tests.processes.training_rank", 2, file, tmp_path, 9) as ranks:
        for process in ranks:
            assert process.stdout is not None
            for _ in range(6):
                assert process.stdout.readline(), process.communicate()[1]
        for process in ranks:
            process.kill()
        assert [process.wait() for process in ranks] == [-signal.SIGKILL] * 2
    saved = json.loads((tmp_path / "state.json").read_text())
    assert 5 <= saved["step"] <= 9
    taken = [row for rank in range(2) for row in read_log(tmp_path, rank, saved["step"] + 1)]
    with hf_h5.H5TorchView(file) as view:
        for n_ranks in (1, 3):
            rest = [resume(view, saved["loader"], rank, n_ranks) for rank in range(n_ranks)]
            assert sorted(sum(rest, taken)) == list(range(N_ROWS))


def resume(view: hf_h5.H5TorchView, state: dict[str, Any], rank: int, world_size: int) -> list[int]:
    """Return the rows that a rank gets in the rest of the epoch."""
    loader = view.loader(16, shuffle=True, seed=2, shuffle_bytes=3000, rank=rank, world_size=world_size)
    loader.load_state_dict(state)
    assert loader.epoch == 1
    return [row for batch in loader for row in batch["labels"].tolist()]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_sampler_of_torch_shares_a_view_among_ranks(file: Path, workers: int) -> None:
    with hf_h5.H5TorchView(file) as view:
        found = []
        for rank in range(2):
            sampler = DistributedSampler(view, num_replicas=2, rank=rank, seed=4)
            sampler.set_epoch(3)
            rows = DataLoader(view, 16, sampler=sampler, num_workers=workers, collate_fn=hf_h5.collate)
            found.append(torch.cat([batch["labels"] for batch in rows]))
            assert found[-1].tolist() == list(sampler)
    assert set(torch.cat(found).tolist()) == set(range(N_ROWS))
