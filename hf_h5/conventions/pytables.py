"""PyTables' own nodes: a table for each of its tables; arrays by the general rules, along the axis that can grow.

Rules: the PyTables user's guide, appendix "PyTables file format" (the attributes ``CLASS``, ``EXTDIM``,
``PSEUDOATOM``). Nodes named ``_i_*`` are indexes of tables, which hold nothing of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.derived import Fetch
from ..describe.elements import Binary, Number, Ragged, Text
from ..describe.layout import Layout, find_tables
from ..describe.options import Options
from ..describe.schema import Column, Part, Table
from ..describe.tree import DatasetNode, GroupNode
from ..errors import DataError
from .pandas_store import PICKLED, Store, is_pickled

__all__ = ["is_hidden", "read_pytables"]

# As many strings of a node are looked at to know whether they are text.
_LOOKED_AT = 64


def read_pytables(store: Store, options: Options, tables: list[Table], claimed: set[str]) -> Layout:
    """The tables of all nodes, the largest first.

    Parameters
    ----------
    tables
        Those that are known already, of pandas.
    claimed
        Paths of the groups and datasets that they hold.
    """
    layout = Layout()
    by_path = {node.path: node for node in store.tree.root.walk()}
    for table in tables:
        layout.add(table, _size(table, by_path))
    turned: list[tuple[DatasetNode, Column]] = []
    for node in list(_nodes(store.tree.root, claimed)):
        kind = store.text(node, "CLASS")
        if kind == "TABLE" and node.has_rows:
            layout.add(_own_table(store, node), node.logical_bytes)
        elif kind in ("EARRAY", "VLARRAY") and _is_special(store, node):
            column = _special_column(store, node)
            turned += [(node, column)] if column is not None else []
        else:
            continue
        claimed.add(node.path)
    _add_others(store, options, layout, claimed)
    for node, column in turned:
        _add_column(store, layout, node, column)
    layout.tables.sort(key=lambda table: -layout.sizes[table.name])
    layout.notes = store.notes + layout.notes
    return layout


def is_hidden(name: str) -> bool:
    """Whether PyTables keeps a node for itself."""
    return name.startswith(("_i_", "_p_"))


def _nodes(group: GroupNode, claimed: set[str]) -> Iterator[DatasetNode]:
    """The datasets that nothing claims."""
    yield from (node for node in group.datasets.values() if node.path not in claimed)
    for name, inner in group.groups.items():
        if inner.path not in claimed and not is_hidden(name):
            yield from _nodes(inner, claimed)


def _size(table: Table, by_path: dict[str, DatasetNode]) -> int:
    paths = {
        source.path
        for column in table.columns.values()
        for source in ((column,) if column.derived is None else column.derived.sources)
    }
    return sum(by_path[path].logical_bytes for path in paths if path in by_path)


def _own_table(store: Store, node: DatasetNode) -> Table:
    columns = {}
    for column in store.columns(node, node.name):
        name = column.name.removeprefix(f"{node.name}/")
        columns[name] = replace(column, name=name, parts=column.parts[len(node.name.split("/")) :] or (name,))
    part = Part(store.tree.file, "", node.length, columns)
    return Table(node.path, columns, (part,), "a table of PyTables")


def _is_special(store: Store, node: DatasetNode) -> bool:
    """Whether the general rules would misread an array."""
    if node.unreadable is not None or not node.shape:
        return False
    if store.text(node, "CLASS") == "VLARRAY":
        return is_pickled(store, node) or bool(_text_atom(store, node)) or _is_truth_list(store, node)
    axis = store.get(node, "EXTDIM")
    return isinstance(axis, int) and 0 < axis < len(node.shape)


def _text_atom(store: Store, node: DatasetNode) -> str:
    atom = store.text(node, "PSEUDOATOM") or store.text(node, "FLAVOR").lower()
    return atom if atom in ("vlstring", "vlunicode") else ""


def _is_truth_list(store: Store, node: DatasetNode) -> bool:
    element = store.columns(node, node.name)[0].element if node.has_rows else None
    return isinstance(element, Ragged) and element.item == Number(np.dtype(bool))


def _special_column(store: Store, node: DatasetNode) -> Column | None:
    """The column of an array that the general rules would misread; None, with a note, of pickled objects."""
    if is_pickled(store, node):
        store.leave_out(node.path, f"its rows are {PICKLED}")
        return None
    column = store.columns(node, node.name)[0]
    atom = _text_atom(store, node)
    if atom:
        element = Text() if atom == "vlunicode" or _is_text(store, node) else Binary()
        return replace(column, take="derived", element=element, derived=JoinedTexts(column, atom, element == Binary()))
    if store.text(node, "CLASS") == "VLARRAY" or node.shape is None:
        return column
    axis = int(store.get(node, "EXTDIM"))
    inner = column.row_shape[len(node.shape) - 1 :]
    return replace(column, axis=axis, row_shape=node.shape[:axis] + node.shape[axis + 1 :] + inner)


def _is_text(store: Store, node: DatasetNode) -> bool:
    for value in store.read_first(node, _LOOKED_AT):
        raw = np.asarray(value).tobytes()
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            return False
        if b"\0" in raw:
            return False
    return True


def _add_others(store: Store, options: Options, layout: Layout, claimed: set[str]) -> None:
    """The arrays that are left, by the general rules; single rows beside tables are metadata."""
    rest = replace(store.tree, root=_without(store.tree.root, claimed), notes=())
    named = options.columns is not None or options.table is not None
    found = find_tables(rest, layout="auto", splits=options.splits == "auto", single=named)
    by_path = {node.path: node for node in rest.root.walk()}
    for table in found.tables:
        if table.num_rows == 1 and layout.tables and not named:
            paths = {part.path_of(column) for part in table.parts for column in part.columns.values()}
            layout.metadata += [by_path[path] for path in sorted(paths & by_path.keys())]
        else:
            layout.add(_as_meant(store, table, by_path), found.sizes[table.name])
    layout.metadata += found.metadata
    layout.notes += found.notes


def _as_meant(store: Store, table: Table, by_path: dict[str, DatasetNode]) -> Table:
    """A table of the general rules with truth values and times as PyTables means them."""
    known: dict[int, dict[str, Column]] = {}

    def changed(part: Part) -> Part:
        if id(part.columns) not in known:
            known[id(part.columns)] = {
                name: store.as_meant(by_path[path], column) if (path := part.path_of(column)) in by_path else column
                for name, column in part.columns.items()
            }
        return replace(part, columns=known[id(part.columns)])

    parts = tuple(map(changed, table.parts))
    columns = dict(table.columns)
    for part, before in zip(parts[:1], table.parts, strict=False):
        for name, column in part.columns.items():
            if name in columns and column is not before.columns[name]:
                meant = replace(columns[name], element=column.element, take=column.take, derived=column.derived)
                columns[name] = meant
    splits = {name: _as_meant(store, split, by_path) for name, split in table.splits.items()}
    return replace(table, columns=columns, parts=parts, splits=splits)


def _without(group: GroupNode, claimed: set[str]) -> GroupNode:
    datasets = {name: node for name, node in group.datasets.items() if node.path not in claimed}
    groups = {
        name: _without(inner, claimed)
        for name, inner in group.groups.items()
        if inner.path not in claimed and not is_hidden(name)
    }
    return GroupNode(group.path, group.name, groups, datasets)


def _add_column(store: Store, layout: Layout, node: DatasetNode, column: Column) -> None:
    """Add a column to the table of arrays beside it that has as many rows, or as a table of its own."""
    if node.shape is None:
        return
    n_rows, parent = node.shape[column.axis], node.path.rpartition("/")[0] or "/"
    for number, table in enumerate(layout.tables):
        is_beside = table.name == parent and table.num_rows == n_rows and len(table.parts) == 1
        if is_beside and not table.splits and column.name not in table.columns:
            columns = {**table.columns, column.name: column}
            layout.tables[number] = replace(table, columns=columns, parts=(replace(table.parts[0], columns=columns),))
            layout.sizes[table.name] += node.logical_bytes
            return
    columns = {column.name: column}
    along = f" along axis {column.axis}, which can grow" if column.axis else ""
    part = Part(store.tree.file, "", n_rows, columns)
    layout.add(Table(parent, columns, (part,), f"an array of PyTables{along}"), node.logical_bytes)


@dataclass(frozen=True)
class JoinedTexts:
    """Strings that are stored as lists of bytes or of code points."""

    values: Column
    atom: str
    as_bytes: bool = False

    @property
    def sources(self) -> tuple[Column, ...]:
        """The lists."""
        return (self.values,)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """Strings, or bytes, in an object array."""
        out = np.empty(len(rows), object)
        out[:] = list(map(self._joined, fetch.rows(self.values, rows)))
        return out

    def _joined(self, value: NDArray[Any]) -> str | bytes:
        if self.as_bytes:
            return value.astype(np.uint8).tobytes()
        is_wide = self.atom == "vlunicode"
        raw = value.astype("<u4" if is_wide else "u1").tobytes()
        try:
            return raw.decode("utf-32-le" if is_wide else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"a string is no valid Unicode: {raw[:20]!r}", hint="layout='raw' reads its bytes as lists of numbers"
            ) from error

    def __str__(self) -> str:
        return "bytes, joined" if self.as_bytes else f"strings of {self.atom}"
