"""AnnData (`.h5ad`) and MuData (`.h5mu`): one row per cell.

Markers: the root's attribute ``encoding-type``; before 0.8 the data frames ``obs`` and ``var``.
Rules: anndata's page "on-disk format"; before 0.7 ``anndata.readwrite`` of that time.
"""

from __future__ import annotations

import h5py

from ..describe.columns import dataset_columns
from ..describe.layout import Layout
from ..describe.options import Options
from ..describe.schema import Column, Note, Part, Table
from ..describe.tree import DatasetNode, GroupNode, Tree
from .anndata_frames import Frame, Frames
from .axis_names import names_digest, with_axis_names
from .found import Found
from .nodes import Nodes, add_rest
from .sparse import sparse_columns, sparse_matrix

__all__ = ["find_anndata"]

_OF_CELLS = frozenset({"X", "layers", "obsm", "raw"})
_OF_GENES = frozenset({"varm"})
# What this convention knows of, the dotted ones before 0.7.
_KNOWN = ("X", "layers", "obs", "obsm", "obsp", "raw", "raw.X", "raw.var", "raw.varm", "uns", "var", "varm", "varp")


def find_anndata(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """The tables of an AnnData or MuData file; None if it is neither."""
    nodes = Nodes(tree, handle)
    frames = Frames(tree, handle, nodes)
    attrs = tree.read_attrs("/")
    kind = str(attrs.get("encoding-type", "")).lower()
    layout = Layout(notes=list(tree.notes))
    if kind == "mudata" and "mod" in tree.root.groups:
        return _mudata(tree, handle, options, frames, layout)
    if not all(frames.is_frame(_child(tree.root, name)) for name in ("obs", "var")):
        return None
    if kind != "anndata" and not _looks_old(tree.root):
        return None
    _Reading(tree, handle, frames, tree.root, options, layout).read()
    add_rest(layout, tree, {f"/{name}" for name in _KNOWN})
    version = attrs.get("encoding-version")
    name = f"AnnData {version}" if isinstance(version, str) else "AnnData"
    return Found(name, layout)


def _looks_old(root: GroupNode) -> bool:
    """Whether a file without a name for what it is has what AnnData's files have besides their data frames."""
    return any(_child(root, name) is not None for name in ("X", "uns", "obsm", "varm", "layers", "raw"))


def _mudata(tree: Tree, handle: h5py.Group, options: Options, frames: Frames, layout: Layout) -> Found:
    """Each modality's tables as of a file of its own, and the data frames of all of them."""
    group = tree.root.groups["mod"]
    order = tree.read_attrs("/mod").get("mod-order")
    names = [name for name in order if name in group.groups] if isinstance(order, list) else []
    for name in [*names, *(name for name in group.groups if name not in names)]:
        inner = group.groups[name]
        if all(frames.is_frame(_child(inner, each)) for each in ("obs", "var")):
            _Reading(tree, handle, frames, inner, options, layout).read()
        else:
            layout.notes.append(Note(inner.path, "no modality: it has no obs and var", "layout='raw'"))
    if all(frames.is_frame(_child(tree.root, each)) for each in ("obs", "var")):
        _Reading(tree, handle, frames, tree.root, options, layout).read()
    maps = [Note(f"/{name}", "which rows of which modality", "layout='raw'") for name in ("obsmap", "varmap")]
    layout.notes += [note for note in maps if _child(tree.root, note.path[1:]) is not None]
    add_rest(layout, tree, {"/mod", "/obsmap", "/varmap", *(f"/{name}" for name in _KNOWN)})
    return Found("MuData", layout)


def _child(group: GroupNode, name: str) -> GroupNode | DatasetNode | None:
    return group.datasets.get(name) or group.groups.get(name)


class _Reading:
    """The tables of one AnnData object while they are found."""

    def __init__(
        self, tree: Tree, handle: h5py.Group, frames: Frames, group: GroupNode, options: Options, layout: Layout
    ) -> None:
        self._tree, self._handle, self._frames, self._group = tree, handle, frames, group
        self._options, self._layout = options, layout
        self._at = group.path.rstrip("/")

    def read(self) -> None:
        """Add the tables, the one of the cells first."""
        obs, var = self._frame("obs"), self._frame("var")
        if obs is None or var is None:
            return
        raw_var = self._frame("raw/var") or self._frame("raw.var")
        names = self._names_digest(var)
        cells = [
            *self._matrices(("X",), "X", obs.n_rows, names),
            *self._each("layers", obs.n_rows, names),
            *self._matrices(("raw/X", "raw.X"), "raw/X", obs.n_rows, self._names_digest(raw_var)),
        ]
        of_obs = [*cells, *self._each("obsm", obs.n_rows)]
        self._add("/obs", obs.named("obs", index="obs_names", reserved=_OF_CELLS) + of_obs, obs.n_rows, "cell")
        of_var = var.named("var", index="var_names", reserved=_OF_GENES)
        self._add("/var", of_var + self._each("varm", var.n_rows), var.n_rows, "variable")
        if raw_var is not None:
            raw = raw_var.named("var", index="var_names", reserved=_OF_GENES)
            raw += self._each("raw/varm", raw_var.n_rows, at="varm") or self._each(
                "raw.varm", raw_var.n_rows, at="varm"
            )
            self._add("/raw/var", raw, raw_var.n_rows, "variable of raw")
        neighbours = self._each("obsp", obs.n_rows) or self._old_neighbours(obs.n_rows)
        self._add("/obsp", neighbours, obs.n_rows, "cell")
        self._add("/varp", self._each("varp", var.n_rows), var.n_rows, "variable")
        uns = self._find("uns")
        if isinstance(uns, GroupNode):
            used = {source.path for each in neighbours for source in (each, *_sources(each))}
            self._layout.metadata += [node for node in uns.walk() if node.path not in used]

    def _find(self, path: str) -> GroupNode | DatasetNode | None:
        node: GroupNode | DatasetNode | None = self._group
        for name in path.split("/"):
            node = _child(node, name) if isinstance(node, GroupNode) else None
        return node

    def _frame(self, path: str) -> Frame | None:
        node = self._find(path)
        if node is None or not self._frames.is_frame(node):
            return None
        frame = self._frames.read(node, f"{self._at}/uns")
        self._layout.notes += frame.notes
        return frame

    def _add(self, name: str, columns: list[Column], n_rows: int, row: str) -> None:
        if not columns:
            return
        named: dict[str, Column] = {}
        for column in columns:
            if column.name in named:
                self._note(column.path, f"a second column {column.name!r}")
            else:
                named[column.name] = column
        table = Table(self._at + name, named, (Part(self._tree.file, "", n_rows, named),), f"one row per {row}")
        self._layout.add(table, table.logical_bytes)

    def _each(self, path: str, n_rows: int, names: str | None = None, at: str | None = None) -> list[Column]:
        """The columns of all that lies in a group, or of the fields of a compound dataset."""
        group = self._find(path)
        if isinstance(group, DatasetNode):
            return self._dense(group, at or path, n_rows)
        found: list[Column] = []
        for name in sorted((*group.datasets, *group.groups)) if group is not None else ():
            found += self._matrices((f"{path}/{name}",), f"{at or path}/{name}", n_rows, names)
        return found

    def _old_neighbours(self, n_rows: int) -> list[Column]:
        """Before 0.7 matrices between cells lay among the metadata."""
        names = ("connectivities", "distances")
        return [each for name in names for each in self._matrices((f"uns/neighbors/{name}",), f"obsp/{name}", n_rows)]

    def _matrices(self, paths: tuple[str, ...], name: str, n_rows: int, names: str | None = None) -> list[Column]:
        """The columns of a matrix, or of a data frame, with a row for each cell; none if there is none."""
        node = next((found for found in map(self._find, paths) if found is not None), None)
        if node is None:
            return []
        if isinstance(node, DatasetNode):
            found = self._dense(node, name, n_rows)
        elif self._frames.is_frame(node):
            frame = self._frames.read(node)
            self._layout.notes += frame.notes
            if frame.n_rows != n_rows:
                self._note(node.path, f"has {frame.n_rows:,} rows, not {n_rows:,}")
                return []
            return frame.below(name)
        else:
            found = self._sparse(node, name, n_rows)
        return with_axis_names(found, names)

    def _dense(self, node: DatasetNode, name: str, n_rows: int) -> list[Column]:
        if node.shape is None or self._tree.read_attrs(node.path).get("encoding-type") == "null":
            return []  # no matrix at all
        if node.stored is None or not node.has_rows:
            self._note(node.path, node.unreadable or "has no rows")
        elif node.length != n_rows:
            self._note(node.path, f"has {node.length:,} rows, not {n_rows:,}")
        else:
            return dataset_columns(node, name, node.path)
        return []

    def _sparse(self, group: GroupNode, name: str, n_rows: int) -> list[Column]:
        attrs = self._tree.read_attrs(group.path)
        kind = str(attrs.get("encoding-type", attrs.get("h5sparse_format", "")))
        shape = attrs.get("shape", attrs.get("h5sparse_shape"))
        if not kind.startswith(("csr", "csc")) or not isinstance(shape, list) or len(shape) != 2:
            self._note(group.path, f"its encoding {kind!r} is not read" if kind else "a group without an encoding")
            return []
        parts = [group.datasets.get(each) for each in ("data", "indices", "indptr")]
        if shape[0] != n_rows or any(part is None for part in parts):
            self._note(group.path, f"a sparse matrix of {shape[0]:,} rows, not {n_rows:,}, or without its datasets")
            return []
        data, indices, indptr = (part for part in parts if part is not None)
        matrix = sparse_matrix(data, indices, indptr, shape, by_rows=kind.startswith("csr"))
        if isinstance(matrix, str):
            self._note(group.path, matrix)
            return []
        most = self._options.limits.turned_bytes
        if not matrix.by_rows and matrix.memory_bytes > most:
            why = f"its rows lie across the columns of a CSC matrix of {matrix.memory_bytes:,} bytes"
            self._layout.notes.append(Note(group.path, why, f"limits={{'turned_bytes': {matrix.memory_bytes}}}"))
            return []
        return sparse_columns(matrix, name, dense=self._options.dense)

    def _names_digest(self, frame: Frame | None) -> str | None:
        """What the variables are called, in short."""
        return None if frame is None else names_digest(self._handle, frame.index, frame.n_rows)

    def _note(self, path: str, why: str) -> None:
        self._layout.notes.append(Note(path, why, "layout='raw'"))


def _sources(column: Column) -> tuple[Column, ...]:
    return column.derived.sources if column.derived is not None else ()
