"""A schema as a notebook shows it: one HTML fragment without scripts, styles of its own or links.

Pure; no I/O. Everything that comes from the file is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import islice
from typing import Any

from ..errors import shown
from .route import route_of
from .schema import Column, Schema, Table
from .sizes import ColumnSizes, measure_table
from .wording import bytes_text, count_text, layout_text, parts_text, shape_text, shortened, size_text, stored_type

__all__ = ["render_html"]

_LEFT = "text-align:left"
_HEADINGS = ("column", "feature", "stored as", "layout", "ratio", "in file", "in Arrow", "read")
_COLUMNS, _TABLES, _LINES = 100, 30, 30


def render_html(schema: Schema) -> str:
    """The schema as HTML: the default table open, other tables and metadata folded."""
    return "\n".join(_pieces(schema))


def _pieces(schema: Schema) -> Iterator[str]:
    yield f"<div><strong>{_safe(schema.file)}</strong> {bytes_text(schema.file_bytes)}"
    ordered = sorted(schema.tables.values(), key=lambda table: table.name != schema.default)
    for table in ordered[:_TABLES]:
        yield from _table(table, schema)
    if len(ordered) > _TABLES:
        yield f"<p>... and {len(ordered) - _TABLES} more tables</p>"
    yield from _values("metadata, not among the rows", schema.metadata)
    yield from _values("attributes of the file", schema.attrs)
    notes = {note.path: note.why + (f"; to load it: {note.option}" if note.option else "") for note in schema.notes}
    yield from _rows("not loaded", notes)
    yield "</div>"


def _table(table: Table, schema: Schema) -> Iterator[str]:
    is_default = table.name == schema.default
    sizes, stored, arrow = measure_table(table)
    facts = [count_text(table.num_rows, "row"), f"{size_text(stored)} in the file", f"{size_text(arrow)} in Arrow"]
    facts += [f"split {name}: {count_text(split.num_rows, 'row')}" for name, split in table.splits.items()]
    facts += [text] if (text := parts_text(table)) else []
    facts.append(f"default table: {schema.default_reason}" if is_default else f"load it with table={table.name!r}")
    yield f"<details{' open' if is_default else ''}><summary><code>{_safe(table.name)}</code> {_safe(', '.join(facts))}"
    yield f"</summary><p>{_safe(f'found as: {table.rule}')}</p><table><thead>{_row(_HEADINGS, 'th')}</thead><tbody>"
    for column in islice(table.columns.values(), _COLUMNS):
        yield _row(_cells(column, table.num_rows, sizes[column.name]), "td")
    yield "</tbody></table>"
    if len(table.columns) > _COLUMNS:
        yield f"<p>... and {len(table.columns) - _COLUMNS} more columns</p>"
    yield "</details>"


def _cells(column: Column, n_rows: int, sizes: ColumnSizes) -> Sequence[str]:
    route, reason = route_of(column)
    return (
        column.name,
        column.feature_text,
        f"{shape_text(column, n_rows)} {stored_type(column)}",
        layout_text(column),
        "" if sizes.ratio is None else f"{sizes.ratio:.1f}x",
        size_text(sizes.stored),
        size_text(sizes.arrow),
        route if reason is None else f"{route}: {reason}",
    )


def _values(title: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield from _rows(
        title, {name: shortened(value, 200) for name, value in islice(values.items(), _LINES)}, len(values)
    )


def _rows(title: str, texts: Mapping[str, str], total: int | None = None) -> Iterator[str]:
    if not texts:
        return
    yield f"<details><summary>{_safe(title)} ({total or len(texts):,})</summary><table><tbody>"
    for name, text in islice(texts.items(), _LINES):
        yield _row((name, text), "td")
    yield "</tbody></table></details>"


def _row(cells: Sequence[str], tag: str) -> str:
    inner = "".join(f'<{tag} style="{_LEFT}">{_safe(cell)}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"


def _safe(text: str) -> str:
    return escape(shown(text))
