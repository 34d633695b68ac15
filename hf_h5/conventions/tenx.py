"""10x Genomics' count matrices (`.h5` of Cell Ranger): one row per barcode.

Markers: a group ``matrix`` with ``features`` (Cell Ranger 3 and later), or a group per genome with ``genes``, and in
each the datasets of a sparse matrix with its ``shape``. The matrix is stored genes by cells and column by column, so
that the cells' values lie together (Cell Ranger's page "feature-barcode matrices, HDF5").
"""

from __future__ import annotations

from collections.abc import Iterator

import h5py

from ..describe.columns import dataset_columns
from ..describe.layout import Layout
from ..describe.options import Options
from ..describe.schema import Column, Note, Part, Table
from ..describe.tree import DatasetNode, GroupNode, Tree
from .axis_names import names_digest, with_axis_names
from .found import Found
from .nodes import add_rest
from .sparse import sparse_columns, sparse_matrix

__all__ = ["find_tenx"]

_MATRIX = frozenset({"barcodes", "data", "indices", "indptr", "shape"})


def find_tenx(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """The tables of a 10x matrix file; None if it is none."""
    groups = [group for group in tree.root.groups.values() if _is_matrix(group)]
    if not groups:
        return None
    layout = Layout(notes=list(tree.notes))
    pairs = sorted((_tables(tree, handle, options, layout, group) for group in groups), key=_size, reverse=True)
    for table in [pair[0] for pair in pairs] + [pair[1] for pair in pairs]:
        if table.columns:
            layout.add(table, table.logical_bytes)
    add_rest(layout, tree, {node.path for group in groups for node in _known(group)})
    version = "3" if any("features" in group.groups for group in groups) else "2"
    return Found(f"10x matrix, Cell Ranger {version} layout", layout)


def _is_matrix(group: GroupNode) -> bool:
    is_new = group.name == "matrix" and "features" in group.groups
    return group.datasets.keys() >= _MATRIX and (is_new or "genes" in group.datasets)


def _size(tables: tuple[Table, Table]) -> int:
    return tables[0].logical_bytes


def _known(group: GroupNode) -> Iterator[DatasetNode]:
    """What the tables are made of, tags of features included."""
    for name, node in group.datasets.items():
        if name in _MATRIX or node.has_rows:
            yield node
    yield from group.groups["features"].datasets.values() if "features" in group.groups else ()


def _tables(tree: Tree, handle: h5py.Group, options: Options, layout: Layout, group: GroupNode) -> tuple[Table, Table]:
    """The table of the barcodes and the one of the genes or features."""
    shape = tree.read_value(group.datasets["shape"])
    n_genes, n_cells = (int(size) for size in shape) if isinstance(shape, list) and len(shape) == 2 else (-1, -1)
    features = group.groups.get("features")
    genes: list[Column] = []
    nodes = {name: node for name, node in group.datasets.items() if name not in ("data", "indices", "indptr", "shape")}
    if features is not None:
        genes = _of_length(features.datasets, n_genes, layout)
    for name in ("genes", "gene_names") if features is None else ():
        genes += _of_length({name: nodes.pop(name)}, n_genes, layout) if name in nodes else []
    cells = _of_length({"barcodes": nodes.pop("barcodes")} | nodes, n_cells, layout)
    names = [column for column in genes if column.name in ("id", "genes")]
    data, indices, indptr = (group.datasets[name] for name in ("data", "indices", "indptr"))
    matrix = sparse_matrix(data, indices, indptr, (n_cells, n_genes), by_rows=True)
    if isinstance(matrix, str):
        layout.notes.append(Note(group.path, matrix, "layout='raw'"))
    else:
        found = sparse_columns(matrix, "X", dense=options.dense)
        cells += with_axis_names(found, names_digest(handle, names, n_genes))
    return (
        _table(tree, group.path, cells, n_cells, "one row per barcode"),
        _table(tree, f"{group.path}/{'genes' if features is None else 'features'}", genes, n_genes, "one row per gene"),
    )


def _of_length(nodes: dict[str, DatasetNode], length: int, layout: Layout) -> list[Column]:
    """The columns of the datasets of one length; the others are metadata."""
    columns: list[Column] = []
    for name, node in nodes.items():
        if node.has_rows and node.length == length:
            columns += dataset_columns(node, name, node.path)
        elif node.unreadable is not None:
            layout.notes.append(Note(node.path, node.unreadable))
        else:
            layout.metadata.append(node)
    return columns


def _table(tree: Tree, name: str, columns: list[Column], n_rows: int, rule: str) -> Table:
    named = {column.name: column for column in columns}
    return Table(name, named, (Part(tree.file, "", max(0, n_rows), named),), rule)
