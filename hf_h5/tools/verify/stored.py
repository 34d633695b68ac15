"""The dataset that a file is compared with: a folder, a name of the Hub, an object, or the conversion in the cache.

Rows come as Arrow tables, ascending, in bounded memory: from a mapped ``Dataset``, from Parquet by row groups, or
from a stream.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import datasets
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.table import table_cast
from numpy.typing import NDArray

from ...errors import DamagedFileError, DataError, H5Error, HubError, MissingFileError, OptionError
from ...registry import BUILDER_NAME
from ..console import LIBRARY_ERRORS

__all__ = ["ArrowRows", "ParquetRows", "RowSource", "Stored", "StreamRows", "find_converted", "open_stored"]

Rows = range | NDArray[np.int64]

_UNREADABLE: tuple[type[Exception], ...] = (ValueError, *LIBRARY_ERRORS)
_HINT = "name a folder that hf-h5 convert or save_to_disk wrote, or user/name of the Hub"


class RowSource(Protocol):
    """Rows of one split, read in ascending order."""

    features: Any

    def read(self, rows: Rows) -> pa.Table:
        """Rows as a table; fewer if the split ends before."""
        ...

    def count(self) -> int:
        """How many rows there are; asked when all that are compared were read."""
        ...


@dataclass(frozen=True)
class Stored:
    """A dataset to compare with: what it is, in words, and its splits; None names the split of a single ``Dataset``.

    ``label`` is its name among what is compared: ``"cached"`` or ``"dataset"``.
    """

    what: str
    splits: Mapping[str | None, RowSource]
    label: str = "dataset"


class ArrowRows:
    """Rows of a ``datasets.Dataset``."""

    def __init__(self, dataset: Any) -> None:
        self.features = dataset.features
        self._dataset = dataset.with_format("arrow")

    def read(self, rows: Rows) -> pa.Table:
        """Rows as a table."""
        if isinstance(rows, range):
            return self._dataset[rows.start : rows.stop]
        return self._dataset[rows[rows < len(self._dataset)]]

    def count(self) -> int:
        """How many rows there are."""
        return len(self._dataset)


class ParquetRows:
    """Rows of Parquet files, local or remote; one row group is in memory."""

    def __init__(self, files: Sequence[str], storage_options: Mapping[str, Any] | None = None) -> None:
        self._files = [_parquet(file, storage_options or {}) for file in files]
        groups = [(file, number) for file in self._files for number in range(file.metadata.num_row_groups)]
        counts = [file.metadata.row_group(number).num_rows for file, number in groups]
        self._groups, self._starts = groups, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self.features = datasets.Features.from_arrow_schema(self._files[0].schema_arrow)
        self._number, self._kept = -1, None

    def read(self, rows: Rows) -> pa.Table:
        """Rows as a table."""
        numbers = np.asarray(rows, np.int64)
        numbers = numbers[numbers < self.count()]
        owners = np.searchsorted(self._starts, numbers, side="right") - 1
        pieces = [
            _taken(self._group(owner), numbers[owners == owner] - self._starts[owner])
            for owner in np.unique(owners).tolist()
        ]
        return pa.concat_tables(pieces) if pieces else self.features.arrow_schema.empty_table()

    def _group(self, number: int) -> pa.Table:
        if self._number != number:
            file, group = self._groups[number]
            self._number, self._kept = number, table_cast(file.read_row_group(group), self.features.arrow_schema)
        return self._kept

    def count(self) -> int:
        """How many rows there are."""
        return int(self._starts[-1])


def _parquet(file: str, storage_options: Mapping[str, Any]) -> pq.ParquetFile:
    stream = fsspec.open(file, "rb", **storage_options).open()
    try:
        return pq.ParquetFile(stream)
    except pa.ArrowInvalid as error:
        stream.close()
        hint = "name a Parquet file, or a folder that hf-h5 convert or save_to_disk wrote"
        raise DamagedFileError(f"this is no whole Parquet file: {error}", file=file, hint=hint) from error


def _taken(table: pa.Table, rows: NDArray[np.int64]) -> pa.Table:
    if len(rows) == rows[-1] - rows[0] + 1:
        return table.slice(int(rows[0]), len(rows))
    # Arrow's take is wrong for some lists (arrow_rows/fixed_lists.py).
    return pa.concat_tables([table.slice(row, 1) for row in rows.tolist()])


class StreamRows:
    """Rows of a ``datasets.IterableDataset``, which goes forward only."""

    def __init__(self, dataset: Any) -> None:
        self._tables: Iterator[pa.Table] = dataset.with_format("arrow").iter(batch_size=1000)
        self._start = 0
        self._kept: Any = None
        self.features = dataset.features
        if self.features is None:
            first = self.read(range(1))
            self.features = datasets.Features.from_arrow_schema(first.schema)

    def read(self, rows: Rows) -> pa.Table:
        """Rows as a table."""
        numbers = np.asarray(rows, np.int64)
        pieces = []
        while len(numbers) and self._advance(int(numbers[0])):
            here = numbers < self._start + len(self._kept)
            pieces.append(_taken(self._kept, numbers[here] - self._start))
            numbers = numbers[~here]
        return pa.concat_tables(pieces) if pieces else datasets.Features(self.features or {}).arrow_schema.empty_table()

    def _advance(self, row: int) -> bool:
        """Go on to the batch that holds a row; False if the stream ends before."""
        while self._kept is None or row >= self._start + len(self._kept):
            self._start += 0 if self._kept is None else len(self._kept)
            self._kept = next(self._tables, None)
            if self._kept is None:
                self._tables = iter(())
                return False
        return True

    def count(self) -> int:
        """How many rows there are: the rest of the stream is gone through."""
        self._advance(1 << 62)
        return self._start


def open_stored(dataset: Any) -> Stored:
    """Open what the user named.

    Parameters
    ----------
    dataset
        A folder of Parquet shards or of ``save_to_disk``, a Parquet file, a name on the Hub, or an object of
        ``datasets``.

    Raises
    ------
    MissingFileError
        If there is no such folder or name.
    """
    if isinstance(dataset, datasets.Dataset | datasets.IterableDataset | Mapping):
        return Stored("the dataset", _splits_of(dataset))
    if not isinstance(dataset, str | os.PathLike):
        raise OptionError(f"dataset={dataset!r} is no folder, name or dataset")
    name = os.path.expanduser(os.fspath(dataset))
    if os.path.isfile(name):
        return Stored(name, {None: ParquetRows([name])})
    if any(os.path.exists(os.path.join(name, file)) for file in ("dataset_dict.json", "state.json")):
        return Stored(name, _splits_of(datasets.load_from_disk(name)))
    if name.endswith(".parquet") and "://" not in name:
        raise MissingFileError("there is no such file", file=name, hint=_HINT)
    # A folder called "parquet" or "json" would be taken for the packaged builder of that name, and its data for ours.
    named = os.path.abspath(name) if os.path.isdir(name) else name
    try:
        builder = datasets.load_dataset_builder(named)
    except FileNotFoundError as error:
        problem = "the folder holds no data" if os.path.isdir(name) else "there is no such folder, and none on the Hub"
        raise MissingFileError(problem, file=name, hint=_HINT) from error
    except ConnectionError as error:
        hint = "check the network, or name a folder; relative paths start at the current folder"
        raise HubError(
            "there is no such folder here, and the Hub could not be reached", file=name, hint=hint
        ) from error
    files = builder.config.data_files or {}
    if not all(file.endswith(".parquet") for names in files.values() for file in names):
        return Stored(name, _streams_of(named))
    token = {"token": builder.token} if builder.token else {}
    options = {split: token if names[0].startswith("hf://") else {} for split, names in files.items()}
    return Stored(name, {str(split): ParquetRows(names, options[split]) for split, names in files.items()})


def _splits_of(dataset: Any) -> dict[str | None, RowSource]:
    if isinstance(dataset, Mapping):
        return {str(name): _rows_of(each) for name, each in dataset.items()}
    return {None: _rows_of(dataset)}


def _streams_of(name: str) -> dict[str | None, RowSource]:
    """Rows that are in no Parquet files: ``datasets`` takes all that it knows for data, a JSON file of settings too."""
    try:
        return _splits_of(datasets.load_dataset(name, streaming=True))
    except H5Error:
        raise
    except _UNREADABLE as error:
        raise DataError(f"what lies there cannot be read as rows: {error}", file=name, hint=_HINT) from error


def _rows_of(dataset: Any) -> RowSource:
    return ArrowRows(dataset) if isinstance(dataset, datasets.Dataset) else StreamRows(dataset)


def find_converted(
    files: Sequence[str], options: Mapping[str, Any], may_convert: Callable[[], bool], scratch: str
) -> Stored | None:
    """The conversion of files in the cache of ``datasets``; made in a folder of its own if it may be.

    Parameters
    ----------
    may_convert
        Whether a conversion that is not in the cache is made.
    scratch
        A folder for it.
    """
    named = [glob.escape(os.path.abspath(file)) if "://" not in file else file for file in files]
    builder = _builder_of(named, options)
    if builder is not None and os.path.exists(os.path.join(builder.cache_dir, "dataset_info.json")):
        return Stored("the cached mode", _splits_of(builder.as_dataset()), "cached")
    if not may_convert():
        return None
    converted = datasets.load_dataset(BUILDER_NAME, data_files=named, cache_dir=scratch, **options)
    return Stored("the cached mode", _splits_of(converted), "cached")


def _builder_of(named: Sequence[str], options: Mapping[str, Any]) -> Any:
    """The builder over the cache of ``datasets``; None where that cannot be written, and so holds nothing."""
    try:
        return datasets.load_dataset_builder(BUILDER_NAME, data_files=named, **options)
    except H5Error:
        raise
    except OSError:
        return None
