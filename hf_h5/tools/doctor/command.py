"""``hf-h5 doctor``: look at each file, and print what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...describe.opening import expand_files
from ...errors import H5Error
from ..console import Console, paint
from ..describe import expect_one_page
from .facts import Diagnosis
from .page import write_page
from .run import diagnose

__all__ = ["run_doctor"]

_COLOURS = {"broken": "red", "slow": "yellow", "risk": "cyan", "note": "dim"}


def run_doctor(
    files: Sequence[str],
    console: Console,
    *,
    split: str | None,
    on_error: Callable[[H5Error | OSError], None],
    options: Mapping[str, Any],
    page: str | None = None,
) -> int:
    """Print what there is to say of each file.

    Parameters
    ----------
    page
        The page of HTML to write, of one file.
    on_error
        Called where a file is not there or no HDF5; the others are still looked at.

    Returns
    -------
    int
        0, 1 if something is broken in a file, or 2 if one could not be looked at.
    """
    if page is not None:
        expect_one_page([file for pattern in files for file in expand_files(pattern)], page)
    code, separator = 0, ""
    with console.progress(None, "looking", unit="files") as bar:
        for pattern in files:
            try:
                for file in expand_files(pattern):
                    bar.tell(file)
                    found = diagnose(file, split=split, **options)
                    bar.add(1)
                    console.result(separator + _coloured(found), found.to_dict(), brief=_brief(found))
                    separator = "\n"
                    if page is not None:
                        write_page(found, page, options)
                        console.say(f"{page}: open it in a browser")
                    broken = any(finding.weight == "broken" for finding in found.findings)
                    code = max(code, int(broken))
            except BrokenPipeError:
                raise
            except (H5Error, OSError) as error:
                on_error(error)
                code = 2
    return code


def _coloured(found: Diagnosis) -> str:
    lines = []
    for line in str(found).splitlines():
        head, colon, rest = line.partition(": ")
        weight = head.rpartition(". ")[2]
        if colon and head[:1].isdigit() and weight in _COLOURS:
            line = f"{head.removesuffix(weight)}{paint(weight, _COLOURS[weight])}: {rest}"
        elif head == "verdict":
            line = f"verdict: {paint(rest, 'bold')}"
        lines.append(line)
    return "\n".join(lines)


def _brief(found: Diagnosis) -> str:
    if found.verdict is not None:
        return f"{found.file}: {found.verdict.mode}"
    return f"{found.file}: {'broken' if any(finding.weight == 'broken' for finding in found.findings) else 'no rows'}"
