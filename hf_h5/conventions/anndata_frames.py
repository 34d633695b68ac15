"""Data frames as AnnData stores them -> columns.

Encodings (anndata's page "on-disk format"): a compound dataset with its categories in ``uns`` before 0.7; a group
whose categorical columns lead to ``__categories`` (dataframe 0.1.0); a group in which each column says how it is
encoded (dataframe 0.2.0): arrays, strings, categoricals, and values with a mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..describe.columns import dataset_columns, shown_name
from ..describe.derived import Fetch
from ..describe.elements import Label, Number, Text
from ..describe.schema import Column, Note
from ..describe.tree import DatasetNode, GroupNode, Tree
from .attributes import NodeAttributes
from .class_names import class_names
from .derivations import LookedUp
from .nodes import Nodes

__all__ = ["Frame", "Frames", "Masked", "Texts"]

_MASKED = ("nullable-integer", "nullable-boolean", "nullable-string-array")


@dataclass(frozen=True)
class Masked:
    """Values, of which those whose flag is set are none."""

    values: Column
    mask: Column

    @property
    def sources(self) -> tuple[Column, ...]:
        """The values and the flags."""
        return self.values, self.mask

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """The values of some rows, masked."""
        return np.ma.MaskedArray(fetch.rows(self.values, rows), fetch.rows(self.mask, rows).astype(bool))

    def __str__(self) -> str:
        return "values with a mask"


@dataclass(frozen=True)
class Texts:
    """Numbers as texts: AnnData's names of rows are strings, whatever is stored."""

    values: Column

    @property
    def sources(self) -> tuple[Column, ...]:
        """The numbers."""
        return (self.values,)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """``(n,)`` strings."""
        found = np.empty(len(rows), object)
        found[:] = list(map(str, fetch.rows(self.values, rows).tolist()))
        return found

    def __str__(self) -> str:
        return f"{self.values.dtype} as text"


@dataclass
class Frame:
    """A data frame: the names of its rows, and its columns by the names that it gives them."""

    n_rows: int
    index: list[Column]
    columns: dict[str, list[Column]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def named(self, name: str, *, index: str, reserved: frozenset[str] = frozenset()) -> list[Column]:
        """All columns: the index under a name of its own, the others as the frame calls them.

        Parameters
        ----------
        name
            What the frame is called: a column whose name is ``reserved``, or the index's, stands below it.
        """
        found = [replace(_as_text(column), name=index, parts=(index,)) for column in self.index]
        for key, columns in self.columns.items():
            is_taken = key == index or key.split("/")[0] in reserved
            found += _renamed(columns, (name, shown_name(key)) if is_taken else (shown_name(key),))
        return found

    def below(self, prefix: str) -> list[Column]:
        """All columns but the index, below a name."""
        return [
            each
            for key, columns in self.columns.items()
            for each in _renamed(columns, (*prefix.split("/"), shown_name(key)))
        ]


def _as_text(column: Column) -> Column:
    if not isinstance(column.element, Number) or column.row_shape or column.derived is not None:
        return column
    return replace(column, take="derived", element=Text(), fields=(), derived=Texts(column))


def _renamed(columns: list[Column], parts: tuple[str, ...]) -> list[Column]:
    """Columns under another name; of several, which are fields, each below it."""
    renamed = []
    for column in columns:
        inner = column.fields if len(columns) > 1 else ()
        own = (*parts, *map(shown_name, inner))
        renamed.append(replace(column, name="/".join(own), parts=own))
    return renamed


class Frames:
    """Reads the data frames of an open file."""

    def __init__(self, tree: Tree, handle: h5py.Group, nodes: Nodes) -> None:
        self._tree, self._handle, self._nodes = tree, handle, nodes

    def is_frame(self, node: GroupNode | DatasetNode | None) -> bool:
        """Whether a group or dataset is a data frame of any encoding."""
        if isinstance(node, DatasetNode):
            return node.shape is not None and len(node.shape) == 1 and bool(node.stored and node.stored.fields)
        attrs = self._tree.read_attrs(node.path) if node is not None else {}
        return attrs.get("encoding-type") == "dataframe" or {"_index", "column-order"} <= attrs.keys()

    def read(self, node: GroupNode | DatasetNode, uns: str = "/uns") -> Frame:
        """Read a data frame for which ``is_frame`` holds.

        Parameters
        ----------
        uns
            The group that holds the categories of the oldest encoding.
        """
        return self._compound(node, uns) if isinstance(node, DatasetNode) else self._group(node)

    def _compound(self, node: DatasetNode, uns: str) -> Frame:
        by_field: dict[str, list[Column]] = {}
        for column in dataset_columns(node, node.name, node.path):
            by_field.setdefault(column.fields[0], []).append(column)
        frame = Frame(node.length, by_field.pop(next(iter(by_field))))
        for name, columns in by_field.items():
            names = class_names(self._handle, self._nodes.find(f"{uns}/{name}_categories"))
            is_code = len(columns) == 1 and isinstance(columns[0].element, Number) and columns[0].dtype.kind in "iu"
            if names is not None and is_code:
                columns = [_labelled(columns[0], names, {})]
            frame.columns[name] = columns
        return frame

    def _group(self, node: GroupNode) -> Frame:
        attrs = self._tree.read_attrs(node.path)
        index_name = str(attrs.get("_index", "_index"))
        index, notes = self._column(node, index_name)
        names = [name for name in self._order(node, attrs) if name != index_name]
        # Without an index the columns say how many rows there are.
        lengths = (_length(self._first_dataset(node, name)) for name in ([index_name] if index else names))
        n_rows = next(filter(None, lengths), 0)
        frame = Frame(n_rows, index, notes=notes)
        for name in names:
            columns, notes = self._column(node, name)
            frame.notes += notes
            length = _length(self._first_dataset(node, name))
            if columns and length == n_rows:
                frame.columns[name] = columns
            elif columns:
                frame.notes.append(_note(f"{node.path}/{name}", f"has {length:,} rows, not {n_rows:,}"))
        return frame

    def _order(self, node: GroupNode, attrs: Mapping[str, Any]) -> list[str]:
        """The names of the columns in their order, and then those that are there and not named."""
        order = attrs.get("column-order")
        if not isinstance(order, list):
            # Too long for the metadata of a schema.
            order = np.atleast_1d(NodeAttributes(self._handle).get(node.path, "column-order", ())).tolist()
        names = [name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name) for name in order]
        first = {name.split("/")[0] for name in names}
        there = [name for name in (*node.datasets, *node.groups) if name not in first and name != "__categories"]
        return [*names, *there]

    def _first_dataset(self, node: GroupNode, name: str) -> DatasetNode | None:
        """The dataset of a column, or the one of its group that has a value for each row."""
        inner = f"{node.path}/{name}"
        for path in (inner, f"{inner}/codes", f"{inner}/values"):
            found = self._nodes.find(path)
            if found is not None:
                return found
        return None

    def _column(self, node: GroupNode, name: str) -> tuple[list[Column], list[Note]]:
        path = f"{node.path}/{name}"
        dataset = self._nodes.find(path)
        if dataset is not None:
            return self._plain(node, name, dataset)
        group = _group_at(node, name)
        if group is None:
            return [], [_note(path, "is named, and not there")]
        attrs = self._tree.read_attrs(group.path)
        kind = attrs.get("encoding-type")
        if kind == "categorical":
            codes, categories = (self._nodes.find(f"{path}/{each}") for each in ("codes", "categories"))
            # Strings that may be missing, of which no category is.
            categories = categories or self._nodes.find(f"{path}/categories/values")
            if codes is not None and categories is not None:
                return self._categorical(codes, categories, attrs)
        if kind in _MASKED:
            return self._masked(path, str(kind))
        return [], [_note(path, f"its encoding {kind!r} is not read" if kind else "a group without an encoding")]

    def _plain(self, node: GroupNode, name: str, dataset: DatasetNode) -> tuple[list[Column], list[Note]]:
        if dataset.stored is None or not dataset.shape:
            return [], [_note(dataset.path, dataset.unreadable or "has no rows")]
        categories = self._nodes.find(f"{node.path}/__categories/{name}")
        attrs = self._tree.read_attrs(dataset.path)
        if categories is None and isinstance(attrs.get("categories"), str):
            categories = self._nodes.find(attrs["categories"])
        if categories is not None:
            return self._categorical(dataset, categories, self._tree.read_attrs(categories.path))
        return dataset_columns(dataset, name, dataset.path), []

    def _categorical(
        self, codes: DatasetNode, categories: DatasetNode, attrs: Mapping[str, Any]
    ) -> tuple[list[Column], list[Note]]:
        found = dataset_columns(codes, codes.name, codes.path)
        column = found[0]
        if len(found) != 1 or column.row_shape or column.dtype.kind not in "iu":
            return [], [_note(codes.path, "its codes are no integers")]
        names = class_names(self._handle, categories)
        ordered = {"ordered": True} if attrs.get("ordered") in (True, 1) else {}
        if names is not None:
            return [_labelled(column, names, ordered)], []
        values = dataset_columns(categories, categories.name, categories.path) if categories.has_rows else []
        if len(values) != 1:
            return [], [_note(categories.path, "its categories are neither strings nor numbers")]
        looked_up = LookedUp(column, values[0], categories.length)
        return [replace(values[0], take="derived", attrs=ordered, derived=looked_up)], []

    def _masked(self, path: str, kind: str) -> tuple[list[Column], list[Note]]:
        values, mask = (self._nodes.find(f"{path}/{each}") for each in ("values", "mask"))
        if values is None or mask is None or not values.has_rows or not mask.has_rows or values.shape != mask.shape:
            return [], [_note(path, f"{kind} without values and a mask of one length")]
        columns = dataset_columns(values, values.name, values.path)
        flags = dataset_columns(mask, mask.name, mask.path)
        if len(columns) != 1 or len(flags) != 1:
            return [], [_note(path, f"{kind} of records is not read")]
        return [replace(columns[0], take="derived", derived=Masked(columns[0], flags[0]))], []


def _labelled(column: Column, names: tuple[str, ...], attrs: Mapping[str, Any]) -> Column:
    return replace(column, element=Label(names, tuple(range(len(names)))), attrs=attrs)


def _group_at(node: GroupNode, name: str) -> GroupNode | None:
    """A group below another; a slash in a column's name leads further down."""
    found: GroupNode | None = node
    for part in name.split("/"):
        found = found.groups.get(part) if found is not None else None
    return found


def _length(node: DatasetNode | None) -> int:
    return node.length if node is not None and node.shape else 0


def _note(path: str, why: str) -> Note:
    return Note(path, why, "layout='raw'")
