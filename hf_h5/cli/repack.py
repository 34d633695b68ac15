"""``hf-h5 repack``: the same file in chunks and filters that suit."""

from __future__ import annotations

import argparse
from typing import Any

from .options import parse_limits

__all__ = ["add_command"]

_PURPOSES = ("training", "streaming")
_CODECS = ("auto", "none", "lzf", "lz4", "zstd", "gzip")


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "repack",
        help="write a file anew, in chunks and filters that suit",
        description="Write an HDF5 file anew with its big datasets in chunks of whole rows and a fast codec. "
        "Everything else is kept: groups, links, attributes, types, fill values. Every value is compared before the "
        "new file appears. Run again after an interruption, it keeps what is finished.",
        epilog="lz4 and zstd are read by h5py after `import hdf5plugin`, lzf by every h5py, gzip by every HDF5.",
    )
    parser.add_argument("file", metavar="FILE", help="an HDF5 file")
    parser.add_argument("output", metavar="OUT", help="the new file")
    group = parser.add_argument_group("how to store it")
    group.add_argument(
        "--for",
        dest="purpose",
        choices=_PURPOSES,
        default="training",
        help="training: rows in any order; streaming: through a network; default: %(default)s",
    )
    group.add_argument("--chunk-rows", type=int, metavar="N", help="rows of a chunk; default: by the bytes of a row")
    group.add_argument("--codec", choices=_CODECS, default="auto", help="default: measured on a few samples")
    group.add_argument("--columns", action="append", metavar="A,B", help='only these: names or globs: "obs/*,actions"')
    group.add_argument("--allow-external", action="append", metavar="FOLDER", help="links may lead to files in here")
    group.add_argument("--limits", action="append", metavar="NAME=N", help="raise a budget: row_bytes=2000000000")
    group.add_argument("--overwrite", action="store_true", help="replace OUT if it is there")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..tools.repack import Wanted, run_repack

    columns = [name for each in arguments.columns or () for name in each.split(",") if name]
    return run_repack(
        arguments.file,
        arguments.output,
        arguments.console,
        wanted=Wanted(arguments.purpose, arguments.chunk_rows, arguments.codec),
        columns=columns or None,
        allow_external=arguments.allow_external or (),
        limits=parse_limits(arguments.limits or ()),
        overwrite=arguments.overwrite,
    )
