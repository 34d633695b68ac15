"""Files behind URLs of this machine, each test with a disk cache of its own and short waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hf_h5.remote import patience, store_cache
from tests.hub.fixtures import client, hub, running_hub  # noqa: F401

from .serving import Server, serving

N_ROWS = 600


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for what is kept of remote files."""
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(store_cache, "cache_folder", lambda: tmp_path / "blocks")
    return tmp_path / "blocks"


@pytest.fixture(scope="session")
def values() -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "images": random.integers(0, 256, (N_ROWS, 16, 16, 3), np.uint8),
        "labels": np.arange(N_ROWS),
        "signal": random.random((N_ROWS, 40)).astype("f4"),
        "words": np.array([f"word {number}" for number in range(N_ROWS)], object),
    }


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]) -> Path:
    """Chunks with and without filters, a contiguous dataset and strings."""
    file = tmp_path_factory.mktemp("file") / "a.h5"
    with h5py.File(file, "w") as handle:
        handle.create_dataset("images", data=values["images"], chunks=(8, 16, 16, 3), compression="gzip")
        handle.create_dataset("labels", data=values["labels"], chunks=(50,))
        handle["signal"] = values["signal"]
        handle.create_dataset("words", data=values["words"], chunks=(100,), compression="gzip")
        handle["images"].attrs["unit"] = "counts"
    return file


@pytest.fixture
def server(file: Path) -> Iterator[Server]:
    with serving({"a.h5": file.read_bytes()}) as found:
        yield found
