"""Functions that spawned processes import by name, so that nothing but what is pickled comes from the parent."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from typing import Any

import numpy as np

__all__ = ["loaded_modules", "read_pickled_stream", "read_pickled_view", "read_rows", "sum_of_rows"]


def read_rows(view: Any, rows: list[int]) -> dict[str, Any]:
    """Read rows of a view and return arrays."""
    batch = view[rows]
    return {name: np.asarray(values) for name, values in batch.items()}


def sum_of_rows(view: Any, rows: list[int]) -> tuple[int, float]:
    """Return which process read, and a sum over what it read."""
    return os.getpid(), float(sum(np.asarray(values, np.float64).sum() for values in read_rows(view, rows).values()))


def read_pickled_view(pickled: bytes, rows: list[int]) -> tuple[bool, dict[str, Any]]:
    """Unpickle a view where the package was never imported; say whether it was not."""
    was_imported = "hf_h5" in sys.modules
    view = pickle.loads(pickled)
    return was_imported, read_rows(view, rows)


def read_pickled_stream(pickled: bytes) -> tuple[bool, list[dict[str, Any]]]:
    """Iterate over a pickled ``IterableDataset`` where the package was never imported."""
    was_imported = "hf_h5" in sys.modules
    return was_imported, list(pickle.loads(pickled))


def loaded_modules() -> tuple[list[str], int]:
    """Return the modules of the package here, and how many threads run."""
    return sorted(name for name in sys.modules if name.split(".")[0] == "hf_h5"), threading.active_count()
