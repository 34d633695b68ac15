"""Columns whose rows lie in the mapped file exactly as memory wants them: handed out without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.elements import Number
from ..describe.schema import Column, Part
from .direct import DirectDataset
from .reader import TableReader

__all__ = ["map_column", "map_rows"]


def map_column(reader: TableReader, name: str) -> list[NDArray[Any]] | str:
    """Map a column's rows, or say why they must be read.

    Parameters
    ----------
    reader
        The table's reader; what is mapped is checked against the versions of the files that it knows.
    name
        A column of the table.

    Returns
    -------
    list of ndarray, or str
        Per part ``(n, *row_shape)`` over the mapped file, read-only; or the reason in a few words.
    """
    found = []
    for part in reader.schema.parts:
        mapped = _map_part(reader, part, name, range(part.n_rows))
        if isinstance(mapped, str):
            return mapped
        found.append(mapped)
    return found


def map_rows(reader: TableReader, start: int, stop: int) -> dict[str, NDArray[Any]]:
    """Map the columns of some rows that can be; none where the rows lie in several files or groups.

    Returns
    -------
    dict
        By column ``(stop - start, *row_shape)`` over the mapped file, read-only.
    """
    table = reader.schema
    number = int(table.starts.searchsorted(start, side="right")) - 1
    if stop <= start or stop > table.starts[number + 1]:
        return {}
    part, first = table.parts[number], int(table.starts[number])
    rows = range(start - first, stop - first)
    mapped = {name: _map_part(reader, part, name, rows) for name in table.columns}
    return {name: found for name, found in mapped.items() if not isinstance(found, str)}


def _map_part(reader: TableReader, part: Part, name: str, rows: range) -> NDArray[Any] | str:
    column = part.columns[name]
    reason = _why_not_plain(reader.schema.columns[name], column)
    if reason is not None:
        return reason
    dtype, shape = column.dtype, tuple(size for size in column.row_shape if size is not None)
    if not rows or 0 in shape:
        return np.empty((len(rows), *shape), dtype)
    found = reader.find_dataset(part, column)
    if isinstance(found, str):
        return found
    if not isinstance(found, DirectDataset) or found.index.kind != "contiguous":
        return "its rows are not one block of the file"
    offset = int(found.index.offsets.ravel()[0])
    if offset % dtype.itemsize:
        return "its bytes are not aligned in the file"
    found.source.check()
    row_bytes = found.index.row_nbytes
    view = found.source.view(offset + rows.start * row_bytes, row_bytes * len(rows))
    if view is None:
        return "the file system cannot map files"
    return np.frombuffer(view, dtype).reshape(len(rows), *shape)


def _why_not_plain(wanted: Column, column: Column) -> str | None:
    if column.take != "rows" or column.axis or column.fields:
        return "its values do not lie one after the other"
    if wanted.feature is not None:
        return "it is asked for as another type"
    if not isinstance(column.element, Number) or not isinstance(wanted.element, Number):
        return "its values are no plain numbers"
    stored = column.memory.base if column.memory is not None else None
    if stored is None or stored != wanted.dtype or wanted.dtype.kind not in "iuf" or column.converted:
        return "its stored type is not that of memory"
    return None
