"""Blocks of a dataset of any rank, read from the file's bytes: each chunk that they touch is unpacked once.

A block is a range along each axis; along one of them it may be numbers in any order. That is how rows come that lie
along another axis than the first, and patches of volumes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError, FilterError
from .cache import number_dataset
from .codecs import Decoder
from .direct import DirectDataset
from .gather import as_cells
from .plan import ByteRange, Places, Rows, batch_ranges, plan_ranges, plan_rows
from .scratch import borrow_scratch
from .tasks import run_tasks

__all__ = ["Box", "read_along", "read_boxes", "turn_box"]

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]

# Less than this is unpacked by the calling thread alone: it takes about 50 µs for another to begin.
_ALONE_BYTES = 256 << 10
# Contiguous data that is not mapped is asked for in runs of about this size.
_RUN_BYTES = 64 << 10

_LIBRARY_HINT = "route='h5py' reads it through the HDF5 library"


class Box(NamedTuple):
    """A block that is wanted, and where it goes.

    Attributes
    ----------
    places
        Along each axis of the dataset, dimensions of array types included, a slice with step 1; along at most one of
        them numbers in any order. All were checked.
    out
        ``(*lengths of places,)`` of the stored type, or of another array with the same axes that numpy casts it to
        without loss; any strides. It is filled and not kept.
    """

    places: tuple[Places, ...]
    out: NDArray[Any]


class _Copy(NamedTuple):
    """What one box wants of one chunk: ``target[outer] = chunk[inner]``."""

    inner: tuple[Places, ...]
    target: NDArray[Any]
    outer: tuple[Places, ...]


def turn_box(box: Box, axis: int, shape: tuple[int, ...]) -> Box:
    """A box whose first axis are rows, as one of a dataset whose rows lie along ``axis``.

    Axes of size 1 that the box lacks are added: a vector may be stored as a matrix of one line.
    """
    others = [number for number in range(len(shape)) if number != axis]
    spare = [number for number in others if shape[number] == 1][: len(shape) - len(box.places)]
    order = [axis, *(number for number in others if number not in spare), *spare]
    if order == list(range(len(box.places))):
        return box
    given = dict(zip(order, [*box.places, *[slice(0, 1)] * len(spare)], strict=True))
    out = box.out[(..., *[np.newaxis] * len(spare))]
    return Box(tuple(given[number] for number in range(len(shape))), out.transpose(np.argsort(order)))


def read_along(
    dataset: DirectDataset, rows: Rows, axis: int, out: NDArray[Any] | None = None, pool: Executor | None = None
) -> NDArray[Any]:
    """Read rows that lie along an axis.

    Parameters
    ----------
    rows
        As `hf_h5.read.plan.as_rows` returned them for the length of the axis.
    out
        ``(n, *other axes)``, filled and returned.

    Returns
    -------
    ndarray
        ``(n, *other axes)`` of the stored type, or ``out``.

    Raises
    ------
    DamagedFileError, FilterError, FileChangedError
        As those of `DirectDataset.read_rows`.
    """
    shape = dataset.index.shape
    if out is None:
        out = np.empty((len(rows), *shape[:axis], *shape[axis + 1 :]), dataset.dtype)
    places: list[Places] = [slice(0, size) for size in shape]
    places[axis] = slice(rows.start, rows.stop) if isinstance(rows, range) else rows
    read_boxes(dataset, [Box(tuple(places), np.moveaxis(out, 0, axis))], pool)
    return out


def read_boxes(dataset: DirectDataset, boxes: Sequence[Box], pool: Executor | None = None) -> None:
    """Fill the boxes' arrays; a chunk that several of them touch is unpacked once.

    Raises
    ------
    DamagedFileError
        If the file ends too early, or a chunk does not unpack.
    FilterError
        If a chunk is packed in a way that only the HDF5 library understands.
    FileChangedError
        If the file is no longer the one that was opened.
    """
    dataset.source.check()
    stored = [_as_stored(box, dataset.dtype) for box in boxes if box.out.size]
    try:
        _BoxReader(dataset).read([Box(box.places, _cells_of(box.out)) for box in stored], pool)
    except (DamagedFileError, FilterError) as error:
        if error.path is not None:
            raise
        raise type(error)(error.problem, file=dataset.file, path=dataset.path, hint=error.hint) from error
    for box, filled in zip((box for box in boxes if box.out.size), stored, strict=True):
        if filled.out is not box.out:
            np.copyto(box.out, filled.out, casting="safe")
        elif box.out.dtype != dataset.dtype:
            box.out.byteswap(inplace=True)


def _as_stored(box: Box, dtype: np.dtype[Any]) -> Box:
    """The box with an array that stored bytes may go into as they are, but for their order."""
    out = box.out
    if out.dtype == dtype or (dtype.names is None and out.dtype == dtype.newbyteorder()):
        return box
    return box._replace(out=np.empty(out.shape, dtype))


def _cells_of(out: NDArray[Any]) -> NDArray[Any]:
    """The array as values that numpy copies as they are, padding included."""
    return out.view(as_cells(np.empty(out.dtype.itemsize, np.uint8), out.dtype.itemsize).dtype)


class _BoxReader:
    """Reads boxes of one dataset, whose arrays are of opaque cells."""

    def __init__(self, dataset: DirectDataset) -> None:
        self.index = index = dataset.index
        self.source = dataset.source
        self.threads = dataset.threads
        self.cell = as_cells(np.empty(index.dtype.itemsize, np.uint8), index.dtype.itemsize).dtype
        self.chunk, self.grid = index.chunk, index.grid
        if index.kind == "contiguous":
            self.chunk, self.grid = _runs_of(index.shape, self.cell.itemsize)
        self.chunk_nbytes = math.prod(self.chunk) * self.cell.itemsize
        self.decoder = Decoder(index.filters, self.chunk_nbytes)
        # Chunks without filters lie in the page cache already, unless they come over the network.
        keeps = index.kind == "chunked" and (index.filters or dataset.source.answers_at_once)
        self.cache = dataset.cache if keeps else None
        self.number = number_dataset((dataset.source.file, dataset.source.fingerprint, dataset.path))

    def read(self, boxes: list[Box], pool: Executor | None) -> None:
        """Fill the boxes' arrays."""
        whole = self._find_array()
        if whole is not None:
            for box in boxes:
                box.out[...] = whole[box.places]
            return
        wanted: dict[int, list[_Copy]] = {}
        for box in boxes:
            for number, copy in self._pieces(box):
                wanted.setdefault(number, []).append(copy)
        self._read_chunks(self._put_known(wanted), pool)

    def _find_array(self) -> NDArray[Any] | None:
        """The whole dataset as an array, where it lies in memory, is mapped as it is, or was never written."""
        index = self.index
        if index.kind == "unallocated":
            return np.broadcast_to(np.frombuffer(index.fill, self.cell), index.shape)
        if index.kind == "compact":
            return np.frombuffer(index.inline, self.cell).reshape(index.shape)
        if index.kind != "contiguous" or self.source.answers_at_once:
            return None
        mapped = self.source.view(int(index.offsets[0]), math.prod(index.shape) * self.cell.itemsize)
        return None if mapped is None else np.frombuffer(mapped, self.cell).reshape(index.shape)

    def _pieces(self, box: Box) -> Iterator[tuple[int, _Copy]]:
        """Yield the chunks that a box touches, and what it wants of each."""
        sides = [
            plan_rows(range(place.start, place.stop) if isinstance(place, slice) else place, chunk_rows=size)
            for place, size in zip(box.places, self.chunk, strict=True)
        ]
        steps = [math.prod(self.grid[axis + 1 :]) for axis in range(len(self.grid))]
        for reads in itertools.product(*sides):
            number = sum(read.chunk * step for read, step in zip(reads, steps, strict=True))
            yield number, _Copy(tuple(read.rows for read in reads), box.out, tuple(read.out for read in reads))

    def _offsets(self, numbers: list[int]) -> Numbers:
        """Where chunks begin in the file; negative where they were never written."""
        if self.index.kind == "contiguous":
            return int(self.index.offsets[0]) + np.array(numbers, np.int64) * self.chunk_nbytes
        return self.index.offsets[numbers]

    def _sizes(self, numbers: list[int]) -> Numbers:
        if self.index.kind == "contiguous":
            return np.full(len(numbers), self.chunk_nbytes)
        return self.index.sizes[numbers]

    def _put_known(self, wanted: dict[int, list[_Copy]]) -> dict[int, list[_Copy]]:
        """Put what needs no bytes of the file; return the chunks that do, in order."""
        numbers = sorted(wanted)
        fill = np.frombuffer(self.index.fill, self.cell) if self.index.kind == "chunked" else None
        found = [None] * len(numbers) if self.cache is None else self._from_cache(numbers)
        missing = {}
        for number, offset, block in zip(numbers, self._offsets(numbers).tolist(), found, strict=True):
            if offset < 0:
                for copy in wanted[number]:
                    copy.target[copy.outer] = fill
            elif block is not None:
                self._put(wanted[number], block)
            else:
                missing[number] = wanted[number]
        return missing

    def _from_cache(self, numbers: list[int]) -> list[Bytes | None]:
        return [] if self.cache is None else self.cache.get_many([(self.number, number) for number in numbers])

    def _read_chunks(self, wanted: dict[int, list[_Copy]], pool: Executor | None) -> None:
        """Fetch and unpack chunks, and put what is wanted of them."""
        numbers = list(wanted)
        offsets, sizes = self._offsets(numbers), self._sizes(numbers)
        self._expect_inside(numbers, offsets + sizes)
        limits = {"gap_bytes": self.source.gap_bytes, "limit_bytes": self.source.limit_bytes}
        ranges = plan_ranges(offsets, sizes, **limits)
        if len(numbers) * self.chunk_nbytes < _ALONE_BYTES:
            pool = None

        def unpack(each: ByteRange, content: memoryview) -> None:
            begins, lengths = offsets[each.members] - each.offset, sizes[each.members]
            for member, begin, size in zip(*(part.tolist() for part in (each.members, begins, lengths)), strict=True):
                self._put_stored(numbers[member], content[begin : begin + size], wanted[numbers[member]])

        if not self.source.answers_at_once:
            run_tasks(ranges, lambda each: unpack(each, self._read_range(each)), pool, self.threads)
            return
        for window in batch_ranges(ranges):
            found = self.source.read_ranges([each.offset for each in window], [each.size for each in window])
            run_tasks(zip(window, found, strict=True), lambda task: unpack(*task), pool, self.threads)

    def _expect_inside(self, numbers: list[int], ends: Numbers) -> None:
        """Refuse chunks beyond the end of the file before memory is taken for them."""
        size = self.source.fingerprint.size
        beyond = np.flatnonzero(ends > size)
        if len(beyond):
            raise DamagedFileError(
                f"{self._describe(numbers[beyond[0]])}: the file ends at byte {size}, but it is stored up to byte "
                f"{ends[beyond[0]]}",
                hint="the file was cut off while it was written or copied; get it again",
            )

    def _read_range(self, each: ByteRange) -> memoryview:
        """Return the bytes of a range: mapped if they are used as they are, else in this thread's buffer."""
        mapped = None if self.index.filters else self.source.view(each.offset, each.size)
        if mapped is not None:
            return mapped
        content = borrow_scratch("raw", each.size).data
        self.source.read_into(each.offset, content)
        return content

    def _put_stored(self, number: int, raw: memoryview, copies: list[_Copy]) -> None:
        """Unpack a chunk, straight to where it goes if that is possible, and keep it if only parts are wanted."""
        try:
            is_whole = len(copies) == 1 and self._is_whole(copies[0])
            if is_whole and (target := _bytes_of(copies[0])) is not None:
                self._decode(number, raw, target)
            elif not self.index.filters and len(raw) == self.chunk_nbytes:
                self._put(copies, np.frombuffer(raw, np.uint8))
            elif self.cache is not None and not is_whole:
                self._put(copies, self.cache.get_or_make((self.number, number), lambda: self._decode(number, raw)))
            else:
                self._put(copies, self._decode(number, raw, borrow_scratch("chunk", self.chunk_nbytes)))
        except (DamagedFileError, FilterError) as error:
            if error.file is not None:
                raise
            hint = _LIBRARY_HINT if isinstance(error, FilterError) else error.hint
            raise type(error)(f"{self._describe(number)}: {error.problem}", hint=hint) from error

    def _is_whole(self, copy: _Copy) -> bool:
        return all(
            isinstance(inner, slice) and isinstance(outer, slice) and inner.stop - inner.start == size
            for inner, outer, size in zip(copy.inner, copy.outer, self.chunk, strict=True)
        )

    def _decode(self, number: int, raw: memoryview, out: Bytes | None = None) -> Bytes:
        if out is None:
            out = np.empty(self.chunk_nbytes, np.uint8)
        mask = int(self.index.masks[number]) if self.index.kind == "chunked" else 0
        self.decoder.decode(raw, mask, out)
        return out

    def _put(self, copies: list[_Copy], block: Bytes) -> None:
        """Copy what is wanted of an unpacked chunk."""
        cells = block.view(self.cell).reshape(self.chunk)
        for copy in copies:
            copy.target[copy.outer] = cells[copy.inner]

    def _describe(self, number: int) -> str:
        """Name a chunk by where it begins."""
        corner = tuple(
            int(place) * size for place, size in zip(np.unravel_index(number, self.grid), self.chunk, strict=True)
        )
        return f"the chunk at {corner} cannot be read"


def _bytes_of(copy: _Copy) -> Bytes | None:
    """The bytes of where a chunk goes, if they lie one after the other."""
    target = copy.target[copy.outer]
    return target.reshape(-1).view(np.uint8) if target.flags.c_contiguous and target.flags.writeable else None


def _runs_of(shape: tuple[int, ...], itemsize: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Contiguous data as chunks of its last axes, as many as make a run worth asking for; and their grid.

    >>> _runs_of((10, 20, 1000), 8)
    ((1, 1, 1000), (10, 20, 1))
    """
    first = len(shape) - 1
    while first > 1 and math.prod(shape[first - 1 :]) * itemsize <= _RUN_BYTES:
        first -= 1
    return (1,) * first + shape[first:], (*shape[:first], *(1 for _ in shape[first:]))
