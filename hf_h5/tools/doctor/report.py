"""A diagnosis as a person reads it.

Pure; no I/O.
"""

from __future__ import annotations

from ...describe.wording import aligned, bytes_text, count_text
from ...errors import shown
from ..bench.results import rate_text
from .facts import Diagnosis, Finding

__all__ = ["MODES", "to_text"]

MODES = {
    "direct": "direct mode: H5TorchView(file).loader(256, shuffle=True)",
    "repacked": "direct mode after hf-h5 repack --for training",
    "mapped": "open_dataset(file): a Dataset, nothing converted",
    "cached": "load_dataset: a Dataset",
    "cached view": "load_dataset, and H5TorchView.from_dataset",
}
_NAMED = 6


def to_text(found: Diagnosis) -> str:
    """Return the lines that ``hf-h5 doctor`` prints."""
    lines = [shown(found.file) if found.table is None else _head(found)]
    if found.verdict is not None:
        lines += ["", f"verdict: {found.verdict.mode}: {found.verdict.why}", f"  {shown(found.verdict.code)}"]
        if found.random is not None:
            lines += [f"rows in any order: {found.random.mode}: {found.random.why}", f"  {shown(found.random.code)}"]
        lines += ["", *_predictions(found)]
    for number, finding in enumerate(found.findings, start=1):
        lines += ["", *_finding(number, finding)]
    return "\n".join(lines)


def _head(found: Diagnosis) -> str:
    table = found.table
    assert table is not None
    rows = f"{count_text(table.n_rows, 'row')} of {bytes_text(table.row_bytes)}"
    return f"{shown(table.file)}: {bytes_text(table.file_bytes)}, {rows}, {count_text(len(table.columns), 'column')}"


def _predictions(found: Diagnosis) -> list[str]:
    rows = [("predicted rows/s", "shuffled epoch", "random rows")]
    for mode, name in MODES.items():
        if mode in found.predicted:
            rates = found.predicted[mode]
            rows.append((name, rate_text(rates["shuffled"]), rate_text(rates["random"])))
    return [f"  {line}" for line in aligned(rows, right=frozenset({1, 2}))] + ["  (hf-h5 bench measures them)"]


def _finding(number: int, finding: Finding) -> list[str]:
    names = ", ".join(finding.where[:_NAMED])
    more = f" and {len(finding.where) - _NAMED} more" if len(finding.where) > _NAMED else ""
    where = f" [{shown(names)}{more}]" if names else ""
    mend = shown(finding.mend)
    return [f"{number}. {finding.weight}: {finding.kind}{where}", f"   {shown(finding.cost)}", f"   -> {mend}"]
