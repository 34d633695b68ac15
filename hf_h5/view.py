"""Rows of HDF5 files as tensors, read when asked for, with the methods of ``datasets.Dataset``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .assemble.arrow import table_features, to_arrow_table
from .assemble.arrow_formats import check_format, format_name, format_rows
from .assemble.formats import Format, is_block
from .assemble.torch import to_tensor, warn_if_wrapped
from .collate import Rows
from .describe.options import Options, make_options
from .describe.schema import Table
from .errors import ColumnError, FormatError, RowError, closest_names
from .opening import open_tables
from .read.plan import Rows as RowNumbers
from .read.plan import as_rows
from .read.rows import RowSource

__all__ = ["H5TorchView", "ViewColumn"]

Batch = dict[str, Any]
_WRONG_KEY = "wrong key {!r}: expected an integer, a slice, integers or a column's name"


class H5TorchView:
    """A lazy view of a table in HDF5 files: nothing is copied, rows are read when asked for.

    Parameters
    ----------
    files
        A path, a pattern, a list of them, a mapping of them by split, or an open ``h5py.File`` or group.
    split
        Which split, where the files hold several; as in ``datasets``, ``"train[:10%]"`` and ``"train+test"`` work.
    **options
        ``columns``, ``table``, ``layout`` and so on; see the reference page of the options.

    Examples
    --------
    >>> # view = H5TorchView("digits.h5")
    >>> # view[0]["images"]            a tensor
    >>> # view[[3, 1, 1]]["labels"]    a tensor of three labels
    """

    def __init__(self, files: Any, *, split: str | None = None, **options: Any) -> None:
        opened = open_tables(files, split, make_options(**options))
        self._set(opened.reader, opened.options, opened.rows)

    def _set(self, source: RowSource, options: Options, rows: RowNumbers) -> None:
        self._source = source
        self._options = options
        self._rows = rows
        self._table: Table = source.schema
        self._features = table_features(self._table, nested=options.nested, given=options.features)
        self._format = Format()
        self._transform: Callable[[Batch], Batch] | None = None
        self._tuple: tuple[str, ...] | None = None

    def _copy(self, **changes: Any) -> H5TorchView:
        """A view of the same source with some attributes changed; costs indices, not data."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        for name, value in changes.items():
            setattr(view, f"_{name}", value)
        return view

    @property
    def features(self) -> Any:
        """The features, as ``datasets.Dataset.features``."""
        return self._features.copy()

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        return list(self._features)

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(self._rows)

    @property
    def num_columns(self) -> int:
        """Number of columns."""
        return len(self._features)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return self.num_rows, self.num_columns

    @property
    def format(self) -> dict[str, Any]:
        """The format as ``datasets.Dataset.format`` describes it."""
        columns = list(self._format.columns or self.column_names)
        kind = "custom" if self._transform else self._format.kind
        return {
            "type": kind,
            "format_kwargs": dict(self._format.kwargs),
            "columns": columns,
            "output_all_columns": self._format.all_columns,
        }

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        files = self._table.files
        named = files[0] if len(files) == 1 else f"{files[0]}, ... ({len(files)} files)"
        return (
            f"{type(self).__name__}({{\n    features: {self.column_names},\n    num_rows: {self.num_rows},\n"
            f"    file: {named!r}\n}})"
        )

    def __getitem__(self, key: Any) -> Any:
        """A row for an integer, a dict of columns for a slice or list of integers, a column for a name."""
        if isinstance(key, str):
            self._check_columns([key])
            return ViewColumn(self._copy(format=replace(self._format, columns=(key,)), transform=None, tuple=None), key)
        if isinstance(key, int | np.integer) and not isinstance(key, bool):
            return self._row(int(key))
        return self._batch(self._keys(key))

    def __getitems__(self, keys: list[int]) -> Sequence[Any]:
        """Rows for a DataLoader, cut from one block; ``hf_h5.collate`` hands the block on whole."""
        block = self._batch(self._keys(keys))
        if self._tuple is not None:
            return Rows(block, len(keys), lambda columns, number: tuple(column[number] for column in columns))
        return Rows(block, len(keys), lambda batch, number: {name: column[number] for name, column in batch.items()})

    def __iter__(self) -> Iterator[Any]:
        return self._iterate_rows()

    def _iterate_rows(self) -> Iterator[Any]:
        step = self._iteration_rows()
        for start in range(0, len(self), step):
            yield from self.__getitems__(list(range(start, min(start + step, len(self)))))

    def iter(self, batch_size: int, drop_last_batch: bool = False) -> Iterator[Any]:
        """Batches of ``batch_size`` rows, in order."""
        stop = len(self) // batch_size * batch_size if drop_last_batch else len(self)
        for start in range(0, stop, batch_size):
            yield self[start : start + batch_size]

    def _iteration_rows(self) -> int:
        """Rows of about 4 MB: one read per chunk when iterating row by row."""
        row_bytes = max(1, sum(column.row_bytes for column in self._table.columns.values()))
        return int(min(1024, max(1, (4 << 20) // row_bytes)))

    def select(self, indices: Any) -> H5TorchView:
        """A view of some rows, in the given order; repeats allowed."""
        chosen = as_rows(self._keys(indices), len(self))
        if isinstance(self._rows, range) and isinstance(chosen, range):
            return self._copy(rows=self._rows[chosen.start : chosen.stop])
        return self._copy(rows=as_rows(np.asarray(self._rows)[_as_index(chosen)], len(self._source)))

    def select_columns(self, column_names: str | Sequence[str]) -> H5TorchView:
        """A view of some columns; only these are read."""
        names = [column_names] if isinstance(column_names, str) else list(column_names)
        self._check_columns(names)
        features = type(self._features)({name: self._features[name] for name in names})
        columns = self._format.columns
        kept = None if columns is None else tuple(name for name in columns if name in names)
        return self._copy(features=features, format=replace(self._format, columns=kept))

    def with_format(
        self,
        type: str | None = None,
        columns: Sequence[str] | None = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> H5TorchView:
        """A view in another format: what ``Dataset.with_format`` gives for the same rows."""
        kind = format_name(type)
        check_format(kind, self._features, format_kwargs)
        if columns is not None:
            self._check_columns(list(columns))
        chosen = Format(kind, format_kwargs, None if columns is None else tuple(columns), output_all_columns)
        return self._copy(format=chosen, transform=None)

    def with_transform(self, transform: Callable[[Batch], Batch] | None) -> H5TorchView:
        """A view whose batches go through ``transform``: a function of a dict of columns, in the view's format.

        A row is a batch of one, as in ``datasets``. Unlike there, the columns come in the view's format (tensors
        unless said otherwise); with ``with_format(None)`` before, they come as Python lists.
        """
        return self._copy(transform=transform)

    def as_tuple(self, *columns: str) -> H5TorchView:
        """A view whose rows are tuples of these columns, as hand-written datasets return them."""
        self._check_columns(list(columns))
        return self._copy(tuple=columns)

    def close(self) -> None:
        """Close the files."""
        self._source.close()

    def __enter__(self) -> H5TorchView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _row(self, key: int) -> Any:
        if not -len(self) <= key < len(self):
            raise RowError(
                f"row {key} is out of range for {len(self)} rows",
                file=self._table.files[0] if self._table.files else None,
            )
        batch = self._batch(np.array([key % len(self)]), as_row=self._transform is None)
        if self._transform is None:
            return batch
        if self._tuple is not None:
            return tuple(column[0] for column in batch)
        return {name: column[0] for name, column in batch.items()}

    def _keys(self, key: Any) -> RowNumbers:
        """Positions in this view, checked; negative ones count from the end."""
        if isinstance(key, slice):
            key = range(*key.indices(len(self)))
        if isinstance(key, range):
            numbers: NDArray[Any] = np.arange(key.start, key.stop, key.step, dtype=np.int64)
        else:
            if not isinstance(key, np.ndarray) and (isinstance(key, bytes) or not isinstance(key, Iterable)):
                raise TypeError(_WRONG_KEY.format(key))
            numbers = np.asarray(key if isinstance(key, np.ndarray) else list(key))
            if numbers.dtype == bool and len(numbers) == len(self):
                numbers = np.flatnonzero(numbers)
        if numbers.size == 0:
            return range(0)
        if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
            raise TypeError(_WRONG_KEY.format(key))
        numbers = numbers.astype(np.int64)
        wrong = (numbers < -len(self)) | (numbers >= len(self))
        if wrong.any():
            raise RowError(
                f"row {numbers[wrong][0]} is out of range for {len(self)} rows",
                file=self._table.files[0] if self._table.files else None,
            )
        return as_rows(np.where(numbers < 0, numbers + len(self), numbers), len(self))

    def _source_rows(self, keys: RowNumbers) -> RowNumbers:
        if isinstance(self._rows, range):
            if isinstance(keys, range):
                return self._rows[keys.start : keys.stop]
            return keys + self._rows.start
        return self._rows[_as_index(keys)]

    def _batch(self, keys: RowNumbers, *, as_row: bool = False) -> Any:
        """Read and format rows; then transform, then tuple."""
        # As in datasets: in the order of the columns, not of the choice.
        chosen = self._format.columns
        formatted = [name for name in self.column_names if chosen is None or name in chosen]
        others = [name for name in self.column_names if name not in formatted] if self._format.all_columns else []
        if self._tuple is not None and self._transform is None:
            formatted, others = list(dict.fromkeys(self._tuple)), []
        rows = self._source_rows(keys)
        arrays = self._source.read(rows, None if self._options.nested else formatted + others)
        batch = self._formatted(arrays, formatted, self._format, as_row)
        if others:
            batch |= self._formatted(arrays, others, Format(None), as_row)
        if self._transform is not None:
            batch = self._transform(batch)
        return tuple(batch[name] for name in self._tuple) if self._tuple is not None else batch

    def _formatted(self, arrays: Mapping[str, NDArray[Any]], names: list[str], chosen: Format, as_row: bool) -> Batch:
        """Numeric blocks directly, all else by the formatters of ``datasets``; the columns in order."""
        made: Batch = {}
        if chosen.kind == "torch" and not self._options.nested:
            for name in names:
                if is_block(self._table.columns[name], arrays[name]):
                    warn_if_wrapped(name, arrays[name], chosen.kwargs)
                    block = arrays[name][0] if as_row else arrays[name]
                    made[name] = to_tensor(np.asarray(block), chosen.kwargs)
        rest = [name for name in names if name not in made]
        if rest:
            found = self._by_datasets(arrays, rest, chosen, as_row)
            if len(rest) == len(names):
                return found
            made |= found
        return {name: made[name] for name in names}

    def _by_datasets(self, arrays: Mapping[str, NDArray[Any]], names: list[str], chosen: Format, as_row: bool) -> Batch:
        features = type(self._features)({name: self._features[name] for name in names})
        table = to_arrow_table(arrays, self._table, features, nested=self._options.nested)
        try:
            return format_rows(table, features, chosen.kind, dict(chosen.kwargs), as_row=as_row)  # type: ignore[no-any-return]
        except TypeError as error:
            dates = (
                [name for name in names if self._table.columns[name].dtype.kind in "Mm"]
                if not self._options.nested
                else []
            )
            if not dates:
                raise
            raise FormatError(
                f"column {dates[0]!r} holds dates or durations, which format {chosen.kind!r} has no type for",
                file=self._table.files[0],
                path=self._table.columns[dates[0]].path,
                hint="leave it out with select_columns([...]), or use with_format('numpy')",
            ) from error

    def _check_columns(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self._features:
                file = self._table.files[0] if self._table.files else None
                raise ColumnError(f"no column {name!r}", file=file, hint=closest_names(name, self.column_names))


class ViewColumn(Sequence[Any]):
    """One column of a view, read when indexed: an integer gives a value, a slice or list a block."""

    def __init__(self, view: H5TorchView, name: str) -> None:
        self._view = view
        self._name = name

    def __len__(self) -> int:
        return len(self._view)

    def __getitem__(self, key: Any) -> Any:
        return self._view[key][self._name]

    def __iter__(self) -> Iterator[Any]:
        return (row[self._name] for row in self._view)

    def __repr__(self) -> str:
        return f"ViewColumn({self._name!r}, {len(self)} rows)"


def _as_index(rows: RowNumbers) -> slice | NDArray[np.int64]:
    return slice(rows.start, rows.stop) if isinstance(rows, range) else rows
