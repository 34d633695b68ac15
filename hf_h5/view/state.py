"""What a view is made of: a source of rows, which of its rows and columns are shown, and in which format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..assemble.batches import BatchMaker
from ..assemble.formats import Format
from ..assemble.shown import Shown
from ..describe.schema import Table
from ..errors import ColumnError, RowError, closest_names
from ..read.cache import CacheInfo
from ..read.memory import BatchArrays, Memory
from ..read.plan import Rows, as_rows
from ..read.rows import RowSource

__all__ = ["ViewState"]

_WRONG_KEY = "wrong key {!r}: expected an integer, a slice, integers or a column's name"


class ViewState:
    """The facts of a view; what is made of them is kept until one of them changes.

    Attributes
    ----------
    _rows
        Rows of the source, in the view's order.
    _warned
        Columns of which the user was warned; shared with the views made from this one.
    _cut
        How rows were cut into windows or patches, in words.
    _in_memory
        Whether the source may change without its fingerprint.
    _keeps_lists
        Whether the source is told rows of a list from those of a slice, even where they follow one another.
    """

    _source: RowSource
    _memory: Memory
    _rows: Rows
    _shown: Shown
    _format: Format
    _tuple: tuple[str, ...] | None
    _warned: set[str]
    _in_memory: bool
    _keeps_lists: bool
    _split: str | None
    _threads: int | None
    _description: str
    _cut: dict[str, str]

    def _copy(self, **changes: Any) -> Self:
        """A view of the same source with some facts changed; costs indices, not data."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._change(**changes)
        return view

    def _change(self, **changes: Any) -> None:
        self.__dict__.pop("_maker", None)
        for name, value in changes.items():
            setattr(self, f"_{name}", value)

    @cached_property
    def _maker(self) -> BatchMaker:
        return BatchMaker(self._shown, self._format, self._tuple, self._warned)

    @property
    def _table(self) -> Table:
        return self._shown.table

    @property
    def _file(self) -> str | None:
        """The first file, for messages."""
        return next((part.file for part in self._table.parts), None)

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        return list(self._shown.features)

    def __len__(self) -> int:
        return len(self._rows)

    def cache_info(self) -> CacheInfo:
        """How much the cache of decoded chunks holds, and how often it helped."""
        return self._source.cache_info()

    def _check_columns(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._shown.features:
                raise ColumnError(f"no column {name!r}", file=self._file, hint=closest_names(name, self.column_names))

    def _named(self, names: str | Iterable[str]) -> list[str]:
        """Names of columns, checked."""
        chosen = [names] if isinstance(names, str) else list(names)
        self._check_columns(chosen)
        return chosen

    def _out_of_range(self, row: int) -> RowError:
        return RowError(f"row {row} is out of range for {len(self)} rows", file=self._file)

    def _keys(self, key: Any) -> Rows:
        """Positions in this view, checked; negative ones count from the end."""
        if isinstance(key, slice):
            key = range(*key.indices(len(self)))
        is_run = isinstance(key, range) and key.step == 1
        if isinstance(key, range):
            numbers: NDArray[Any] = np.arange(key.start, key.stop, key.step, dtype=np.int64)
        else:
            if not isinstance(key, np.ndarray) and (isinstance(key, bytes) or not isinstance(key, Iterable)):
                raise TypeError(_WRONG_KEY.format(key))
            numbers = np.asarray(key if hasattr(key, "__array__") else list(key))
            if numbers.dtype == bool and len(numbers) == len(self):
                numbers = np.flatnonzero(numbers)
        if numbers.size == 0:
            return range(0)
        if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
            raise TypeError(_WRONG_KEY.format(key))
        if numbers.dtype.kind == "u" and np.maximum.reduce(numbers) >= len(self):
            # As int64 the largest of these would count from the end.
            raise self._out_of_range(int(np.maximum.reduce(numbers)))
        numbers = numbers.astype(np.int64)
        count, low = len(self), np.minimum.reduce(numbers)
        if low < -count or np.maximum.reduce(numbers) >= count:
            raise self._out_of_range(int(numbers[(numbers < -count) | (numbers >= count)][0]))
        found: NDArray[np.int64] = numbers if low >= 0 else np.where(numbers < 0, numbers + count, numbers)
        return found if self._keeps_lists and not is_run else as_rows(found, len(self))

    def _source_rows(self, keys: Rows) -> Rows:
        """The source's numbers of rows of the view."""
        if isinstance(self._rows, range):
            if isinstance(keys, range):
                return self._rows[keys.start : keys.stop]
            return keys + self._rows.start
        return self._rows[slice(keys.start, keys.stop) if isinstance(keys, range) else keys]

    def _read(self, keys: Rows, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Read rows of the view; ``names`` are the table's columns."""
        rows = self._source_rows(keys)
        arrays = BatchArrays({name: self._table.columns[name] for name in names}, self._memory)
        if isinstance(rows, range):
            return self._source.read(rows, names, arrays.make(len(rows), arrays.numbers))
        made_there = self._source.makes_arrays(names)
        wanted = [name for name in arrays.numbers if name not in made_there]
        return self._source.read_here(rows, names, arrays.make(len(rows), wanted))

    def _batches(self, columns: Sequence[str] | None, batch_rows: int | None = None) -> Iterable[tuple[int, Any]]:
        """Go through all rows once: the position of each batch's first row, and the arrays of some shown columns."""
        names = self._shown.read_names(self.column_names if columns is None else columns)
        step = batch_rows or self._step_rows(names)
        for start in range(0, len(self), step):
            yield start, self._read(range(start, min(start + step, len(self))), names)

    def _step_rows(self, names: Iterable[str], n_bytes: int = 4 << 20) -> int:
        """Rows of about ``n_bytes``: one read per chunk when going through them."""
        row_bytes = max(1, sum(self._table.columns[name].row_bytes for name in names))
        return int(min(8192, max(1, n_bytes // row_bytes)))


Transform = Callable[[Any], Any]
