"""Rows of strings, lists, structs and all else, as Arrow arrays: one ``take`` of each chunk that holds some of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ..read.plan import Rows
from .fixed_lists import has_nested_fixed_lists

__all__ = ["Gathering"]

ArrowColumn = Any  # an Array or a ChunkedArray, for which pyarrow has no types


class Gathering:
    """Gathers rows of the columns of a table; reading is safe from any thread.

    ``Table.take`` of Arrow is no use here: it joins all chunks of a column first.

    Parameters
    ----------
    data
        A table of ``datasets``.
    """

    def __init__(self, data: Any) -> None:
        self._data = data
        self._columns: dict[str, _Chunks] = {}
        # Of a type for which Arrow has no take, or a wrong one.
        self._left = {field.name for field in data.table.schema if has_nested_fixed_lists(field.type)}

    def gather(self, rows: Rows, names: tuple[str, ...]) -> dict[str, ArrowColumn]:
        """Rows of some columns, which are there."""
        found: dict[str, ArrowColumn] = {}
        for name in names:
            if name in self._left:
                continue
            chunks = self._columns.get(name)
            if chunks is None:
                chunks = self._columns.setdefault(name, _Chunks(self._data.column(name)))
            try:
                found[name] = chunks.take(rows)
            except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
                self._left.add(name)
        left = [name for name in names if name not in found]
        if left:
            gathered = _gather_table(self._data.select(left), rows)
            found |= {name: gathered.column(name) for name in left}
        return found


def _gather_table(table: Any, rows: Rows) -> Any:
    """Rows of a table of ``datasets``, by its own methods; these know no empty lists of rows."""
    if not len(rows):
        return table.table.slice(0, 0)
    return table.fast_slice(rows.start, len(rows)) if isinstance(rows, range) else table.fast_gather(rows)


class _Chunks:
    """One column's chunks."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column
        self._chunks = [chunk for chunk in column.chunks if len(chunk)]
        self._starts = np.cumsum([0, *map(len, self._chunks)])

    def take(self, rows: Rows) -> ArrowColumn:
        if isinstance(rows, range):
            return self._column.slice(rows.start, len(rows))
        if not len(rows):
            return self._column.slice(0, 0)
        owner = np.searchsorted(self._starts, rows, side="right") - 1
        order = np.argsort(owner, kind="stable")
        local = (rows - self._starts[owner])[order]
        numbers, firsts = np.unique(owner[order], return_index=True)
        stops = [*firsts[1:].tolist(), len(rows)]
        pieces = [
            self._chunks[number].take(pa.array(local[start:stop]))
            for number, start, stop in zip(numbers.tolist(), firsts.tolist(), stops, strict=True)
        ]
        found = pieces[0]
        if len(pieces) > 1:
            places = np.empty(len(order), np.int64)
            places[order] = np.arange(len(order))
            found = pa.concat_arrays(pieces).take(pa.array(places))
        if not _has_inner_nulls(found):
            return found
        # Row by row, as datasets gathers them: whether numbers come as floats, its formatters decide for each chunk.
        return pa.chunked_array([found.slice(place, 1) for place in range(len(found))])


def _has_inner_nulls(array: pa.Array) -> bool:
    """Whether values inside of lists or structs, or these themselves, are null."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return _has_inner_nulls(array.storage)
    if not pa.types.is_nested(kind):
        return False
    if array.null_count:
        return True
    if pa.types.is_struct(kind):
        children = [array.field(number) for number in range(kind.num_fields)]
    elif hasattr(array, "values"):
        children = [array.values]
    else:
        return True
    return any(child.null_count or _has_inner_nulls(child) for child in children)
