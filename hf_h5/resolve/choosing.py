"""Which table of a file is asked for: by its name, by the columns, or none of both.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..describe.elements import Binary, Text
from ..describe.options import Options
from ..describe.schema import Schema, Table
from ..describe.wording import count_text
from ..errors import ColumnError, LayoutError, TableError, closest_names
from .apply import match_columns

__all__ = ["all_matches", "matches", "pick_table", "used_paths"]


def matches(pattern: str, table: Table) -> bool:
    """Whether the pattern chooses a column of the table."""
    return bool(all_matches([pattern], list(table.columns)))


def all_matches(patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Names that the patterns choose, of which each may choose nothing."""
    chosen: dict[str, None] = {}
    for pattern in patterns:
        try:
            chosen |= dict.fromkeys(match_columns([pattern], names))
        except ColumnError:
            continue
    return list(chosen)


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
            return _table_with(schema, options.columns, used_paths(options))
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


def used_paths(options: Options) -> set[str]:
    """The datasets that options read names from."""
    given = [*(options.class_labels or {}).values()]
    given += options.splits.values() if isinstance(options.splits, Mapping) else []
    return {"/" + path.partition("@")[0].strip("/") for path in given if isinstance(path, str)}


def _table_with(schema: Schema, patterns: Sequence[str], used: Collection[str]) -> Table:
    """The table that has a column for every pattern; the default one says what is wrong if none has.

    Of several, one must be meant plainly: the others are side data, or lack a column that is named as a whole. What
    the file's convention says, and a choice of all there is, mean the default one, as no choice does.
    """
    tables = [table for table in schema.tables.values() if all(matches(pattern, table) for pattern in patterns)]
    if not tables:
        _expect_one_table(schema, patterns)
        return schema.tables[schema.default or ""]
    tables = [table for table in tables if not _is_side_data(table, schema, used)] or tables
    named = [table for table in tables if any(_is_name(pattern, table) for pattern in patterns)]
    tables = named or tables
    default = next((table for table in tables if table.name == schema.default), None)
    if default is not None and (named or schema.convention is not None or _is_everything(patterns, schema, used)):
        return default
    if len(tables) > 1:
        listed = "; ".join(
            f"{', '.join(map(repr, all_matches(patterns, list(table.columns))[:4]))} "
            f"({count_text(table.num_rows, 'row')} of table {table.name!r})"
            for table in tables
        )
        raise LayoutError(
            f"columns={list(patterns)} chooses columns of different tables: {listed}",
            file=schema.file,
            hint=f"pass table={tables[0].name!r} as well, or the names of columns of one table",
        )
    return tables[0]


def _is_name(pattern: str, table: Table) -> bool:
    return (pattern.strip("/") or pattern) in table.columns


def _is_side_data(table: Table, schema: Schema, used: Collection[str]) -> bool:
    """Whether a table is no rows of a data set: a single row, or names of something."""
    columns = [column for column in table.columns.values() if column.path not in used]
    if table.num_rows == 1 and all(column.take == "rows" for column in columns):
        return True
    return table.name != schema.default and all(isinstance(column.element, Text | Binary) for column in columns)


def _is_everything(patterns: Sequence[str], schema: Schema, used: Collection[str]) -> bool:
    for table in schema.tables.values():
        names = [column.name for column in table.columns.values() if column.path not in used]
        if len(all_matches(patterns, names)) < len(names):
            return False
    return True


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
