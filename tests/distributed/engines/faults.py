"""What goes wrong in the workers of an engine: they are slow, say which they are, and fail once where they are told."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

__all__ = ["FAIL_ONCE", "LOG", "forget", "install", "pids"]

LOG = "HF_H5_TEST_LOG"
"""The variable that names the file in which each worker notes its number whenever it has made a batch."""

FAIL_ONCE = ".fail-once"
"""Beside the log: while this file is there, the next batch takes it away and fails."""


def install() -> None:
    """Make this worker slow and fallible; an engine calls it when a worker begins."""
    from hf_h5.distributed import rows

    made, log = rows.to_arrow_table, Path(os.environ[LOG])

    def faulty(*args: Any, **settings: Any) -> Any:
        with log.open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        time.sleep(0.15)
        try:
            Path(f"{log}{FAIL_ONCE}").unlink()
        except FileNotFoundError:
            return made(*args, **settings)
        raise OSError(errno.EIO, "Input/output error, as a test asked for")

    rows.to_arrow_table = faulty


def pids() -> list[int]:
    """The workers that made batches, in order."""
    log = Path(os.environ[LOG])
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def forget() -> None:
    """Begin a new log."""
    Path(os.environ[LOG]).unlink(missing_ok=True)
