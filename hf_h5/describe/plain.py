"""A schema as plain values that JSON can hold: everything, nothing shortened.

Pure; no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .route import route_of
from .schema import Column, Schema, Table
from .sizes import ColumnSizes, Size, measure_table
from .wording import shape_text, stored_type

__all__ = ["plain_schema"]


def plain_schema(schema: Schema) -> dict[str, Any]:
    """The schema as nested dicts, lists, strings and numbers.

    Numbers that JSON lacks become the strings ``"nan"``, ``"inf"`` and ``"-inf"``; bytes become ``{"hex": ...}``.
    """
    return {
        "file": schema.file,
        "file_bytes": schema.file_bytes,
        "convention": schema.convention,
        "default": schema.default,
        "default_reason": schema.default_reason,
        "tables": {name: _table(table, is_default=name == schema.default) for name, table in schema.tables.items()},
        "metadata": _plain(schema.metadata),
        "attrs": _plain(schema.attrs),
        "notes": [{"path": note.path, "why": note.why, "option": note.option} for note in schema.notes],
    }


def _table(table: Table, *, is_default: bool) -> dict[str, Any]:
    sizes, stored, arrow = measure_table(table)
    return {
        "num_rows": table.num_rows,
        "rule": table.rule,
        "option": None if is_default else f"table={table.name!r}",
        "splits": {name: split.num_rows for name, split in table.splits.items()},
        "parts": [{"path": part.prefix or "/", "num_rows": part.n_rows} for part in table.parts],
        "stored": _size(stored),
        "arrow": _size(arrow),
        "columns": {name: _column(column, table.num_rows, sizes[name]) for name, column in table.columns.items()},
    }


def _column(column: Column, n_rows: int, sizes: ColumnSizes) -> dict[str, Any]:
    route, reason = route_of(column)
    storage = column.storage
    return {
        "feature": _plain(column.spec),
        "feature_text": column.feature_text,
        "path": column.path or None,
        "fields": list(column.fields),
        "take": column.take,
        "row_shape": list(column.row_shape),
        "stored_shape": shape_text(column, n_rows),
        "stored_type": stored_type(column),
        "layout": storage.layout if storage else None,
        "chunks": list(storage.chunks) if storage and storage.chunks else None,
        "filters": [{"id": number, "name": name} for number, name in storage.filter_ids] if storage else [],
        "compression_ratio": None if sizes.ratio is None else round(sizes.ratio, 3),
        "stored": _size(sizes.stored),
        "decoded": None if sizes.decoded is None else _size(sizes.decoded),
        "arrow": _size(sizes.arrow),
        "route": route,
        "route_reason": reason,
        "attrs": _plain(column.attrs),
        "note": column.note,
    }


def _size(size: Size) -> dict[str, Any]:
    return {"bytes": size.n_bytes, "bound": size.bound}


def _plain(value: Any) -> Any:
    """A value that strict JSON can hold."""
    match value:
        case Mapping():
            return {str(name): _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case bool() | int() | None:
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes():
            return {"hex": value.hex()}
        case complex():
            return {"real": _plain(value.real), "imag": _plain(value.imag)}
        case str():
            # Names that are no UTF-8 carry surrogates, which no encoder takes.
            return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        case _:
            return str(value)
