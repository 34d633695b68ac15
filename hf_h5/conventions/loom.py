"""Loom files: one row per cell, which is a column of the stored matrix.

Markers: a two-dimensional ``matrix``, genes by cells, with ``row_attrs`` and ``col_attrs``. Rules: the Loom file
format specification, 2.0 to 3.0.
"""

from __future__ import annotations

from dataclasses import replace

import h5py

from ..describe.columns import dataset_columns
from ..describe.layout import Layout
from ..describe.options import Options
from ..describe.schema import Column, Note, Part, Table
from ..describe.tree import DatasetNode, GroupNode, Tree
from .axis_names import names_digest, with_axis_names
from .found import Found
from .nodes import add_rest

__all__ = ["find_loom"]

# The columns of a cell that are not its attributes, and names of genes, the surest first.
_OF_CELLS = frozenset({"matrix", "layers"})
_GENE_NAMES = ("Accession", "Gene", "var_names")


def find_loom(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """The tables of a Loom file; None if it is none."""
    root = tree.root
    matrix = root.datasets.get("matrix")
    if matrix is None or not {"row_attrs", "col_attrs"} <= root.groups.keys():
        return None
    if matrix.shape is None or len(matrix.shape) != 2 or matrix.stored is None:
        return None
    layout = Layout(notes=list(tree.notes))
    n_genes, n_cells = matrix.shape
    genes = _attributes(root.groups["row_attrs"], n_genes, layout, frozenset())
    cells = _attributes(root.groups["col_attrs"], n_cells, layout, _OF_CELLS)
    by_name = {column.name: column for column in genes}
    names = [by_name[name] for name in _GENE_NAMES if name in by_name][:1]
    digest = names_digest(handle, names, n_genes)
    cells += with_axis_names(_turned(matrix, "matrix", tree), digest)
    layers = root.groups.get("layers", GroupNode("/layers", "layers"))
    for name, node in layers.datasets.items():
        if node.shape != matrix.shape or node.stored is None:
            layout.notes.append(Note(node.path, f"its shape is {node.shape}, not {matrix.shape}", "layout='raw'"))
        else:
            cells += with_axis_names(_turned(node, f"layers/{name}", tree), digest)
    for path, columns, n_rows, row in (("/col_attrs", cells, n_cells, "cell"), ("/row_attrs", genes, n_genes, "gene")):
        if columns:
            named = {column.name: column for column in columns}
            table = Table(path, named, (Part(tree.file, "", n_rows, named),), f"one row per {row}")
            layout.add(table, table.logical_bytes)
    add_rest(layout, tree, {"/matrix", "/layers", "/row_attrs", "/col_attrs"})
    version = tree.read_attrs("/").get("LOOM_SPEC_VERSION")
    if version is None and "attrs" in root.groups and "LOOM_SPEC_VERSION" in root.groups["attrs"].datasets:
        version = tree.read_value(root.groups["attrs"].datasets["LOOM_SPEC_VERSION"])
    return Found(f"Loom {version}" if isinstance(version, str) else "Loom", layout)


def _attributes(group: GroupNode, length: int, layout: Layout, reserved: frozenset[str]) -> list[Column]:
    """The columns of a group of attributes; those whose names are taken stand below the group's name."""
    columns: list[Column] = []
    for node in group.walk():
        name = node.path.removeprefix(f"{group.path}/")
        if node.has_rows and node.length == length:
            prefix = f"{group.name}/" if name.split("/")[0] in reserved else ""
            columns += dataset_columns(node, prefix + name, node.path)
        elif node.has_rows or node.unreadable is not None:
            why = node.unreadable or f"has {node.length:,} rows, not {length:,}"
            layout.notes.append(Note(node.path, why, "layout='raw'"))
        else:
            layout.metadata.append(node)
    return columns


def _turned(node: DatasetNode, name: str, tree: Tree) -> list[Column]:
    """The columns of a matrix whose rows lie along its second axis."""
    columns = dataset_columns(node, name, node.path, attrs=tree.read_attrs(node.path))
    n_genes = node.shape[0] if node.shape else 0
    return [replace(column, axis=1, row_shape=(n_genes, *column.row_shape[1:])) for column in columns]
