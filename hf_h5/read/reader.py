"""Rows of a table as numpy arrays: which part holds them, read from there, decoded, put in the asked order."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..describe.options import Options
from ..describe.schema import Column, Part, Table
from ..describe.urls import is_url
from ..errors import ClosedError, ColumnError, DataError, RowError, closest_names
from ..remote.secrets import seal, unseal
from ..remote.store_cache import set_cache_bytes
from .assembly import Assembly, made_values
from .boxes import Box
from .cache import CacheInfo, ChunkCache
from .derived import KeptValues, PartFetch, can_fill, make_derived
from .direct import DirectDataset
from .h5py_route import LibraryFiles
from .plan import Places, Rows, as_rows
from .pool import default_threads
from .routes import Routes
from .rows import RowSource
from .single_rows import SingleRows
from .source import LocalSource, fingerprint_of
from .values import ValueProblemError, decode_values, pick_field, relabel
from .variable import VariableDataset

__all__ = ["TableReader"]

Batch = dict[str, NDArray[Any]]
DEFAULT_CACHE_BYTES = 256_000_000
# Rows of less bytes than this are gathered by the calling thread alone.
_HERE_BYTES = 4 << 20


class TableReader(RowSource):
    """Reads rows of a table; thread-safe, fork-safe, and pickled without its handles.

    Parameters
    ----------
    table
        What ``resolve.tables`` returned.
    options
        ``route`` and ``threads`` are used here.
    cache_bytes
        Bound of the decoded chunks that are kept, over all files and columns together.
    pinned
        Open files of the caller by name, used instead of opening them; they are neither closed nor pickled.
    """

    def __init__(
        self,
        table: Table,
        options: Options | None = None,
        *,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        pinned: Mapping[str, h5py.File] | None = None,
    ) -> None:
        self._table = table
        self._options = options or Options()
        self._pinned = dict(pinned or {})
        self._prints = {file: fingerprint_of(file) for file in table.files_of_rows() if file not in self._pinned}
        self._cache = ChunkCache(cache_bytes)
        self._closed = False
        self._reset()

    def _reset(self) -> None:
        """Begin without handles: at first, in a copy, and in a forked child."""
        self._pid = os.getpid()
        self._library = LibraryFiles(self._pinned)
        options = self._options
        threads = options.threads or default_threads()
        self._routes = Routes(self._library, self._prints, route=options.route, cache=self._cache, threads=threads)
        self._single = SingleRows(self._table, self._routes)
        self._kept = KeptValues()

    def _routes_of_this_process(self) -> Routes:
        if self._pid != os.getpid():
            self._reset()
        return self._routes

    @property
    def schema(self) -> Table:
        """The table that is read."""
        return self._table

    @property
    def fingerprint(self) -> str:
        """A short text that changes when a file or the choice of columns changes."""
        facts = [(file, each.size, each.mtime_ns) for file, each in self._prints.items()]
        columns = [(name, repr(column.spec)) for name, column in self._table.columns.items()]
        return hashlib.sha256(repr((facts, columns)).encode()).hexdigest()[:16]

    def __len__(self) -> int:
        return self._table.num_rows

    def read(
        self, rows: Any, columns: Sequence[str] | None = None, out: Mapping[str, NDArray[Any]] | None = None
    ) -> Batch:
        """Read rows in any order, repeats allowed.

        Parameters
        ----------
        rows
            A slice, a range, or integers in ``[0, len(self))``.
        columns
            Names; all columns if None.
        out
            The caller's arrays by column, ``(n, *row_shape)`` in the column's dtype, filled and returned.

        Returns
        -------
        dict
            Per column ``(n, *row_shape)`` in the column's dtype; object arrays of strings, bytes, or of one array per
            row where lengths differ; masked arrays where a part has no values.

        Raises
        ------
        RowError, ColumnError, FileChangedError, DataError, DamagedFileError, ClosedError
        """
        if self._closed:
            raise ClosedError("the reader is closed", file=self._name, hint="open the file again")
        names = self._names(columns)
        if self._is_small(rows, names, out):
            found = self.read_here(rows, names, out or {})
            return {name: found[name] for name in names}
        return self._read(rows, names, out)

    def _is_small(self, rows: Any, names: Sequence[str], out: Mapping[str, NDArray[Any]] | None) -> bool:
        """Whether a second thread would cost more than it brings."""
        if not isinstance(rows, np.ndarray) or rows.dtype != np.int64 or rows.ndim != 1:
            return False
        if out is None:
            return len(rows) * sum(self._table.columns[name].row_bytes for name in names) <= _HERE_BYTES
        return sum(array.nbytes for array in out.values()) <= _HERE_BYTES

    def _read(self, rows: Any, names: Sequence[str], out: Mapping[str, NDArray[Any]] | None) -> Batch:
        try:
            wanted = as_rows(rows, len(self))
        except RowError as error:
            raise RowError(error.problem, file=self._name) from error
        places = list(self._places(wanted))
        batch = {name: Assembly(self._table.columns[name], len(wanted), (out or {}).get(name)) for name in names}
        for part, local, places_out in places:
            routes = self._routes_of_this_process()
            fetch = PartFetch(routes, part, self._kept)
            datasets = _by_dataset(part, list(names)).values()
            if len(datasets) > 1:
                routes.prefetch(part, [part.columns[each[0]] for each in datasets], local)
            for column_names in datasets:
                self._read_part(part, local, places_out, column_names, batch, wanted, fetch)
        return {name: assembly.result() for name, assembly in batch.items()}

    def read_row(self, row: int, columns: tuple[str, ...]) -> Batch:
        """Read one row, ``0 <= row < len(self)``, as ``read`` does; faster where numbers lie plainly.

        The names are those of columns of the table.
        """
        if self._closed:
            raise ClosedError("the reader is closed", file=self._name, hint="open the file again")
        self._routes_of_this_process()
        found, others = self._single.read(row, columns)
        return found | self.read(range(row, row + 1), others) if others else found

    def read_here(self, rows: NDArray[np.int64], columns: Sequence[str], out: Mapping[str, NDArray[Any]]) -> Batch:
        """Read rows as ``read`` does; where they lie plainly by the calling thread alone, for one of many threads.

        ``columns`` are those of the table, and ``out`` has an array for each that holds numbers but those for which new
        ones are made.
        """
        if self._closed:
            raise ClosedError("the reader is closed", file=self._name, hint="open the file again")
        self._routes_of_this_process()
        if rows.size and not 0 <= np.minimum.reduce(rows) <= np.maximum.reduce(rows) < len(self):
            return self._read(rows, columns, out)  # which says what is wrong
        found, others = self._single.gather(rows, tuple(columns), out)
        return found | self._read(rows, others, out) if others else found

    def makes_arrays(self, columns: Sequence[str]) -> frozenset[str]:
        """Columns of numbers of which ``read_here`` makes new arrays quicker than it fills those of ``out``."""
        if self._closed:
            return frozenset()
        self._routes_of_this_process()
        return self._single.makes_arrays(tuple(columns))

    def fetch_boxes(self, number: int, name: str, boxes: Sequence[Box]) -> bool:
        """Fill the arrays of boxes of a column of numbers, in part ``number``; their first axis are its rows."""
        if self._closed:
            raise ClosedError("the reader is closed", file=self._name, hint="open the file again")
        part = self._table.parts[number]
        column = part.columns[name]
        self._routes_of_this_process().fetch_boxes(part.file_of(column), part.path_of(column), column, boxes)
        return True

    def row_groups(self) -> NDArray[np.int64]:
        """``(k + 1,)`` boundaries of the rows that share chunks of the column with the most bytes."""
        return self._table.row_groups

    def cache_info(self) -> CacheInfo:
        """How much the cache of decoded chunks holds, and how often it helped."""
        return self._cache.info()

    def release(self) -> None:
        """Let go of the HDF5 library's handles; those that are needed again are opened again."""
        self._library.close()

    def check_files(self, start: int = 0, stop: int | None = None) -> None:
        """Raise ``FileChangedError`` if a local file of these rows is not the one that was opened; some 2 µs each."""
        for file in self._prints if stop is None else self._table.files_of_rows(start, stop):
            if file in self._prints and not is_url(file):
                LocalSource(file, self._prints[file]).check()

    def find_dataset(self, part: Part, column: Column) -> DirectDataset | VariableDataset | str:
        """The dataset of a part's column as it is read directly, or why it is not."""
        return self._routes_of_this_process().find(part.file_of(column), part.path_of(column), column)

    def routes(self) -> dict[str, str]:
        """Per column ``"direct"`` or why it is read through the HDF5 library; columns that no dataset holds lack."""
        found: dict[str, str] = {}
        for part in self._table.parts[:1]:
            for name, column in part.columns.items():
                sources = column.derived.sources if column.derived else (column,)
                if name not in self._table.columns or column.take not in ("rows", "whole", "derived"):
                    continue
                ways = [
                    self._routes_of_this_process().describe(part.file_of(source), part.path_of(source), source)
                    for source in sources
                ]
                # What one dataset needs the library for holds for the column.
                found[name] = next((way for way in ways if way != "direct"), "direct")
        return found

    def check_first_rows(self, count: int = 8) -> None:
        """Read strings of the first rows, so that text that is none is found at opening and not hours later."""
        texts = [
            name
            for name, column in self._table.columns.items()
            if column.dtype.kind == "O" and column.take != "missing"
        ]
        if texts and len(self):
            self.read(range(min(count, len(self))), texts)

    def close(self) -> None:
        """Close all files that the reader opened."""
        self._closed = True
        self._routes.close()
        self._library.close()

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        for name in ("_library", "_routes", "_single", "_kept", "_pid"):
            del state[name]
        if self._library.in_memory:
            raise ClosedError("an HDF5 file that lives in memory cannot be sent to a worker", file=self._name)
        state["_pinned"] = {}
        state["_sealed"] = seal(self._prints)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        sealed = state.pop("_sealed")
        self.__dict__.update(state)
        if sealed:
            unseal(sealed)
        if any(map(is_url, self._prints)):
            set_cache_bytes(self._options.remote_cache_bytes)
        self._reset()

    @property
    def _name(self) -> str:
        files = self._table.files
        return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more" if files else self._table.name

    def _names(self, columns: Sequence[str] | None) -> list[str]:
        if columns is None:
            return list(self._table.columns)
        for name in columns:
            if name not in self._table.columns:
                raise ColumnError(f"no column {name!r}", file=self._name, hint=closest_names(name, self._table.columns))
        return list(columns)

    def _places(self, rows: Rows) -> Iterator[tuple[Part, Rows, Places]]:
        """Each touched part once: its own row numbers, and where they go in the batch."""
        parts, starts = self._table.parts, self._table.starts
        if not len(rows):
            return
        if isinstance(rows, range):
            first = int(np.searchsorted(starts, rows.start, side="right")) - 1
            while first < len(parts) and starts[first] < rows.stop:
                low, high = max(rows.start, int(starts[first])), min(rows.stop, int(starts[first + 1]))
                if high > low:
                    offset = int(starts[first])
                    yield parts[first], range(low - offset, high - offset), slice(low - rows.start, high - rows.start)
                first += 1
            return
        if len(parts) == 1:
            yield parts[0], rows, slice(0, len(rows))
            return
        owner = np.searchsorted(starts, rows, side="right") - 1
        steps = np.diff(owner)
        order = None if (steps >= 0).all() else np.argsort(owner, kind="stable")
        cuts = np.flatnonzero(steps if order is None else np.diff(owner[order])) + 1
        for start, stop in itertools.pairwise([0, *cuts.tolist(), len(rows)]):
            # Runs of the batch are filled in place; rows that go to and fro between parts are copied to theirs.
            group: Places = slice(start, stop) if order is None else order[start:stop]
            number = int(owner[start if order is None else order[start]])
            yield parts[number], as_rows(rows[group] - starts[number], parts[number].n_rows), group

    def _read_part(
        self,
        part: Part,
        local: Rows,
        places: Places,
        names: list[str],
        batch: dict[str, Assembly],
        rows: Rows,
        fetch: PartFetch,
    ) -> None:
        """Read the columns of one dataset (or of none: constants and counters) for rows of one part."""
        first = part.columns[names[0]]
        if first.take in ("constant", "counter", "missing"):
            for name in names:
                batch[name].put(places, made_values(part, part.columns[name], local))
            return
        routes = self._routes_of_this_process()
        if first.take == "derived":
            name = names[0]
            out = batch[name].made_target(places, first) if can_fill(first.derived) else None
            values = make_derived(fetch, part, first, local, out)
            if values is out:
                return
            batch[name].put(places, relabel(values, first.element, self._table.columns[name].element))
            return
        file, path = part.file_of(first), part.path_of(first)
        if len(names) == 1 and (target := batch[names[0]].number_target(places, first)) is not None:
            routes.fetch(file, path, first, local, out=target)
            return
        raw = routes.fetch(file, path, first, local)
        for name in names:
            column = part.columns[name]
            try:
                values = decode_values(column.element, pick_field(raw, column.fields))
            except ValueProblemError as error:
                raise self._data_error(error, part, column, rows, places, len(local)) from error
            if column.take == "whole":
                values = np.broadcast_to(values, (len(local), *values.shape[1:]))
            values = relabel(values, column.element, self._table.columns[name].element)
            batch[name].put(places, values)

    def _data_error(
        self,
        error: ValueProblemError,
        part: Part,
        column: Column,
        rows: Rows,
        places: Places,
        count: int,
    ) -> DataError:
        """Name the row: the problem's position counts all values of the rows read."""
        total = self._table.columns[column.name].row_shape
        per_row = 1
        for size in total:
            per_row *= size or 1
        number = min(error.position // max(1, per_row), count - 1) if column.take == "rows" else 0
        index = np.arange(len(rows))[places][number]
        row = int(np.asarray(rows)[index])
        inner = row - int(self._table.starts[self._table.parts.index(part)]) if len(self._table.parts) > 1 else row
        where = f"row {row}" if inner == row else f"row {row} (row {inner} of its file or group)"
        return DataError(
            f"{where} of column {column.name!r}: {error}",
            file=part.file_of(column),
            path=part.path_of(column),
            hint=error.hint,
        )


def _by_dataset(part: Part, names: list[str]) -> dict[Any, list[str]]:
    """Columns by the dataset that holds them, so that the fields of a compound are read once."""
    groups: dict[Any, list[str]] = {}
    for name in names:
        column = part.columns[name]
        # Each derived column is made by itself.
        key = name if column.take == "derived" else (column.take, column.path, column.file)
        groups.setdefault(key, []).append(name)
    return groups
