"""Collects the benchmarks' speeds and prints them as a table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

LINES = pytest.StashKey[list[tuple[str, ...]]]()
HEADINGS = ("work", "hf_h5, rows/s", "times the rival", "at least", "of the limit", "at least / aim", "others")


@pytest.fixture
def report(request) -> Callable[..., None]:
    """Note the speeds of one kind of work for the table."""

    def note(work, speeds: dict[str, float]) -> None:
        own = speeds["hf_h5"]
        part = f"{own / speeds['limit']:.0%}" if "limit" in speeds else ""
        bounds = " / ".join(f"{bound:.0%}" if bound else "–" for bound in work.of_limit) if any(work.of_limit) else ""
        others = {name: own / speed for name, speed in speeds.items() if name not in ("hf_h5", "limit", work.rival)}
        line = (
            work.name,
            f"{own:,.0f}",
            f"{own / speeds[work.rival]:.2f} x {work.rival}",
            f"{work.at_least:g}" if work.at_least else "",
            part,
            bounds,
            ", ".join(f"{ratio:.2f} x {name}" for name, ratio in others.items()),
        )
        request.config.stash.setdefault(LINES, []).append(line)

    return note


def pytest_terminal_summary(terminalreporter) -> None:
    lines = [HEADINGS, *terminalreporter.config.stash.get(LINES, [])]
    if len(lines) == 1:
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    terminalreporter.section("rows read, best round of each")
    for line in lines:
        terminalreporter.write_line(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
