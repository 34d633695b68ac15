"""Collects the benchmarks' speeds and prints them as a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .files import write_files
from .turns import LIMIT

LINES = pytest.StashKey[dict[str, list[tuple[str, ...]]]]()
TITLE = "rows read, best round of each"
HEADINGS = ("work", "hf_h5, rows/s", "times the rival", "at least", "of the limit", "at least / aim", "others")


def pytest_addoption(parser) -> None:
    parser.addoption("--quick", action="store_true", help="one round of each conversion")
    parser.addoption("--memory-as-it-comes", action="store_true", help="hold no memory back for conversions")


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> dict[str, Path]:
    """The files that rows are read from; benchmarks of another kind have a fixture of this name of their own."""
    return write_files(tmp_path_factory.mktemp("benchmarks"))


@pytest.fixture
def add_line(request) -> Callable[..., None]:
    """Note a line for the table of that title."""

    def add(title: str, headings: tuple[str, ...], line: tuple[str, ...]) -> None:
        request.config.stash.setdefault(LINES, {}).setdefault(title, [headings]).append(line)

    return add


@pytest.fixture
def report(add_line) -> Callable[..., None]:
    """Note the speeds of one kind of work for the table."""

    def note(work, speeds: dict[str, float]) -> None:
        own = speeds["hf_h5"]
        part = f"{own / speeds[LIMIT]:.0%}" if LIMIT in speeds else ""
        bounds = " / ".join(f"{bound:.0%}" if bound else "–" for bound in work.of_limit) if any(work.of_limit) else ""
        others = {name: own / speed for name, speed in speeds.items() if name not in ("hf_h5", LIMIT, work.rival)}
        line = (
            work.name,
            f"{own:,.0f}",
            f"{own / speeds[work.rival]:.2f} x {work.rival}",
            f"{work.at_least:g}" if work.at_least else "",
            part,
            bounds,
            ", ".join(f"{ratio:.2f} x {name}" for name, ratio in others.items()),
        )
        add_line(TITLE, HEADINGS, line)

    return note


def pytest_terminal_summary(terminalreporter) -> None:
    for title, lines in terminalreporter.config.stash.get(LINES, {}).items():
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        terminalreporter.section(title)
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            terminalreporter.write_line("  ".join(cells).rstrip())
