"""The Well's simulations: one row per trajectory.

Markers: a group ``t0_fields``, ``t1_fields`` or ``t2_fields``, with the root's attribute ``n_trajectories`` or fields
that say whether they vary with the sample. Rules: the data format of https://polymathic-ai.org/the_well.
"""

from __future__ import annotations

from dataclasses import replace

import h5py

from ..describe.columns import dataset_columns
from ..describe.layout import Layout, find_tables
from ..describe.options import Options
from ..describe.schema import Column, Part, Table
from ..describe.tree import DatasetNode, Tree, common_group
from .found import Found
from .nodes import without

__all__ = ["find_the_well"]

_GROUPS = ("t0_fields", "t1_fields", "t2_fields")
_VARIES = "sample_varying"


def find_the_well(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """The trajectories of a file of The Well, and its other tables; None if it is none."""
    groups = [tree.root.groups[name] for name in _GROUPS if name in tree.root.groups]
    fields = [node for group in groups for node in group.walk() if node.has_rows]
    if not fields:
        return None
    varies = {node.path: tree.read_attrs(node.path).get(_VARIES) for node in fields}
    stated = tree.read_attrs("/").get("n_trajectories")
    if not isinstance(stated, int) and not any(value is not None for value in varies.values()):
        return None
    # A mask has no trajectories, though it may be as long as there are of them, and larger than all fields.
    varying = [node for node in fields if varies[node.path] is None or bool(varies[node.path])]
    n_rows = stated if isinstance(stated, int) else _largest_family(varying)
    rows = [node for node in varying if node.length == n_rows]
    if not rows:
        return None
    columns: dict[str, Column] = {}
    for node in rows:
        made = dataset_columns(node, node.path.lstrip("/"), node.path, attrs=tree.read_attrs(node.path))
        columns |= {column.name: column for column in made}
    layout = Layout(notes=list(tree.notes))
    paths = [node.path for node in rows]
    part = Part(tree.file, "", n_rows, columns)
    table = Table(common_group(paths), columns, (part,), "one row per trajectory")
    layout.add(table, sum(node.logical_bytes for node in rows))
    named = options.columns is not None or options.table is not None
    rest = replace(tree, root=without(tree.root, set(paths)), notes=())
    found = find_tables(rest, layout="auto", splits=False, single=named)
    for other in found.tables:
        layout.add(other, found.sizes[other.name])
    layout.metadata += found.metadata
    layout.notes += found.notes
    return Found("The Well", layout)


def _largest_family(nodes: list[DatasetNode]) -> int:
    """The length of the fields that hold most bytes together; 0 without any."""
    sizes: dict[int, int] = {}
    for node in nodes:
        sizes[node.length] = sizes.get(node.length, 0) + node.logical_bytes
    return max(sizes, key=lambda length: sizes[length], default=0)
