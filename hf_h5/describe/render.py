"""A schema as a person reads it in a terminal, and as a program reads it.

Pure; no I/O. Names and values come from files: all of them go through ``shown``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ..errors import shown
from .notebook import render_html
from .plain import plain_schema
from .route import route_of
from .schema import Column, Schema, Table
from .sizes import ColumnSizes, measure_table
from .wording import (
    aligned,
    bytes_text,
    count_text,
    layout_text,
    parts_text,
    shape_text,
    shortened,
    size_text,
    stored_type,
)

__all__ = ["render_dict", "render_html", "render_text"]

# What fits a screen; ``to_dict`` has everything.
_COLUMNS, _OTHER_COLUMNS, _TABLES, _LINES = 40, 8, 10, 12
_HEADINGS = ("column", "feature", "stored as", "layout", "ratio", "in file", "in Arrow", "read")
_RIGHT = frozenset({4, 5, 6})
_DESCRIBING = ("units", "unit", "description", "long_name", "standard_name", "title", "dimensions")


def render_text(schema: Schema) -> str:
    """The tables of a file, their columns, and what is not among the rows, as aligned lines."""
    return "\n".join(_lines(schema))


def render_dict(schema: Schema) -> dict[str, Any]:
    """The schema as plain values that ``json`` can write: everything, nothing shortened."""
    return plain_schema(schema)


def _lines(schema: Schema) -> Iterator[str]:
    size = f"  {bytes_text(schema.file_bytes)}" if schema.file_bytes else ""
    count = f"  {len(schema.tables):,} tables" if len(schema.tables) > 1 else ""
    kind = f"  {shown(schema.convention)}" if schema.convention else ""
    yield f"{shown(schema.file)}{size}{kind}{count}"
    if not schema.tables:
        yield f"  no rows: {schema.default_reason}"
    ordered = sorted(schema.tables.values(), key=lambda table: table.name != schema.default)
    for table in ordered[: _TABLES + 1]:
        yield ""
        yield from _table_lines(table, schema)
    if len(ordered) > _TABLES + 1:
        rest = [repr(table.name) for table in ordered[_TABLES + 1 :]]
        yield f"\n  ... and {len(rest)} more tables: {shown(', '.join(rest[:8]))}{', ...' if len(rest) > 8 else ''}"
    yield from _section("metadata, not among the rows (hf_h5.describe(file).metadata):", schema.metadata)
    yield from _section("attributes of the file (hf_h5.describe(file).attrs):", schema.attrs)
    yield from _notes(schema)


def _table_lines(table: Table, schema: Schema) -> Iterator[str]:
    is_default = table.name == schema.default
    sizes, stored, arrow = measure_table(table)
    facts = [count_text(table.num_rows, "row"), count_text(len(table.columns), "column")]
    facts.append(f"{size_text(stored)} in the file, {size_text(arrow)} in Arrow")
    yield f"{'*' if is_default else ' '} {shown(table.name)}  {', '.join(facts)}"
    if not is_default:
        yield f"    found as: {table.rule}; load it with table={shown(repr(table.name))}"
    elif len(schema.tables) == 1:
        yield f"    found as: {table.rule}"
    else:
        yield f"    * the default table ({schema.default_reason}); found as: {table.rule}"
    if text := parts_text(table):
        yield f"    {text}"
    if table.splits:
        listed = ", ".join(f"{name} {count_text(split.num_rows, 'row')}" for name, split in table.splits.items())
        yield f"    splits: {listed}"
    yield from _column_lines(table, sizes, _COLUMNS if is_default else _OTHER_COLUMNS)


def _column_lines(table: Table, sizes: Mapping[str, ColumnSizes], limit: int) -> Iterator[str]:
    # One more is shown rather than a line that says that one is not.
    limit = limit if len(table.columns) > limit + 1 else limit + 1
    columns = list(islice(table.columns.values(), limit))
    seen: set[tuple[str | None, str]] = set()
    rows = [_HEADINGS, *(_cells(column, table.num_rows, sizes[column.name], seen) for column in columns)]
    for line in aligned(rows, right=_RIGHT):
        yield f"    {line}"
    if len(table.columns) > limit:
        yield f"    ... and {len(table.columns) - limit} more columns (hf-h5 describe --json lists all)"
    for column in columns:
        if text := _remark(column):
            yield f"      {shown(column.name)}: {text}"


def _cells(column: Column, n_rows: int, sizes: ColumnSizes, seen: set[tuple[str | None, str]]) -> Sequence[str]:
    route, reason = route_of(column)
    dataset = (column.file, column.path or column.name)
    is_repeat = (bool(column.fields) or column.take == "derived") and dataset in seen
    seen.add(dataset)
    is_filtered = bool(column.storage and column.storage.filter_ids)
    has_data = column.take not in ("constant", "counter", "missing")
    return (
        shown(column.name),
        column.feature_text,
        f"{shape_text(column, n_rows)} {stored_type(column)}".strip(),
        "same dataset" if is_repeat else layout_text(column),
        f"{sizes.ratio:.1f}x" if sizes.ratio is not None and is_filtered and not is_repeat else "",
        size_text(sizes.stored) if has_data and not is_repeat else "",
        size_text(sizes.arrow),
        route if reason is None else f"{route}: {reason}" if route == "h5py" else reason,
    )


def _remark(column: Column) -> str:
    """Units, descriptions and losses of a column."""
    facts = [
        f"{name} {shortened(column.attrs[name], 60)}"
        for name in _DESCRIBING
        if isinstance(column.attrs.get(name), str) and column.attrs[name]
    ]
    return ", ".join(([column.note] if column.note else []) + facts)


def _section(title: str, values: Mapping[str, Any]) -> Iterator[str]:
    if not values:
        return
    yield f"\n  {title}"
    for name, value in islice(values.items(), _LINES):
        yield f"    {shown(name)} = {shortened(value)}"
    if len(values) > _LINES:
        yield f"    ... and {len(values) - _LINES} more"


def _notes(schema: Schema) -> Iterator[str]:
    if not schema.notes:
        return
    yield "\n  not loaded:"
    for note in schema.notes[:_LINES]:
        option = f"; to load it: {note.option}" if note.option else ""
        yield shown(f"    {note.path}: {note.why}{option}")
    if len(schema.notes) > _LINES:
        yield f"    ... and {len(schema.notes) - _LINES} more"
