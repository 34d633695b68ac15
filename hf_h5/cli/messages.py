"""What the command line says on stderr: errors without a traceback, and each warning once."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable
from typing import TextIO

from ..errors import H5Error, shown

__all__ = ["WarningPrinter", "print_error", "reporter"]


def print_error(error: BaseException) -> None:
    """Say on stderr what went wrong."""
    print(
        f"hf-h5: {type(error).__name__}: {error if isinstance(error, H5Error) else shown(str(error))}", file=sys.stderr
    )


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
        text = shown(str(message))
        if text not in self._printed:
            self._printed.add(text)
            print(f"hf-h5: warning: {text}", file=file or sys.stderr)


def reporter(arguments: argparse.Namespace) -> Callable[[H5Error | OSError], None]:
    """Return what to do with the error of one file of several."""

    def report(error: H5Error | OSError) -> None:
        if arguments.debug:
            traceback.print_exception(error)
        else:
            print_error(error)

    return report
