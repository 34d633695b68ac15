"""``hf-h5 index``: the indices with which files are read from afar in few requests."""

from __future__ import annotations

import argparse
from typing import Any

from .options import parse_limits

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "index",
        help="write the index with which a file is read from afar",
        description="Write FILE.index beside each HDF5 file. Put it beside the file on a server or in a bucket too: "
        "who opens the file's URL finds it there. `hf-h5 upload` makes it by itself.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="HDF5 files, or patterns in quotes")
    parser.add_argument("--limits", action="append", metavar="NAME=N", help="raise a budget: depth=100")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..tools.index import run_index

    limits = parse_limits(arguments.limits or ())
    return run_index(arguments.files, limits=limits, console=arguments.console)
