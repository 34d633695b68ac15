"""SLEAP: poses of an analysis file frame by frame, and the labels of a project (``.slp``) with their points.

Markers: the datasets of each. Rules: SLEAP's ``write_tracking_h5`` and the docstring of sleap-io's ``analysis_h5``, and
sleap-io's ``io/slp.py`` for projects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..describe.derived import Fetch
from ..describe.elements import Ragged
from ..describe.layout import Layout
from ..describe.options import Options
from ..describe.schema import Column, Part, Table
from ..describe.tree import DatasetNode, Tree
from .derivations import Lists, read_spans, split_rows
from .found import Found
from .nodes import Nodes, add_rest, is_index

__all__ = ["find_sleap"]

# By frame, with the other axes of files written for MATLAB (the default) and of those that are not.
_BY_FRAME = {
    "tracks": (("track", "xy", "node", "frame"), ("frame", "node", "xy", "track")),
    "track_occupancy": (("frame", "track"), ("track", "frame")),
    "point_scores": (("track", "node", "frame"), ("frame", "node", "track")),
    "instance_scores": (("track", "frame"), ("frame", "track")),
    "tracking_scores": (("track", "frame"), ("frame", "track")),
}
_PROJECT = ("frames", "instances", "points", "pred_points")
_PREDICTED = 1


def find_sleap(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """The tables of a file of SLEAP; None if it is none, or its axes are in no order that SLEAP writes."""
    there = tree.root.datasets
    if {"tracks", "track_occupancy", "node_names"} <= there.keys():
        return _analysis(tree, Nodes(tree, handle))
    if all(name in there and _fields(there[name]) for name in _PROJECT) and "metadata" in tree.root.groups:
        return _project(tree, Nodes(tree, handle))
    return None


def _analysis(tree: Tree, nodes: Nodes) -> Found | None:
    order = _order(tree)
    if order is None:
        return None
    n_rows = _size(tree.root.datasets["tracks"], _dims(tree, "tracks", order), "frame")
    if n_rows is None:
        return None
    columns: dict[str, Column] = {}
    claimed = []
    for name in _BY_FRAME:
        node, dims = tree.root.datasets.get(name), _dims(tree, name, order)
        if node is None or _size(node, dims, "frame") != n_rows:
            continue
        column, *others = nodes.columns(node, name, axis=dims.index("frame"))
        if others:
            continue
        columns[name] = replace(column, attrs={**column.attrs, "dims": [dim for dim in dims if dim != "frame"]})
        claimed.append(node.path)
    layout = Layout(notes=list(tree.notes))
    size = sum(tree.root.datasets[name].logical_bytes for name in columns)
    layout.add(Table("/", columns, (Part(tree.file, "", n_rows, columns),), "a row for each frame"), size)
    add_rest(layout, tree, claimed)
    return Found("SLEAP analysis", layout)


def _order(tree: Tree) -> int | None:
    """Whether the axes are those for MATLAB (0) or not (1): by what the file says of itself, then by their sizes."""
    shape = tree.root.datasets["tracks"].shape or ()
    if any(tree.root.datasets[name].stored is None for name in ("tracks", "track_occupancy")) or len(shape) != 4:
        return None
    n_nodes = tree.root.datasets["node_names"].length if tree.root.datasets["node_names"].shape else 0
    if tree.read_attrs("/tracks").get("dims"):
        fits = [number for number in (0, 1) if "frame" in _dims(tree, "tracks", number)]
    else:
        fits = [number for number, sizes in enumerate((shape[1:3], shape[2:0:-1])) if sizes == (2, n_nodes)]
    was_transposed = tree.read_attrs("/").get("transpose", True)
    return fits[-1 if not was_transposed else 0] if fits else None


def _dims(tree: Tree, name: str, order: int) -> tuple[str, ...]:
    """The axes of a dataset, which newer files state."""
    stated = tree.read_attrs(f"/{name}").get("dims") if name in tree.root.datasets else None
    try:
        dims = json.loads(stated) if isinstance(stated, str) else None
    except (ValueError, RecursionError):
        dims = None
    return tuple(dims) if isinstance(dims, list) and "frame" in dims else _BY_FRAME[name][order]


def _size(node: DatasetNode, dims: tuple[str, ...], dim: str) -> int | None:
    shape = node.shape or ()
    return shape[dims.index(dim)] if len(shape) == len(dims) and node.stored is not None else None


def _fields(node: DatasetNode) -> tuple[str, ...]:
    return (node.stored.memory.names or ()) if node.has_rows and node.stored is not None else ()


def _project(tree: Tree, nodes: Nodes) -> Found | None:
    parts = {name: _columns(nodes, tree.root.datasets[name]) for name in _PROJECT}
    needed = {"frames": _FRAME_FIELDS, "instances": _INSTANCE_FIELDS, "points": ("x", "y"), "pred_points": ("x", "y")}
    if any(field not in parts[name] for name, fields in needed.items() for field in fields):
        return None
    indices = [
        *(parts["frames"][name] for name in _FRAME_FIELDS),
        *(parts["instances"][name] for name in _INSTANCE_FIELDS),
    ]
    if not all(map(is_index, indices)) or any(column.row_shape for each in parts.values() for column in each.values()):
        return None
    layout, claimed = Layout(notes=list(tree.notes)), [f"/{name}" for name in _PROJECT]
    columns = parts["frames"] | _of_instances(parts)
    for name in _PROJECT:
        node = tree.root.datasets[name]
        if node.length or name == "frames":
            named = columns if name == "frames" else parts[name]
            rule = "a row for each labelled frame" if name == "frames" else f"the {name.replace('_', ' ')}"
            layout.add(Table(f"/{name}", named, (Part(tree.file, "", node.length, named),), rule), node.logical_bytes)
    claimed += _add_videos(layout, tree, nodes)
    add_rest(layout, tree, claimed)
    stated = tree.read_attrs("/metadata")
    version = stated.get("format_id")
    # Skeletons, and where they come from: an attribute, though it is no small one.
    values = {f"/metadata@{name}": stated[name] for name in ("json",) if name in stated}
    return Found(f"SLEAP project {version}" if version is not None else "SLEAP project", layout, values)


def _columns(nodes: Nodes, node: DatasetNode) -> dict[str, Column]:
    """The fields of a compound, by their own names."""
    fields = [replace(column, name=column.fields[-1], parts=column.fields) for column in nodes.columns(node, node.name)]
    return {column.name: column for column in fields}


def _of_instances(parts: Mapping[str, Mapping[str, Column]]) -> dict[str, Column]:
    """What the instances of a frame are, as lists, and their points, as lists of lists."""
    frames, instances = parts["frames"], parts["instances"]
    starts, ends = (frames[name] for name in _FRAME_FIELDS)
    columns = {}
    for column in instances.values():
        name = f"instances/{column.name}"
        lists = Lists(column, ends, starts)
        columns[name] = replace(
            column,
            name=name,
            take="derived",
            row_shape=(None,),
            fields=(),
            parts=("instances", column.name),
            derived=lists,
        )
    kind, first, last = (instances[name] for name in _INSTANCE_FIELDS)
    for field in ("x", "y", "visible"):
        labelled, predicted = parts["points"].get(field), parts["pred_points"].get(field)
        if labelled is None or predicted is None or labelled.element != predicted.element:
            continue
        points = InstancePoints(starts, ends, kind, first, last, labelled, predicted)
        name = f"instances/points/{field}"
        columns[name] = Column(
            name,
            labelled.path,
            "derived",
            Ragged(labelled.element),
            (None,),
            parts=tuple(name.split("/")),
            derived=points,
        )
    return columns


_FRAME_FIELDS = ("instance_id_start", "instance_id_end")
_INSTANCE_FIELDS = ("instance_type", "point_id_start", "point_id_end")


@dataclass(frozen=True)
class InstancePoints:
    """One field of the points of each instance of a frame; labelled and predicted ones lie in datasets of their own."""

    starts: Column
    ends: Column
    kind: Column
    first: Column
    last: Column
    labelled: Column
    predicted: Column

    @property
    def sources(self) -> tuple[Column, ...]:
        """The frames' instances, the instances' points, and the points."""
        return self.starts, self.ends, self.kind, self.first, self.last, self.labelled, self.predicted

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """An object array of object arrays of arrays."""
        kinds, firsts, lasts = (
            Lists(each, self.ends, self.starts).make(rows, fetch) for each in (self.kind, self.first, self.last)
        )
        counts = np.array([len(each) for each in kinds], np.int64)
        if not counts.sum():
            return split_rows(np.empty(0, object), counts)
        kind, first, last = (np.concatenate(each).astype(np.int64) for each in (kinds, firsts, lasts))
        points = np.empty(len(kind), object)
        for source, chosen in (
            (self.labelled, np.flatnonzero(kind != _PREDICTED)),
            (self.predicted, np.flatnonzero(kind == _PREDICTED)),
        ):
            flat = read_spans(source, first[chosen], last[chosen], fetch)
            points[chosen] = split_rows(flat, last[chosen] - first[chosen])
        return split_rows(points, counts)

    def __str__(self) -> str:
        return "points of the frame's instances"


def _add_videos(layout: Layout, tree: Tree, nodes: Nodes) -> list[str]:
    """Frames that lie in the project are a table for each video; return what it holds."""
    claimed: list[str] = []
    for group in tree.root.groups.values():
        members = {name: group.datasets[name] for name in ("frame_numbers", "video") if name in group.datasets}
        lengths = {node.length if node.has_rows else None for node in members.values()}
        if len(members) < 2 or len(lengths) > 1 or not lengths - {None, 0}:
            continue
        columns = {column.name: column for name, node in members.items() for column in nodes.columns(node, name)}
        n_rows = members["video"].length
        table = Table(group.path, columns, (Part(tree.file, "", n_rows, columns),), "frames inside the project")
        layout.add(table, members["video"].logical_bytes)
        claimed += [node.path for node in members.values()]
    return claimed
