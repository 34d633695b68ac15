"""``hf-h5 upload``: HDF5 files to the Hub as they are."""

from __future__ import annotations

import argparse
from typing import Any

from .options import add_options, given_options

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "upload",
        help="put HDF5 files on the Hub as they are, to be read there",
        description="Upload HDF5 files to a dataset repository, with an index of each for reading rows from afar, and "
        "a card. Name all files of the set: what is there already is not uploaded again, also after an interruption.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="HDF5 files, or patterns in quotes")
    parser.add_argument("--repo", required=True, metavar="USER/NAME", help="the repository; made if it is not there")
    parser.add_argument("--private", action="store_true", help="for your eyes only, if it is new")
    add_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..tools.upload import run_upload

    return run_upload(
        arguments.files,
        arguments.repo,
        private=arguments.private,
        options=given_options(arguments),
        argv=arguments.argv,
        console=arguments.console,
    )
