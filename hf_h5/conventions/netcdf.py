"""netCDF-4 files, and others whose datasets have dimension scales: variables along one dimension are a table.

Rows lie along an unlimited dimension, or the outermost one that holds the most; ``rows="time"`` names another. What
has not that dimension is a table along its own, or metadata if it is a coordinate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import h5py
import numpy as np

from ..describe.columns import dataset_columns
from ..describe.elements import Number, Text
from ..describe.layout import Layout
from ..describe.options import Options
from ..describe.schema import Column, Note, Part, Table
from ..describe.tree import DatasetNode, Tree, common_group
from ..errors import OptionError
from .found import Found
from .netcdf_model import Dataset, Dimension, Variable, find_dataset
from .netcdf_values import Extended, Joined, Packing, Unpacked, find_packing, known_encoding
from .nodes import open_object

__all__ = ["find_netcdf"]

# A coordinate of an attribute is named by others, which are along the same dimensions.
# The library's prefix for a variable that has the name of a dimension and is not its coordinate.
_NOT_A_COORDINATE = "_nc4_non_coord_"
_NAMING = ("coordinates", "bounds", "climatology", "grid_mapping", "ancillary_variables", "cell_measures")


def find_netcdf(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """The tables of a file with dimension scales."""
    dataset = find_dataset(tree, handle)
    if dataset is None:
        return None
    found = _Tables(tree, handle, options, dataset)
    conventions = handle.attrs.get("Conventions") if dataset.is_netcdf else None
    named = conventions.decode("utf-8", "replace") if isinstance(conventions, bytes) else conventions
    name = "netCDF-4" if dataset.is_netcdf else "HDF5 with dimension scales"
    return Found(f"{name} ({named})" if isinstance(named, str) and named else name, found.layout(), found.values)


@dataclass
class _Tables:
    """Deals the variables of a file out to tables and metadata."""

    tree: Tree
    handle: h5py.Group
    options: Options
    dataset: Dataset
    values: dict[str, Any] = field(default_factory=dict)

    def layout(self) -> Layout:
        """All tables, the main one first."""
        layout = Layout(notes=list(self.tree.notes))
        left = []
        for variable in self.dataset.variables:
            if variable.node.unreadable is not None:
                layout.notes.append(Note(variable.node.path, variable.node.unreadable))
            elif not variable.outer:
                self._keep(variable, layout)
            else:
                left.append(variable)
        for dimension in self._dimensions(left):
            members = [each for each in left if dimension in each.outer]
            left = [each for each in left if dimension not in each.outer]
            if not members:
                continue
            if layout.tables and self._is_side_data(dimension, members):
                for variable in members:
                    self._keep(variable, layout)
            else:
                if layout.tables:
                    self._keep_coordinates(members, layout)
                layout.add(self._table(dimension, members), sum(each.node.logical_bytes for each in members))
        if not layout.tables and layout.metadata:
            layout.tables = [_one_row(layout.metadata, self.tree)]
            layout.metadata = []
        return layout

    def _dimensions(self, variables: Sequence[Variable]) -> list[Dimension]:
        """The dimensions in the order in which they become rows."""
        order: list[Dimension] = []
        left = list(variables)
        if self.options.rows is not None:
            order += self._asked(left)
        while left:
            left = [each for each in left if not any(dimension in order for dimension in each.outer)]
            if left:
                order.append(self._best(left))
        return order

    def _asked(self, variables: Sequence[Variable]) -> list[Dimension]:
        wanted = (self.options.rows or "").strip("/")
        known = dict.fromkeys(dimension for each in variables for dimension in each.outer if dimension.path)
        found = [each for each in known if wanted in (each.name, each.path.strip("/"))]
        if not found:
            listed = ", ".join(map(str, known)) or "none"
            raise OptionError(
                f"rows={self.options.rows!r} is none of the file's dimensions: {listed}",
                file=self.tree.file,
                hint="name one of them, or leave rows= out",
            )
        return sorted(found, key=lambda each: -self._weight(each, variables))

    def _best(self, variables: Sequence[Variable]) -> Dimension:
        """An unlimited dimension, or one that is inside no other, or any: of several the one with the most bytes."""
        used = dict.fromkeys(dimension for each in variables for dimension in each.outer)
        inner = {dimension for each in variables for dimension in each.outer[1:] if dimension != each.outer[0]}
        unlimited = [each for each in used if each.is_unlimited and self._weight(each, variables)]
        outermost = [each for each in used if each not in inner]
        return max(unlimited or outermost or used, key=lambda each: self._weight(each, variables))

    def _weight(self, dimension: Dimension, variables: Sequence[Variable]) -> int:
        """Bytes along a dimension, coordinates left out."""
        return sum(each.node.logical_bytes for each in variables if dimension in each.outer and not self._is_side(each))

    def _is_side(self, variable: Variable) -> bool:
        return variable.is_coordinate or variable.node.path in self._named

    @cached_property
    def _named(self) -> frozenset[str]:
        """Variables that attributes of others name: coordinates, bounds and the like."""
        return frozenset(_named_by_others(self.dataset.variables))

    def _is_side_data(self, dimension: Dimension, members: Sequence[Variable]) -> bool:
        """Coordinates, and single rows, that are small enough to be metadata; where none of them was asked for."""
        if self.options.columns is not None or self.options.table is not None:
            return False
        if sum(each.node.logical_bytes for each in members) > self.options.limits.metadata_bytes:
            return False
        is_single = dimension.size == 1 and not dimension.is_unlimited
        return is_single or all(self._is_side(each) for each in members)

    def _keep(self, variable: Variable, layout: Layout) -> None:
        """A variable as metadata: strings joined, numbers decoded where that is asked for."""
        node = variable.node
        packing = self._packing(variable) if node.shape is not None else None
        if variable.is_text:
            self.values[node.path] = _joined(self.tree.read_value(node), node.path, variable)
        elif packing is not None and node.logical_bytes <= self.options.limits.metadata_bytes:
            self.values[node.path] = packing.plain(open_object(self.handle, node.path)[()])
        else:
            layout.metadata.append(node)

    def _keep_coordinates(self, members: Sequence[Variable], layout: Layout) -> None:
        """Coordinates of another table are those of the main table's inner dimensions too."""
        for each in members:
            if each.is_coordinate and each.node.logical_bytes <= self.options.limits.metadata_bytes:
                self._keep(each, layout)

    def _packing(self, variable: Variable) -> Packing | None:
        return self._find_packing(variable) if self.options.decode else None

    def _find_packing(self, variable: Variable) -> Packing | None:
        return find_packing(variable, self._parents.get(variable.node.path), self.handle)

    @cached_property
    def _parents(self) -> dict[str, Variable]:
        """By the path of bounds the variable whose they are, and whose units they share."""
        return {
            f"{each.node.path.rpartition('/')[0]}/{each.attrs[name]}": each
            for each in self.dataset.variables
            for name in ("bounds", "climatology")
            if isinstance(each.attrs.get(name), str)
        }

    def _table(self, dimension: Dimension, members: Sequence[Variable]) -> Table:
        columns = {}
        for variable in members:
            for column in self._columns(variable, dimension):
                columns[column.name] = column
        part = Part(self.tree.file, "", dimension.size, columns)
        name = common_group(each.node.path for each in members)
        packed = [] if self.options.decode else [each for each in members if self._find_packing(each) is not None]
        hint = "; numbers as stored (decode=True gives what they mean)" if packed else ""
        return Table(name, columns, (part,), _rule(dimension, members) + hint)

    def _columns(self, variable: Variable, dimension: Dimension) -> list[Column]:
        node, axis = variable.node, variable.outer.index(dimension)
        stored = node.shape or ()
        wanted = variable.shape
        name = node.path.strip("/").replace(_NOT_A_COORDINATE, "")
        moved = replace(node, shape=(stored[axis], *stored[:axis], *stored[axis + 1 :]))
        columns = [replace(each, axis=axis) for each in dataset_columns(moved, name, node.path, attrs=variable.attrs)]
        if variable.is_text:
            columns = [replace(each, element=Number(np.dtype("V1"))) for each in columns]
        if stored != wanted:
            row_shape = (*wanted[:axis], *wanted[axis + 1 :])
            columns = [self._extended(each, variable, row_shape, stored[axis]) for each in columns]
        if variable.is_text:
            return [_text_column(each, variable) for each in columns]
        packing = self._packing(variable)
        return [_unpacked(each, packing) for each in columns] if packing is not None else columns

    def _extended(self, column: Column, variable: Variable, row_shape: tuple[int, ...], n_rows: int) -> Column:
        """A column of a variable that was not written to the end of its dimensions: the rest is its fill value."""
        count = len(variable.dimensions) - 1
        own = tuple(size for size in column.row_shape[count:] if size is not None)
        fill = np.asarray(open_object(self.handle, variable.node.path).fillvalue)
        derivation = Extended(column, n_rows, (*row_shape, *own), fill.item() if fill.dtype.kind in "biuf" else None)
        return replace(column, take="derived", row_shape=(*row_shape, *own), derived=derivation, fields=(), axis=0)


def _named_by_others(variables: Iterable[Variable]) -> Iterable[str]:
    for variable in variables:
        group = variable.node.path.rpartition("/")[0]
        for name in _NAMING:
            text = variable.attrs.get(name)
            for word in text.split() if isinstance(text, str) else ():
                yield f"{group}/{word}"


def _text_column(column: Column, variable: Variable) -> Column:
    """Characters along the last axis as strings."""
    source = replace(column, element=Number(np.dtype("V1"))) if column.derived is None else column
    encoding = variable.attrs.get("_Encoding")
    derivation = Joined(source, encoding if isinstance(encoding, str) else "utf-8")
    return replace(column, take="derived", element=Text(), row_shape=column.row_shape[:-1], derived=derivation, axis=0)


def _unpacked(column: Column, packing: Packing) -> Column:
    if not isinstance(column.element, Number) or column.fields or column.is_ragged:
        return column
    dtype, note = packing.result(column.row_shape)
    derivation = Unpacked(column, packing)
    return replace(column, take="derived", element=Number(dtype), derived=derivation, note=note, axis=0)


def _joined(value: Any, path: str, variable: Variable) -> Any:
    """Characters that are metadata as strings."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        return [_joined(each, path, variable) for each in value]
    if not isinstance(value, list):
        return value
    letters = b"".join(each if isinstance(each, bytes) else str(each).encode() for each in value)
    return letters.rstrip(b"\0").decode(known_encoding(variable.attrs.get("_Encoding")), "replace")


def _rule(dimension: Dimension, members: Sequence[Variable]) -> str:
    others = dict.fromkeys(each for variable in members for each in variable.outer if each != dimension and each.name)
    kind = "the unlimited dimension " if dimension.is_unlimited else "the dimension " if dimension.name else ""
    along = f"rows along {kind}{dimension}" if dimension.name else f"datasets of one length ({dimension})"
    return f"{along}; others: {', '.join(map(str, others))}" if others else along


def _one_row(nodes: Sequence[DatasetNode], tree: Tree) -> Table:
    """Scalars only: one row, as everywhere."""
    columns = {}
    for node in nodes:
        if node.shape == () and node.stored is not None:
            for column in dataset_columns(node, node.path.strip("/"), node.path, take="whole"):
                columns[column.name] = column
    return Table("/", columns, (Part(tree.file, "", 1, columns),), "scalars only: one row")
