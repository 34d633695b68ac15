"""What all commands have alike: how their help looks, and the flags that say what is printed and how."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["CommandParser", "MainHelp"]

_MAX_WIDTH = 110


class MainHelp(argparse.RawDescriptionHelpFormatter):
    """One line for each command."""

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog, max_help_position=18, **settings)


class _HelpFormatter(argparse.HelpFormatter):
    """One line for most flags."""

    def __init__(self, prog: str, **settings: Any) -> None:
        width = min(_MAX_WIDTH, shutil.get_terminal_size().columns - 1)
        super().__init__(prog, max_help_position=30, width=width, **settings)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Wrap paragraphs and leave lines that fit: what the two formatters of argparse do only one of."""
        return "\n".join(textwrap.fill(line, width) if len(line) > width else line for line in text.splitlines())

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        """Name what must be given; the flags follow below, one a line."""
        kept = [action for action in actions if action.required or not action.option_strings]
        self._prog = f"{self._prog} [OPTIONS]"
        super().add_usage(usage, kept, groups, prefix)


class CommandParser(argparse.ArgumentParser):
    """The parser of one command: has ``--json``, ``--quiet`` and ``--debug`` without asking for them.

    A command that words one of them in its own way adds it again.
    """

    _is_intermixing = False

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=_HelpFormatter, conflict_handler="resolve", **settings)
        group = self.add_argument_group("what to print")
        group.add_argument("--json", action="store_true", help="results as JSON, one line each, nothing shortened")
        group.add_argument("-q", "--quiet", action="store_true", help="only warnings, errors, and what a script needs")
        group.add_argument("--debug", action="store_true", help="show where an error was raised")

    def parse_known_args(  # type: ignore[override]  # argparse types the namespace by overloads
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Take files on both sides of flags, which argparse does not by itself, and refuse what is not known here.

        Here, as it is the usage of the command that is shown then, and not that of ``hf-h5``.
        """
        if self._is_intermixing:
            return super().parse_known_args(args, namespace)
        # Some versions of argparse do this by calling this method twice.
        self._is_intermixing = True
        try:
            found, unknown = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_intermixing = False
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)} (see {self.prog} --help)")
        return found, unknown
