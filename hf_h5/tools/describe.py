"""``hf-h5 describe``: what is in files, for people or for programs."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .. import describe
from ..describe.opening import expand_files
from ..describe.options import make_options
from ..describe.resolve import resolve_tables
from ..describe.schema import Schema
from ..errors import H5Error, H5Warning

__all__ = ["describe_as_asked", "run_describe"]

# Options that choose and change what one table holds; the others decide which tables there are.
_OF_A_TABLE = ("table", "columns", "class_labels")


def run_describe(
    files: Sequence[str],
    *,
    as_json: bool,
    on_error: Callable[[H5Error | OSError], None],
    options: Mapping[str, Any],
) -> int:
    """Print what is in each file.

    Parameters
    ----------
    files
        Files or patterns.
    as_json
        One line of JSON per file instead of text.
    on_error
        Called with what is wrong with one file; the others are still described.

    Returns
    -------
    int
        0, or 2 if a file could not be described.
    """
    code, separator = 0, ""
    for pattern in files:
        try:
            for file in expand_files(pattern):
                print(separator + _text(describe_as_asked(file, options), as_json, options))
                separator = "" if as_json else "\n"
        except BrokenPipeError:
            raise
        except (H5Error, OSError) as error:
            on_error(error)
            code = 2
    return code


def describe_as_asked(file: str, options: Mapping[str, Any]) -> Schema:
    """The schema of a file; with ``table``, ``columns`` or ``class_labels`` only of the table that these make."""
    if not any(name in options for name in _OF_A_TABLE):
        return describe(file, **options)
    with warnings.catch_warnings():
        # That the rest of the file is left out is what was asked for.
        warnings.simplefilter("ignore", H5Warning)
        resolved = resolve_tables([file], make_options(**options))
    table = next(iter(resolved.splits.values()))
    if resolved.inside:
        parts = tuple(part for split in resolved.splits.values() for part in split.parts)
        table = replace(table, parts=parts, splits=resolved.splits)
    return replace(resolved.schema, tables={table.name: table}, default=table.name, default_reason="as asked for")


def _text(schema: Schema, as_json: bool, options: Mapping[str, Any]) -> str:
    if as_json:
        return json.dumps(schema.to_dict(), allow_nan=False)
    if schema.table is None:
        return str(schema)
    arguments = "".join(f", {name}={value!r}" for name, value in options.items())
    file = os.path.normpath(schema.file)
    return (
        f"{schema}\n\n  to load it, after `import hf_h5`:\n"
        f'    datasets.load_dataset("hf_h5", data_files={file!r}{arguments})  # converted and cached\n'
        f"    hf_h5.H5TorchView({file!r}{_split(schema)}{arguments})  # read in place"
    )


def _split(schema: Schema) -> str:
    """A view shows one split; a file of several asks for its name."""
    return f", split={next(iter(schema.splits))!r}" if len(schema.splits) > 1 else ""
