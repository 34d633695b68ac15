"""Rows out of chunks that must be unpacked, or that split the rows: each touched chunk is fetched and decoded once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError, FilterError
from .cache import ChunkCache
from .codecs import Decoder
from .gather import as_cells, as_row_array, copy_rows
from .plan import ByteRange, ChunkRead, Rows, batch_ranges, plan_ranges, plan_rows
from .scratch import borrow_scratch
from .source import Source
from .storage import StorageIndex
from .tasks import run_tasks

__all__ = ["ChunkedRows"]

Bytes = NDArray[np.uint8]

_ALONE_BYTES = 256 << 10
"""Less than this is unpacked by the calling thread alone: it takes about 50 µs for another to begin."""

_LIBRARY_HINT = "route='h5py' reads it through the HDF5 library"


class _Piece(NamedTuple):
    """The part of the wanted rows that one chunk holds.

    ``number`` is the chunk's in C order of the grid; ``corner`` where it lies in a row, empty if it holds whole rows.
    """

    number: int
    read: ChunkRead
    corner: tuple[slice, ...] = ()


class _Batch:
    """The caller's memory, seen in the ways that pieces are put into it.

    ``keeps_all`` says whether chunks that are wanted as a whole go to the cache too.
    """

    __slots__ = ("cells", "flat", "keeps_all", "rows")

    def __init__(self, out: Bytes, index: StorageIndex, n_rows: int, keeps_all: bool) -> None:
        self.flat = out
        self.rows = as_row_array(out, index.row_nbytes)
        self.cells = as_cells(out, index.dtype.itemsize).reshape(n_rows, *index.row_shape)
        self.keeps_all = keeps_all


class ChunkedRows:
    """Reads rows of a chunked dataset, of any chunk shape and filter pipeline that `Decoder` undoes.

    Parameters
    ----------
    cache, number
        Where decoded chunks are kept, and the dataset's number there.
    threads
        How many threads decode at once, the calling one included.
    """

    def __init__(
        self, index: StorageIndex, source: Source, *, cache: ChunkCache | None, number: int, threads: int
    ) -> None:
        self.index = index
        self.source = source
        self.threads = threads
        self.number = number
        self.decoder = Decoder(index.filters, index.chunk_nbytes)
        # Chunks without filters lie in the page cache already, unless they come over the network.
        self.cache = cache if index.filters or source.answers_at_once else None

    def read(self, wanted: Rows, out: Bytes, pool: Executor | None) -> None:
        """Fill ``out``, ``(n_rows * row_nbytes,)``, with the wanted rows.

        Raises
        ------
        DamagedFileError, FilterError
            If a chunk cannot be unpacked; the caller adds the dataset's place.
        """
        # Rows in order that fill whole chunks are not kept: one pass over a large file would empty the cache.
        keeps_all = self.index.chunk_rows == 1 and not isinstance(wanted, range)
        batch = _Batch(out, self.index, len(wanted), keeps_all)
        pieces = self._put_known(self._find_pieces(wanted), batch)
        numbers = np.array([piece.number for piece in pieces], np.int64)
        self._read_chunks(numbers, lambda place, raw: self._put_stored(pieces[place], raw, batch), pool)

    def prefetch(self, wanted: Rows) -> None:
        """Begin to fetch what `read` of the same rows would ask the source for."""
        numbers = np.array([piece.number for piece in self._find_pieces(wanted)], np.int64)
        numbers = numbers[self.index.offsets[numbers] >= 0]
        if self.cache is not None and len(numbers):
            numbers = numbers[self.cache.lacks((self.number, number) for number in numbers.tolist())]
        ranges = self._plan_ranges(numbers)
        self.source.prefetch([each.offset for each in ranges], [each.size for each in ranges])

    def _plan_ranges(self, numbers: NDArray[np.int64]) -> list[ByteRange]:
        offsets, sizes = self.index.offsets[numbers], self.index.sizes[numbers]
        self._expect_inside(numbers, offsets, sizes)
        return plan_ranges(offsets, sizes, gap_bytes=self.source.gap_bytes, limit_bytes=self.source.limit_bytes)

    def unpack(self, numbers: NDArray[np.int64], use: Callable[[int, Bytes], None], pool: Executor | None) -> None:
        """Unpack some chunks, each once, and hand each to a function of its place in ``numbers`` and its bytes.

        Parameters
        ----------
        numbers
            Different chunks, in C order of the grid.
        use
            Called by many threads; the bytes are valid while it runs, and are not to be changed.
        """
        absent = self.index.offsets[numbers] < 0
        if absent.any():
            cells = np.frombuffer(self.index.fill, as_cells(np.empty(0, np.uint8), self.index.dtype.itemsize).dtype)
            block = np.tile(cells, self.index.chunk_nbytes // max(1, cells.nbytes)).view(np.uint8)
            for place in np.flatnonzero(absent).tolist():
                use(place, block)
        places = np.flatnonzero(~absent)
        if self.cache is not None:
            blocks = self.cache.get_many([(self.number, number) for number in numbers[places].tolist()])
            for place, found in zip(places.tolist(), blocks, strict=True):
                if found is not None:
                    use(place, found)
            places = places[[found is None for found in blocks]]

        def unpack(place: int, raw: memoryview) -> None:
            use(int(places[place]), self._block(int(numbers[places[place]]), raw))

        self._read_chunks(numbers[places], unpack, pool)

    def _read_chunks(
        self, numbers: NDArray[np.int64], use: Callable[[int, memoryview], None], pool: Executor | None
    ) -> None:
        """Hand the stored bytes of chunks that were written to a function of their place in ``numbers``, in threads."""
        offsets, sizes = self.index.offsets[numbers], self.index.sizes[numbers]
        ranges = self._plan_ranges(numbers)
        if len(numbers) * self.index.chunk_nbytes < _ALONE_BYTES:
            pool = None

        def hand_out(each: ByteRange, content: memoryview) -> None:
            begins, lengths = offsets[each.members] - each.offset, sizes[each.members]
            for member, begin, size in zip(*(part.tolist() for part in (each.members, begins, lengths)), strict=True):
                use(member, content[begin : begin + size])

        if not self.source.answers_at_once:
            run_tasks(ranges, lambda each: hand_out(each, self._read_range(each)), pool, self.threads)
            return
        for window in batch_ranges(ranges):
            found = self.source.read_ranges([each.offset for each in window], [each.size for each in window])
            run_tasks(zip(window, found, strict=True), lambda task: hand_out(*task), pool, self.threads)

    def _block(self, number: int, raw: memoryview) -> Bytes:
        """A decoded chunk: the cache's, or in this thread's buffer."""
        try:
            if self.cache is not None:
                return self.cache.get_or_make((self.number, number), lambda: self._decode(number, raw))
            return self._decode(number, raw, borrow_scratch("chunk", self.index.chunk_nbytes))
        except (DamagedFileError, FilterError) as error:
            raise self._placed(error, number) from error

    def _placed(self, error: DamagedFileError | FilterError, number: int) -> DamagedFileError | FilterError:
        hint = _LIBRARY_HINT if isinstance(error, FilterError) else error.hint
        return type(error)(f"{self._describe(number)}: {error.problem}", hint=hint)

    def _expect_inside(self, numbers: NDArray[np.int64], offsets: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
        """Refuse chunks beyond the end of the file before memory is taken for them."""
        beyond = np.flatnonzero(sizes > self.source.fingerprint.size - offsets)
        if len(beyond):
            end = int(offsets[beyond[0]]) + int(sizes[beyond[0]])
            ends = f"the file ends at byte {self.source.fingerprint.size}, but it is stored up to byte {end}"
            raise DamagedFileError(
                f"{self._describe(int(numbers[beyond[0]]))}: {ends}",
                hint="the file was cut off while it was written or copied; get it again",
            )

    def _find_pieces(self, wanted: Rows) -> list[_Piece]:
        """Return what is wanted of which chunk."""
        index = self.index
        reads = plan_rows(wanted, chunk_rows=index.chunk_rows)
        if index.holds_whole_rows:
            return [_Piece(read.chunk, read) for read in reads]
        corners = [
            tuple(
                slice(i * step, min((i + 1) * step, size))
                for i, step, size in zip(at, index.chunk[1:], index.row_shape, strict=True)
            )
            for at in np.ndindex(*index.grid[1:])
        ]
        return [
            _Piece(read.chunk * len(corners) + i, read, corner) for read in reads for i, corner in enumerate(corners)
        ]

    def _put_known(self, pieces: list[_Piece], batch: _Batch) -> list[_Piece]:
        """Put the pieces that need no bytes of the file into the batch; return the others."""
        allocated = (self.index.offsets[[piece.number for piece in pieces]] >= 0).tolist()
        if not all(allocated):
            fill = np.frombuffer(self.index.fill, batch.cells.dtype)
            for piece in (piece for piece, is_there in zip(pieces, allocated, strict=True) if not is_there):
                batch.cells[(piece.read.out, *piece.corner)] = fill
            pieces = [piece for piece, is_there in zip(pieces, allocated, strict=True) if is_there]
        if self.cache is None:
            return pieces
        blocks = self.cache.get_many([(self.number, piece.number) for piece in pieces])
        for piece, block in zip(pieces, blocks, strict=True):
            if block is not None:
                self._put_block(piece, block, batch)
        return [piece for piece, block in zip(pieces, blocks, strict=True) if block is None]

    def _read_range(self, each: ByteRange) -> memoryview:
        """Return the bytes of a range: mapped, which saves a copy, or in this thread's buffer."""
        mapped = self.source.view(each.offset, each.size)
        if mapped is not None:
            return mapped
        content = borrow_scratch("raw", each.size).data
        self.source.read_into(each.offset, content)
        return content

    def _put_stored(self, piece: _Piece, raw: memoryview, batch: _Batch) -> None:
        """Unpack a chunk, straight into the batch where it is wanted as a whole."""
        try:
            whole = self._find_whole(piece, batch)
            if whole is not None and not (self.cache and batch.keeps_all):
                self._decode(piece.number, raw, whole)
            elif self.cache is not None:
                made = self.cache.get_or_make((self.number, piece.number), lambda: self._decode(piece.number, raw))
                self._put_block(piece, made, batch)
            else:
                scratch = borrow_scratch("chunk", self.index.chunk_nbytes)
                self._put_block(piece, self._decode(piece.number, raw, scratch), batch)
        except (DamagedFileError, FilterError) as error:
            if error.file is not None:
                raise
            raise self._placed(error, piece.number) from error

    def _find_whole(self, piece: _Piece, batch: _Batch) -> Bytes | None:
        """Return the part of the batch that is the chunk as it is, if there is one."""
        index, out = self.index, piece.read.out
        if piece.corner or piece.read.n_rows != index.chunk_rows:
            return None
        if not isinstance(out, slice) or not isinstance(piece.read.rows, slice):
            return None
        return batch.flat[out.start * index.row_nbytes : out.stop * index.row_nbytes]

    def _decode(self, number: int, raw: memoryview, out: Bytes | None = None) -> Bytes:
        if out is None:
            out = np.empty(self.index.chunk_nbytes, np.uint8)
        self.decoder.decode(raw, int(self.index.masks[number]), out)
        return out

    def _put_block(self, piece: _Piece, block: Bytes, batch: _Batch) -> None:
        """Copy the wanted rows of a decoded chunk into the batch."""
        index, read = self.index, piece.read
        if not piece.corner and index.holds_whole_rows:
            copy_rows(as_row_array(block, index.row_nbytes), read.rows, batch.rows, read.out)
            return
        cells = as_cells(block, index.dtype.itemsize).reshape(index.chunk)
        inner = tuple(slice(side.stop - side.start) for side in piece.corner)
        batch.cells[(read.out, *piece.corner)] = cells[(read.rows, *inner)]

    def _describe(self, number: int) -> str:
        """Name a chunk by the rows that it holds."""
        index = self.index
        row = number // index.chunks_per_row * index.chunk_rows
        return f"the chunk of rows {row} to {min(row + index.chunk_rows, index.n_rows) - 1} cannot be read"
