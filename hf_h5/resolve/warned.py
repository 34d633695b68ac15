"""What users are warned of, of each file: what is not among its rows, and what is not held exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..describe.options import Options
from ..describe.schema import Schema, Table
from ..describe.wording import count_text
from ..errors import warn
from .choosing import all_matches, used_paths

__all__ = ["warn_left_out", "warn_lost_splits", "warn_rounded"]


def warn_left_out(schema: Schema, table: Table, options: Options) -> None:
    """One warning that names what is not among the rows, as far as the user asked for it; all is without a choice."""
    if options.table is not None or options.features is not None:
        return
    used = used_paths(options)
    # A column that is named as a whole, and is there, asks for nothing else.
    patterns = [each for each in options.columns or () if (each.strip("/") or each) not in table.columns]

    def asked(names: Iterable[str]) -> list[str]:
        return list(names) if options.columns is None else all_matches(patterns, list(names))

    left = []
    for name, other in schema.tables.items():
        columns = asked(each.name for each in other.columns.values() if each.path not in used)
        if other is not table and name != table.name and columns:
            left.append(f"{_listed(columns)} ({count_text(other.num_rows, 'row')}: table={name!r})")
    inner = {path.strip("/"): path for path in schema.metadata if path not in used}
    names = [inner[name] for name in asked(inner)]
    if names:
        left.append(f"{count_text(len(names), 'single value')} ({_listed(names)}: hf_h5.describe(file).metadata)")
    left += [
        f"{note.path} ({note.why}{f': {note.option}' if note.option else ''})"
        for note in schema.notes
        # Of datasets in repeated groups the note's path has a star for the group, and columns are named from there.
        if asked([note.path.strip("/"), note.path.rpartition("*/")[2]])
    ]
    if left:
        warn(
            f"not among the rows of {schema.file}: {'; '.join(left[:10])}"
            + (f"; and {len(left) - 10} more" if len(left) > 10 else ""),
        )


def warn_lost_splits(schema: Schema, table: Table, options: Options) -> None:
    """One warning that names the splits of the file that hold no rows of the chosen columns."""
    if options.columns is None or options.table is not None or isinstance(options.splits, Mapping):
        return
    lost = [split for split in schema.splits if split not in table.splits]
    if table.splits and lost:
        warn(
            f"only {' and '.join(map(repr, table.splits))} of the splits of {schema.file} "
            f"{'holds' if len(table.splits) == 1 else 'hold'} rows of {_listed(list(table.columns))}; "
            f"{' and '.join(map(repr, lost))} {'is' if len(lost) == 1 else 'are'} left out"
        )


def warn_rounded(table: Table, file: str) -> None:
    """Say which columns are not held exactly."""
    for column in table.columns.values():
        if column.note:
            warn(f"column {column.name!r} of {file}: {column.note}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
