"""MATLAB 7.3 files: variables of as many rows are a table, scalars and texts metadata, structs groups of variables.

A MATLAB array of N x M lies in HDF5 as M x N; its rows lie along its first dimension that is not 1, as MATLAB's own
functions take it. What is an object of a class (tables, datetimes, strings, functions) is not loaded, and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import h5py
import numpy as np
from h5py import h5a

from ..describe.columns import constant_column, dataset_columns, shown_name
from ..describe.elements import Number, Text
from ..describe.layout import Layout
from ..describe.options import Options
from ..describe.schema import Column, Note, Part, Table
from ..describe.tree import DatasetNode, GroupNode, Tree, common_group
from ..errors import OptionError
from .found import Found
from .matlab_cells import CellColumns
from .matlab_items import (
    SAVE_OTHERWISE,
    CannotReadError,
    ItemReader,
    class_of,
    field_names,
    holds_references,
    is_empty,
    is_object,
    is_struct_array,
    plain,
)
from .matlab_values import Letters, Turned
from .nodes import open_object
from .sparse import sparse_columns, sparse_matrix

__all__ = ["find_matlab"]

_PROBED = 64
# Where MATLAB keeps what cells and objects refer to.
_INTERNAL = ("#refs#", "#subsystem#")


def find_matlab(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """The tables of a file whose variables are marked with their MATLAB classes."""
    names = [*tree.root.datasets, *tree.root.groups]
    if not any(h5a.exists(handle.id, b"MATLAB_class", obj_name=_raw(name)) for name in islice(names, _PROBED)):
        return None
    if options.rows not in (None, "first", "last"):
        raise OptionError(
            f"rows={options.rows!r}: the dimensions of MATLAB arrays have no names",
            file=tree.file,
            hint="rows='last' takes the rows along the last dimension of each array, rows='first' along the first",
        )
    found = _Variables(tree, handle, options)
    found.visit_all()
    return Found("MATLAB 7.3", found.layout(), found.values)


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class _Variable:
    """Columns of as many rows, and the bytes that they hold."""

    n_rows: int
    columns: tuple[Column, ...]
    n_bytes: int
    # Whose rows may lie along the last dimension instead: its length, and the columns then.
    last: _Variable | None = None


@dataclass
class _Variables:
    """Looks at each variable of a file, and deals them out to tables and metadata."""

    tree: Tree
    handle: h5py.Group
    options: Options
    found: list[_Variable] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def visit_all(self) -> None:
        """Look at all variables in the order of their names."""
        root = self.tree.root
        nodes: dict[str, DatasetNode | GroupNode] = {**root.datasets, **root.groups}
        for name in sorted(nodes):
            if name not in _INTERNAL:
                self._visit(name, nodes[name])

    def layout(self) -> Layout:
        """One table for each number of rows, that with the most bytes first."""
        layout = Layout(notes=[*self.tree.notes, *self.notes])
        families: dict[int, list[_Variable]] = {}
        for variable in self._aligned():
            families.setdefault(variable.n_rows, []).append(variable)
        sizes = {n_rows: sum(each.n_bytes for each in members) for n_rows, members in families.items()}
        for n_rows in sorted(families, key=lambda each: -sizes[each]):
            layout.add(self._table(n_rows, families[n_rows]), sizes[n_rows])
        if not layout.tables and self.values:
            self._add_single_row(layout)
        return layout

    def _aligned(self) -> list[_Variable]:
        """Arrays of three and more dimensions along their last one, if others have as many rows and not as the first.

        Pictures lie so beside their labels: 32 x 32 x 3 x N and N x 1.
        """
        if self.options.rows is not None:
            is_last = self.options.rows == "last"
            return [each.last if is_last and each.last is not None else each for each in self.found]
        firm = {each.n_rows for each in self.found if each.last is None or len(each.columns[0].row_shape) < 2}
        return [
            each.last
            if each.last is not None
            and len(each.columns[0].row_shape) > 1
            and each.last.n_rows in firm
            and each.n_rows not in firm
            else each
            for each in self.found
        ]

    def _visit(self, name: str, node: DatasetNode | GroupNode) -> None:
        item = open_object(self.handle, node.path)
        kind = class_of(item.id)
        if is_object(item.id):
            what = "function" if kind == "function_handle" else "object"
            self._refuse(node.path, f"a MATLAB {what} of class {kind!r}", SAVE_OTHERWISE)
        elif isinstance(node, GroupNode):
            self._visit_group(name, node, item, kind)
        elif node.unreadable is not None or node.shape is None:
            self._refuse(node.path, node.unreadable or "it has no values")
        elif is_empty(item.id):
            self.values[node.path] = "" if kind == "char" else []
        elif holds_references(item.id):
            self._visit_cells(name, node.path, item)
        elif kind == "char":
            self._visit_text(name, node, item)
        else:
            self._visit_numbers(name, node, kind)

    def _visit_group(self, name: str, node: GroupNode, item: h5py.Group, kind: str) -> None:
        if h5a.exists(item.id, b"MATLAB_sparse"):
            self._visit_sparse(name, node, item)
        elif kind not in ("", "struct"):
            self._refuse(node.path, f"a MATLAB object of class {kind!r}", SAVE_OTHERWISE)
        elif is_struct_array(item.id):
            self._visit_cells(name, node.path, item)
        else:
            inner: dict[str, DatasetNode | GroupNode] = {**node.datasets, **node.groups}
            for each in field_names(item.id):
                if each in inner:
                    self._visit(f"{name}/{each}", inner[each])

    def _visit_numbers(self, name: str, node: DatasetNode, kind: str) -> None:
        shape = node.shape or ()
        if all(size == 1 for size in shape):
            value = self.tree.read_value(node)
            while isinstance(value, list) and len(value) == 1:
                value = value[0]
            self.values[node.path] = bool(value) if kind == "logical" else value
            return
        # The first dimension that is not 1, as HDF5 counts axes.
        first = max(axis for axis, size in enumerate(shape) if size != 1)
        variable = self._numbers(name, node, kind, first)
        last = self._numbers(name, node, kind, 0) if first > 0 and shape[0] != 1 else None
        self.found.append(replace(variable, last=last))

    def _numbers(self, name: str, node: DatasetNode, kind: str, axis: int) -> _Variable:
        shape = node.shape or ()
        moved = replace(node, shape=(shape[axis], *shape[:axis], *shape[axis + 1 :]))
        # Dimensions before the rows are 1 if the rows are the first that are not.
        before = shape[axis + 1 :] if axis == 0 else ()
        row_shape = tuple(reversed(before)) if axis == 0 else tuple(reversed(shape[:axis]))
        row_shape = () if all(size == 1 for size in row_shape) else row_shape
        columns = []
        for column in dataset_columns(moved, name, node.path, attrs=_shown(self.tree.read_attrs(node.path))):
            element = Number(np.dtype(bool)) if kind == "logical" else column.element
            source = replace(column, element=element, axis=axis)
            if not row_shape or (source.row_shape == row_shape and len(row_shape) < 2):
                columns.append(replace(source, row_shape=row_shape))
            else:
                derived = Turned(source, row_shape)
                columns.append(replace(source, take="derived", row_shape=row_shape, derived=derived, axis=0))
        return _Variable(shape[axis], tuple(columns), node.logical_bytes)

    def _visit_text(self, name: str, node: DatasetNode, item: h5py.Dataset) -> None:
        shape = node.shape or ()
        if len(shape) == 2 and shape[1] == 1:
            self._keep(node.path, item)
            return
        if len(shape) < 2 or node.stored is None or node.stored.memory.kind not in "iu":
            self._refuse(node.path, "its characters are no code units", "layout='raw'")
            return
        # MATLAB's strings run along its second dimension, which is HDF5's last but one.
        moved = replace(node, shape=(shape[-1], *shape[:-1]))
        source = dataset_columns(moved, name, node.path, attrs=_shown(self.tree.read_attrs(node.path)))[0]
        source = replace(source, axis=len(shape) - 1)
        column = replace(
            source,
            take="derived",
            element=Text(),
            row_shape=tuple(reversed(shape[:-2])),
            derived=Letters(source),
            axis=0,
        )
        self.found.append(_Variable(shape[-1], (column,), node.logical_bytes))

    def _visit_cells(self, name: str, path: str, item: h5py.HLObject) -> None:
        cells = CellColumns(self.tree, self.handle, self.notes)
        try:
            n_rows, columns, n_bytes = cells.find(name, path, item)
        except CannotReadError as error:
            self._refuse(path, str(error), "layout='raw'")
            return
        if columns:
            self.found.append(_Variable(n_rows, tuple(columns), n_bytes))
        elif not n_rows:
            self.values[path] = cells.plain

    def _visit_sparse(self, name: str, node: GroupNode, item: h5py.Group) -> None:
        parts = [node.datasets.get(each) for each in ("data", "ir", "jc")]
        n_rows = int(np.asarray(item.attrs["MATLAB_sparse"]).reshape(-1)[0])
        data, rows, bounds = parts
        if bounds is None or not bounds.shape:
            self._refuse(node.path, "a sparse matrix that does not say where its columns begin")
        elif data is None or rows is None:
            self.values[node.path] = f"sparse matrix of {n_rows:,} x {bounds.length - 1:,} without values"
        else:
            matrix = sparse_matrix(data, rows, bounds, (n_rows, bounds.length - 1), by_rows=False)
            if isinstance(matrix, str):
                self._refuse(node.path, f"a sparse matrix of which {matrix}")
                return
            if class_of(item.id) == "logical":
                matrix = replace(matrix, data=replace(matrix.data, element=Number(np.dtype(bool))))
            columns = sparse_columns(matrix, name, dense=self.options.dense)
            self.found.append(_Variable(n_rows, tuple(columns), data.logical_bytes))

    def _keep(self, path: str, item: h5py.HLObject) -> None:
        """A small value as metadata."""
        try:
            self.values[path] = plain(ItemReader(item, self.options.limits.metadata_bytes * 64).read(item.id))
        except CannotReadError as error:
            self._refuse(path, str(error), "layout='raw'")

    def _refuse(self, path: str, why: str, option: str | None = None) -> None:
        self.notes.append(Note(path, why, option))

    def _table(self, n_rows: int, members: Sequence[_Variable]) -> Table:
        columns = {column.name: column for each in members for column in each.columns}
        paths = [column.path for column in columns.values()]
        part = Part(self.tree.file, "", n_rows, columns)
        return Table(common_group(paths), columns, (part,), _rule(n_rows, members))

    def _add_single_row(self, layout: Layout) -> None:
        """A file of single values is one row; what has no one feature stays metadata."""
        columns, constants = {}, {}
        for path, value in self.values.items():
            name = shown_name(path.strip("/"))
            if isinstance(value, str):
                columns[name] = constant_column(name, Text())
            elif isinstance(value, bool | int | float):
                stored = np.dtype(bool) if isinstance(value, bool) else open_object(self.handle, path).dtype
                columns[name] = constant_column(name, Number(stored.newbyteorder("=")))
            else:
                continue
            constants[name] = value
        if columns:
            self.values = {path: value for path, value in self.values.items() if path.strip("/") not in constants}
            part = Part(self.tree.file, "", 1, columns, constants)
            layout.add(Table("/", columns, (part,), "single values only: one row"), 1)


def _shown(attrs: Any) -> dict[str, Any]:
    """The attributes that say something to a user."""
    return {name: value for name, value in attrs.items() if name == "MATLAB_class" or not _is_own(name)}


def _is_own(name: str) -> bool:
    return name.startswith("MATLAB_") or name == "H5PATH"


def _rule(n_rows: int, members: Sequence[_Variable]) -> str:
    moved = [each.columns[0].name for each in members if each.last is None and _is_along_last(each)]
    rule = f"MATLAB variables of {n_rows:,} rows"
    return f"{rule}; those of {', '.join(moved[:4])} lie along the last dimension" if moved else rule


def _is_along_last(variable: _Variable) -> bool:
    derived = variable.columns[0].derived
    return isinstance(derived, Turned) and derived.source.axis == 0 and len(derived.row_shape) > 1
