"""Cell arrays and struct arrays -> columns: read at once where they are small, row by row where they hold arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5i

from ..describe.columns import dataset_columns, shown_name
from ..describe.elements import Number, Shape, Text
from ..describe.schema import Column, Note
from ..describe.tree import DatasetNode, Tree
from .matlab_columns import held_bytes, held_columns, is_uniform
from .matlab_items import CannotReadError, Cell, ItemReader, class_of, is_empty, is_object, plain
from .matlab_values import Cells

__all__ = ["CellColumns"]

# Values that are held with the description, and go to each worker with it.
_HELD_BYTES = 16 << 20


class CellColumns:
    """Finds the columns of one cell array or struct array; ``plain`` is its value where it has no rows.

    ``notes`` takes what cannot be read.
    """

    def __init__(self, tree: Tree, handle: h5py.Group, notes: list[Note]) -> None:
        self._tree, self._handle, self._notes = tree, handle, notes
        self.plain: Any = None

    def find(self, name: str, path: str, item: h5py.HLObject) -> tuple[int, list[Column], int]:
        """Rows, columns and bytes.

        Raises
        ------
        CannotReadError
            If the values are too large, or of no kind that has a feature.
        """
        attrs = {"MATLAB_class": class_of(item.id) or "struct"}
        behind = self._arrays_behind(item)
        if behind is not None:
            return len(behind), [_lazy_column(name, path, behind, attrs)], sum(_bytes(each) for each in behind)
        value = ItemReader(item, _HELD_BYTES).read(item.id)
        rows = value.rows if isinstance(value, Cell) else [[each] for each in value]
        if isinstance(value, Cell) and value.shape[0] == 1:
            rows = [[each] for each in value.items]
        if len(rows) == 1:
            return self._keep(value)
        columns = _columns(name, path, rows, attrs, self._notes)
        return len(rows), columns, held_bytes(columns)

    def _keep(self, value: Any) -> tuple[int, list[Column], int]:
        self.plain = plain(value)
        return 0, [], 0

    def _arrays_behind(self, item: h5py.HLObject) -> list[DatasetNode | None] | None:
        """The dataset behind each reference of a cell vector, if they are large arrays of numbers or long texts."""
        if isinstance(item, h5py.Group) or self._handle.name != "/" or sum(size != 1 for size in item.shape) > 1:
            return None
        nodes = {node.path: node for node in self._tree.root.walk()}
        found: list[DatasetNode | None] = []
        kinds = set()
        for target in ItemReader(item, _HELD_BYTES).follow(item.id):
            node = nodes.get(_path(target)) if isinstance(target, h5d.DatasetID) else None
            if target is None or (node is not None and is_empty(target)):
                found.append(None)
                continue
            if node is None or node.stored is None or node.stored.element is None or is_object(target):
                return None
            kinds.add("char" if class_of(target) == "char" else class_of(target) == "logical")
            if not isinstance(node.stored.element, Number) or node.stored.variable or len(kinds) > 1:
                return None
            found.append(replace(node, name=class_of(target)))
        if sum(_bytes(each) for each in found) <= _HELD_BYTES or (kinds == {"char"} and not _are_rows(found)):
            return None
        return found


def _path(item: h5d.DatasetID) -> str:
    return (h5i.get_name(item) or b"").decode("utf-8", "surrogateescape")


def _are_rows(nodes: Sequence[DatasetNode | None]) -> bool:
    return all(node is None or (node.shape or (0,))[-1] == 1 for node in nodes)


def _bytes(node: DatasetNode | None) -> int:
    return 0 if node is None else node.logical_bytes


def _columns(name: str, path: str, rows: list[list[Any]], attrs: dict[str, Any], notes: list[Note]) -> list[Column]:
    """One column of a vector; of a matrix of scalars or texts lists, otherwise a column for each of its columns."""
    if all(len(row) == 1 for row in rows):
        return list(held_columns(name, path, [row[0] for row in rows], attrs, notes))
    lists = [Cell((len(row), 1), tuple(row)) for row in rows]
    if is_uniform(lists):
        return list(held_columns(name, path, lists, attrs, notes))
    columns: list[Column] = []
    for number in range(len(rows[0])):
        columns += held_columns(f"{name}/{number + 1}", path, [row[number] for row in rows], attrs, notes)
    return columns


def _lazy_column(name: str, path: str, nodes: Sequence[DatasetNode | None], attrs: dict[str, Any]) -> Column:
    filled = [node for node in nodes if node is not None]
    kind = filled[0].name
    shapes = [tuple(reversed(node.shape or ())) for node in filled]
    cells = tuple(None if node is None else _cell(node, kind) for node in nodes)
    parts = tuple(shown_name(part) for part in name.split("/"))
    column = Column(shown_name(name), path, "derived", Text(), (), attrs=attrs, parts=parts)
    if kind == "char":
        return replace(column, derived=Cells(cells, 1, is_text=True))
    dtypes = {each.dtype for each in cells if each is not None}
    if len(dtypes) > 1:
        raise CannotReadError(f"its values are of different kinds ({', '.join(sorted(map(str, dtypes)))})")
    shape: Shape = (None,)
    if not all(sum(size != 1 for size in each) <= 1 for each in shapes):
        ranks, inner = {len(each) for each in shapes}, {each[1:] for each in shapes}
        if len(ranks) > 1:
            raise CannotReadError("its arrays have different numbers of dimensions")
        shape = (None, *inner.pop()) if len(inner) == 1 else (None,) * ranks.pop()
    return replace(column, element=Number(dtypes.pop()), row_shape=shape, derived=Cells(cells, len(shape)))


def _cell(node: DatasetNode, kind: str) -> Column:
    column = dataset_columns(node, node.path, node.path, take="whole")[0]
    return replace(column, element=Number(np.dtype(bool))) if kind == "logical" else column
