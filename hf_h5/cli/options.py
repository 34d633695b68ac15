"""The options that mean the same everywhere in the package, as flags."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import OptionError

__all__ = ["add_options", "given_options"]


def add_options(parser: argparse.ArgumentParser) -> None:
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


def given_options(arguments: argparse.Namespace) -> dict[str, Any]:
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
