"""``hf-h5 describe``: what is in files, for people or for programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import describe
from ..describe.opening import expand_files
from ..describe.schema import Schema
from ..describe.urls import is_url
from ..errors import H5Error, OptionError
from .console import Console, paint
from .new_files import expect_new_file

__all__ = ["expect_one_page", "run_describe", "run_report"]


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
                console.result(separator + _painted(_text(schema, options)), schema.to_dict())
                separator = "\n"
        except BrokenPipeError:
            raise
        except (H5Error, OSError) as error:
            on_error(error)
            code = 2
    return code


def run_report(files: Sequence[str], page: str, console: Console, options: Mapping[str, Any]) -> int:
    """Write a page about a file.

    Raises
    ------
    OptionError
        If it is not one file, or the page would replace it.
    """
    from .report import write_report

    found = expand_files(list(files))
    expect_one_page(found, page)
    schema = write_report(found[0], page, options)
    console.result(f"{page}: open it in a browser", {"file": schema.file, "page": page}, brief=page)
    return 0


def expect_one_page(files: Sequence[str], page: str) -> None:
    """Check that a page can be written.

    Raises
    ------
    OptionError
        If it is not about one file, or would replace it.
    """
    if len(files) != 1:
        raise OptionError(f"--html is for one file, and these are {len(files)}", hint="run it once for each file")
    if os.path.exists(page) and os.path.exists(files[0]) and os.path.samefile(page, files[0]):
        raise OptionError("the page would replace the file", file=page, hint="give the page another name")
    expect_new_file(page, "--html", (".html", ".htm"))


def _painted(text: str) -> str:
    """The text with the names of the file and its tables in bold, and headings of columns dim, on a terminal."""
    lines = text.splitlines()
    lines[0] = paint(lines[0], "bold")
    for number, line in enumerate(lines):
        if line.startswith(("* /", "  /")):
            lines[number] = paint(line, "bold")
        elif line.startswith("    column "):
            lines[number] = paint(line, "dim")
    return "\n".join(lines)


def _text(schema: Schema, options: Mapping[str, Any]) -> str:
    if schema.table is None:
        return str(schema)
    arguments = "".join(f", {name}={value!r}" for name, value in options.items())
    file = schema.file if is_url(schema.file) else os.path.normpath(schema.file)
    return (
        f"{schema}\n\n  to load it, after `import hf_h5`:\n"
        f'    datasets.load_dataset("hf_h5", data_files={file!r}{arguments})  # converted and cached\n'
        f"    hf_h5.H5TorchView({file!r}{_split(schema)}{arguments})  # read in place"
    )


def _split(schema: Schema) -> str:
    """A view shows one split; a file of several asks for its name."""
    return f", split={next(iter(schema.splits))!r}" if len(schema.splits) > 1 else ""
