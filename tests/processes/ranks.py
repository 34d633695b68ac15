"""Processes that are the ranks of one ``torch.distributed`` job over gloo, on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ROOT", "run_ranks", "start_ranks"]

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def start_ranks(module: str, world_size: int, *arguments: object) -> Iterator[list[subprocess.Popen[str]]]:
    """Start ``python -m module arguments...`` once for each rank, in the environment that ``torchrun`` would make."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(world_size),
        "LOCAL_WORLD_SIZE": str(world_size),
        "GLOO_SOCKET_IFNAME": "lo",
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world_size)
    ]
    try:
        yield ranks
    finally:
        for process in ranks:
            process.kill()
            process.communicate()


def run_ranks(module: str, world_size: int, *arguments: object) -> list[str]:
    """Run all ranks to their end and return what each printed."""
    with start_ranks(module, world_size, *arguments) as ranks:
        outputs = [process.communicate(timeout=100) for process in ranks]
        for process, (_, errors) in zip(ranks, outputs, strict=True):
            assert process.returncode == 0, errors
    return [printed for printed, _ in outputs]
