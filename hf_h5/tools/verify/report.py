"""What came of a comparison: counts, the first difference of each column, checksums; as text and as plain values.

Pure; no I/O.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...describe.wording import aligned, count_text
from ...errors import shown
from ..compare import Difference

__all__ = ["ColumnReport", "Report", "SplitReport"]

_SHOWN_COLUMNS = 40


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """What was compared of one column.

    Attributes
    ----------
    n_values
        Numbers, strings and so on that were compared.
    compared
        With what the direct mode was compared: ``"h5py"`` (plain reads), ``"library"`` (the same column, all bytes
        through the HDF5 library), ``"cached"`` or ``"dataset"``.
    note
        Why it was not compared with plain h5py reads.
    n_different
        Rows that are not the same everywhere.
    first
        The first of them.
    checksum
        SHA-256 of its values, as ``digest`` has it.
    """

    n_values: int
    compared: tuple[str, ...]
    note: str | None
    n_different: int
    first: Difference | None
    checksum: str


@dataclass(frozen=True, slots=True)
class SplitReport:
    """What was compared of one split: its columns by name, and what else is not the same."""

    name: str
    n_rows: int
    n_compared: int
    columns: Mapping[str, ColumnReport]
    problems: tuple[str, ...] = ()

    @property
    def checksum(self) -> str:
        """SHA-256 over the checksums of all columns by name."""
        facts = sorted((name, column.checksum) for name, column in self.columns.items())
        return hashlib.sha256(repr((self.n_compared, facts)).encode()).hexdigest()

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not self.problems and not any(column.n_different for column in self.columns.values())


@dataclass(frozen=True, slots=True)
class Report:
    """What ``verify`` found; true if everything is the same.

    Attributes
    ----------
    files
        The HDF5 files.
    dataset
        What they were compared with besides h5py, in words; None if with nothing.
    without_dataset
        Why there is no such thing.
    splits
        What was compared of each split, by name.
    problems
        What differs and is of no one split.
    sample, seed
        How many random rows of each split were compared, and by which seed; None for all rows.
    """

    files: tuple[str, ...]
    dataset: str | None
    without_dataset: str | None
    splits: Mapping[str, SplitReport]
    problems: tuple[str, ...] = ()
    sample: int | None = None
    seed: int | None = None

    @property
    def is_same(self) -> bool:
        """Whether all values that were compared are the same, bit for bit, and nothing is missing."""
        return not self.problems and all(split.is_same for split in self.splits.values())

    def __bool__(self) -> bool:
        return self.is_same

    @property
    def checksum(self) -> str:
        """SHA-256 of the compared values of all splits: the same for the same values, however they are stored."""
        facts = sorted((name, split.checksum) for name, split in self.splits.items())
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    @property
    def difference(self) -> Difference | None:
        """The first difference of values; None if there is none."""
        found = [column.first for split in self.splits.values() for column in split.columns.values() if column.first]
        return min(found, key=lambda each: each.row) if found else None

    def __str__(self) -> str:
        return "\n".join([_verdict(self), *_facts(self)])

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values that ``json`` can write."""
        return {
            "files": list(self.files),
            "dataset": self.dataset,
            "without_dataset": self.without_dataset,
            "same": self.is_same,
            "problems": list(self.problems),
            "sample": self.sample,
            "seed": self.seed,
            "checksum": self.checksum,
            "splits": {name: _split_dict(split) for name, split in self.splits.items()},
        }


def _split_dict(split: SplitReport) -> dict[str, Any]:
    columns = {}
    for name, column in split.columns.items():
        first = column.first
        values = {source: repr(value) for source, value in first.values.items()} if first else {}
        columns[name] = asdict(column) | {"first": first and {"row": first.row, "values": values}}
    facts = {"n_rows": split.n_rows, "n_compared": split.n_compared, "checksum": split.checksum}
    return facts | {"same": split.is_same, "problems": list(split.problems), "columns": columns}


def _verdict(report: Report) -> str:
    files = report.files[0] if len(report.files) == 1 else f"{report.files[0]} and {len(report.files) - 1} more files"
    sources = [*dict.fromkeys(_sources(report)), "the direct mode"]
    if report.dataset is not None:
        sources.append(report.dataset)
    rows = sum(split.n_compared for split in report.splits.values())
    what = f"{count_text(rows, 'row')} of a sample (seed {report.seed})" if report.sample else count_text(rows, "row")
    said = "the same" if report.is_same else "DIFFERENT"
    return f"{shown(files)}: {said}: {what} of {' and '.join([', '.join(sources[:-1]), sources[-1]])}"


def _sources(report: Report) -> list[str]:
    words = {"h5py": "h5py", "library": "the HDF5 library"}
    compared = {
        each for split in report.splits.values() for column in split.columns.values() for each in column.compared
    }
    return [words[name] for name in ("h5py", "library") if name in compared]


def _facts(report: Report) -> list[str]:
    lines = [f"  {shown(problem)}" for problem in report.problems]
    for split in report.splits.values():
        lines += ["", f"  {shown(split.name)}: {count_text(split.n_rows, 'row')}"]
        lines += [f"    {shown(problem)}" for problem in split.problems]
        for name, column in split.columns.items():
            if column.first is not None:
                rows = count_text(column.n_different, "row")
                verb = "differs" if column.n_different == 1 else "differ"
                lines.append(f"    {rows} of {shown(repr(name))} {verb}, the first is {column.first.row}:")
                lines += [f"      {line}" for line in column.first.lines()]
        lines += _table(split)
    if report.without_dataset is not None:
        lines += ["", f"  not compared with a converted dataset: {shown(report.without_dataset)}"]
    return [*lines, "", f"  checksum of the values: sha256:{report.checksum}"]


def _table(split: SplitReport) -> list[str]:
    rows = [("column", "values", "compared with", "different rows", "checksum", "")]
    for name, column in list(split.columns.items())[:_SHOWN_COLUMNS]:
        compared = ", ".join(column.compared) or "nothing"
        different = f"{column.n_different:,}" if column.n_different else ""
        note = f"not plain h5py: {column.note}" if column.note else ""
        rows.append((shown(name), f"{column.n_values:,}", compared, different, column.checksum[:12], shown(note)))
    more = len(split.columns) - _SHOWN_COLUMNS
    return [f"    {line}" for line in aligned(rows, right=frozenset({1, 3}))] + (
        [f"    and {count_text(more, 'more column')} (--json has all)"] if more > 0 else []
    )
