"""The command line ``hf-h5``: parses; ``tools`` does the work."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

__all__ = ["main"]

INTERRUPTED = 128 + signal.SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``hf-h5`` with the given arguments; those of the process if None.

    Returns
    -------
    int
        The exit code: 0 done, 1 a check found a difference, 2 wrong usage or an unreadable file, 130 interrupted.
    """
    try:
        from .commands import run_command

        return run_command(argv)
    except KeyboardInterrupt:  # also while modules are imported
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
