"""The command line ``hf-h5``: which command, with which options.

Only parses, and turns what goes wrong into messages and exit codes; ``tools`` does the work.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Sequence

from ..tools.console import Console
from ..version import installed_version
from . import bench, completion, convert, demo, describe, doctor, index, plan, repack, upload, verify
from .messages import EXPECTED, WarningPrinter, print_error
from .style import CommandParser, MainHelp

__all__ = ["make_parser", "run_command"]

_COMMANDS = (describe, convert, plan, verify, doctor, bench, repack, index, upload, demo, completion)
"""In the order of the help; a command is a module with ``add_command``, whose ``run`` finds ``arguments.console``, and
``arguments.argv`` as it was typed."""

_FAILED = 2
_CLOSED_PIPE = 141  # 128 + SIGPIPE, which Windows lacks: what a shell reports for `command | head`

_EPILOG = """\
exit codes: 0 done, 1 found a difference or damage, 2 wrong usage or bad file
example: hf-h5 describe data.h5    what is in the file, and how it will load
"""


def run_command(argv: Sequence[str] | None = None) -> int:
    """Parse, run the command, and return its exit code."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return _FAILED
    arguments.argv = list(sys.argv[1:] if argv is None else argv)
    arguments.console = Console(json=arguments.json, quiet=arguments.quiet)
    with warnings.catch_warnings(), arguments.console.libraries_alike():
        warnings.showwarning = WarningPrinter()
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    try:
        code = arguments.run(arguments)
        # What is still buffered must fail here, and not when the interpreter shuts down.
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout once more at exit, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CLOSED_PIPE
    except EXPECTED as error:
        if arguments.debug:
            traceback.print_exc()
        else:
            print_error(error)
        return _FAILED
    return int(code)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    parser = argparse.ArgumentParser(
        prog="hf-h5",
        description="HDF5 files in Hugging Face datasets and PyTorch. Help: hf-h5 COMMAND --help",
        epilog=_EPILOG,
        formatter_class=MainHelp,
    )
    parser.add_argument("-V", "--version", action="version", version=_versions(), help="show the versions that count")
    parser.set_defaults(command=None, debug=False, json=False, quiet=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", parser_class=CommandParser)
    for command in _COMMANDS:
        command.add_command(commands)
    return parser


def _versions() -> str:
    found = [f"{name} {installed_version(name)}" for name in ("hf-h5", "datasets", "h5py", "torch")]
    return f"{found[0]} ({', '.join(found[1:])}, Python {sys.version.split()[0]})"
