"""Rows that are stored as they are: contiguous datasets, and whole-row chunks without filters.

A gather of scattered rows is a copy out of the mapped file; long runs are read with `pread`, straight into the batch.
Touching a map beyond the end of a file ends the process, so the source's size is checked before each read.
"""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError
from .gather import LARGE_ROW, as_cells, gather_rows, join_runs
from .plan import ByteRange, Places, Rows, batch_ranges, plan_ranges
from .source import Source
from .storage import UNALLOCATED, StorageIndex
from .tasks import run_tasks

__all__ = ["PlainRows", "is_plain"]

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]

_LONG_RUN = 64 << 10
"""Mean length of runs from which system calls do not count."""

_FEW_CHUNKS = 4

_PART_BYTES = 3 << 19
"""Copies shorter than this are not worth a second thread, which takes about 20 µs to begin and as much to end."""


def is_plain(index: StorageIndex) -> bool:
    """Whether each row is one run of bytes of the file, or absent."""
    return index.kind in ("contiguous", "chunked") and index.holds_whole_rows and not index.filters


class PlainRows:
    """Reads the rows of a dataset for which `is_plain` holds.

    Raises
    ------
    DamagedFileError
        If an unfiltered chunk has not the size of a chunk.
    """

    def __init__(self, index: StorageIndex, source: Source, threads: int) -> None:
        allocated = index.offsets >= 0
        wrong = index.sizes[allocated & (index.sizes != index.chunk_nbytes)]
        if len(wrong):
            raise DamagedFileError(f"{wrong[0]} bytes are stored for a chunk of {index.chunk_nbytes} without filters")
        self.index = index
        self.source = source
        self.threads = threads
        self._row_nbytes = index.row_nbytes
        self._is_complete = bool(allocated.all())
        self._end = int(index.offsets.max()) + index.chunk_nbytes if allocated.any() else 0

    def read(self, wanted: Rows, out: Bytes, pool: Executor | None) -> None:
        """Fill ``out``, ``(n_rows * row_nbytes,)``, with the wanted rows."""
        if isinstance(wanted, range):
            if self._read_few_chunks(wanted, out):
                return
            begins, sizes = self._find_runs(wanted)
            if (begins >= 0).all() and self._read_runs(begins, sizes, out, pool):
                return
            wanted = np.arange(wanted.start, wanted.stop)
        mapped = self._map()
        if mapped is not None and self.index.kind == "contiguous":
            self._take(mapped, wanted, out, pool)
            return
        places, addresses = self._locate(wanted, out)
        if mapped is not None:
            self._gather(mapped, self._row_nbytes, places, addresses, out, pool)
        else:
            self._fetch(places, addresses, out)

    def prefetch(self, wanted: Rows) -> None:
        """Begin to fetch what `read` of the same rows would ask the source for."""
        if isinstance(wanted, range):
            begins, sizes = self._find_runs(wanted)
            joined, lengths = join_runs(begins, sizes)
            if len(begins) and (begins >= 0).all() and (len(joined) == 1 or lengths.mean() >= _LONG_RUN):
                parts = _cut_runs(joined, lengths)
                self.source.prefetch([begin for begin, _ in parts], [size for _, size in parts])
                return
            wanted = np.arange(wanted.start, wanted.stop)
        chunks = wanted // self.index.chunk_rows
        offsets = self.index.offsets[chunks]
        addresses = (offsets + (wanted - chunks * self.index.chunk_rows) * self._row_nbytes)[offsets >= 0]
        ranges = self._plan_ranges(addresses)
        self.source.prefetch([each.offset for each in ranges], [each.size for each in ranges])

    def _plan_ranges(self, addresses: Numbers) -> list[ByteRange]:
        sizes = np.full(len(addresses), self._row_nbytes)
        return plan_ranges(addresses, sizes, gap_bytes=self.source.gap_bytes, limit_bytes=self.source.limit_bytes)

    def _read_few_chunks(self, wanted: range, out: Bytes) -> bool:
        """Read rows in order out of a few chunks, without numpy's 20 µs on small arrays; return whether that was done.

        It counts where a table has many columns, each of which is read by itself.
        """
        chunk_rows, row_nbytes = self.index.chunk_rows, self._row_nbytes
        chunks = range(wanted.start // chunk_rows, -(-wanted.stop // chunk_rows))
        if len(chunks) > _FEW_CHUNKS or out.nbytes >= _PART_BYTES or self.source.answers_at_once:
            return False
        offsets = self.index.offsets[chunks.start : chunks.stop].tolist()
        if min(offsets) < 0:
            return False
        target, at = out.data, 0
        for chunk, offset in zip(chunks, offsets, strict=True):
            first = max(chunk * chunk_rows, wanted.start)
            stop = at + (min((chunk + 1) * chunk_rows, wanted.stop) - first) * row_nbytes
            self.source.read_into(offset + (first - chunk * chunk_rows) * row_nbytes, target[at:stop])
            at = stop
        return True

    def _map(self) -> Bytes | None:
        view = self.source.view(0, self._end) if self._end else None
        return None if view is None else np.frombuffer(view, np.uint8)

    def _find_runs(self, wanted: range) -> tuple[Numbers, Numbers]:
        """Return first byte and length of the wanted rows in each chunk; the byte is negative if it is absent."""
        chunk_rows, row_nbytes = self.index.chunk_rows, self._row_nbytes
        chunks = np.arange(wanted.start // chunk_rows, -(-wanted.stop // chunk_rows))
        firsts = np.maximum(chunks * chunk_rows, wanted.start)
        counts = np.minimum((chunks + 1) * chunk_rows, wanted.stop) - firsts
        offsets = self.index.offsets[chunks]
        begins = np.where(offsets < 0, UNALLOCATED, offsets + (firsts - chunks * chunk_rows) * row_nbytes)
        return begins, counts * row_nbytes

    def _read_runs(self, begins: Numbers, sizes: Numbers, out: Bytes, pool: Executor | None) -> bool:
        """Read rows in order, run by run; return whether that was done, as it is slow for many short runs."""
        joined, lengths = join_runs(begins, sizes)
        if len(joined) == 1 or lengths.mean() >= _LONG_RUN:
            self._read_long_runs(joined, lengths, out, pool)
            return True
        mapped = self._map()
        if mapped is None:
            return False
        # All runs but the first and the last are whole chunks, which are gathered like rows.
        at, end = int(sizes[0]), int(out.nbytes - sizes[-1])
        out[:at] = mapped[begins[0] : begins[0] + at]
        out[end:] = mapped[begins[-1] : begins[-1] + sizes[-1]]
        places = slice(0, len(begins) - 2)
        self._gather(mapped, self.index.chunk_nbytes, places, begins[1:-1], out[at:end], pool)
        return True

    def _read_long_runs(self, begins: Numbers, sizes: Numbers, out: Bytes, pool: Executor | None) -> None:
        """Read each run straight into the batch."""
        target, at, parts = out.data, 0, []
        for begin, size in _cut_runs(begins, sizes):
            parts.append((begin, target[at : at + size]))
            at += size
        if self.source.answers_at_once:
            found = self.source.read_ranges([begin for begin, _ in parts], [len(part) for _, part in parts])
            for (_, part), content in zip(parts, found, strict=True):
                part[:] = content
        else:
            run_tasks(parts, lambda part: self.source.read_into(*part), pool, self.threads)

    def _take(self, mapped: Bytes, rows: Numbers, out: Bytes, pool: Executor | None) -> None:
        """Gather rows of a contiguous dataset; `numpy.take` lets go of the GIL."""
        row_nbytes = self._row_nbytes
        begin = int(self.index.offsets[0])
        stored = mapped[begin : begin + self.index.n_rows * row_nbytes].reshape(-1, row_nbytes)
        target = out.reshape(-1, row_nbytes)

        def take(part: slice) -> None:
            np.take(stored, rows[part], axis=0, out=target[part], mode="clip")

        run_tasks(self._parts(len(rows), row_nbytes), take, pool, self.threads)

    def _locate(self, rows: Numbers, out: Bytes) -> tuple[Places, Numbers]:
        """Return where the allocated rows go and where they begin; fill in the others."""
        chunks = rows // self.index.chunk_rows
        offsets = self.index.offsets[chunks]
        addresses = offsets + (rows - chunks * self.index.chunk_rows) * self._row_nbytes
        if self._is_complete:
            return slice(0, len(rows)), addresses
        absent = offsets < 0
        cells = as_cells(out, self.index.dtype.itemsize)
        cells.reshape(len(rows), -1)[absent] = np.frombuffer(self.index.fill, cells.dtype)
        places = np.flatnonzero(~absent)
        return places, addresses[places]

    def _gather(
        self, mapped: Bytes, row_nbytes: int, places: Places, addresses: Numbers, out: Bytes, pool: Executor | None
    ) -> None:
        def gather(part: slice) -> None:
            target = places[part] if not isinstance(places, slice) else part
            gather_rows(mapped, addresses[part], row_nbytes, out, target)

        # numpy keeps the GIL while it gathers small rows, so that a second thread would only get in the way.
        parts = self._parts(len(addresses), row_nbytes) if row_nbytes >= LARGE_ROW else [slice(0, len(addresses))]
        run_tasks(parts, gather, pool, self.threads)

    def _fetch(self, places: Places, addresses: Numbers, out: Bytes) -> None:
        """Read scattered rows of a file that is not mapped, joined to ranges."""
        row_nbytes = self._row_nbytes
        where = np.arange(places.start, places.stop) if isinstance(places, slice) else places
        for window in batch_ranges(self._plan_ranges(addresses)):
            found = self.source.read_ranges([each.offset for each in window], [each.size for each in window])
            for each, content in zip(window, found, strict=True):
                begins = addresses[each.members] - each.offset
                gather_rows(np.frombuffer(content, np.uint8), begins, row_nbytes, out, where[each.members])

    def _parts(self, n_rows: int, row_nbytes: int) -> list[slice]:
        """Split rows into parts that are worth a thread each."""
        n_parts = max(1, min(self.threads, n_rows * row_nbytes // _PART_BYTES))
        return [slice(n_rows * i // n_parts, n_rows * (i + 1) // n_parts) for i in range(n_parts)]


def _cut_runs(begins: Numbers, sizes: Numbers) -> list[tuple[int, int]]:
    """Offset and size of the parts that runs are read in."""
    return [
        (begin + start, min(size - start, _PART_BYTES))
        for begin, size in zip(begins.tolist(), sizes.tolist(), strict=True)
        for start in range(0, size, _PART_BYTES)
    ]
