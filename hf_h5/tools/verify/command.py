"""``hf-h5 verify``: which of the names is the dataset, and what is printed."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import OptionError
from ..console import Console, Progress, paint
from .report import Report
from .run import verify

__all__ = ["run_verify", "split_names"]

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_HDF5_ENDINGS = (".h5", ".hdf5", ".hdf", ".he5", ".h5ad", ".h5mu", ".loom", ".nc", ".nc4", ".mat", ".nwb", ".cool")


def run_verify(
    names: Sequence[str], dataset: str | None, console: Console, *, options: Mapping[str, Any], **comparison: Any
) -> int:
    """Compare, and print the report.

    Parameters
    ----------
    names
        Files; the last may be the dataset.
    dataset
        The dataset, where it was named as such.
    **comparison
        Further arguments of ``verify``.

    Returns
    -------
    int
        0 if everything is the same, else 1.
    """
    files = list(names)
    if dataset is None:
        files, dataset = split_names(names)
    with contextlib.ExitStack() as stack:
        bar: list[Progress] = []

        def advance(count: int, total: int) -> None:
            if not bar:
                bar.append(stack.enter_context(console.progress(total, "comparing")))
            bar[0].add(count)

        report = verify(files, dataset, progress=advance, **comparison, **options)
    console.result(_coloured(report), report.to_dict(), brief="" if report else _coloured(report).partition("\n\n")[0])
    return 0 if report else 1


def _coloured(report: Report) -> str:
    first, line, rest = str(report).partition("\n")
    said, style = ("the same", "green") if report else ("DIFFERENT", "red")
    return first.replace(f": {said}: ", f": {paint(said, 'bold', style)}: ", 1) + line + rest


def split_names(names: Sequence[str]) -> tuple[list[str], str | None]:
    """Tell the files from the dataset, which is the last name if it is a folder, or could be one of the Hub.

    >>> split_names(["a.h5", "b.h5"]), split_names(["a.h5", "user/name"])
    ((['a.h5', 'b.h5'], None), (['a.h5'], 'user/name'))
    """
    last = names[-1]
    if not _is_dataset(last):
        return list(names), None
    if len(names) == 1:
        raise OptionError(f"{last!r} is a dataset to compare with", hint="name the HDF5 file before it")
    return list(names[:-1]), last


def _is_dataset(name: str) -> bool:
    if os.path.isdir(name) or name.endswith(".parquet"):
        return True
    if os.path.exists(name) or glob.has_magic(name) or "://" in name or name.lower().endswith(_HDF5_ENDINGS):
        return False
    return bool(_HUB_NAME.fullmatch(name))
