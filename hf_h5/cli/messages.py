"""What the command line says on stderr: errors without a traceback, and each warning once."""

from __future__ import annotations

import argparse
import errno
import sys
import traceback
from collections.abc import Callable
from typing import TextIO

from ..errors import H5Error, shown
from ..tools.console import LIBRARY_ERRORS, familiar, paint

__all__ = ["EXPECTED", "WarningPrinter", "print_error", "reporter"]

EXPECTED: tuple[type[Exception], ...] = (H5Error, OSError, MemoryError, *LIBRARY_ERRORS)
"""What may go wrong without a fault of this package; anything else is one, and shows its traceback."""


def print_error(error: BaseException) -> None:
    """Say on stderr what went wrong."""
    error = _cause(error)
    text = familiar(str(error) if isinstance(error, H5Error) else shown(str(error)) + _hint_of(error))
    print(f"hf-h5: {paint(type(error).__name__, 'red', stream=sys.stderr)}: {text}", file=sys.stderr)


def _hint_of(error: BaseException) -> str:
    """What to do next about an error of the system, which says no such thing itself."""
    hint = _HINTS.get(error.errno) if isinstance(error, OSError) and error.errno is not None else None
    return f"\n  hint: {hint}" if hint else ""


def _cause(error: BaseException) -> BaseException:
    """What a library's error that says nothing itself was raised from."""
    cause = error.__cause__
    if isinstance(error, H5Error) or not isinstance(cause, EXPECTED):
        return error
    return _cause(cause)


_MAY_NOT = "see who may read and write there, or name another place"
_HINTS = {
    errno.EACCES: _MAY_NOT,
    errno.EPERM: _MAY_NOT,
    errno.EROFS: "name a place that may be written",
    errno.ENOSPC: "make room, or name a place on another disk; what is finished is kept",
    errno.EDQUOT: "make room, or name a place on another disk; what is finished is kept",
    errno.EFBIG: "the disk or a limit (ulimit -f) takes no files of that size: name another place, or smaller shards",
    errno.EMFILE: "let more files be open: ulimit -n 4096",
}
"""By the number of the system's error."""


class WarningPrinter:
    """Prints each warning once, as a line of its own: both modes warn of the same things."""

    def __init__(self) -> None:
        self._printed: set[str] = set()

    def __call__(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """Stand in for `warnings.showwarning`."""
        text = familiar(shown(str(message)))
        if text not in self._printed:
            self._printed.add(text)
            stream = file or sys.stderr
            print(f"hf-h5: {paint('warning', 'yellow', stream=stream)}: {text}", file=stream)


def reporter(arguments: argparse.Namespace) -> Callable[[H5Error | OSError], None]:
    """Return what to do with the error of one file of several."""

    def report(error: H5Error | OSError) -> None:
        if arguments.debug:
            traceback.print_exception(error)
        else:
            print_error(error)

    return report
