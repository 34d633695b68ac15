"""Cooler's contact matrices (`.cool`, `.mcool`, `.scool`): pixels, bins and chromosomes are tables.

Markers: the attribute ``format`` of the root. Rules: cooler's page "schema", versions 2 and 3.
"""

from __future__ import annotations

from dataclasses import replace

import h5py

from ..describe.columns import dataset_columns
from ..describe.elements import Label, Number
from ..describe.layout import Layout
from ..describe.options import Options
from ..describe.schema import Column, Note, Part, Table
from ..describe.tree import DatasetNode, GroupNode, Tree
from .class_names import class_names
from .derivations import LookedUp
from .found import Found
from .nodes import add_rest

__all__ = ["find_cooler"]

_TABLES = ("pixels", "bins", "chroms")
_COLLECTIONS = {"HDF5::MCOOL": "resolutions", "HDF5::SCOOL": "cells"}


def find_cooler(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """The tables of a cooler, or of each of a collection; None if the file is neither."""
    attrs = tree.read_attrs("/")
    kind = attrs.get("format")
    if kind is None and "cooler" in str(attrs.get("format-url")) and set(_TABLES) <= tree.root.groups.keys():
        kind = "HDF5::Cooler"  # before version 3 of the format
    if kind != "HDF5::Cooler" and kind not in _COLLECTIONS:
        return None
    layout = Layout(notes=list(tree.notes))
    coolers = [tree.root]
    if kind in _COLLECTIONS:
        held = tree.root.groups.get(_COLLECTIONS[kind], GroupNode("/", ""))
        coolers = sorted(held.groups.values(), key=_place)
    coolers = [group for group in coolers if "pixels" in group.groups]
    if not coolers:
        return None
    claimed: set[str] = set()
    # The finest resolution first, and of each the pixels.
    for name in _TABLES:
        for group in [*coolers, *([tree.root] if kind in _COLLECTIONS else [])]:
            if name in group.groups:
                chroms = group.groups.get("chroms") or tree.root.groups.get("chroms")
                names = chroms.datasets.get("name") if chroms is not None else None
                _add(tree, handle, layout, group.groups[name], names)
                claimed.add(group.groups[name].path)
    for group in coolers:
        if "indexes" in group.groups:
            claimed.add(group.groups["indexes"].path)
            layout.notes.append(Note(group.groups["indexes"].path, "where the pixels of each bin lie", "layout='raw'"))
    add_rest(layout, tree, claimed)
    version = attrs.get("format-version")
    return Found(f"{str(kind).removeprefix('HDF5::')} {version}" if version is not None else str(kind), layout)


def _place(group: GroupNode) -> tuple[int, str]:
    return (int(group.name), "") if group.name.isdecimal() else (0, group.name)


def _add(tree: Tree, handle: h5py.Group, layout: Layout, group: GroupNode, names: DatasetNode | None) -> None:
    """Add the table of a group whose datasets are its columns; ``names`` are those of the chromosomes."""
    columns: dict[str, Column] = {}
    lengths = {node.length for node in group.datasets.values() if node.has_rows}
    n_rows = max(lengths, default=0)
    for name, node in group.datasets.items():
        if node.has_rows and node.length == n_rows:
            for column in dataset_columns(node, name, node.path, attrs=tree.read_attrs(node.path)):
                columns[column.name] = _named(column, handle, names) if column.name == "chrom" else column
        else:
            why = node.unreadable or f"has not {n_rows:,} rows"
            layout.notes.append(Note(node.path, why, "layout='raw'"))
    if columns:
        table = Table(group.path, columns, (Part(tree.file, "", n_rows, columns),), f"one row per {group.name[:-1]}")
        layout.add(table, table.logical_bytes)


def _named(column: Column, handle: h5py.Group, names: DatasetNode | None) -> Column:
    """The column of chromosomes by name, where it holds their numbers: in old files, and where there are very many."""
    if not isinstance(column.element, Number) or column.dtype.kind not in "iu" or names is None or not names.has_rows:
        return column
    listed = class_names(handle, names)
    if listed is not None:
        return replace(column, element=Label(listed, tuple(range(len(listed)))))
    values = dataset_columns(names, column.name, names.path)[0]
    return replace(values, take="derived", derived=LookedUp(column, values, names.length))
