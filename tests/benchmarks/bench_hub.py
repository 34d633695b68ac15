"""What a push that was interrupted at half costs when it is run again: ``make bench ARGS="-k hub"`` prints the table.

The hub is one of this machine, so that times are those of hashing and of writing to disk; what counts are the bytes.
"""

from __future__ import annotations

import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.hub.client import Client, environment, run_command
from tests.hub.fixtures import ALICE, TOKENS
from tests.hub.loopback import LoopbackHub

N_BYTES, QUICK_BYTES = 2 * 10**9, 10**8
N_SHARDS = 8
ROW = 1024

TITLE = "a push interrupted at half, and run again"
HEADINGS = ("run", "shards uploaded", "uploaded", "seconds", "aim")


@pytest.fixture
def file(request, tmp_path) -> Path:
    """Numbers that do not compress, so that the shards are as large as the rows."""
    n_rows = (QUICK_BYTES if request.config.getoption("--quick") else N_BYTES) // ROW
    values = np.random.default_rng(0)
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        stored = handle.create_dataset("x", (n_rows, ROW // 8), "f8", chunks=(512, ROW // 8))
        for start in range(0, n_rows, 8192):
            stored[start : start + 8192] = values.random((min(8192, n_rows - start), ROW // 8))
    return tmp_path / "x.h5"


def bench_hub(file, tmp_path, add_line):
    size = f"{file.stat().st_size // N_SHARDS // 10**6 + 1}MB"
    command = [
        "convert",
        str(file),
        "--push-to-hub",
        "alice/x",
        "--max-shard-size",
        size,
        "-o",
        str(tmp_path / "shards"),
    ]
    with (
        LoopbackHub(tmp_path / "hub", TOKENS) as hub,
        Client(environment(hub.url, tmp_path / "home", xet=False)) as client,
    ):
        hub.fail("POST", "/preupload/hf-h5-push", 403, skip=N_SHARDS // 2, times=None)
        for run, aim in (("first", ""), ("again", "no finished shard again")):
            start = time.perf_counter()
            done = client.call(run_command, *command, token=ALICE)
            seconds = time.perf_counter() - start
            assert done.code == (2 if run == "first" else 0), done.err
            sent = [each for each in hub.requests("PUT", "/_lfs/") if each.status == 200]
            shards = {each.path.split("/")[2] for each in sent}
            uploaded = sum(each.n_received for each in sent)
            add_line(TITLE, HEADINGS, (run, f"{len(shards)}", f"{uploaded / 1e6:,.0f} MB", f"{seconds:.1f}", aim))
            hub.forget()
