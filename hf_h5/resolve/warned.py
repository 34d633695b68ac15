"""What users are warned of, of each file: what is not among its rows, and what is not held exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..describe.options import Options
from ..describe.schema import Schema, Table
from ..describe.wording import count_text
from ..errors import warn

__all__ = ["warn_left_out", "warn_rounded"]


def warn_left_out(schema: Schema, table: Table, options: Options) -> None:
    """One warning that names what is not among the rows, unless the user chose."""
    if options.table is not None or options.columns is not None or options.features is not None:
        return
    used = _lists_of_names(options)
    left = []
    for name, other in schema.tables.items():
        columns = [each.name for each in other.columns.values() if each.path not in used]
        if other is not table and name != table.name and columns:
            left.append(f"{_listed(columns)} ({other.num_rows:,} rows: table={name!r})")
    names = [path for path in schema.metadata if path not in used]
    if names:
        left.append(f"{count_text(len(names), 'single value')} ({_listed(names)}: hf_h5.describe(file).metadata)")
    left += [f"{note.path} ({note.why}{f': {note.option}' if note.option else ''})" for note in schema.notes]
    if left:
        warn(
            f"not among the rows of {schema.file}: {'; '.join(left[:10])}"
            + (f"; and {len(left) - 10} more" if len(left) > 10 else ""),
        )


def _lists_of_names(options: Options) -> set[str]:
    """The datasets that options read names from."""
    given = [*(options.class_labels or {}).values()]
    given += options.splits.values() if isinstance(options.splits, Mapping) else []
    return {"/" + path.partition("@")[0].strip("/") for path in given if isinstance(path, str)}


def warn_rounded(table: Table, file: str) -> None:
    """Say which columns are not held exactly."""
    for column in table.columns.values():
        if column.note:
            warn(f"column {column.name!r} of {file}: {column.note}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
