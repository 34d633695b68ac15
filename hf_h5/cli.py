"""The command line ``hf-h5``: which command, with which options.

Only parses, and turns what goes wrong into messages and exit codes; ``tools`` does the work.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TextIO

from .errors import H5Error, OptionError, shown

__all__ = ["main"]

_FAILED = 2
_INTERRUPTED = 128 + signal.SIGINT
_CLOSED_PIPE = 141  # 128 + SIGPIPE, which Windows lacks: what a shell reports for `command | head`

_EPILOG = """\
exit codes:
  0 done, 1 a comparison found a difference, 2 wrong usage or unreadable file

examples:
  hf-h5 describe data.h5              what is in the file, and how it will load
  hf-h5 describe data.h5 --json       the same for programs
  hf-h5 convert data.h5 -o data/      Parquet shards; goes on where it stopped
  hf-h5 demo                          the whole path on real images
  hf-h5 demo data.h5                  the same on your own file
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``hf-h5`` with the given arguments; those of the process if None.

    Returns
    -------
    int
        The exit code: 0 done, 1 a check found a difference, 2 wrong usage or an unreadable file, 130 interrupted.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return _FAILED
    with warnings.catch_warnings():
        warnings.showwarning = _WarningPrinter()
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
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return _INTERRUPTED
    except (H5Error, OSError) as error:
        if arguments.debug:
            traceback.print_exc()
        else:
            print_error(error)
        return _FAILED
    return int(code)


def print_error(error: BaseException) -> None:
    """Say on stderr what went wrong."""
    print(
        f"hf-h5: {type(error).__name__}: {error if isinstance(error, H5Error) else shown(str(error))}", file=sys.stderr
    )


class _WarningPrinter:
    """Prints each warning once, as a line of its own: both modes warn of the same things."""

    def __init__(self) -> None:
        self._printed: set[str] = set()

    def __call__(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = shown(str(message))
        if text not in self._printed:
            self._printed.add(text)
            print(f"hf-h5: warning: {text}", file=file or sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hf-h5",
        description="HDF5 files in Hugging Face datasets and PyTorch.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=_versions())
    parser.set_defaults(command=None, debug=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    _add_describe(commands)
    _add_convert(commands)
    _add_demo(commands)
    return parser


def _versions() -> str:
    found = [f"{name} {_version(name)}" for name in ("hf-h5", "datasets", "h5py", "torch")]
    return f"{found[0]} ({', '.join(found[1:])}, Python {sys.version.split()[0]})"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _add_describe(commands: Any) -> None:
    parser = commands.add_parser(
        "describe",
        help="show what is in HDF5 files, and how it will load",
        description="Show the tables of HDF5 files: their columns and features, which table is the default and why, "
        "sizes, and what is not loaded.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="HDF5 files, or patterns in quotes")
    parser.add_argument("--json", action="store_true", help="one line of JSON per file, nothing shortened")
    _add_options(parser)
    parser.set_defaults(run=_describe)


def _add_convert(commands: Any) -> None:
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
    _add_options(parser)
    parser.set_defaults(run=_convert)


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo",
        help="the whole path: convert, open in place, compare every value, train, draw",
        description="Convert an HDF5 file to a datasets.Dataset, open it in place as a torch view, compare every value "
        "of both with h5py, train the same classifier from each, save as Parquet, and draw a picture. "
        "Without FILE: real images of handwritten digits.",
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="an HDF5 file of your own")
    parser.add_argument("-o", "--output", default="demo-output", metavar="FOLDER", help="default: %(default)s")
    _add_options(parser)
    parser.set_defaults(run=_demo)


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that mean the same everywhere in the package."""
    group = parser.add_argument_group("what to read")
    group.add_argument("--columns", action="append", metavar="A,B", help='names or globs: "obs/*,actions"')
    group.add_argument("--table", metavar="PATH", help="which table, where the file holds several")
    group.add_argument("--layout", choices=("auto", "table", "episodes", "steps", "raw"), help="what makes a row")
    group.add_argument("--no-splits", action="store_true", help="do not look for train, validation and test inside")
    group.add_argument(
        "--class-labels",
        action="append",
        metavar="COLUMN=NAMES",
        help="class names of a column: cat,dog, or where they are: /list_classes, /y@names",
    )
    group.add_argument("--allow-external", action="append", metavar="FOLDER", help="links may lead to files in here")
    group.add_argument("--rows", metavar="NAME", help="the dimension along which rows lie, where dimensions have names")
    group.add_argument(
        "--decode", action="store_true", default=None, help="apply fill values, scales, offsets and units of time"
    )
    group.add_argument("--dense", action="store_true", default=None, help="rows of sparse matrices as dense ones")
    group.add_argument(
        "--isolate", action="store_true", default=None, help="run the HDF5 library in a process of its own"
    )
    parser.add_argument("--debug", action="store_true", help="show where an error was raised")


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Options as the package takes them; what was not given is left out."""
    given: dict[str, Any] = {}
    if arguments.columns:
        given["columns"] = [name for each in arguments.columns for name in each.split(",") if name]
    for name in ("table", "layout", "allow_external", "rows", "decode", "dense", "isolate"):
        if getattr(arguments, name) is not None:
            given[name] = getattr(arguments, name)
    if arguments.no_splits:
        given["splits"] = False
    if arguments.class_labels:
        given["class_labels"] = dict(_class_labels(text) for text in arguments.class_labels)
    return given


def _class_labels(text: str) -> tuple[str, str | list[str]]:
    column, equals, names = text.partition("=")
    if not (column and equals and names):
        raise OptionError(f"--class-labels {text!r} is not COLUMN=NAMES", hint="for example --class-labels y=cat,dog")
    return column, names if names.startswith("/") else names.split(",")


def _describe(arguments: argparse.Namespace) -> int:
    from .tools.describe import run_describe

    return run_describe(
        arguments.files, as_json=arguments.json, on_error=_report(arguments), options=_options(arguments)
    )


def _report(arguments: argparse.Namespace) -> Any:
    """What to do with the error of one file of several."""

    def report(error: H5Error | OSError) -> None:
        if arguments.debug:
            traceback.print_exception(error)
        else:
            print_error(error)

    return report


def _convert(arguments: argparse.Namespace) -> int:
    from .tools.convert import run_convert

    return run_convert(
        arguments.files,
        arguments.output,
        options=_options(arguments),
        max_shard_size=arguments.max_shard_size,
        overwrite=arguments.overwrite,
    )


def _demo(arguments: argparse.Namespace) -> int:
    from .tools.demo import run_demo

    return run_demo(arguments.file, arguments.output, _options(arguments))


if __name__ == "__main__":
    sys.exit(main())
