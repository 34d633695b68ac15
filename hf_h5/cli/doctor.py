"""``hf-h5 doctor``: what makes a file slow, what that costs here, and which mode to take."""

from __future__ import annotations

import argparse
from typing import Any

from .messages import reporter
from .options import add_options, given_options

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "doctor",
        help="say why a file is slow, what mends it, which mode to take",
        description="Look at how a file is stored, measure samples here, and say what is slow or may go wrong, "
        "what that costs, what mends it, and which mode to take. Nothing is converted.",
        epilog="exit codes: 0 it can be read, 1 something is broken, 2 wrong usage or no HDF5\n\n"
        "hf-h5 bench FILE measures what is predicted here.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="HDF5 files, or patterns in quotes; each by itself")
    parser.add_argument("--split", metavar="NAME", help="which split; default: the one with the most rows")
    parser.add_argument("--html", metavar="PAGE", help="write a page of it, and of what is in the file, of one file")
    add_options(parser, "arrays")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..tools.doctor.command import run_doctor

    return run_doctor(
        arguments.files,
        arguments.console,
        split=arguments.split,
        on_error=reporter(arguments),
        options=given_options(arguments),
        page=arguments.html,
    )
