"""pandas' ``table`` format: one PyTables table whose fields are the index, data columns, and blocks of columns.

Rules: pandas/io/pytables.py (``Table.indexables``, ``IndexCol``, ``DataCol``). The group's attributes name the fields
and the order of the columns, those of the table what each field means; both are pickled, and only parsed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..describe.elements import Label, Number
from ..describe.schema import Column, Part, Table
from ..describe.tree import DatasetNode, GroupNode
from .derivations import LookedUp
from .pandas_fixed import missing_text, with_own_names
from .pandas_store import Store
from .pandas_values import Meaning, decoded_label, label_parts, label_text, meant_column
from .pickles import Foreign, is_label

__all__ = ["read_table"]

# More categories than this are no classes; they come as values.
_MAX_NAMES = 10_000
_UNKNOWN = "integers of which the file does not say what they count: they may be points in time"


def read_table(store: Store, group: GroupNode) -> Table | None:
    """The table of a frame or series; None, with a note, if it is of a kind that is not read."""
    node = group.datasets.get("table")
    kind = store.text(group, "table_type") or store.text(group, "pandas_type")
    index_fields = _names(store.get(group, "index_cols"), paired=True)
    value_fields = _names(store.get(group, "values_cols"))
    if node is None or not node.has_rows:
        why = "the frame has no table" if node is None else node.unreadable or "the table has no rows"
        store.leave_out(group.path if node is None else node.path, why, "layout='raw'")
        return None
    if index_fields is None or value_fields is None or not kind.startswith("appendable_"):
        store.leave_out(group.path, f"pandas' format {kind!r} is not read", "layout='raw' gives its parts")
        return None
    axes = [axis for axis, _ in store.get(group, "index_cols")]
    if axes != [0] or len(index_fields) != 1:
        store.leave_out(group.path, "the frame lies along its columns", "layout='raw' gives its parts")
        return None
    return _Reading(store, group, node).table(index_fields[0], value_fields, "series" in kind)


def _names(value: Any, *, paired: bool = False) -> list[str] | None:
    """The names of fields that an attribute lists."""
    if not isinstance(value, list):
        return None
    names = [item[1] if paired and isinstance(item, tuple) and len(item) == 2 else item for item in value]
    return names if all(isinstance(name, str) for name in names) else None


class _Reading:
    """One table while its columns are found."""

    def __init__(self, store: Store, group: GroupNode, node: DatasetNode) -> None:
        self._store, self._group, self._node = store, group, node
        info = store.get(group, "info") or {}
        self._info: dict[Any, Any] | None = info if isinstance(info, dict) else None
        levels = store.get(group, "levels")
        self._levels: list[Any] = levels if isinstance(levels, list) and all(map(is_label, levels)) else []
        self._fields: dict[str, list[Column]] = {}
        for column in store.columns(node, node.name):
            self._fields.setdefault(column.fields[0] if column.fields else "", []).append(column)

    def table(self, index_field: str, value_fields: list[str], is_series: bool) -> Table:
        """The table with the columns of some fields."""
        values = [pair for field in value_fields for pair in self._value_columns(field)]
        order = {_key(label): number for number, label in enumerate(self._order())}
        values.sort(key=lambda pair: order.get(_key(pair[0]), len(order)))
        levels = [column for level in self._levels for label, column in values if _key(label) == _key(level)]
        index = levels if self._levels else list(self._index_columns(index_field))
        columns = with_own_names(index, [column for _, column in values if not any(column is each for each in levels)])
        part = Part(self._store.tree.file, "", self._node.length, columns)
        rule = f"pandas {'series' if is_series else 'frame'} in table format"
        return Table(self._group.path, columns, (part,), rule)

    def _order(self) -> list[Any]:
        """The labels of the columns in their order, as far as they are understood."""
        match self._store.get(self._group, "non_index_axes"):
            case [(_, list(labels)), *_]:
                return labels if all(map(is_label, labels)) else []
        return []

    def _of_field(self, field: str, name: str) -> Any:
        if self._info is None:
            return Foreign("unknown")
        found = self._info.get(field)
        return found.get(name) if isinstance(found, dict) else None

    def _stated(self, field: str, what: str) -> Any:
        """What the table says of a field; pandas 0.10 called blocks by other names."""
        value = self._store.get(self._node, f"{field}_{what}")
        older = field.replace("values_block_", "values_")
        return value if value is not None else self._store.get(self._node, f"{older}_{what}")

    def _index_columns(self, field: str) -> Iterator[Column]:
        stated = self._of_field(field, "index_name")
        name = "index" if stated is None or not is_label(stated) else label_text(stated)
        kind = self._store.text(self._node, f"{field}_kind")
        if kind == "integer" and isinstance(self._of_field(field, "freq"), Foreign | str):
            kind = "period"
        missing = missing_text(self._store, self._node, f"{field}_nan_rep")
        meaning = self._store.meaning(self._group, kind, self._of_field(field, "tz"), missing)
        for column in self._fields.get(field, []):
            named = replace(column, name=name, parts=(name,))
            yield self._categorical(field, named) or meant_column(named, meaning)

    def _value_columns(self, field: str) -> Iterator[tuple[Any, Column]]:
        """The columns of a field with their labels: one, or as many as its blocks are wide."""
        store, node = self._store, self._node
        bases = self._fields.get(field)
        if not bases:
            store.leave_out(f"{node.path}/{field}", "the table has no such field")
            return
        shape = bases[0].row_shape
        width = int(shape[0] or 0) if shape else 1
        labels = self._stated(field, "kind")
        if not isinstance(labels, list) or len(labels) != width or not all(map(is_label, labels)):
            labels = [field if not shape else f"{field}/{position}" for position in range(width)]
            store.leave_out(f"{node.path}/{field}", "the names of its columns are not understood; they are numbered")
        for base in bases:
            half, meaning = base.name.removeprefix(f"{node.name}/{field}"), self._meaning(field)
            for position, label in enumerate(labels):
                named = replace(
                    base, name=label_text(label) + half, parts=label_parts(label) + tuple(half.split("/")[1:])
                )
                column = self._categorical(field, named, position if shape else None)
                column = column or meant_column(named, meaning, position if shape else None)
                is_unknown = not meaning.kind and column.dtype == np.int64
                yield label, replace(column, note=_UNKNOWN) if is_unknown else column

    def _meaning(self, field: str) -> Meaning:
        kind = self._stated(field, "dtype")
        stated = kind if isinstance(kind, str) else ""
        return self._store.meaning(self._group, stated, self._of_field(field, "tz"), self._missing(field))

    def _missing(self, field: str) -> str | None:
        """The string that stands for a missing one: the column's own since pandas 3.1, else the table's."""
        get = self._store.get
        is_own = get(self._group, "data_col_nan_rep") or (
            field in self._levels and get(self._group, "mi_level_nan_rep", False)
        )
        stated = get(self._node, f"{field}_nan_rep") if is_own else get(self._group, "nan_rep") or "nan"
        return stated if isinstance(stated, str) else None

    def _categorical(self, field: str, codes: Column, position: int | None = None) -> Column | None:
        """A column of categories; None if the field holds none."""
        meta = self._group.groups.get("meta", GroupNode("", "")).groups.get(field)
        stored = meta.groups.get("meta") if meta is not None else None
        if self._store.text(self._node, f"{field}_meta") != "category" and (stored is None or position is not None):
            return None
        if codes.row_shape not in ((), (1,)) or not isinstance(codes.element, Number):
            return None
        plain = meant_column(codes, Meaning(), position)
        if stored is None:
            # All rows are missing: pandas stores no list of no categories.
            return replace(plain, element=Label((), ()))
        found = read_table(self._store, stored)
        values = None if found is None else list(found.columns.values())[-1]
        if found is None or values is None:
            return plain
        names = self._names_of(stored, values)
        if names is not None:
            return replace(plain, element=Label(tuple(names), tuple(range(len(names)))))
        derived = LookedUp(plain, values, found.num_rows)
        return replace(plain, take="derived", element=values.element, derived=derived)

    def _names_of(self, stored: GroupNode, values: Column) -> list[str] | None:
        """The names of categories that are different strings, none of them missing."""
        node = stored.datasets["table"]
        rows = self._store.read(node) if node.length <= _MAX_NAMES else None
        if rows is None or rows.dtype.names is None or values.memory is None or not values.fields:
            return None
        raw = rows[values.fields[0]]
        if raw.dtype.kind != "S":
            return None
        meaning = _Reading(self._store, stored, node)._meaning(values.fields[0])
        names = [decoded_label(value, meaning.encoding) for value in raw.ravel().tolist()]
        is_plain = len(set(names)) == len(names) and meaning.missing not in names
        return names if is_plain else None


def _key(label: Any) -> tuple[str, str]:
    return type(label).__name__, label_text(label)
