"""What the readers of pandas' two formats share: a store's nodes, the labels of its axes, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import h5py
import numpy as np
from h5py import h5t
from numpy.typing import NDArray

from ..describe.columns import dataset_columns
from ..describe.elements import Number, Ragged
from ..describe.opening import has_filters, open_dataset
from ..describe.schema import Column, Note
from ..describe.tree import DatasetNode, GroupNode, Tree
from .attributes import NodeAttributes
from .pandas_values import Meaning, Seconds, decoded_label, dtype_element, label_text
from .pickles import Foreign, PickleError, is_label, parse_pickle

__all__ = ["PICKLED", "REWRITE", "Store", "free_name", "is_pickled", "listed"]

PICKLED = "Python pickles, which are never loaded"
REWRITE = "write the frame anew with to_hdf(..., format='table')"
# Labels and categories are few; more than this is data.
_LABEL_BYTES = 64 << 20
_UNREADABLE = (TypeError, OSError, RuntimeError, ValueError, KeyError)


@dataclass
class Store:
    """An open file that PyTables wrote, and the notes on what is not loaded."""

    tree: Tree
    handle: h5py.Group
    notes: list[Note] = field(default_factory=list)

    @cached_property
    def attributes(self) -> NodeAttributes:
        """The attributes of its nodes."""
        return NodeAttributes(self.handle)

    def get(self, node: DatasetNode | GroupNode, name: str, default: Any = None) -> Any:
        """An attribute of a node."""
        return self.attributes.get(node.path, name, default)

    def text(self, node: DatasetNode | GroupNode, name: str) -> str:
        """An attribute of a node that is a string; empty where it is none."""
        return self.attributes.text(node.path, name) or ""

    def leave_out(self, path: str, why: str, option: str | None = None) -> None:
        """Note what is not loaded."""
        self.notes.append(Note(path, why, option))

    def meaning(self, group: GroupNode, kind: str, timezone: Any = None, missing: str | None = None) -> Meaning:
        """What values of a stored object mean."""
        return Meaning(kind, timezone, self.text(group, "encoding") or "UTF-8", missing)

    def columns(self, node: DatasetNode, name: str) -> list[Column]:
        """The columns of a dataset; truth values and times as PyTables means them."""
        columns = dataset_columns(node, name, node.path, attrs=self._attrs(node))
        return [self.as_meant(node, column) for column in columns]

    def as_meant(self, node: DatasetNode, column: Column) -> Column:
        """A column with truth values and times as PyTables means them."""
        item = column.element.item if isinstance(column.element, Ragged) else column.element
        if not isinstance(item, Number) or item.dtype not in (np.uint8, np.int64):
            return column
        tid = self._stored_type(node, column.fields)
        is_plain = column.element is item and column.take == "rows"
        if tid.get_class() == h5t.TIME and tid.get_size() == 8 and is_plain:
            return replace(column, take="derived", element=Number(np.dtype("f8")), derived=Seconds(column))
        if tid.get_class() != h5t.BITFIELD or tid.get_size() != 1:
            return column
        truth = Number(np.dtype(bool))
        return replace(column, element=truth if column.element is item else Ragged(truth))

    def _attrs(self, node: DatasetNode) -> Mapping[str, Any]:
        title = self.text(node, "TITLE")
        return {"title": title} if title else {}

    def _stored_type(self, node: DatasetNode, fields: Sequence[str]) -> Any:
        """The HDF5 type of the single values of a dataset or field."""
        tid = _item_type(open_dataset(self.handle, node.path[1:]).id.get_type())
        for name in fields:
            if tid.get_class() != h5t.COMPOUND:
                break  # one half of a complex number
            tid = _item_type(tid.get_member_type(tid.get_member_index(name.encode())))
        return tid

    def read(self, node: DatasetNode) -> NDArray[Any] | None:
        """All values of a small dataset; None if it cannot be read or is large."""
        if node.stored is None or node.shape is None or node.logical_bytes > _LABEL_BYTES:
            return None
        if not has_filters(node.storage):
            return None
        try:
            return np.asarray(open_dataset(self.handle, node.path[1:])[()])
        except _UNREADABLE:
            return None

    def read_first(self, node: DatasetNode, count: int) -> NDArray[Any]:
        """The first rows of a dataset; none if they cannot be read."""
        if not has_filters(node.storage):
            return np.empty(0, object)
        try:
            return np.asarray(open_dataset(self.handle, node.path[1:])[:count])
        except _UNREADABLE:
            return np.empty(0, object)

    def is_empty(self, node: DatasetNode) -> bool:
        """Whether a dataset stands for none: pandas stores one value in place of none, and says so."""
        shape = self.get(node, "shape")
        return isinstance(shape, tuple) and any(size == 0 for size in shape if isinstance(size, int))

    def labels(self, group: GroupNode, key: str) -> list[Any] | None:
        """The labels of an axis: strings, numbers, points in time, tuples of them; None if they are not understood."""
        if self.text(group, f"{key}_variety") != "multi":
            node = group.datasets.get(key)
            return None if node is None else self.values(group, node)
        count = self.get(group, f"{key}_nlevels")
        columns: list[list[Any]] = []
        for number in range(min(count, len(group.datasets)) if isinstance(count, int) else 0):
            level, codes = (group.datasets.get(f"{key}_{part}{number}") for part in ("level", "label"))
            values = None if level is None else self.values(group, level)
            places = None if codes is None else self.read(codes)
            if values is None or places is None or (len(places) and places.max() >= len(values)):
                return None
            columns.append([values[place] if place >= 0 else "nan" for place in places.tolist()])
        return list(zip(*columns, strict=True)) if columns else None

    def values(self, group: GroupNode, node: DatasetNode) -> list[Any] | None:
        """The values of an index as plain ones; None if they are not understood."""
        if is_pickled(self, node):
            return self._pickled_items(node)
        if self.is_empty(node):
            return []
        found = self.read(node)
        if found is None or found.ndim != 1:
            return None
        kind = self.text(node, "kind")
        meant = dtype_element(kind)
        if isinstance(meant, Number) and meant.dtype.kind == "M" and found.dtype == np.int64:
            return list(found.view(meant.dtype))
        if found.dtype.kind == "S":
            encoding = self.meaning(group, kind).encoding
            return [decoded_label(value, encoding) for value in found.tolist()]
        items: list[Any] = found.tolist()
        return items

    def _pickled_items(self, node: DatasetNode) -> list[Any] | None:
        """The labels of an index that is stored as one pickled array of plain values."""
        found = self.read(node)
        if found is None or len(found) != 1:
            return None
        try:
            value = parse_pickle(np.asarray(found[0], np.uint8).tobytes())
        except (PickleError, ValueError):
            return None
        match value:
            case Foreign(state=(_, (int(),), _, _, list(items))) if value.name.endswith("multiarray _reconstruct"):
                return items if all(map(is_label, items)) else None
            case list(items):
                return items if all(map(is_label, items)) else None
        return None


def _item_type(tid: Any) -> Any:
    while tid.get_class() in (h5t.ARRAY, h5t.VLEN):
        tid = tid.get_super()
    return tid


def is_pickled(store: Store, node: DatasetNode) -> bool:
    """Whether a node holds pickled Python objects."""
    # PyTables 1 had such nodes' kind among the flavors.
    return "object" in (store.text(node, "PSEUDOATOM"), store.text(node, "FLAVOR").lower())


def listed(labels: Sequence[Any] | None, count: int = 6) -> str:
    """Some columns by their labels.

    >>> listed(["a"]), listed(["a", 2])
    ("column 'a'", "columns 'a', '2'")
    """
    if not labels:
        return "columns"
    names = ", ".join(repr(label_text(label)) for label in labels[:count])
    more = f" and {len(labels) - count} more" if len(labels) > count else ""
    return f"column{'s' if len(labels) > 1 else ''} {names}{more}"


def free_name(name: str, taken: Mapping[str, Any]) -> str:
    """A name that no other column has.

    >>> free_name("index", {"index": 1})
    'index.2'
    """
    free, number = name, 2
    while free in taken:
        free, number = f"{name}.{number}", number + 1
    return free
