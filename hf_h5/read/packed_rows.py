"""Columns of strings and lists of variable length without an object per value, for those who pack them again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..describe.elements import Number, Ragged, Text
from ..describe.schema import Column, Part
from .packed import Packed, PackedLists
from .reader import TableReader
from .values import decode_values
from .variable import VariableDataset

__all__ = ["read_packed"]


def read_packed(reader: TableReader, start: int, stop: int) -> dict[str, Packed]:
    """Read rows of the columns that hold one string or one list of numbers each, as they come out of the file.

    Returns
    -------
    dict
        By column; whether strings are UTF-8 was not looked at. Columns of other kinds lack, and all do where the rows
        lie in several files or groups.
    """
    table = reader.schema
    number = int(table.starts.searchsorted(start, side="right")) - 1
    if stop <= start or stop > table.starts[number + 1]:
        return {}
    part, first = table.parts[number], int(table.starts[number])
    found: dict[str, Packed] = {}
    for name, column in table.columns.items():
        dataset = reader.find_dataset(part, part.columns[name]) if _is_packed(column, part) else None
        if isinstance(dataset, VariableDataset):
            found[name] = _decoded(dataset.read_rows(range(start - first, stop - first)), column)
    return found


def _decoded(packed: Packed, column: Column) -> Packed:
    match column.element, packed:
        case Ragged(item), PackedLists(items):
            return replace(packed, items=np.ascontiguousarray(decode_values(item, items)))
    return packed


def _is_packed(column: Column, part: Part) -> bool:
    mine = part.columns[column.name]
    if mine.take != "rows" or mine.axis or mine.fields or column.row_shape or mine.element != column.element:
        return False
    match column.element:
        case Text(padding):
            return padding is None
        case Ragged(Number(), shape):
            return not shape
    return False
