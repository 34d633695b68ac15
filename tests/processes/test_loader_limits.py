"""The loader in a process of its own: memory under a limit, and Ctrl-C in the middle of an epoch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from .ranks import ROOT

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory in use from /proc")

N_CHUNKS, CHUNK_ROWS, ROW_BYTES = 640, 16, 16_384
SMALL = 2

# The budget: a cache of 4 MB, a window of 4 MB, 1 + 4 batches and one that is used of 0.5 MB, and a chunk of 0.25 MB
# for each of two threads: 12 MB. The limit is 16 MB, the file 160 MB.
TRAIN = """
import resource, sys
import numpy as np, torch, hf_h5

def train(file, exact):
    total = 0
    with hf_h5.H5TorchView(file, cache_bytes="4MB", threads=2) as view:
        plain = view.with_format("torch", dtype=None)
        loader = plain.loader(32, shuffle=True, shuffle_bytes="4MB", exact=exact)
        model = torch.nn.Linear(16, 1)
        for batch in loader:
            model(batch["x"][:, :16].float()).sum().backward()
            total += int(batch["row"].sum())
    return total

train(sys.argv[1], False), train(sys.argv[1], True)
lines = open("/proc/self/status").read().splitlines()
used = next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + (16 << 20),) * 2)
print(train(sys.argv[2], sys.argv[3] == "exact"))
"""

INTERRUPTED = """
import sys, threading
import hf_h5
with hf_h5.H5TorchView(sys.argv[1]) as view:
    loader = view.loader(32, shuffle=True)
    while True:
        for batch in loader:
            print("batch", flush=True)
"""

GOES_ON = """
import sys, threading
import hf_h5
with hf_h5.H5TorchView(sys.argv[1]) as view:
    loader = view.loader(32, shuffle=True)
    try:
        while True:
            for batch in loader:
                print("batch", flush=True)
    except KeyboardInterrupt:
        pass
    print([thread.name for thread in threading.enumerate() if thread.name == "hf_h5-loader"])
    print(sum(len(batch["row"]) for batch in loader))
"""


def write_rows(file: Path, n_chunks: int, *, is_packed: bool) -> Path:
    """Write as many chunks as are asked for by packing one."""
    n_rows = n_chunks * CHUNK_ROWS
    rows = np.random.default_rng(0).integers(0, 4, (CHUNK_ROWS, ROW_BYTES), np.uint8)
    with h5py.File(file, "w") as handle:
        handle["row"] = np.arange(n_rows)
        shape = (n_rows, ROW_BYTES)
        if is_packed:
            packed = handle.create_dataset("x", shape, "u1", chunks=rows.shape, compression="gzip", compression_opts=1)
            packed[:CHUNK_ROWS] = rows
            _, stored = packed.id.read_direct_chunk((0, 0))
            for start in range(CHUNK_ROWS, n_rows, CHUNK_ROWS):
                packed.id.write_direct_chunk((start, 0), stored)
        else:
            plain = handle.create_dataset("x", shape, "u1")
            for start in range(0, n_rows, 16 * CHUNK_ROWS):
                plain[start : start + 16 * CHUNK_ROWS] = np.tile(rows, (16, 1))[: n_rows - start]
    return file


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    # Arenas of other threads would each reserve 64 MiB of addresses, used or not.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kind", ["gzip", "contiguous", "exact"])
def test_an_epoch_over_a_file_ten_times_as_large_as_what_it_may_take(tmp_path: Path, kind: str) -> None:
    small = write_rows(tmp_path / "small.h5", SMALL, is_packed=kind == "gzip")
    large = write_rows(tmp_path / "large.h5", N_CHUNKS, is_packed=kind == "gzip")
    with start(TRAIN, small, large, kind) as process:
        printed, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert int(printed) == sum(range(N_CHUNKS * CHUNK_ROWS))


def interrupt(code: str, file: Path) -> tuple[int, str, str]:
    """Start a program, send Ctrl-C when it has printed some batches, and return its status and what it printed."""
    with start(code, file) as process:
        assert process.stdout is not None
        for _ in range(7):
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    return process.returncode, printed, errors


def test_ctrl_c_in_mid_epoch_ends_the_program_and_nothing_else_is_said(tmp_path: Path) -> None:
    status, _, errors = interrupt(INTERRUPTED, write_rows(tmp_path / "a.h5", 64, is_packed=True))
    assert status == -signal.SIGINT
    assert errors.count("Traceback") == 1
    assert errors.strip().endswith("KeyboardInterrupt")


def test_who_catches_ctrl_c_goes_on_with_the_loader(tmp_path: Path) -> None:
    status, printed, errors = interrupt(GOES_ON, write_rows(tmp_path / "a.h5", 64, is_packed=True))
    assert (status, errors) == (0, "")
    assert printed.splitlines()[-2:] == ["[]", str(64 * CHUNK_ROWS)]
