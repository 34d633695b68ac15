"""``hf-h5 describe``: what is in files."""

from __future__ import annotations

import argparse
from typing import Any

from .messages import reporter
from .options import add_options, given_options

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "describe",
        help="show what is in HDF5 files, and how it will load",
        description="Show the tables of HDF5 files: their columns and features, which table is the default and why, "
        "sizes, and what is not loaded.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="HDF5 files, or patterns in quotes")
    parser.add_argument("--html", metavar="PAGE", help="write a page with thumbnails and histograms, of one file")
    add_options(parser, "arrays")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..tools.describe import run_describe, run_report

    options, console = given_options(arguments), arguments.console
    if arguments.html:
        return run_report(arguments.files, arguments.html, console, options)
    return run_describe(arguments.files, console, on_error=reporter(arguments), options=options)
