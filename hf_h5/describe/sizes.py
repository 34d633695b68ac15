"""How many bytes a table takes: in the file, decoded, and in Arrow.

Pure; no I/O. Computed from shapes and types. Some lengths only the data know; a size says how sure it is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .elements import FeatureSpec, Ragged, Text
from .schema import Column, Part, Table

__all__ = ["ColumnSizes", "Size", "arrow_size", "measure_column", "measure_table"]

Bound = Literal["exact", "about", "at least"]
_BOUNDS: tuple[Bound, ...] = ("exact", "about", "at least")
_OFFSET_BYTES = 4
_NO_DATASET = ("constant", "counter", "missing")
_UNSIZED = ("string", "binary", "large_string", "large_binary")


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes, and whether it is exact, an estimate, or what it takes at least."""

    n_bytes: int
    bound: Bound = "exact"

    def __add__(self, other: Size) -> Size:
        return Size(self.n_bytes + other.n_bytes, max(self.bound, other.bound, key=_BOUNDS.index))


@dataclass(frozen=True, slots=True)
class ColumnSizes:
    """Sizes of one column.

    Attributes
    ----------
    stored
        Bytes of its dataset in the file; columns of one compound share them. Of values of variable length only the
        pointers count: the values lie in a heap that all datasets of the file share.
    decoded
        Bytes of the dataset's values once decoded; None where nobody knows.
    arrow
        Bytes in an Arrow table of ``datasets``.
    """

    stored: Size
    decoded: Size | None
    arrow: Size

    @property
    def ratio(self) -> float | None:
        """Decoded bytes per stored byte: what compression saves; None where it means nothing."""
        if self.decoded is None or not self.decoded.n_bytes or not self.stored.n_bytes:
            return None
        return self.decoded.n_bytes / self.stored.n_bytes


@dataclass(frozen=True, slots=True)
class _Piece:
    """Parts that share one description of a column."""

    column: Column
    parts: tuple[Part, ...]

    @property
    def n_rows(self) -> int:
        return sum(part.n_rows for part in self.parts)


def measure_table(table: Table) -> tuple[dict[str, ColumnSizes], Size, Size]:
    """Measure a table.

    Returns
    -------
    columns
        Sizes of each column.
    stored, arrow
        Sizes of all columns together; a dataset that several columns share counts once.
    """
    columns = {name: measure_column(table, name) for name in table.columns}
    by_dataset = {(column.file, column.path or name): name for name, column in table.columns.items()}
    stored = _total(columns[name].stored for name in by_dataset.values())
    return columns, stored, _total(sizes.arrow for sizes in columns.values())


def measure_column(table: Table, name: str) -> ColumnSizes:
    """Measure one column of a table over all of its parts."""
    pieces = list(_pieces(table, name))
    decoded = [_decoded(piece) for piece in pieces]
    known = [size for size in decoded if size is not None]
    return ColumnSizes(
        stored=_total(_stored(piece) for piece in pieces),
        decoded=_total(known) if pieces and len(known) == len(decoded) else None,
        arrow=_total(_arrow(piece, table.columns[name].spec) for piece in pieces),
    )


def _total(sizes: Iterable[Size]) -> Size:
    return sum(sizes, Size(0))


def _pieces(table: Table, name: str) -> Iterator[_Piece]:
    # Parts that share a column share its storage, of whichever split they are.
    groups: dict[int, list[Part]] = {}
    for part in itertools.chain.from_iterable(each.parts for each in (*table.splits.values(),) or (table,)):
        groups.setdefault(id(part.columns[name]), []).append(part)
    for parts in groups.values():
        yield _Piece(parts[0].columns[name], tuple(parts))


def _stored(piece: _Piece) -> Size:
    storage = piece.column.storage
    if storage is None or piece.column.take in _NO_DATASET:
        return Size(0)
    return Size(storage.stored_bytes, "exact" if piece.column.variable is None else "at least")


def _decoded(piece: _Piece) -> Size | None:
    column = piece.column
    if column.memory is None or column.storage is None or column.variable is not None or column.take in _NO_DATASET:
        return None
    return Size(column.storage.n_values * column.memory.itemsize)


def _values_per_element(column: Column) -> int:
    """Values of a row that lie inside one element of the dataset: those of its array types."""
    memory, count = column.memory, 1
    for name in (*column.fields, None):
        while memory is not None and memory.subdtype:
            memory, shape = memory.subdtype
            count *= math.prod(shape)
        if name is not None and memory is not None and memory.names:
            memory = memory[name]
    return count


def _arrow(piece: _Piece, spec: FeatureSpec) -> Size:
    column = piece.column
    if column.take == "constant":
        return _constants(piece, spec)
    values = None
    if column.storage is not None and not isinstance(column.element, Ragged):
        values = column.storage.n_values * _values_per_element(column)
    size = arrow_size(spec, piece.n_rows, values)
    decoded = _decoded(piece)
    if isinstance(column.element, Text) and column.element.padding is not None and decoded is not None:
        # How much of each value is padding only the data know.
        return Size(size.n_bytes + decoded.n_bytes, "about")
    return size


def _constants(piece: _Piece, spec: FeatureSpec) -> Size:
    """Values that stand in the schema itself."""
    n_values = text_bytes = 0
    for part in piece.parts:
        value: Any = part.constants.get(piece.column.name)
        n_values += part.n_rows * (1 if value is None else int(np.size(value)))
        text_bytes += part.n_rows * (len(value.encode("utf-8", "replace")) if isinstance(value, str) else 0)
    size = arrow_size(spec, piece.n_rows, n_values)
    is_text = isinstance(piece.column.element, Text) and not piece.column.row_shape
    return Size(size.n_bytes + text_bytes, "exact" if is_text else size.bound)


def arrow_size(spec: FeatureSpec, n_rows: int, n_values: int | None = None) -> Size:
    """Bytes of a column in an Arrow table of ``datasets``.

    Parameters
    ----------
    spec
        The feature, as ``datasets.Features.to_dict`` writes it.
    n_values
        How many values all rows hold together; needed where a length differs between rows.

    Notes
    -----
    ``Array2D`` to ``Array5D`` are lists of lists with an int32 offset for each; ``List`` of a fixed length has none.

    Examples
    --------
    >>> arrow_size({"shape": (8, 8), "dtype": "uint8", "_type": "Array2D"}, 1000)
    Size(n_bytes=100008, bound='exact')
    """
    kind = spec.get("_type")
    if not isinstance(kind, str):
        return _total(arrow_size(inner, n_rows) for inner in spec.values())
    if kind.startswith("Array"):
        return _nested(list(spec["shape"]), True, {"_type": "Value", "dtype": spec["dtype"]}, n_rows, n_values)
    if kind in ("List", "LargeList", "Sequence"):
        length = spec.get("length", -1)
        return _nested([length if length >= 0 else None], length < 0, spec["feature"], n_rows, n_values)
    if kind in ("Value", "ClassLabel"):
        dtype = "int64" if kind == "ClassLabel" else spec["dtype"]
        if dtype in _UNSIZED:
            return Size((n_rows + 1) * _OFFSET_BYTES, "at least")
        return Size(_value_bits(dtype) * n_rows // 8 + bool(_value_bits(dtype) * n_rows % 8))
    return Size((n_rows + 1) * _OFFSET_BYTES, "at least")


def _nested(shape: list[int | None], offsets: bool, inner: FeatureSpec, n_rows: int, n_values: int | None) -> Size:
    """Lists of lists; where lengths differ, ``n_values`` says how many values there are in all."""
    n_bytes, count, bound = 0, n_rows, Size(0).bound
    for level, size in enumerate(shape):
        n_bytes += (count + 1) * _OFFSET_BYTES if offsets else 0
        if size is not None:
            count *= size
        elif n_values is not None and None not in shape[level + 1 :] and (per_item := _values_per_item(inner)):
            count = n_values // (math.prod(rest or 0 for rest in shape[level + 1 :]) * per_item or 1)
        else:
            count, bound = 0, "at least"
    return Size(n_bytes, bound) + arrow_size(inner, count, n_values)


def _values_per_item(spec: FeatureSpec) -> int | None:
    """How many values one item of a list holds; None where that differs."""
    match spec.get("_type"):
        case "Value" | "ClassLabel":
            return 1
        case "List" | "Sequence" | "LargeList" if spec.get("length", -1) > 0:
            inner = _values_per_item(spec["feature"])
            return None if inner is None else int(spec["length"]) * inner
        case _:
            return None


def _value_bits(dtype: str) -> int:
    if dtype == "bool":
        return 1
    if dtype.startswith(("timestamp", "duration", "time64", "date64")):
        return 64
    if dtype.startswith(("time32", "date32")):
        return 32
    aliases = {"double": "float64", "float": "float32", "null": "bool"}
    return np.dtype(aliases.get(dtype, dtype)).itemsize * 8
