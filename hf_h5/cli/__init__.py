"""The command line ``hf-h5``: parses; ``tools`` does the work."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

__all__ = ["main"]

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class _TerminatedError(KeyboardInterrupt):
    """The process is asked to end, by a scheduler or ``kill``: it leaves things as after Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``hf-h5`` with the given arguments; those of the process if None.

    Returns
    -------
    int
        The exit code: 0 done, 1 a check found a difference, 2 wrong usage or an unreadable file, 130 interrupted,
        143 terminated.
    """
    try:
        with _termination_raised():
            from .commands import run_command

            return run_command(argv)
    except _TerminatedError:
        print("\nterminated", file=sys.stderr)
        return TERMINATED
    except KeyboardInterrupt:  # also while modules are imported
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED


@contextmanager
def _termination_raised() -> Iterator[None]:
    """Raise an error where the process would end at once, and leave half-written files and workers behind."""
    in_charge, process = threading.current_thread() is threading.main_thread(), os.getpid()
    if not in_charge or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        # The next one ends it at once; so does the first one a forked child, which has nothing to tidy up.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if os.getpid() != process:
            signal.raise_signal(number)
        raise _TerminatedError

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
