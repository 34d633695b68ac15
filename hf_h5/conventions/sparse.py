"""Compressed sparse matrices: rows as lists of column numbers and values, or dense.

A matrix is three datasets: ``data`` and ``indices`` hold the stored values and their places along the minor axis,
``indptr`` where each line along the major axis begins and ends (scipy.sparse.csr_matrix and csc_matrix). Where rows
are the lines (CSR), only theirs are read. Where columns are (CSC), the rows of all lines must be looked through: the
matrix is turned round in memory when its first row is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..describe.columns import dataset_columns, shown_name
from ..describe.derived import Fetch
from ..describe.elements import Number
from ..describe.schema import Column
from ..describe.tree import DatasetNode
from ..errors import DataError

__all__ = ["SparseMatrix", "sparse_columns", "sparse_matrix"]

Numbers = NDArray[np.int64]

# A group of rows ends inside a chunk, which is unpacked for the next group too: one in so many.
_GROUP_CHUNKS = 4
# Where rows begin is kept for so many of them: 8 MiB.
_KEPT_ROWS = 1 << 20
_SCATTER_BYTES = 1 << 20


class Lines(NamedTuple):
    """Rows of a matrix, one after the other: ``counts[i]`` of the values are those of row *i*."""

    counts: Numbers
    indices: NDArray[Any]
    data: NDArray[Any]


@dataclass(frozen=True)
class SparseMatrix:
    """The three datasets of a matrix, its shape, and whether its rows are the lines that are stored together."""

    indptr: Column
    indices: Column
    data: Column
    shape: tuple[int, int]
    by_rows: bool

    @property
    def sources(self) -> tuple[Column, ...]:
        """What is read."""
        return self.indptr, self.indices, self.data

    @property
    def memory_bytes(self) -> int:
        """Bytes of the whole matrix once decoded."""
        return sum(_decoded_bytes(column) for column in self.sources)

    @property
    def read_bytes(self) -> int:
        """Bytes that are read of a row, on average."""
        return self.memory_bytes // max(1, self.shape[0]) + 1

    @property
    def group_rows(self) -> int:
        """Rows whose values fill some chunks; 1 if nothing needs to be decoded."""
        chunks = [
            column.storage.chunks[0]
            for column in (self.indices, self.data)
            if column.storage and column.storage.chunks and column.storage.filters
        ]
        per_row = _n_values(self.data) / max(1, self.shape[0])
        return max(1, int(_GROUP_CHUNKS * max(chunks) / max(1.0, per_row))) if chunks and self.by_rows else 1

    def lines(self, rows: Numbers, fetch: Fetch, wanted: str = "both") -> Lines:
        """The stored values of some rows; of those not wanted (``"indices"`` or ``"data"``) none.

        Where both are wanted they lie in memory that this thread uses again.
        """
        if self.by_rows:
            starts, stops = self._bounds(rows, fetch)
            indices, data = _nothing(self.indices), _nothing(self.data)
            first, second = ("indices", "data") if wanted == "both" else (None, None)
            if wanted != "data":
                indices = fetch.spans(self.indices, starts, stops, scratch=first)
            if wanted != "indices":
                data = fetch.spans(self.data, starts, stops, scratch=second)
        else:
            indptr, all_indices, all_data = fetch.kept(f"rows of {self.data.path}", lambda: self._turned(fetch))
            starts, stops = indptr[rows], indptr[rows + 1]
            places = _places(starts, stops)
            indices = all_indices[places] if wanted != "data" else _nothing(self.indices)
            data = all_data[places] if wanted != "indices" else _nothing(self.data)
        self._check(indices, self.shape[1])
        return Lines(stops - starts, indices, data)

    def _bounds(self, rows: Numbers, fetch: Fetch) -> tuple[Numbers, Numbers]:
        """Where the values of each row begin and end."""
        if self.shape[0] <= _KEPT_ROWS:
            bounds = fetch.kept(f"bounds of {self.indptr.path}", lambda: fetch.whole(self.indptr).astype(np.int64))
            return bounds[rows], bounds[rows + 1]
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
            ends = fetch.rows(self.indptr, np.arange(rows[0], rows[-1] + 2)).astype(np.int64, copy=False)
            return ends[:-1], ends[1:]
        both = fetch.rows(self.indptr, np.concatenate([rows, rows + 1])).astype(np.int64, copy=False)
        return both[: len(rows)], both[len(rows) :]

    def _turned(self, fetch: Fetch) -> tuple[Numbers, NDArray[Any], NDArray[Any]]:
        """The same matrix by rows."""
        ends = fetch.whole(self.indptr).astype(np.int64)
        rows, data = fetch.whole(self.indices), fetch.whole(self.data)
        counts = np.diff(ends)
        if (counts < 0).any() or ends[0] != 0 or ends[-1] != len(rows) or len(rows) != len(data):
            raise DataError(f"{self.indptr.path} does not say where columns begin and end", hint=_RAW)
        self._check(rows, self.shape[0])
        # Stable, so that the columns of each row stay in order.
        order = np.argsort(rows, kind="stable")
        columns = np.repeat(np.arange(self.shape[1], dtype=self.indices.dtype), counts)[order]
        indptr = np.zeros(self.shape[0] + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=self.shape[0]), out=indptr[1:])
        return indptr, columns, data[order]

    def _check(self, indices: NDArray[Any], size: int) -> None:
        if len(indices) and not 0 <= indices.min() <= indices.max() < size:
            raise DataError(
                f"{self.indices.path} holds {indices.min()} to {indices.max()}, and there are {size:,}", hint=_RAW
            )

    def __str__(self) -> str:
        kind = "CSR" if self.by_rows else "CSC"
        return f"{kind} matrix of {self.shape[0]:,} x {self.shape[1]:,}"


@dataclass(frozen=True)
class SparseLists:
    """The column numbers, or the values, of each row."""

    matrix: SparseMatrix
    wanted: str

    @property
    def sources(self) -> tuple[Column, ...]:
        """What is read of a matrix by rows; all of one by columns."""
        if not self.matrix.by_rows:
            return self.matrix.sources
        return self.matrix.indptr, self._values

    @property
    def _values(self) -> Column:
        return self.matrix.indices if self.wanted == "indices" else self.matrix.data

    @property
    def row_bytes(self) -> int:
        """Bytes of one list, on average, and of the array that holds it."""
        return _n_values(self._values) * self._values.dtype.itemsize // max(1, self.matrix.shape[0]) + 1

    @property
    def read_bytes(self) -> int:
        """Bytes that are read for a list."""
        return self.row_bytes

    @property
    def group_rows(self) -> int:
        """Rows whose values fill some chunks."""
        return self.matrix.group_rows

    def make(self, rows: Numbers, fetch: Fetch) -> NDArray[Any]:
        """An object array of one array per row."""
        lines = self.matrix.lines(rows, fetch, self.wanted)
        flat = lines.indices if self.wanted == "indices" else lines.data
        out = np.empty(len(rows), object)
        stops = np.cumsum(lines.counts)
        for number, (start, stop) in enumerate(zip((stops - lines.counts).tolist(), stops.tolist(), strict=True)):
            out[number] = flat[start:stop]
        return out

    def __str__(self) -> str:
        return f"{'column numbers' if self.wanted == 'indices' else 'values'} of a {self.matrix}"


@dataclass(frozen=True)
class SparseDense:
    """Each row with all its zeros."""

    matrix: SparseMatrix

    @property
    def sources(self) -> tuple[Column, ...]:
        """The three datasets."""
        return self.matrix.sources

    @property
    def row_bytes(self) -> int:
        """Bytes of a dense row."""
        return max(1, self.matrix.shape[1] * self.matrix.data.dtype.itemsize)

    @property
    def read_bytes(self) -> int:
        """Bytes that are read for a row."""
        return self.matrix.read_bytes

    @property
    def group_rows(self) -> int:
        """Rows whose values fill some chunks."""
        return self.matrix.group_rows

    def make(self, rows: Numbers, fetch: Fetch) -> NDArray[Any]:
        """``(n, n_columns)`` in the type of the values."""
        out = np.empty((len(rows), self.matrix.shape[1]), self.matrix.data.dtype)
        self.fill(rows, fetch, out)
        return out

    def fill(self, rows: Numbers, fetch: Fetch, out: NDArray[Any]) -> None:
        """Put the values of each row among zeros; those of one place add up, as in scipy."""
        lines = self.matrix.lines(rows, fetch)
        if len(lines.indices) != len(lines.data):
            raise DataError(f"{self.matrix.indices.path} and {self.matrix.data.path} differ in length", hint=_RAW)
        stops = np.cumsum(lines.counts)
        # Some rows at a time: what is made on the way stays in the processor's cache, and takes no new pages.
        step = max(1, _SCATTER_BYTES // max(1, self.row_bytes))
        for first in range(0, len(rows), step):
            part = slice(first, first + step)
            values = slice(int(stops[first] - lines.counts[first]), int(stops[part][-1]))
            _scatter(out[part], lines.counts[part], lines.indices[values], lines.data[values])

    def __str__(self) -> str:
        return f"dense rows of a {self.matrix}"


_RAW = "the file contradicts itself; layout='raw' reads its datasets as they are"


def sparse_matrix(
    data: DatasetNode, indices: DatasetNode, indptr: DatasetNode, shape: Sequence[int], *, by_rows: bool
) -> SparseMatrix | str:
    """The matrix that three datasets hold, or why they hold none.

    Parameters
    ----------
    data, indices, indptr
        As the module's first lines say.
    shape
        Rows and columns.
    by_rows
        Whether the lines that ``indptr`` bounds are the rows.
    """
    columns: list[Column] = []
    for node in (indptr, indices, data):
        if node.shape is None or len(node.shape) != 1 or node.stored is None:
            return f"{node.path} is no list of numbers"
        found = dataset_columns(node, node.name, node.path)
        if len(found) != 1 or found[0].row_shape or not isinstance(found[0].element, Number):
            return f"{node.path} holds no plain numbers"
        columns.append(found[0])
    n_rows, n_columns = (int(size) for size in shape)
    n_lines = n_rows if by_rows else n_columns
    if any(column.dtype.kind not in "iu" for column in columns[:2]) or columns[2].dtype.kind not in "biuf":
        return "its places are no integers, or its values no numbers"
    if indptr.length != n_lines + 1:
        return f"{indptr.path} has {indptr.length:,} values, not one more than {n_lines:,} lines"
    if indices.length != data.length:
        return f"{indices.path} has {indices.length:,} values and {data.path} {data.length:,}"
    return SparseMatrix(columns[0], columns[1], columns[2], (n_rows, n_columns), by_rows)


def sparse_columns(matrix: SparseMatrix, name: str, *, dense: bool) -> list[Column]:
    """The columns of a matrix: ``NAME`` dense, or the lists ``NAME/indices`` and ``NAME/values``.

    Parameters
    ----------
    name
        What the matrix is called.
    """
    parts = tuple(shown_name(part) for part in name.split("/"))
    if dense:
        start = replace(matrix.data, name=shown_name(name), parts=parts, take="derived", fields=())
        return [replace(start, row_shape=(matrix.shape[1],), derived=SparseDense(matrix))]
    lists = {"indices": matrix.indices, "values": matrix.data}
    return [
        replace(
            source,
            name=f"{shown_name(name)}/{last}",
            parts=(*parts, last),
            take="derived",
            fields=(),
            row_shape=(None,),
            derived=SparseLists(matrix, "indices" if last == "indices" else "data"),
        )
        for last, source in lists.items()
    ]


def _scatter(out: NDArray[Any], counts: Numbers, indices: NDArray[Any], data: NDArray[Any]) -> None:
    """Put values among zeros; those of one place add up."""
    flat = out.view()
    flat.shape = (out.size,)
    flat.fill(0)
    places = np.repeat(np.arange(len(counts), dtype=np.int64) * out.shape[1], counts)
    places += indices.astype(np.int64, copy=False)
    # Places in ascending order are all different, which is the rule; else it takes a look at each.
    if (places[1:] > places[:-1]).all() or len(np.unique(places)) == len(places):
        flat[places] = data
    elif out.dtype.kind == "b":
        np.logical_or.at(flat, places, data)
    else:
        np.add.at(flat, places, data)


def _places(starts: Numbers, stops: Numbers) -> Numbers:
    counts = stops - starts
    places = np.arange(int(counts.sum()), dtype=np.int64)
    places += np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return places


def _nothing(column: Column) -> NDArray[Any]:
    return np.empty(0, column.dtype)


def _n_values(column: Column) -> int:
    return column.storage.n_values if column.storage else 0


def _decoded_bytes(column: Column) -> int:
    return _n_values(column) * column.dtype.itemsize
