"""How fast windows of signals and patches of volumes come, beside the class that one writes over h5py.

As in ``bench_view`` the contenders take turns and the best round of each counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from hf_h5 import H5TorchView

ROUNDS, SECONDS = 5, 1.0


@dataclass(frozen=True)
class Cut:
    """One line of the table: what a row of the view is, and the corner and shape of each in the stored array."""

    name: str
    path: str
    options: dict[str, Any]
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    batch_size: int
    axis: int = 0
    rival: str = "hand-written"
    at_least: float | None = None
    of_limit: tuple[None, None] = field(default=(None, None))


CUTS = [
    Cut("windows 32 every 1, gzip", "signal", {"window": (32, 1)}, (32, 64), (1, 64), 256),
    Cut("windows 32 every 32, gzip", "signal", {"window": (32, 32)}, (32, 64), (32, 64), 256),
    Cut("windows 32 every 1, contiguous", "plain", {"window": (32, 1)}, (32, 64), (1, 64), 256),
    Cut(
        "windows 256 every 64 along the last axis, gzip",
        "eeg",
        {"window": (256, 64), "axis": -1},
        (64, 256),
        (64, 64),
        64,
        1,
    ),
    Cut("patches 64 of a volume, gzip in chunks of 64", "volume", {"patch": (64, 64, 64)}, (64,) * 3, (64,) * 3, 8),
    Cut("patches 32 of a volume, gzip in chunks of 64", "volume", {"patch": (32, 32, 32)}, (32,) * 3, (32,) * 3, 8),
    Cut("patches 48 of a volume, gzip in chunks of 64", "volume", {"patch": (48, 48, 48)}, (48,) * 3, (48,) * 3, 8),
]


class HandWritten(Dataset):
    """Slices of a dataset, one for each index."""

    def __init__(self, file: Path, cut: Cut) -> None:
        self.dataset, self.cut = h5py.File(file)[cut.path], cut
        sides = zip(self.dataset.shape, cut.shape, cut.stride, strict=True)
        self.corners = list(product(*(range(0, size - length + 1, step) for size, length, step in sides)))

    def __len__(self) -> int:
        return len(self.corners)

    def __getitem__(self, number: int) -> torch.Tensor:
        places = tuple(slice(at, at + size) for at, size in zip(self.corners[number], self.cut.shape, strict=True))
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(self.dataset[places], self.cut.axis, 0)))


def speed(batches: Iterable[Any], batch_size: int) -> float:
    """Rows per second, over an epoch or its first second."""
    start, n_rows = time.perf_counter(), 0
    for _ in batches:
        n_rows += batch_size
        if time.perf_counter() - start > SECONDS:
            break
    return n_rows / (time.perf_counter() - start)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("cuts") / "cuts.h5"
    signal = rng.standard_normal((100_000, 64)).round(2).astype("<f4")
    with h5py.File(path, "w") as handle:
        handle.create_dataset("signal", data=signal, chunks=(1024, 64), compression="gzip", shuffle=True)
        handle.create_dataset("eeg", data=signal.T, chunks=(64, 1024), compression="gzip", shuffle=True)
        handle.create_dataset("plain", data=signal)
        volume = rng.integers(0, 8, (320, 320, 320), np.uint8)
        handle.create_dataset("volume", data=volume, chunks=(64, 64, 64), compression="gzip")
    return path


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name)
def bench_cuts(cut: Cut, file: Path, report: Any) -> None:
    # A cache that does not keep the file from round to round, as it would not keep a larger one from epoch to epoch.
    view = H5TorchView(file, columns=[cut.path], cache_bytes="8MB", **cut.options).with_format("torch", dtype=None)
    rival = HandWritten(file, cut)
    assert len(view) == len(rival)
    speeds = {"hf_h5": 0.0, cut.rival: 0.0}
    for number in range(ROUNDS):
        mine = view.loader(cut.batch_size, shuffle=True, seed=number)
        theirs = DataLoader(rival, cut.batch_size, shuffle=True)
        speeds["hf_h5"] = max(speeds["hf_h5"], speed(mine, cut.batch_size))
        speeds[cut.rival] = max(speeds[cut.rival], speed(theirs, cut.batch_size))
    report(cut, speeds)
    view.close()
