"""Numbers straight out of the mapped file or of decoded chunks: a row at a time, or rows for one of many threads.

What is the same for all rows is looked up once. A row of two columns then takes about 8 µs, a fourth of what a batch of
one does; and threads that each make a batch hold the interpreter a third as long.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.elements import Number
from ..describe.schema import Part, Table
from ..describe.urls import is_url
from .cache import ChunkCache
from .direct import DirectDataset
from .gather import NEW_ARRAY_ROW, gather_new, gather_rows
from .plain import is_plain
from .routes import Routes
from .source import Source
from .storage import StorageIndex

__all__ = ["SingleRows"]

# Plans that are kept: a table of many episodes has one for each of them.
_MAX_PLANS = 4096
# Rows that are spread over more chunks are as quickly read by the reader of batches.
_MAX_CORNERS = 64


@dataclass(frozen=True, slots=True)
class _Stored:
    """A column of numbers whose rows lie as they are: where, how, and as what they are wanted.

    ``offsets`` are those of chunks of ``chunk_rows`` rows; of a contiguous dataset there is one.
    """

    name: str
    offsets: NDArray[np.int64]
    chunk_rows: int
    row_nbytes: int
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    wanted: np.dtype[Any]

    @property
    def makes_arrays(self) -> bool:
        """Whether rows are quicker made as a new array than copied into one that is there."""
        return len(self.offsets) > 1 and self.row_nbytes <= NEW_ARRAY_ROW and self.stored == self.wanted

    def fits(self, out: NDArray[Any], n_rows: int) -> bool:
        """Whether stored bytes may go into an array as they are."""
        if self.stored != self.wanted or out.dtype != self.wanted or out.shape != (n_rows, *self.shape[1:]):
            return False
        return bool(out.flags.c_contiguous and out.flags.writeable)

    def take_row(self, mapped: memoryview, row: int) -> NDArray[Any]:
        """One row, in memory of its own."""
        chunk = row // self.chunk_rows
        at = int(self.offsets[chunk]) + (row - chunk * self.chunk_rows) * self.row_nbytes
        array: NDArray[Any] = np.ndarray(self.shape, self.stored, mapped, at)
        return array.astype(self.wanted)

    def take_rows(self, mapped: memoryview, rows: NDArray[np.int64], out: NDArray[Any]) -> NDArray[Any]:
        """Fill the caller's array with rows."""
        if len(self.offsets) == 1:
            shape = (self.chunk_rows, *self.shape[1:])
            stored: NDArray[Any] = np.ndarray(shape, self.stored, mapped, int(self.offsets[0]))
            # mode="clip" keeps numpy from buffering its output; the rows were checked.
            return np.take(stored, rows, axis=0, out=out, mode="clip")
        flat = out.reshape(-1).view(np.uint8)
        gather_rows(np.frombuffer(mapped, np.uint8), self._find(rows), self.row_nbytes, flat)
        return out

    def make_rows(self, mapped: memoryview, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Rows in a new array."""
        if not self.makes_arrays:
            return self.take_rows(mapped, rows, np.empty((len(rows), *self.shape[1:]), self.stored))
        found = gather_new(np.frombuffer(mapped, np.uint8), self._find(rows), self.row_nbytes)
        return found.view(self.wanted).reshape(-1, *self.shape[1:])

    def _find(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where rows begin in the file."""
        if self.chunk_rows == 1:
            return self.offsets[rows]
        chunks = rows // self.chunk_rows
        found: NDArray[np.int64] = self.offsets[chunks] + (rows - chunks * self.chunk_rows) * self.row_nbytes
        return found


_Place = tuple[int | slice, ...]
_Corner = tuple[int, _Place, tuple[slice, ...]]


@dataclass(frozen=True, slots=True)
class _Unpacked:
    """A column of numbers in chunks that must be decoded: rows come out of those that the cache has.

    ``corners`` are the chunks that hold a row: their number beside that of the first one, where their part lies in an
    array of one row, and where in a row of theirs.
    """

    name: str
    source: Source
    cache: ChunkCache
    number: int
    chunk: tuple[int, ...]
    corners: tuple[_Corner, ...]
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    wanted: np.dtype[Any]

    def take_row(self, row: int) -> NDArray[Any] | None:
        """One row, in memory of its own; None if a chunk of it is not there."""
        chunk, inner = divmod(row, self.chunk[0])
        first = chunk * len(self.corners)
        blocks = self.cache.get_many([(self.number, first + turn) for turn, _, _ in self.corners])
        out = np.empty(self.shape, self.wanted)
        for (_, outside, inside), block in zip(self.corners, blocks, strict=True):
            if block is None:
                return None
            cells: NDArray[Any] = np.ndarray(self.chunk, self.stored, block)
            out[outside] = cells[inner][inside]
        return out


@dataclass(frozen=True, slots=True)
class _Plan:
    """The columns of one part that are read here, the file that holds plain ones, and the columns that are not."""

    source: Source | None
    end: int
    columns: tuple[_Stored, ...]
    unpacked: tuple[_Unpacked, ...]
    others: tuple[str, ...]


class SingleRows:
    """Reads single rows of a table; thread-safe.

    Parameters
    ----------
    table, routes
        Of the reader.
    """

    def __init__(self, table: Table, routes: Routes) -> None:
        self._table, self._routes = table, routes
        self._starts: list[int] = table.starts.tolist()
        self._plans: dict[tuple[int, tuple[str, ...]], _Plan] = {}

    def read(self, row: int, names: tuple[str, ...]) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
        """Read what lies plainly of a row.

        Parameters
        ----------
        row
            A row of the table; it was checked.

        Returns
        -------
        tuple
            Arrays of one row, by column, which are the caller's; and the names of the columns that are not among them.
        """
        number = 0 if len(self._starts) == 2 else bisect_right(self._starts, row) - 1
        plan = self._plan(number, names)
        local, found, others = row - self._starts[number], {}, plan.others
        if plan.columns:
            mapped = _mapped(plan)
            if mapped is None:
                return {}, names
            for each in plan.columns:
                found[each.name] = each.take_row(mapped, local)
        checked: Source | None = None
        for column in plan.unpacked:
            if column.source is not checked:
                checked = column.source
                checked.check()
            values = column.take_row(local)
            if values is None:
                others += (column.name,)
            else:
                found[column.name] = values
        return found, others

    def makes_arrays(self, names: tuple[str, ...]) -> frozenset[str]:
        """Columns of which `gather` makes new arrays quicker than it fills those of the caller."""
        if len(self._starts) != 2:
            return frozenset()
        return frozenset(each.name for each in self._plan(0, names).columns if each.makes_arrays)

    def gather(
        self, rows: NDArray[np.int64], names: tuple[str, ...], out: Mapping[str, NDArray[Any]]
    ) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
        """Read what lies plainly of many rows into the caller's arrays, by the calling thread alone.

        Returns
        -------
        tuple
            The arrays that were filled, or made where there was none, by column, and the names of the other columns:
            all where there are parts.
        """
        if len(self._starts) != 2:
            return {}, names
        plan = self._plan(0, names)
        mapped = _mapped(plan)
        if mapped is None:
            return {}, names
        found, others = {}, plan.others + tuple(each.name for each in plan.unpacked)
        for each in plan.columns:
            target = out.get(each.name)
            if target is None and each.stored == each.wanted:
                found[each.name] = each.make_rows(mapped, rows)
            elif target is None or not each.fits(target, len(rows)):
                others += (each.name,)
            else:
                found[each.name] = each.take_rows(mapped, rows, target)
        return found, others

    def _plan(self, number: int, names: tuple[str, ...]) -> _Plan:
        plan = self._plans.get((number, names))
        if plan is None:
            plan = self._make_plan(self._table.parts[number], names)
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            self._plans[number, names] = plan
        return plan

    def _make_plan(self, part: Part, names: tuple[str, ...]) -> _Plan:
        source, columns, unpacked, end = None, [], [], 0
        for name in names:
            dataset = self._number_dataset(part, name)
            if dataset is None:
                continue
            index, wanted = dataset.index, self._table.columns[name]
            shape = (1, *(size for size in wanted.row_shape if size is not None))
            dtypes = index.dtype.base, wanted.dtype
            if _is_mapped(dataset) and (source is None or dataset.source is source):
                source = dataset.source
                columns.append(_Stored(name, index.offsets, index.chunk_rows, index.row_nbytes, shape, *dtypes))
                end = max(end, int(index.offsets.max()) + index.chunk_nbytes)
            elif dataset.chunks is not None and dataset.chunks.cache is not None and shape[1:] == index.row_shape:
                if index.chunks_per_row <= _MAX_CORNERS:
                    where = (dataset.source, dataset.chunks.cache, dataset.chunks.number, index.chunk, _corners(index))
                    unpacked.append(_Unpacked(name, *where, shape, *dtypes))
        read_here = {each.name for each in columns} | {each.name for each in unpacked}
        others = tuple(name for name in names if name not in read_here)
        return _Plan(source, end, tuple(columns), tuple(unpacked), others)

    def _number_dataset(self, part: Part, name: str) -> DirectDataset | None:
        """The dataset of a column, if it is plain numbers as they are wanted, and read directly."""
        column, wanted = part.columns[name], self._table.columns[name]
        is_number = isinstance(column.element, Number) and isinstance(wanted.element, Number)
        if column.take != "rows" or column.axis or column.fields or wanted.is_ragged or not is_number:
            return None
        if wanted.feature is not None:
            return None
        if column.memory is None or column.memory.base.kind not in "iuf" or 0 in wanted.row_shape:
            return None
        if column.memory.base.newbyteorder("=") != wanted.dtype:
            return None
        if is_url(part.file_of(column)):
            return None  # nothing of it is mapped, and to find that out would take a round trip
        found = self._routes.find(part.file_of(column), part.path_of(column), column)
        return found if isinstance(found, DirectDataset) else None


def _is_mapped(dataset: DirectDataset) -> bool:
    """Whether rows lie as they are in a local file, all of them written."""
    if not is_plain(dataset.index) or dataset.source.answers_at_once:
        return False
    return bool(len(dataset.index.offsets) and int(dataset.index.offsets.min()) >= 0)


def _corners(index: StorageIndex) -> tuple[_Corner, ...]:
    """The chunks that one row is spread over; those that reach beyond it are cut."""
    found: list[_Corner] = []
    for turn, at in enumerate(np.ndindex(*index.grid[1:])):
        places = list(zip(at, index.chunk[1:], index.row_shape, strict=True))
        outside = tuple(slice(place * step, min((place + 1) * step, size)) for place, step, size in places)
        found.append((turn, (0, *outside), tuple(slice(each.stop - each.start) for each in outside)))
    return tuple(found)


def _mapped(plan: _Plan) -> memoryview | None:
    """The bytes of the file that the plan needs, if it is still the one that was opened, and can be mapped."""
    if plan.source is None:
        return None
    plan.source.check()
    return plan.source.view(0, plan.end)
