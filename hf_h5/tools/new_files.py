"""Whether a file can be written, asked before the work whose result goes into it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import OptionError

__all__ = ["expect_new_file"]


def expect_new_file(file: str, flag: str, endings: Sequence[str]) -> None:
    """Check that a file may be written where a flag says; its folder is made later, if it is not there.

    Parameters
    ----------
    endings
        What its name may end with; the first is that of the example.

    Raises
    ------
    OptionError
        If it may not.
    """
    example = f"for example {flag} report{endings[0]}"
    if os.path.isdir(file):
        raise OptionError("this is a folder", file=file, hint=f"name the file: {example}")
    if not file.lower().endswith(tuple(endings)):
        raise OptionError(f"{flag} {file!r} does not end with {' or '.join(endings)}", hint=example)
    above = next(each for each in Path(os.path.abspath(file)).parents if each.exists())
    if not above.is_dir():
        raise OptionError("this is a file, and would have to be a folder", file=str(above), hint=example)
