"""The options that mean the same everywhere in the package, as flags."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from ..errors import OptionError

__all__ = ["add_options", "given_options", "parse_limits"]

_AS_THEY_ARE = (
    *("table", "layout", "nested", "rows", "decode", "dense", "allow_external"),
    *("route", "threads", "isolate", "join", "on_bad_files", "batch_size", "on_bad_rows", "remote_cache_bytes"),
    "arrays",
)
"""What argparse makes of these flags is what the package takes."""

_OF_SOME: dict[str, dict[str, Any]] = {
    "arrays": {"choices": ("array", "list"), "help": "list: fixed-length lists, without offsets"},
    "join": {"choices": ("rows", "columns"), "help": "files one after the other, or side by side"},
    "on_bad_files": {"choices": ("error", "warn", "skip"), "help": "what to do about damaged files"},
    "batch_size": {"type": int, "metavar": "ROWS", "help": "rows converted at a time; default: 16 MB of them"},
    "on_bad_rows": {"choices": ("error", "skip"), "help": "what to do about rows that cannot be read"},
}
"""Options that mean something in some commands only, and how argparse takes them."""


def add_options(parser: argparse.ArgumentParser, *others: str) -> None:
    """Add the options that mean the same everywhere in the package.

    Parameters
    ----------
    *others
        Those of the command that not all have: ``"arrays"`` where rows become Arrow, or it is said what they will be;
        ``"join"`` and ``"on_bad_files"`` where several files make one table; ``"batch_size"`` where the builder
        converts, and ``"on_bad_rows"`` where what lacks rows may come out of it.
    """
    _add_what(parser.add_argument_group("what to read"))
    group = parser.add_argument_group("how to read it")
    group.add_argument("--route", choices=("auto", "direct", "h5py"), help="direct: refuse what needs h5py")
    group.add_argument("--threads", type=int, metavar="N", help="threads that decode chunks; default: the cores")
    group.add_argument("--remote-cache-bytes", metavar="SIZE", help="what is kept on disk of URLs; default: 4GB")
    group.add_argument("--limits", action="append", metavar="NAME=N", help="raise a budget: row_bytes=2000000000")
    group.add_argument(
        "--isolate",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="run the HDF5 library apart; default: to scan URLs",
    )
    for name in others:
        group.add_argument(f"--{name.replace('_', '-')}", **_OF_SOME[name])


def _add_what(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--columns", action="append", metavar="A,B", help='names or globs: "obs/*,actions"')
    group.add_argument("--table", metavar="PATH", help="which table, where the file holds several")
    group.add_argument("--layout", choices=("auto", "table", "episodes", "steps", "raw"), help="what makes a row")
    group.add_argument("--nested", action="store_true", default=None, help="groups and compounds as nested features")
    group.add_argument("--no-splits", action="store_true", help="do not look for train, validation and test inside")
    group.add_argument(
        "--splits", action="append", metavar="NAME=PATH", help="splits by lists of episodes: train=/mask/t"
    )
    group.add_argument(
        "--class-labels",
        action="append",
        metavar="COLUMN=NAMES",
        help="class names of a column: cat,dog, or where they are: /list_classes, /y@names",
    )
    group.add_argument(
        "--features", metavar="FILE", help="cast and select: a JSON file of what Features.to_dict() gives, or its text"
    )
    group.add_argument("--allow-external", action="append", metavar="FOLDER", help="links may lead to files in here")
    group.add_argument("--rows", metavar="NAME", help="the dimension along which rows lie, where dimensions have names")
    group.add_argument("--axis", action="append", metavar="N", help="the axis along which rows lie: -1, or COLUMN=-1")
    group.add_argument(
        "--decode", action="store_true", default=None, help="apply fill values, scales, offsets and units of time"
    )
    group.add_argument("--dense", action="store_true", default=None, help="rows of sparse matrices as dense ones")


def given_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Options as the package takes them; what was not given is left out.

    Raises
    ------
    OptionError
        If a flag's text is not what it should be.
    """
    flags = vars(arguments)
    given: dict[str, Any] = {}
    if arguments.columns:
        given["columns"] = [name for each in arguments.columns for name in each.split(",") if name]
    given.update({name: flags[name] for name in _AS_THEY_ARE if flags.get(name) is not None})
    if arguments.no_splits:
        given["splits"] = False
    if arguments.splits:
        given["splits"] = dict(_pair(text, "--splits", "NAME=PATH", "train=/mask/train") for text in arguments.splits)
    if arguments.class_labels:
        given["class_labels"] = dict(_class_labels(text) for text in arguments.class_labels)
    if arguments.limits:
        given["limits"] = parse_limits(arguments.limits)
    if arguments.axis:
        given["axis"] = _axis(arguments.axis)
    if arguments.features:
        from ..tools.features_file import read_features

        given["features"] = read_features(arguments.features)
    return given


def parse_limits(texts: Iterable[str]) -> dict[str, int]:
    """Budgets of ``--limits``.

    Raises
    ------
    OptionError
        If a text is not NAME=N.
    """
    return dict(_budget(text) for text in texts)


def _pair(text: str, flag: str, form: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise OptionError(f"{flag} {text!r} is not {form}", hint=f"for example {flag} {example}")
    return name, value


def _class_labels(text: str) -> tuple[str, str | list[str]]:
    column, names = _pair(text, "--class-labels", "COLUMN=NAMES", "y=cat,dog")
    return column, names if names.startswith("/") else names.split(",")


def _budget(text: str) -> tuple[str, int]:
    name, value = _pair(text, "--limits", "NAME=N", "seconds=600")
    return name, _number(value, f"--limits {text!r}", "--limits seconds=600")


def _axis(texts: list[str]) -> int | dict[str, int]:
    if len(texts) == 1 and "=" not in texts[0]:
        return _number(texts[0], f"--axis {texts[0]!r}", "--axis -1")
    pairs = (_pair(text, "--axis", "COLUMN=N", "eeg=-1") for text in texts)
    return {column: _number(value, f"--axis {column}={value}", "--axis eeg=-1") for column, value in pairs}


def _number(text: str, given: str, example: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise OptionError(f"{given}: {text!r} is not a whole number", hint=f"for example {example}") from error
