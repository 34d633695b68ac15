"""``hf-h5 bench``: measure, print, draw."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ...whole_file import write_whole
from ..console import Console
from .measure import bench
from .page import to_page
from .plot import draw_plot

__all__ = ["run_bench"]

_MEASUREMENTS = 14


def run_bench(
    files: Sequence[str],
    console: Console,
    *,
    plot: str | None,
    report: str | None,
    options: Mapping[str, Any],
    **settings: Any,
) -> int:
    """Measure how fast rows of files come, and print a table.

    Parameters
    ----------
    plot, report
        Where a PNG and an HTML page are written, if anywhere.
    **settings
        Further arguments of ``bench``.

    Returns
    -------
    int
        0.
    """
    for file in filter(None, (plot, report)):
        _check_folder(file)
    with console.progress(_MEASUREMENTS, "measuring", unit="steps") as bar:

        def tell(text: str) -> None:
            bar.tell(text)
            bar.add(1)

        found = bench(list(files), progress=tell, **settings, **options)
    console.result(str(found), found.to_dict())
    if report is not None:
        write_whole(report, to_page(found).encode("utf-8"))
        console.say(f"wrote {report}")
    if plot is not None:
        draw_plot(found, plot)
        console.say(f"wrote {plot}")
    return 0


def _check_folder(file: str) -> None:
    """Fail before the work and not after it."""
    folder = os.path.dirname(os.path.abspath(file))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"there is no folder {folder!r} to write to")
