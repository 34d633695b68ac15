"""Which table of a file is asked for: by its name, by the columns, or none of both.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..describe.options import Options
from ..describe.schema import Schema, Table
from ..errors import ColumnError, LayoutError, TableError, closest_names
from .apply import match_columns

__all__ = ["matches", "pick_table"]


def matches(pattern: str, table: Table) -> bool:
    """Whether the pattern chooses a column of the table."""
    try:
        return bool(match_columns([pattern], list(table.columns)))
    except ColumnError:
        return False


def pick_table(schema: Schema, options: Options) -> Table:
    """The table that ``table=`` or ``columns=`` names, or the default one.

    Raises
    ------
    TableError, LayoutError
        If there is none, or the columns are in several.
    """
    if options.table is None:
        if options.layout == "steps" and not any(
            part.prefix for table in schema.tables.values() for part in table.parts
        ):
            raise LayoutError(
                "layout='steps' needs repeated groups, and the file has none",
                file=schema.file,
                hint="leave layout= out",
            )
        if options.columns is not None and schema.table is not None:
            return _table_with(schema, options.columns)
        if schema.table is None:
            unread = "".join(
                f"; {note.path}: {note.why}{f' ({note.option})' if note.option else ''}" for note in schema.notes[:5]
            )
            raise LayoutError(
                f"the file holds no rows{unread}",
                file=schema.file,
                hint="hf-h5 describe shows what it holds; attributes and scalars are its metadata",
            )
        return schema.table
    name = options.table if options.table.startswith("/") else f"/{options.table}"
    if name in schema.tables:
        return schema.tables[name]
    for table in schema.tables.values():
        firsts = [inner.parts[:1] for inner in (table, *table.splits.values())]
        if any(part.path_of(column) == name for parts in firsts for part in parts for column in part.columns.values()):
            return table
    raise TableError(f"no table {options.table!r}", file=schema.file, hint=closest_names(name, schema.tables))


def _table_with(schema: Schema, patterns: Sequence[str]) -> Table:
    """The first table that has a column for every pattern; the default one says what is wrong if none has."""
    for table in sorted(schema.tables.values(), key=lambda table: table.num_rows == 1):
        try:
            match_columns(patterns, list(table.columns))
        except ColumnError:
            continue
        return table
    _expect_one_table(schema, patterns)
    return schema.tables[schema.default or ""]


def _expect_one_table(schema: Schema, patterns: Sequence[str]) -> None:
    """Raise if each pattern is known, but not in one table."""
    places: dict[str, Table] = {}
    for pattern in patterns:
        found = next((table for table in schema.tables.values() if matches(pattern, table)), None)
        if found is None:
            return  # an unknown column, of which the default table says more
        places[pattern] = found
    listed = ", ".join(
        f"{pattern!r} ({table.num_rows:,} rows of table {table.name!r})" for pattern, table in places.items()
    )
    raise LayoutError(
        f"the columns that were asked for are in different tables: {listed}",
        file=schema.file,
        hint="load one table at a time, by table= or by its columns",
    )
