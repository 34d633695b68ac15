"""A picture of the measurements: a bar for each way to read, longer by powers of ten."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ...errors import MissingPackageError, shown
from .results import WAYS, WORKS, Bench, Speed, rate_text

__all__ = ["COLOURS", "draw_plot"]

COLOURS = {
    "class": "#8c8c8c",
    "h5py": "#b58900",
    "cached": "#268bd2",
    "view": "#6c71c4",
    "direct": "#2aa198",
    "limit": "#dddddd",
}


def draw_plot(found: Bench, file: str) -> None:
    """Write a PNG, or what else the name ends with; its folder is made.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(
            "the plot needs matplotlib, which is not installed", hint="pip install matplotlib, or --report page.html"
        ) from error
    works = {work: ways for work, ways in found.speeds.items() if any(each.rows_per_s for each in ways.values())}
    figure = Figure(figsize=(11, 1.2 + 0.34 * sum(len(_bars(ways)) + 1 for ways in works.values())), dpi=120)
    figure.set_layout_engine("constrained")
    heights = [len(_bars(ways)) for ways in works.values()]
    axes = figure.subplots(len(works), 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": heights})[:, 0]
    for axis, (work, ways) in zip(axes, works.items(), strict=True):
        bars = _bars(ways)
        names = [WAYS[way] for way, _ in bars]
        drawn = axis.barh(names, [rate for _, rate in bars], color=[COLOURS[way] for way, _ in bars])
        axis.bar_label(drawn, [rate_text(rate) for _, rate in bars], padding=4, fontsize=9)
        axis.set_xscale("log")
        axis.invert_yaxis()
        axis.set_title(WORKS[work], loc="left", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.12)
    axes[-1].set_xlabel("rows per second (each mark is ten times the one before)")
    name = shown(found.file.replace("\\", "/").rpartition("/")[2])
    figure.suptitle(f"{name}: {found.n_measured:,} of {found.n_rows:,} rows, {found.threads} threads", fontsize=12)
    os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)
    figure.savefig(file)


def _bars(ways: Mapping[str, Speed]) -> list[tuple[str, float]]:
    speeds = {way: ways[way].rows_per_s for way in WAYS if way in ways}
    return [(way, rate) for way, rate in speeds.items() if rate]
