"""Neurodata Without Borders: each time series and each dynamic table is a table.

Markers: the root's attributes ``nwb_version`` and ``neurodata_type``; a dataset ``nwb_version`` before NWB 2.
Rules: the NWB format specification (TimeSeries) and the HDMF common schema (DynamicTable, VectorIndex, EnumData).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import h5py

from ..describe.elements import Label, Number
from ..describe.layout import Layout
from ..describe.options import Options
from ..describe.schema import Column, Note, Part, Table
from ..describe.tree import DatasetNode, GroupNode, Tree
from .derivations import lists_column, regular_column, scaled_column
from .found import Found
from .nodes import Nodes, add_rest, is_index, walk_groups

__all__ = ["find_nwb"]

# What belongs to a series as a whole, though it may happen to be as long as its data.
_OF_SERIES = frozenset(
    {
        "bits_per_pixel",
        "channel_conversion",
        "control_description",
        "dimension",
        "electrodes",
        "external_file",
        "feature_description",
        "field_of_view",
        "masked_imageseries",
        "rois",
        "source_channels",
        "starting_time",
    }
)
_OWN_SCHEMA = ("/specifications", "/general/specifications")


def find_nwb(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """The tables of an NWB file; None if it is none."""
    attrs, old = tree.read_attrs("/"), tree.root.datasets.get("nwb_version")
    version = _one(attrs.get("nwb_version") or (tree.read_value(old) if old is not None else None))
    if version is None and _one(attrs.get("neurodata_type")) != "NWBFile":
        return None
    reading = _Reading(tree, Nodes(tree, handle), decode=options.decode)
    reading.read()
    return Found(f"NWB {version}" if isinstance(version, str) else "NWB", reading.layout)


class _Reading:
    """The tables of one file while they are found."""

    def __init__(self, tree: Tree, nodes: Nodes, *, decode: bool) -> None:
        self.layout = Layout(notes=list(tree.notes))
        self._tree, self._nodes, self._decode = tree, nodes, decode
        self._claimed: set[str] = set()
        self._parts_of_others: set[str] = set()

    def read(self) -> None:
        for group in walk_groups(self._tree.root):
            if group.path in self._parts_of_others:
                continue
            attrs = self._tree.read_attrs(group.path)
            if "colnames" in attrs:
                self._add_dynamic_table(group, attrs)
            else:
                self._add_series(group, attrs)
        # What lies in /general describes how the rest was recorded.
        self.layout.tables.sort(key=lambda table: (table.name.startswith("/general/"), -self.layout.sizes[table.name]))
        schemas = [path for path in _OWN_SCHEMA if self._has(path)]
        self.layout.notes += [Note(path, "the format's own schema, no data", "layout='raw'") for path in schemas]
        add_rest(self.layout, self._tree, {*self._claimed, *schemas})

    def _has(self, path: str) -> bool:
        group: GroupNode | None = self._tree.root
        for name in path.strip("/").split("/"):
            group = group.groups.get(name) if group else None
        return group is not None

    def _note(self, path: str, why: str) -> None:
        self.layout.notes.append(Note(path, why, "layout='raw'"))

    def _add(self, group: GroupNode, columns: dict[str, Column], n_rows: int, rule: str, size: int) -> None:
        part = Part(self._tree.file, "", n_rows, columns)
        self.layout.add(Table(group.path, columns, (part,), rule), size)

    def _rows_of(self, path: str) -> DatasetNode | None:
        """A dataset with rows, which a table is going to hold."""
        node = self._nodes.find(path)
        return node if node is not None and node.has_rows else None

    # Time series

    def _add_series(self, group: GroupNode, attrs: Mapping[str, Any]) -> None:
        kind = str(_one(attrs.get("neurodata_type", "")))
        data, times = self._rows_of(f"{group.path}/data"), self._rows_of(f"{group.path}/timestamps")
        start = self._nodes.find(f"{group.path}/starting_time")
        if times is None and (data is None or not (start or kind.endswith("Series"))):
            return
        if (data is None or not data.length) and self._is_elsewhere(group) and times is None:
            self._claimed.add(f"{group.path}/data")
            return
        axis = self._rows_axis(group, data, times)
        n_rows = data.shape[axis] if data is not None and data.shape and data.length else times.length if times else 0
        columns: list[Column] = []
        if times is not None and times.length == n_rows:
            columns += self._columns(times, "timestamps")
        elif times is None and start is not None:
            columns += self._regular_times(start)
        if data is not None and (data.length or times is None):
            columns += [_described(column, attrs) for column in self._data(group, data, axis)]
        for name, node in group.datasets.items():
            if name in ("data", "timestamps") or name in _OF_SERIES or not node.has_rows:
                continue
            if node.length == n_rows and (name == "control" or n_rows > 1):
                columns += self._columns(node, name)
        size = sum(node.logical_bytes for node in (data, times) if node is not None)
        found = "a time series" + (f" ({kind})" if kind else "")
        self._add(group, {column.name: column for column in columns}, n_rows, found, size)

    def _rows_axis(self, group: GroupNode, data: DatasetNode | None, times: DatasetNode | None) -> int:
        """The axis of the data along which time runs: the first, unless the timestamps say that another one does."""
        if data is None or times is None or not data.length or data.length == times.length:
            return 0
        axes = [axis for axis, size in enumerate(data.shape or ()) if size == times.length]
        if len(axes) == 1:
            self._note(group.path, f"the data is transposed: its rows are taken along axis {axes[0]}")
            return axes[0]
        self._note(group.path, f"{times.length:,} timestamps for {data.length:,} rows of data")
        return 0

    def _columns(self, node: DatasetNode, name: str, axis: int = 0) -> list[Column]:
        self._claimed.add(node.path)
        return self._nodes.columns(node, name, axis=axis)

    def _regular_times(self, start: DatasetNode) -> list[Column]:
        attrs, first = self._tree.read_attrs(start.path), _one(self._tree.read_value(start))
        rate = _one(attrs.get("rate"))
        if not _is_finite(rate) or not rate or not _is_finite(first):
            self._note(start.path, f"starts at {first!r} with the rate {rate!r}, so that the rows have no timestamps")
            return []
        return [regular_column("timestamps", float(first), float(rate), attrs)]

    def _data(self, group: GroupNode, node: DatasetNode, axis: int) -> list[Column]:
        columns = self._columns(node, "data", axis)
        if not self._decode:
            return columns
        return [self._scaled(group, column) for column in columns]

    def _scaled(self, group: GroupNode, column: Column) -> Column:
        conversion, offset = (_one(column.attrs.get(*each)) for each in (("conversion", 1.0), ("offset", 0.0)))
        channels = self._nodes.value(f"{group.path}/channel_conversion") or [1.0]
        is_number = isinstance(column.element, Number) and column.element.dtype.kind in "iuf"
        if not is_number or not all(map(_is_finite, (conversion, offset, *channels))):
            return column
        factors = tuple(float(factor) * float(conversion) for factor in channels)
        if (set(factors), offset) == ({1.0}, 0):
            return column
        if len(factors) > 1 and column.row_shape[-1:] != (len(factors),):
            self._note(group.path, f"{len(factors)} conversions for rows of shape {column.row_shape}: not applied")
            return column
        return scaled_column(column, factors, float(offset))

    def _is_elsewhere(self, group: GroupNode) -> bool:
        """Whether the frames of a series lie in other files, which is noted."""
        files = self._nodes.value(f"{group.path}/external_file")
        if files:
            listed = ", ".join(map(str, files if isinstance(files, list) else [files]))
            self._note(group.path, f"its frames lie in other files: {listed}")
        return bool(files)

    # Dynamic tables

    def _add_dynamic_table(self, group: GroupNode, attrs: Mapping[str, Any]) -> None:
        n_rows = self._length_of(group, attrs)
        if n_rows is None:
            return
        columns, size = self._table_columns(group, attrs, n_rows)
        for name in _names(attrs.get("categories")):
            inner = group.groups.get(name)
            inner_attrs = {} if inner is None else self._tree.read_attrs(inner.path)
            if inner is not None and self._length_of(inner, inner_attrs) == n_rows:
                more, inner_size = self._table_columns(inner, inner_attrs, n_rows)
                columns += [_moved(column, name) for column in more]
                size += inner_size
                self._parts_of_others.add(inner.path)
        if columns:
            rule = f"a dynamic table ({_one(attrs.get('neurodata_type', 'DynamicTable'))})"
            self._add(group, {column.name: column for column in columns}, n_rows, rule, size)

    def _length_of(self, group: GroupNode, attrs: Mapping[str, Any]) -> int | None:
        """Rows of a dynamic table: those of its ``id``, or of the first column where old files lack it."""
        for name in ("id", *_names(attrs.get("colnames"))):
            for path in (f"{group.path}/{name}_index", f"{group.path}/{name}"):
                node = self._rows_of(path)
                if node is not None:
                    return node.length
        return None

    def _table_columns(self, group: GroupNode, attrs: Mapping[str, Any], n_rows: int) -> tuple[list[Column], int]:
        """The columns of a dynamic table, and how many bytes they have."""
        columns: list[Column] = []
        size = 0
        for name in ("id", *_names(attrs.get("colnames"))):
            node = self._rows_of(f"{group.path}/{name}")
            if node is None:
                if name != "id":
                    self._note(f"{group.path}/{name}", "a column that is named and not there")
                continue
            found = self._vector(group, name, node, n_rows)
            size += node.logical_bytes if found else 0
            columns += found
        return columns, size

    def _vector(self, group: GroupNode, name: str, node: DatasetNode, n_rows: int) -> list[Column]:
        """The columns of one vector, with the indices that make its values lists."""
        indices: list[DatasetNode] = []
        while (index := self._rows_of(f"{group.path}/{name}{'_index' * (len(indices) + 1)}")) is not None:
            indices.append(index)
        length = indices[-1].length if indices else node.length
        if length != n_rows:
            return self._left_out(node, f"{length:,} rows in a table of {n_rows:,}")
        if len(indices) > 2:
            return self._left_out(node, "lists of lists of lists")
        ends = [column for index in indices for column in self._nodes.columns(index, index.name)]
        if len(ends) != len(indices) or not all(map(is_index, ends)):
            return self._left_out(node, "an index that holds no row numbers")
        for index, target in zip(indices, [node, *indices], strict=False):
            last = self._nodes.last_number(index)
            if last > target.length:
                return self._left_out(node, f"its index ends at row {last:,}, and there are {target.length:,}")
        self._claimed |= {index.path for index in indices}
        values = [self._named(column) for column in self._columns(node, name)]
        return [lists_column(column.name, column, *ends) for column in values] if ends else values

    def _left_out(self, node: DatasetNode, why: str) -> list[Column]:
        self._note(node.path, why)
        return []

    def _named(self, column: Column) -> Column:
        """Codes whose names lie in another dataset as labels."""
        path = column.attrs.get("elements")
        names = self._nodes.value(path) if isinstance(path, str) and path.startswith("/") else None
        if not is_index(column) or not isinstance(names, list) or len(set(map(str, names))) != len(names):
            return column
        return replace(column, element=Label(tuple(map(str, names)), tuple(range(len(names)))))


def _moved(column: Column, group: str) -> Column:
    """A column of one category of an aligned table."""
    return replace(column, name=f"{group}/{column.name}", parts=(group, *column.parts))


def _described(column: Column, of_series: Mapping[str, Any]) -> Column:
    """The data with what the series says of itself."""
    said = {name: _one(of_series[name]) for name in ("description", "comments") if name in of_series}
    words = {name: text for name, text in said.items() if text and text != f"no {name}"}
    return replace(column, attrs={**words, **column.attrs})


def _names(value: Any) -> list[str]:
    """Names of columns without the padding that MATLAB gives them, and without the indices among them."""
    listed = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    names = [name.rstrip() for name in listed if isinstance(name, str)]
    return [name for name in names if name != "id" and name.removesuffix("_index") not in {*names} - {name}]


def _one(value: Any) -> Any:
    """A value, which MATLAB writes as a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
