"""What was measured: rows per second of each way to read, by kind of work; as a table and as plain values.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...describe.wording import aligned, bytes_text, count_text
from ...errors import shown

__all__ = ["WAYS", "WORKS", "Bench", "Speed", "rate_text"]

WORKS = {
    "shuffled": "shuffled epoch, batches of 256",
    "random": "256 uniformly random rows",
    "single": "single random rows",
}
"""Kinds of work and what they are, in order."""

WAYS = {
    "class": "hand-written class",
    "h5py": "h5py used well",
    "cached": "cached mode",
    "view": "cached mode, as a view",
    "direct": "direct mode",
    "limit": "limit of the file",
}
"""Ways to read and their names, in order."""

EXPLAINED = {
    "class": "a torch Dataset that takes one row at a time through h5py, in a DataLoader",
    "h5py": "slices along the chunks, in the file's order: it shuffles nothing",
    "cached": "a datasets.Dataset of the same rows, with_format('torch', dtype=None)",
    "view": "H5TorchView.from_dataset of that, as the direct mode",
    "direct": "H5TorchView(...).loader(256, shuffle=True), view[rows], view[row]",
    "limit": "chunks in memory, bare decoding by all threads; of plain bytes numpy's take",
}


@dataclass(frozen=True, slots=True)
class Speed:
    """One measurement: rows per second, or why there is none."""

    rows_per_s: float | None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """What was measured of a table.

    Attributes
    ----------
    file, split
        The first file, and the split.
    n_rows, n_measured
        Rows of the split, and how many of them, the first ones, were read.
    row_bytes
        Bytes of a row, decoded.
    columns, left_out
        Columns that were read, and why the others were not.
    speeds
        By kind of work, then by way.
    converting_rows_per_s, cached_row_bytes
        How fast the sample was converted for the cached mode, and what a row takes there.
    threads
        Threads that decode.
    """

    file: str
    split: str
    n_rows: int
    n_measured: int
    row_bytes: int
    columns: tuple[str, ...]
    left_out: Mapping[str, str]
    speeds: Mapping[str, Mapping[str, Speed]]
    converting_rows_per_s: float
    cached_row_bytes: int
    threads: int

    def __str__(self) -> str:
        return "\n".join([*_head(self), "", *_table(self), "", *_tail(self)])

    def to_dict(self) -> dict[str, Any]:
        """The measurements as plain values that ``json`` can write."""
        speeds = {
            work: {way: {"rows_per_s": speed.rows_per_s, "why": speed.why} for way, speed in ways.items()}
            for work, ways in self.speeds.items()
        }
        facts = {
            name: getattr(self, name)
            for name in ("file", "split", "n_rows", "n_measured", "row_bytes", "threads", "cached_row_bytes")
        }
        return facts | {
            "columns": list(self.columns),
            "left_out": dict(self.left_out),
            "speeds": speeds,
            "converting_rows_per_s": self.converting_rows_per_s,
        }


def rate_text(rate: float | None) -> str:
    """A speed with three digits.

    >>> rate_text(1234567), rate_text(12.34), rate_text(None)
    ('1,230,000', '12.3', '-')
    """
    if rate is None:
        return "-"
    if rate < 100:
        return f"{rate:.3g}"
    digits = 10 ** max(0, len(str(int(rate))) - 3)
    return f"{round(rate / digits) * digits:,}"


def _head(found: Bench) -> list[str]:
    rows = f"{count_text(found.n_rows, 'row')} of {bytes_text(found.row_bytes)}"
    sample = "" if found.n_measured == found.n_rows else f"; measured on the first {found.n_measured:,}"
    threads = count_text(found.threads, "thread")
    lines = [f"{shown(found.file)}, split {shown(found.split)}: {rows}{sample}; {threads}"]
    if found.left_out:
        lines.append(f"  columns: {shown(', '.join(found.columns))}")
        reasons: dict[str, list[str]] = {}
        for name, why in found.left_out.items():
            reasons.setdefault(why, []).append(name)
        lines += [f"  left out: {shown(', '.join(names))}: {shown(why)}" for why, names in reasons.items()]
    return lines


def _table(found: Bench) -> list[str]:
    works = [work for work in WORKS if work in found.speeds]
    rows = [("rows/s", *(WORKS[work] for work in works))]
    for way, name in WAYS.items():
        speeds = [found.speeds[work].get(way) for work in works]
        if any(speed is not None and speed.rows_per_s is not None for speed in speeds):
            rows.append((name, *("" if speed is None else rate_text(speed.rows_per_s) for speed in speeds)))
    return [f"  {line}" for line in aligned(rows, right=frozenset(range(1, len(works) + 1)))]


def _tail(found: Bench) -> list[str]:
    whys = {
        f"{WAYS[way]}: {speed.why}"
        for ways in found.speeds.values()
        for way, speed in ways.items()
        if speed.rows_per_s is None and speed.why
    }
    lines = [f"  no {shown(why)}" for why in sorted(whys)]
    seconds = found.n_rows / found.converting_rows_per_s if found.converting_rows_per_s else 0.0
    size = bytes_text(found.n_rows * found.cached_row_bytes)
    lines.append(f"  the cached mode converts first: all rows would take about {seconds:,.1f} s and {size} of disk")
    return lines
