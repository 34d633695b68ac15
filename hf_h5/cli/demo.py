"""``hf-h5 demo``: the whole path."""

from __future__ import annotations

import argparse
from typing import Any

from .options import add_options, given_options

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "demo",
        help="the whole path: convert, open, compare, train, draw",
        description="Convert an HDF5 file to a datasets.Dataset, open it in place as a torch view, compare every value "
        "of both with h5py, train the same classifier from each, save as Parquet, and draw a picture. "
        "Without FILE: real images of handwritten digits.",
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="an HDF5 file of your own")
    parser.add_argument("-o", "--output", default="demo-output", metavar="FOLDER", help="default: %(default)s")
    add_options(parser, "arrays", "batch_size")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..tools.demo import run_demo

    return run_demo(arguments.file, arguments.output, given_options(arguments), arguments.console)
