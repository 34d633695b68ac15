"""``hf-h5 bench``: measure, print, draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...whole_file import write_whole
from ..console import Console
from ..new_files import expect_new_file
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
        Where a picture and an HTML page are written, if anywhere.
    **settings
        Further arguments of ``bench``.

    Returns
    -------
    int
        0.
    """
    if plot is not None:
        expect_new_file(plot, "--plot", (".png", ".svg", ".pdf"))
    if report is not None:
        expect_new_file(report, "--report", (".html", ".htm"))
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
