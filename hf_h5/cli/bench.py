"""``hf-h5 bench``: how fast rows come by each way there is, measured."""

from __future__ import annotations

import argparse
from typing import Any

from .options import add_options, given_options

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "bench",
        help="measure how fast rows come: own class, h5py, both modes",
        description="Measure on this machine how fast rows of a file become tensors: by a hand-written class, by h5py "
        "used well, by the cached and the direct mode, and what the machine allows. The first rows are read and, for "
        "the cached mode, converted into a temporary folder; the file is never converted as a whole.",
        epilog="hf-h5 doctor FILE says why, and what to do about it.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="HDF5 files of one table, or patterns in quotes")
    group = parser.add_argument_group("what to measure")
    group.add_argument("--max-bytes", default="256MB", metavar="SIZE", help="so much is read; default: %(default)s")
    group.add_argument("--seconds", type=float, default=1.0, metavar="S", help="for each number; default: %(default)s")
    group.add_argument("--split", metavar="NAME", help="which split; default: the first")
    group.add_argument("--plot", metavar="PNG", help="draw the speeds; needs matplotlib")
    group.add_argument("--report", metavar="HTML", help="write them as a page that stands alone")
    add_options(parser, "arrays", "join", "on_bad_files")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..tools.bench.command import run_bench

    return run_bench(
        arguments.files,
        arguments.console,
        plot=arguments.plot,
        report=arguments.report,
        split=arguments.split,
        max_bytes=arguments.max_bytes,
        seconds=arguments.seconds,
        options=given_options(arguments),
    )
