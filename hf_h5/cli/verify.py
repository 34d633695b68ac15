"""``hf-h5 verify``: whether both modes, h5py and a converted dataset hold the same values."""

from __future__ import annotations

import argparse
from typing import Any

from .options import add_options, given_options

__all__ = ["add_command"]

_EPILOG = """\
exit codes: 0 everything is the same, 1 something differs, 2 wrong usage or bad file

examples:
  hf-h5 verify data.h5                         h5py, direct and cached
  hf-h5 verify data.h5 data/                   what `hf-h5 convert` or save_to_disk wrote
  hf-h5 verify part-*.h5 user/name             a dataset on the Hub
  hf-h5 verify data.h5 data/ --sample 10000    some random rows
"""


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "verify",
        help="prove that nothing changed: compare every value with h5py",
        description="Compare the values of HDF5 files, bit for bit: as h5py reads them, as the direct mode reads them, "
        "and as a dataset made of them holds them; without DATASET that of the cached mode.",
        epilog=_EPILOG,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="HDF5 files, or patterns in quotes")
    # Only shown: argparse gives all names to the argument before.
    parser.add_argument(
        "last", nargs="?", metavar="DATASET", help="a folder of Parquet or of save_to_disk, or a name on the Hub"
    )
    group = parser.add_argument_group("what to compare")
    group.add_argument("--dataset", metavar="DATASET", help="DATASET as a flag, where its name looks like an HDF5 file")
    group.add_argument("--split", metavar="NAME", help="one split only")
    group.add_argument("--sample", type=int, metavar="N", help="so many random rows of each split; default: all")
    group.add_argument("--seed", type=int, default=0, metavar="S", help="which rows a sample has; default: %(default)s")
    group.add_argument(
        "--convert",
        action=argparse.BooleanOptionalAction,
        help="convert what is not in the cache, into a temporary folder; default: up to 1 GiB",
    )
    add_options(parser, "arrays", "join", "on_bad_files", "batch_size")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..tools.verify.command import run_verify

    comparison = {name: getattr(arguments, name) for name in ("split", "sample", "seed", "convert")}
    return run_verify(
        [*arguments.files, *filter(None, [arguments.last])],
        arguments.dataset,
        arguments.console,
        options=given_options(arguments),
        **comparison,
    )
