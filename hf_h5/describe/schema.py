"""The shared vocabulary: columns, the parts that hold their rows, tables, and the schema of a file.

Pure; no I/O. Everything here is immutable and pickles small, so that workers can be handed a table.

A table's rows lie in *parts*, one after the other: a whole file, one split of it, or one episode. A part says which
file and which group (``prefix``) its columns' paths start from; a column says how its values are taken from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from .derived import Derivation, Sized
from .elements import Element, FeatureSpec, Label, Number, Shape, feature_spec, feature_text, is_array

__all__ = ["Column", "Note", "Part", "Schema", "Storage", "Table", "Take"]

Take = Literal["rows", "whole", "derived", "constant", "counter", "missing"]


@dataclass(frozen=True, slots=True)
class Storage:
    """How an HDF5 dataset lies in its file.

    Attributes
    ----------
    layout
        ``"contiguous"``, ``"chunked"``, ``"compact"`` or ``"virtual"``.
    chunks
        Shape of one chunk, or None.
    filter_ids
        Registered number and name of each filter, in the order in which they were applied.
    stored_bytes, n_values
        Bytes that the data takes in the file, and how many elements it holds; over all datasets that a column of
        several parts describes together, as the episodes of one file.
    """

    layout: str
    chunks: tuple[int, ...] | None
    filter_ids: tuple[tuple[int, str], ...]
    stored_bytes: int
    n_values: int = 0

    @property
    def filters(self) -> tuple[str, ...]:
        """Names of the filters."""
        return tuple(name for _, name in self.filter_ids)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name
        The path of the dataset (and field) from the table's group, without the leading slash.
    path
        Path of the HDF5 dataset, to be joined to the part's ``prefix``.
    fields
        Names of the compound's fields that lead to the values, outermost first; ``real`` and ``imag`` of complex.
    take
        ``"rows"``: row *i* of the part is ``dataset[i]``; ``"whole"``: the part is one row, the whole dataset;
        ``"derived"``: as ``derived`` makes it; ``"constant"``: the same value for every row of the part;
        ``"counter"``: the row's number inside the part; ``"missing"``: no value.
    element, row_shape
        What a value is, and the dimensions of one row; a leading None is a length that differs between rows.
    memory
        numpy dtype of one element of the HDF5 dataset (before ``fields`` are picked) as readers hand it over.
    converted, variable
        Why the HDF5 library must convert or collect the values; None where they are read as stored.
    feature
        The feature that the user asked for, where it differs from the inferred one.
    parts
        The names of the groups, dataset and fields that lead to the values.
    file
        The file that holds the column, where it is not the part's.
    axis
        The dataset's axis along which the rows lie; the others follow in their order. With ``take="rows"`` only.
    derived
        How the values are made of other columns, with ``take="derived"``.
    as_lists
        Whether rows with dimensions are nested lists of fixed length and no ``Array2D`` to ``Array5D``.
    """

    name: str
    path: str
    take: Take
    element: Element
    row_shape: Shape
    memory: np.dtype[Any] | None = None
    fields: tuple[str, ...] = ()
    converted: str | None = None
    variable: str | None = None
    storage: Storage | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None
    feature: FeatureSpec | None = None
    parts: tuple[str, ...] = ()
    file: str | None = None
    axis: int = 0
    derived: Derivation | None = None
    as_lists: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """numpy dtype in which ``read`` returns the values; object for strings, bytes and lists."""
        return _element_dtype(self.element)

    @property
    def inferred(self) -> FeatureSpec:
        """The feature that follows from the stored type."""
        return feature_spec(self.element, self.row_shape, arrays=self.is_array)

    @property
    def spec(self) -> FeatureSpec:
        """The feature of the column, as ``datasets.Features.to_dict`` writes it."""
        return self.inferred if self.feature is None else self.feature

    @property
    def feature_text(self) -> str:
        """The feature as Python would show it."""
        return feature_text(self.spec)

    @property
    def is_array(self) -> bool:
        """Whether rows are an ``Array2D`` to ``Array5D`` of ``datasets``."""
        return is_array(self.element, self.row_shape) and (self.is_ragged or not self.as_lists)

    @property
    def is_ragged(self) -> bool:
        """Whether the shape of a row differs between rows."""
        return None in self.row_shape

    @property
    def row_bytes(self) -> int:
        """Bytes of one row in memory; lengths that vary count as 1, but for derived rows that know their average."""
        # To ask an object whether it follows a protocol takes some 20 µs.
        if self.derived is not None and isinstance(self.derived, Sized):
            return self.derived.row_bytes
        count = 1
        for size in self.row_shape:
            count *= 1 if size is None else size
        return count * max(1, self.dtype.itemsize)

    @property
    def nested_name(self) -> tuple[str, ...]:
        """The groups and fields that lead to the column, for ``nested=True``."""
        return self.parts or tuple(self.name.split("/"))


def _element_dtype(element: Element) -> np.dtype[Any]:
    if isinstance(element, Number):
        return element.dtype
    return np.dtype(np.int64) if isinstance(element, Label) else np.dtype(object)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that lie together: ``n_rows`` of them, in one file, under one group.

    ``columns`` are the table's columns as *this* part stores them: byte order, string length and the codes of an
    enum may differ between parts. Parts that agree share one mapping.
    """

    file: str
    prefix: str
    n_rows: int
    columns: Mapping[str, Column]
    constants: Mapping[str, Any] = field(default_factory=dict)

    def file_of(self, column: Column) -> str:
        """The file that holds a column of this part."""
        return column.file or self.file

    def path_of(self, column: Column) -> str:
        """The absolute path of a column's HDF5 dataset."""
        if not self.prefix:
            return column.path
        return f"{self.prefix}/{column.path.lstrip('/')}" if column.path else self.prefix


@dataclass(frozen=True)
class Table:
    """Named columns of equally many rows.

    Attributes
    ----------
    name
        The path of the group that holds the table.
    columns
        Columns by name.
    parts
        Where the rows lie, in order.
    rule
        Which rule found the table, in words.
    splits
        The table of each split, where the file holds splits; the table itself is then all of them in order.
    """

    name: str
    columns: Mapping[str, Column]
    parts: tuple[Part, ...]
    rule: str
    splits: Mapping[str, Table] = field(default_factory=dict)

    @cached_property
    def num_rows(self) -> int:
        return sum(part.n_rows for part in self.parts)

    @cached_property
    def starts(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """``(len(parts) + 1,)``: the number of the first row of each part, and the number of rows."""
        counts = np.fromiter((part.n_rows for part in self.parts), np.int64, len(self.parts))
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])

    def files_of_rows(self, start: int = 0, stop: int | None = None) -> list[str]:
        """The files that rows ``[start, stop)`` lie in, those of joined columns included."""
        first, last = 0, len(self.parts)
        if stop is not None:
            first = max(0, int(np.searchsorted(self.starts, start, side="right")) - 1)
            last = int(np.searchsorted(self.starts, stop))
        files = dict.fromkeys(part.file for part in self.parts[first:last])
        for part in self.parts[first:last]:
            files.update(dict.fromkeys(column.file for column in part.columns.values() if column.file))
        return list(files)

    @cached_property
    def row_bytes(self) -> int:
        """Bytes of one decoded row, at least 1; an average where rows differ in length."""
        total = max(1, sum(column.row_bytes for column in self.columns.values()))
        known = [
            column
            for column in self.columns.values()
            if column.derived is None or not isinstance(column.derived, Sized)
        ]
        ragged = [column for column in known if column.is_ragged and column.storage]
        return total + sum(column.storage.stored_bytes for column in ragged if column.storage)

    @cached_property
    def row_groups(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """``(k + 1,)`` boundaries of the rows that are read together: those of one chunk of the largest column."""
        groups = [
            np.arange(first, first + part.n_rows, self._group_rows(part), dtype=np.int64)
            for part, first in zip(self.parts, self.starts[:-1].tolist(), strict=True)
        ]
        return np.concatenate([*groups, self.starts[-1:]])

    def _group_rows(self, part: Part) -> int:
        columns = [part.columns[name] for name in self.columns]
        # Of each kind of chunk: bytes of a row, and how many rows lie in one.
        chunks = [
            (column.row_bytes, int(column.storage.chunks[column.axis]))
            for column in columns
            if column.take == "rows" and column.storage and column.storage.chunks
        ]
        for column in columns:
            run = column.derived
            if run is not None and isinstance(run, Sized) and run.group_rows > 1:
                chunks.append((run.read_bytes, run.group_rows))
        if chunks:
            return max(chunks)[1]
        # Rows that lie one after the other may be cut anywhere; pieces of 1 MiB cost no more than larger ones.
        return max(1, min((1 << 20) // self.row_bytes, -(-part.n_rows // 16)))

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the parts, each once, in order."""
        return tuple(dict.fromkeys(part.file for part in self.parts))

    @property
    def stored_bytes(self) -> int:
        """Bytes that the columns take in the file, as far as the scan looked (first part times parts)."""
        return sum(column.storage.stored_bytes for column in self.columns.values() if column.storage)

    @property
    def logical_bytes(self) -> int:
        """Bytes of all rows once decoded."""
        return self.num_rows * sum(column.row_bytes for column in self.columns.values())

    def select(self, names: list[str]) -> Table:
        """The same rows with fewer columns, in the given order."""
        return replace(
            self,
            columns={name: self.columns[name] for name in names},
            splits={split: table.select(names) for split, table in self.splits.items()},
        )


@dataclass(frozen=True, slots=True)
class Note:
    """Something of the file that is not among the rows, why, and the option that would load it."""

    path: str
    why: str
    option: str | None = None


@dataclass(frozen=True)
class Schema:
    """What is in one HDF5 file.

    Attributes
    ----------
    file
        The file that was described.
    tables
        Tables by name; the default one is first.
    default
        Name of the default table; None if the file holds no rows.
    default_reason
        Why it is the default.
    metadata
        Scalars and one-row side data by path, as plain Python values.
    attrs
        Attributes of the file's root as plain Python values.
    notes
        What is not loaded.
    convention
        The convention that the file follows, in words, or None.
    """

    file: str
    tables: Mapping[str, Table]
    default: str | None
    default_reason: str
    metadata: Mapping[str, Any]
    attrs: Mapping[str, Any]
    notes: tuple[Note, ...] = ()
    file_bytes: int = 0
    convention: str | None = None

    @property
    def table(self) -> Table | None:
        """The default table."""
        return None if self.default is None else self.tables[self.default]

    @property
    def splits(self) -> Mapping[str, Table]:
        """Splits of the default table."""
        return {} if self.table is None else self.table.splits

    def __str__(self) -> str:
        from .render import render_text

        return render_text(self)

    def _repr_html_(self) -> str:
        from .render import render_html

        return render_html(self)

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain values that ``json`` can write."""
        from .render import render_dict

        return render_dict(self)
