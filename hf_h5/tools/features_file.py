"""``--features``: the features that a JSON file, or a text, describes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets

from ..errors import MissingFileError, OptionError

__all__ = ["read_features"]

_HINT = """for example '{"x": {"_type": "Image"}, "y": {"_type": "Value", "dtype": "int16"}}'"""


def read_features(given: str) -> datasets.Features:
    """Return the features that ``Features.to_dict()`` would write as this.

    Parameters
    ----------
    given
        The name of a JSON file, or JSON itself if it starts with ``{``.

    Raises
    ------
    MissingFileError
        If there is no such file.
    OptionError
        If it is not JSON, or not of features.

    Examples
    --------
    >>> read_features('{"y": {"_type": "Value", "dtype": "int16"}}')
    {'y': Value('int16')}
    """
    file = None if given.lstrip().startswith("{") else given
    return _features(given if file is None else _text(file), file)


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingFileError("there is no such file of features", file=file, hint=_HINT) from error
    except UnicodeDecodeError as error:
        raise OptionError("the file of features is not text", file=file, hint=_HINT) from error


def _features(text: str, file: str | None) -> datasets.Features:
    try:
        described: Any = json.loads(text)
    except ValueError as error:
        raise OptionError(f"the features are not JSON: {error}", file=file, hint=_HINT) from error
    if not isinstance(described, dict) or not all(isinstance(each, dict | list) for each in described.values()):
        raise OptionError("the features are not a mapping of columns to features", file=file, hint=_HINT)
    try:
        return datasets.Features.from_dict(described)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise OptionError(f"the features are not understood: {error}", file=file, hint=_HINT) from error
