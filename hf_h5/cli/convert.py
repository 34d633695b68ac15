"""``hf-h5 convert``: HDF5 as Parquet."""

from __future__ import annotations

import argparse
from typing import Any

from .options import add_options, given_options

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "convert",
        help="write HDF5 as Parquet; goes on where it stopped",
        description="Convert HDF5 files to a folder of Parquet shards per split, which datasets.load_dataset reads. "
        "Run again after an interruption, it keeps the shards that are finished.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="HDF5 files, or patterns in quotes")
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help="where to; made if it is not there")
    parser.add_argument(
        "--max-shard-size", default="500MB", metavar="SIZE", help="of decoded rows; default: %(default)s"
    )
    parser.add_argument("--overwrite", action="store_true", help="remove what another conversion wrote there")
    add_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..tools.convert import run_convert

    return run_convert(
        arguments.files,
        arguments.output,
        options=given_options(arguments),
        max_shard_size=arguments.max_shard_size,
        overwrite=arguments.overwrite,
    )
