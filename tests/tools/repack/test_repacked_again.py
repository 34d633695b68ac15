"""What is stored as it should be is copied as it is, also where the library has some of it in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  # its filters
import numpy as np
import pytest

import hf_h5
from hf_h5.cli import main

ROOT = Path(hf_h5.__file__).parents[1]


@pytest.mark.parametrize("purpose", ["training", "streaming"])
def test_a_repacked_file_is_repacked_again(tmp_path: Path, purpose: str) -> None:
    images = np.random.default_rng(0).integers(0, 9, (3000, 16, 16), np.uint8)
    with h5py.File(tmp_path / "0.h5", "w") as handle:
        handle.create_dataset("images", data=images, chunks=(1, 16, 16), compression="gzip")
    # A process of its own, as the library may end it; that tells of what is written beyond its memory.
    checks = os.environ | {"PYTHONPATH": str(ROOT), "LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3"}
    for number in range(2):
        names = [str(tmp_path / f"{each}.h5") for each in (number, number + 1)]
        command = [sys.executable, "-m", "hf_h5.cli", "repack", *names, "--for", purpose]
        settings = checks if number else os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, env=settings, timeout=100)
        assert done.returncode == 0, done.stderr
    assert "0 datasets stored anew, 1 kept" in done.stdout
    with h5py.File(tmp_path / "1.h5") as once, h5py.File(tmp_path / "2.h5") as twice:
        assert twice["images"].chunks == once["images"].chunks
        np.testing.assert_array_equal(twice["images"], images)


def test_small_datasets_in_many_chunks_are_stored_anew_and_others_kept(tmp_path: Path) -> None:
    labels = np.arange(3000) % 7
    with h5py.File(tmp_path / "0.h5", "w") as handle:
        handle.create_dataset("single", data=labels, chunks=(1,), compression="gzip")
        handle.create_dataset("growing", data=labels, chunks=(8,), maxshape=(None,))
        handle.create_dataset("kept", data=labels, chunks=(100,), compression="gzip")
    assert main(["repack", str(tmp_path / "0.h5"), str(tmp_path / "1.h5")]) == 0
    with h5py.File(tmp_path / "1.h5") as handle:
        chunks = {name: dataset.chunks for name, dataset in handle.items()}
        assert chunks == {"single": (3000,), "growing": (3000,), "kept": (100,)}
        assert handle["growing"].maxshape == (None,)
        for dataset in handle.values():
            np.testing.assert_array_equal(dataset, labels)
