"""A diagnosis as a page of HTML that stands alone: verdict, predictions, findings, and then what is in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import shown
from ..bench.results import rate_text
from ..report import write_report
from ..report_page import escaped, grid, section
from .facts import Diagnosis, Verdict
from .report import MODES

__all__ = ["doctor_sections", "write_page"]


def write_page(found: Diagnosis, page: str, options: Mapping[str, Any]) -> None:
    """Write the page; a file that cannot be described has no more than its findings.

    Raises
    ------
    H5Error
        If the file cannot be described.
    OSError
        If the page cannot be written.
    """
    write_report(found.file, page, options, first=doctor_sections(found))


def doctor_sections(found: Diagnosis) -> Iterator[str]:
    """Yield the sections about how the file is stored."""
    if found.verdict is not None:
        yield section("Verdict", _advice(found.verdict), _predictions(found))
    if found.random is not None:
        yield section("Rows in any order", _advice(found.random))
    rows = [
        (finding.weight, finding.kind, ", ".join(map(shown, finding.where)), finding.cost, finding.mend)
        for finding in found.findings
    ]
    nothing = "<p>Nothing to mend was found.</p>"
    yield section("Findings", grid(("weight", "what", "where", "cost", "to mend it"), rows) if rows else nothing)


def _advice(verdict: Verdict) -> str:
    return f"<p><b>{escaped(verdict.mode)}</b>: {escaped(verdict.why)}</p><p><code>{escaped(verdict.code)}</code></p>"


def _predictions(found: Diagnosis) -> str:
    rows = [
        (name, rate_text(found.predicted[mode]["shuffled"]), rate_text(found.predicted[mode]["random"]))
        for mode, name in MODES.items()
        if mode in found.predicted
    ]
    return grid(("predicted rows/s", "shuffled epoch", "random rows"), rows) if rows else ""
