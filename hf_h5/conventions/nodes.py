"""Which dataset lies at a path, also where the path leads over links; and what no table of a convention holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import h5py
from h5py import h5o

from ..describe.columns import dataset_columns
from ..describe.elements import Number
from ..describe.layout import Layout, find_tables
from ..describe.opening import open_dataset
from ..describe.schema import Column, Part, Table
from ..describe.tree import DatasetNode, GroupNode, Tree

__all__ = ["Nodes", "add_rest", "is_index", "open_object", "walk_groups", "without"]

# Tables of so few bytes are lists of names and the like: metadata.
_SMALL_BYTES = 2048


def open_object(handle: h5py.Group, path: str) -> Any:
    """The dataset or group at the path of a scanned node, also where its name is no UTF-8."""
    return handle[path.lstrip("/").encode("utf-8", "surrogateescape")]


class Nodes:
    """The datasets of a scanned file that is open, by path.

    The scan knows each dataset by one path; links lead to it by others.
    """

    def __init__(self, tree: Tree, handle: h5py.Group) -> None:
        self._tree, self._handle = tree, handle
        self._by_path = {node.path: node for node in tree.root.walk()}

    def find(self, path: str) -> DatasetNode | None:
        """The dataset at a path; None if there is none that can be read."""
        node = self._by_path.get(path)
        if node is None:
            address = self._address(path)
            node = None if address is None else self._by_address.get(address)
        return node

    def members(self, group: str) -> dict[str, DatasetNode]:
        """The datasets of a group by name, those included that links lead to."""
        names = self._handle[group.strip("/") or "/"].keys()
        found = {name: self.find(f"{group.rstrip('/')}/{name}") for name in names}
        return {name: node for name, node in found.items() if node is not None}

    def columns(self, node: DatasetNode, name: str, *, axis: int = 0) -> list[Column]:
        """The columns of a dataset whose rows lie along an axis."""
        columns = dataset_columns(node, name, node.path, attrs=self._tree.read_attrs(node.path))
        if not axis or node.shape is None:
            return columns
        others = (*node.shape[:axis], *node.shape[axis + 1 :])
        inner = len(node.shape) - 1
        return [replace(each, axis=axis, row_shape=others + each.row_shape[inner:]) for each in columns]

    def value(self, path: str) -> Any:
        """The value of a small dataset as plain Python; None if there is none."""
        node = self.find(path)
        return None if node is None else self._tree.read_value(node)

    def last_number(self, node: DatasetNode) -> int:
        """The last value of an index, 0 if there is none: how many rows it counts on."""
        try:
            return int(open_dataset(self._handle, node.path[1:])[-1]) if node.length else 0
        except (OSError, RuntimeError, KeyError, ValueError):
            return 0  # whoever reads the column hears of it, with its place

    @cached_property
    def _by_address(self) -> dict[Any, DatasetNode]:
        addresses = ((self._address(path), node) for path, node in self._by_path.items())
        return {address: node for address, node in addresses if address is not None}

    def _address(self, path: str) -> tuple[int, int] | None:
        try:
            info = h5o.get_info(self._handle.id, path.strip("/").encode("utf-8", "surrogateescape"))
        except (KeyError, OSError, RuntimeError, ValueError):
            return None
        return info.fileno, info.addr


def is_index(column: Column) -> bool:
    """Whether a column holds one whole number a row, which may be that of another row."""
    return isinstance(column.element, Number) and column.element.dtype.kind in "iu" and not column.row_shape


def without(group: GroupNode, claimed: Collection[str]) -> GroupNode:
    """The group without the datasets and groups of these paths."""
    datasets = {name: node for name, node in group.datasets.items() if node.path not in claimed}
    groups = {name: without(inner, claimed) for name, inner in group.groups.items() if inner.path not in claimed}
    return GroupNode(group.path, group.name, groups, datasets)


def walk_groups(group: GroupNode) -> Iterator[GroupNode]:
    """A group and all groups below it."""
    yield group
    for inner in group.groups.values():
        yield from walk_groups(inner)


def add_rest(layout: Layout, tree: Tree, claimed: Collection[str]) -> None:
    """Apply the general rules to the datasets that no table of a convention holds.

    Tables follow those of the convention; short ones are metadata. Where the convention found no rows, and nothing but
    names and single values is left, they are one row.
    """
    rest = replace(tree, root=without(tree.root, claimed), notes=())
    found = find_tables(rest, layout="auto", splits=False)
    has_rows = any(table.num_rows for table in layout.tables)
    if not has_rows and not any(map(_has_numbers, found.tables)):
        _add_single_row(layout, rest)
        return
    by_path = {node.path: node for node in rest.root.walk()}
    for table in found.tables:
        if not has_rows or table.logical_bytes > _SMALL_BYTES:
            layout.add(table, found.sizes[table.name])
        else:
            paths = {part.path_of(column) for part in table.parts for column in part.columns.values()}
            layout.metadata += [by_path[path] for path in sorted(paths & by_path.keys())]
    layout.metadata += found.metadata
    layout.notes += found.notes


def _has_numbers(table: Table) -> bool:
    return table.num_rows > 1 and any(isinstance(column.element, Number) for column in table.columns.values())


def _add_single_row(layout: Layout, tree: Tree) -> None:
    columns = [
        column
        for node in tree.root.walk()
        if node.stored is not None and node.shape is not None
        for column in dataset_columns(
            node, node.path.lstrip("/"), node.path, take="whole", attrs=tree.read_attrs(node.path)
        )
    ]
    if columns:
        named = {column.name: column for column in columns}
        part = Part(tree.file, "", 1, named)
        layout.tables.insert(0, Table("/", named, (part,), "no rows but single values: one row"))
        layout.sizes["/"] = 1
