"""``hf-h5 describe``: what is in files, for people or for programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import describe
from ..describe.opening import expand_files
from ..describe.schema import Schema
from ..errors import H5Error
from .console import Console

__all__ = ["run_describe"]


def run_describe(
    files: Sequence[str],
    console: Console,
    *,
    on_error: Callable[[H5Error | OSError], None],
    options: Mapping[str, Any],
) -> int:
    """Print what is in each file.

    Parameters
    ----------
    files
        Files or patterns.
    console
        Is handed the text and the JSON of each file.
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
                schema = describe(file, **options)
                console.result(separator + _text(schema, options), schema.to_dict())
                separator = "\n"
        except BrokenPipeError:
            raise
        except (H5Error, OSError) as error:
            on_error(error)
            code = 2
    return code


def _text(schema: Schema, options: Mapping[str, Any]) -> str:
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
