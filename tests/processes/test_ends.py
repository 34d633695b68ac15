"""An epoch that nobody finishes: the program ends in its middle, or the collector finds what is left of it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py._objects import phil

import hf_h5

from .ranks import ROOT

N_ROWS = 6000

KEPT = """
import sys
sys.setswitchinterval(1)  # whoever works goes on when the program ends
import hf_h5
passing = iter(hf_h5.H5TorchView(sys.argv[1]).loader(64, shuffle=True, prefetch=8))
for _ in range(3):
    next(passing)
"""

FAILED = (
    KEPT
    + """
for batch in passing:
    raise SystemExit(3)
"""
)


@pytest.mark.parametrize(("code", "status"), [(KEPT, 0), (FAILED, 3)], ids=["kept", "failed"])
def test_a_program_that_ends_in_the_middle_of_an_epoch_just_ends(tmp_path: Path, code: str, status: int) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        handle["image"] = np.zeros((N_ROWS, 64, 64, 3), np.uint8)
    command = [sys.executable, "-c", code, str(tmp_path / "a.h5")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("held", ["h5py", "files"])
def test_the_collector_ends_an_epoch_while_this_thread_holds_a_lock(tmp_path: Path, held: str) -> None:
    """Its threads wait for that lock, so that this one must not wait for them for ever."""
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        # Only the HDF5 library reads it.
        outside = handle.create_dataset("x", (N_ROWS, 100), "i2", external=[(str(tmp_path / "x.bin"), 0, N_ROWS * 200)])
        outside[:] = np.arange(N_ROWS)[:, None]
    with hf_h5.H5TorchView(tmp_path / "a.h5", allow_external=tmp_path) as view:
        passing = iter(view.loader(16, shuffle=True, exact=True))
        next(passing)
        cycle: list[Any] = [passing]
        cycle.append(cycle)
        with phil if held == "h5py" else view._source._library._lock:
            time.sleep(0.2)  # by now they wait
            del cycle, passing
            gc.collect()
        found = np.concatenate([batch["x"][:, 0] for batch in view.loader(500, shuffle=True)])
        np.testing.assert_array_equal(np.sort(found), np.arange(N_ROWS))
