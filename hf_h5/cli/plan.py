"""``hf-h5 plan``: a conversion as a file, for arrays of jobs."""

from __future__ import annotations

import argparse
from typing import Any

from .convert import add_shards
from .options import add_options, given_options

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "plan",
        help="write down how files are converted, for arrays of jobs",
        description="Look at HDF5 files once and write down which rows make which shard. Any number of jobs then "
        "convert them: hf-h5 convert --plan plan.json --shard I/N -o OUT.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="HDF5 files, or patterns in quotes")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="where to: plan.json, or a URL")
    add_shards(parser)
    add_options(parser, "arrays", "join", "on_bad_files", "batch_size", "on_bad_rows")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..tools.convert import run_plan

    return run_plan(
        arguments.files,
        arguments.output,
        options=given_options(arguments),
        max_shard_size=arguments.max_shard_size,
        format=arguments.format,
        console=arguments.console,
    )
