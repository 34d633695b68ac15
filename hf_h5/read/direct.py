"""Rows of one dataset, read from the file's bytes without the HDF5 library.

The index says where chunks lie, the plan which are wanted, the source brings their bytes, and threads decode each
chunk once, straight into the caller's array where its rows are wanted as they lie.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError, FilterError, RowError
from .cache import ChunkCache, number_dataset
from .chunks import ChunkedRows
from .gather import as_cells, as_row_array, copy_rows
from .plain import PlainRows, is_plain
from .plan import Rows, as_rows, row_starts
from .source import Source
from .storage import StorageIndex

__all__ = ["DirectDataset"]

Bytes = NDArray[np.uint8]

_GROUP_BYTES = 1 << 20
"""Rows without chunks are worth reading together in groups of this size."""


class DirectDataset:
    """The rows of one dataset, by their bytes in the file.

    Safe to use from many threads and after a fork. Pickles with its index and source; the cache that comes out of a
    pickle is a new one unless it is pickled together with others that share it.

    Parameters
    ----------
    index
        Where the rows lie; `hf_h5.read.index.why_not_direct` must have found nothing against the dataset.
    source
        The file.
    file, path
        Where the rows come from, for messages.
    cache
        Keeps decoded chunks of which only some rows were wanted; ``None``: they are decoded each time.
    threads
        How many threads read and decode one batch, the calling one included.

    Raises
    ------
    DamagedFileError
        If the index contradicts itself.
    """

    def __init__(
        self,
        index: StorageIndex,
        source: Source,
        *,
        file: str,
        path: str,
        cache: ChunkCache | None = None,
        threads: int = 1,
    ) -> None:
        self.index = index
        self.source = source
        self.file = file
        self.path = path
        self.cache = cache
        self.threads = threads
        self.place = _Placed(file, path)
        with self.place:
            self._rows = self._make_reader()

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.index, self.source, self.file, self.path, self.cache, self.threads)

    def _make_reader(self) -> PlainRows | ChunkedRows | None:
        index, source = self.index, self.source
        if is_plain(index):
            return PlainRows(index, source, self.threads)
        if index.kind == "chunked":
            number = 0 if self.cache is None else number_dataset((source.file, source.fingerprint, self.path))
            return ChunkedRows(index, source, cache=self.cache, number=number, threads=self.threads)
        return None

    def __len__(self) -> int:
        return self.index.n_rows

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type of a value."""
        return self.index.dtype

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row, dimensions of array elements included."""
        return self.index.row_shape

    @property
    def chunks(self) -> ChunkedRows | None:
        """What reads the chunks, of a dataset that has some which are not plain."""
        return self._rows if isinstance(self._rows, ChunkedRows) else None

    def row_groups(self) -> NDArray[np.int64]:
        """Return where rows begin that are worth reading together, and last the number of rows: chunks, or 1 MiB."""
        index = self.index
        if index.kind == "chunked":
            return row_starts(index.n_rows, index.chunk_rows)
        return row_starts(index.n_rows, max(1, _GROUP_BYTES // max(1, index.row_nbytes)))

    def count_rows(self, n_rows: int, n_bytes: int) -> int:
        """How many of the first ``n_rows`` rows have at most so many bytes; at least one, if there is one."""
        return min(n_rows, len(self), max(1, n_bytes // max(1, self.index.row_nbytes)))

    def read_rows(
        self, rows: Any, out: NDArray[Any] | None = None, pool: Executor | None = None, *, are_checked: bool = False
    ) -> NDArray[Any]:
        """Read rows in the order given.

        Parameters
        ----------
        rows
            A slice, a range, or non-negative integers in any order; repeats are allowed.
        out
            ``(n, *row_shape)``: filled, returned and not kept. A contiguous array of the stored type is fastest; one
            of the same type in the other byte order is nearly so; others are filled by a cast that loses nothing.
        pool
            Threads that help the calling one.
        are_checked
            Whether the rows are what `hf_h5.read.plan.as_rows` returned for as many rows as there are.

        Returns
        -------
        ndarray
            ``(n, *row_shape)`` of the stored type, or ``out``. Fixed strings hold their stored bytes, padding included.

        Raises
        ------
        RowError
            If a row is out of range.
        ValueError, TypeError
            If ``out`` has another shape, or a type that cannot hold the stored values.
        FileChangedError
            If the file is no longer the one that was opened.
        DamagedFileError
            If the file ends too early, or a chunk does not unpack.
        FilterError
            If a chunk is packed in a way that only the HDF5 library understands.
        """
        with self.place:
            wanted = rows if are_checked else as_rows(rows, self.index.n_rows)
            self.source.check()
            shape = (len(wanted), *self.index.row_shape)
            if out is not None and out.shape != shape:
                raise ValueError(f"out has shape {out.shape}, but the rows have {shape}")
            if out is None or not _takes_bytes(out, self.dtype):
                found = np.empty(shape, self.dtype)
            else:
                found = out
            if found.size:
                self._fill(wanted, found.reshape(-1).view(np.uint8), pool)
        if out is None:
            return found
        if found is not out:
            np.copyto(out, found, casting="safe")
        elif out.dtype != self.dtype:
            out.byteswap(inplace=True)
        return out

    def prefetch(self, wanted: Rows) -> None:
        """Begin to fetch the bytes of rows that will be read; those of `hf_h5.read.plan.as_rows`."""
        if self._rows is not None and self.source.answers_at_once and len(wanted):
            with self.place:
                self._rows.prefetch(wanted)

    def _fill(self, wanted: Rows, flat: Bytes, pool: Executor | None) -> None:
        if self._rows is not None:
            self._rows.read(wanted, flat, pool)
        elif self.index.kind == "compact":
            stored = as_row_array(np.frombuffer(self.index.inline, np.uint8), self.index.row_nbytes)
            places = slice(wanted.start, wanted.stop) if isinstance(wanted, range) else wanted
            target = as_row_array(flat, self.index.row_nbytes)
            copy_rows(stored, places, target, slice(0, len(wanted)))
        else:
            cells = as_cells(flat, self.dtype.itemsize)
            cells[:] = np.frombuffer(self.index.fill, cells.dtype)


class _Placed:
    """Adds the dataset's place to errors that lack it."""

    __slots__ = ("file", "path")

    def __init__(self, file: str, path: str) -> None:
        self.file = file
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DamagedFileError | FilterError | RowError) and error.path is None:
            raise type(error)(error.problem, file=self.file, path=self.path, hint=error.hint) from error


def _takes_bytes(out: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Whether stored bytes may go into the array as they are, but for their order."""
    if not (out.flags.c_contiguous and out.flags.writeable):
        return False
    return out.dtype == dtype or (dtype.names is None and out.dtype == dtype.newbyteorder())


def _rebuild(
    index: StorageIndex, source: Source, file: str, path: str, cache: ChunkCache | None, threads: int
) -> DirectDataset:
    return DirectDataset(index, source, file=file, path=path, cache=cache, threads=threads)
