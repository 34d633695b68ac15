"""An Arrow table over the mapped bytes of an HDF5 file, as the tables of ``datasets`` are over those of Arrow files.

``datasets`` sends its memory-mapped tables to other processes as a path and a list of what was done to the table.
This one is sent as the reader, which knows the file and its version, and is mapped anew on the other side.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.table import MemoryMappedTable
from numpy.typing import NDArray

from ..assemble.arrow import to_column
from ..assemble.arrow_blocks import number_blocks
from ..read.mapping import map_column
from ..read.reader import TableReader

__all__ = ["H5MappedTable", "MappedRows", "cache_file_for"]

# What ``datasets`` may do to a table; each gives a table that must know how to be made anew.
_CHANGES = (
    "add_column",
    "append_column",
    "cast",
    "combine_chunks",
    "drop",
    "filter",
    "flatten",
    "remove_column",
    "rename_columns",
    "replace_schema_metadata",
    "select",
    "set_column",
    "slice",
)
# Those of them that copy values.
_COPYING = ("cast", "combine_chunks", "filter", "flatten")
# Ways to all rows, which ``datasets`` and its users go besides ``fast_gather``, ``fast_slice`` and ``to_reader``.
_READS = ("__getitem__", "column", "equals", "itercolumns", "to_batches", "to_pandas", "to_pydict", "to_pylist")
# Of more files the check would cost more than the rows.
_CHECKED_FILES = 64


@dataclass(frozen=True)
class MappedRows:
    """What a table is made of.

    Attributes
    ----------
    reader
        The rows, and the version of their files.
    features
        Of all columns, in order.
    in_memory
        Columns that are read and kept in memory, as they cannot be mapped.
    cache_file
        Where ``datasets`` may put files beside: a path in its cache, not the HDF5 file's folder.
    """

    reader: TableReader
    features: datasets.Features
    in_memory: tuple[str, ...]
    cache_file: str

    def make(self) -> pa.Table:
        """Map the columns.

        Raises
        ------
        FileChangedError
            If a file is no longer the one that was opened.
        """
        columns = {name: self._blocks(name) for name in self.features if name not in self.in_memory}
        if self.in_memory:
            batch = self.reader.read(slice(None), self.in_memory)
            schema = self.reader.schema
            for name in self.in_memory:
                columns[name] = [to_column(batch[name], schema.columns[name], self.features[name], schema)]
        # Nothing needs the library from here on, and others may want to write to the file.
        self.reader.release()
        kinds = {name: self.features.type.field(name).type for name in self.features}
        arrays = {name: pa.chunked_array(columns[name], kinds[name]) for name in self.features}
        return pa.table(arrays, schema=self.features.arrow_schema)

    def _blocks(self, name: str) -> list[pa.Array]:
        mapped = map_column(self.reader, name)
        if isinstance(mapped, str):
            raise ValueError(f"column {name!r} cannot be mapped: {mapped}")
        column, feature = self.reader.schema.columns[name], self.features[name]
        return [block for rows in mapped for block in number_blocks(rows, column, feature)]


class H5MappedTable(MemoryMappedTable):  # type: ignore[misc]
    """A table over mapped rows; pickles as these, small, and is mapped again where it arrives."""

    def __init__(self, table: pa.Table, rows: MappedRows, replays: list[Any] | None = None) -> None:
        super().__init__(table, rows.cache_file, replays)
        self.rows = rows
        self._is_checked = len(rows.reader.schema.files) <= _CHECKED_FILES

    @classmethod
    def open(cls, rows: MappedRows) -> H5MappedTable:
        """Map rows."""
        return cls(rows.make(), rows)

    def __getstate__(self) -> dict[str, Any]:
        return {"rows": self.rows, "replays": self.replays}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        table = self._apply_replays(state["rows"].make(), state["replays"])
        H5MappedTable.__init__(self, table, state["rows"], state["replays"])

    def fast_gather(self, indices: list[int] | NDArray[np.int64]) -> pa.Table:
        """Rows by number; a file that was cut short is an error before its pages are touched."""
        self.check_files()
        return super().fast_gather(indices)

    def fast_slice(self, offset: int = 0, length: int | None = None) -> pa.Table:
        """Rows in order; a file that was cut short is an error before its pages are touched."""
        self.check_files()
        return super().fast_slice(offset, length)

    def to_reader(self, max_chunksize: int | None = None) -> pa.RecordBatchReader:
        """Batch by batch, as ``datasets`` iterates; a file that changed is an error before each of them."""

        def checked() -> Iterator[pa.RecordBatch]:
            self.check_files()
            for batch in self.table.to_reader(max_chunksize=max_chunksize):
                self.check_files()
                yield batch

        return pa.RecordBatchReader.from_batches(self.schema, checked())

    def check_files(self) -> None:
        """Raise ``FileChangedError`` if a file is no longer the one that was opened."""
        if self._is_checked:
            self.rows.reader.check_files()


def _checked(name: str) -> Callable[..., Any]:
    """A method of the table that looks at rows, or hands them on, after a look at the files."""
    read = getattr(H5MappedTable, name)

    def method(self: H5MappedTable, *args: Any, **kwargs: Any) -> Any:
        self.check_files()
        return read(self, *args, **kwargs)

    method.__doc__ = read.__doc__
    method.__name__ = name
    return method


def _remade(name: str) -> Callable[..., H5MappedTable]:
    change = getattr(MemoryMappedTable, name)

    def method(self: H5MappedTable, *args: Any, **kwargs: Any) -> H5MappedTable:
        made = change(self, *args, **kwargs)
        return H5MappedTable(made.table, self.rows, made.replays)

    method.__doc__ = change.__doc__
    method.__name__ = name
    return method


for _name in _CHANGES:
    setattr(H5MappedTable, _name, _remade(_name))
for _name in (*_COPYING, *_READS):
    setattr(H5MappedTable, _name, _checked(_name))


def cache_file_for(fingerprint: str) -> str:
    """A path for what ``datasets`` puts beside a table; its folder is there, if one may be made."""
    folder = os.path.join(str(datasets.config.HF_DATASETS_CACHE), "hf_h5_mapped", fingerprint)
    # Where the cache cannot be written, rows can be read all the same; only map and filter need it, and say so.
    with contextlib.suppress(OSError):
        os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, "rows.mapped")
