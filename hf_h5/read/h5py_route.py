"""Rows of an HDF5 dataset through the HDF5 library: the route that reads everything.

Values that lie in the dataset's own bytes are taken as stored (the file's own type is the memory type, so that the
library converts nothing and fixed strings keep every byte); others are converted or collected by the library.
"""

from __future__ import annotations

import functools
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
from h5py import h5s, h5t
from numpy.typing import NDArray

from ..describe.opening import open_dataset, open_hdf5
from ..describe.schema import Column
from ..describe.urls import is_url
from ..describe.values import reference_text
from ..errors import ClosedError, DamagedFileError
from .boxes import Box
from .handles import open_limit
from .never_written import read_selection
from .plan import Rows, plan_rows

__all__ = ["LibraryFiles", "read_into_box", "read_rows", "read_whole"]

# A scattered read of a contiguous dataset joins rows that lie closer than this: one call costs some 10 us.
_JOINED_BYTES = 1 << 16
# Open handles per reader; a process may have 1,024 files open, some systems allow fewer.
_MAX_OPEN = 32


class LibraryFiles:
    """Open files of the HDF5 library, at most so many at once, and its lock.

    Parameters
    ----------
    pinned
        Open files of the caller by name, used instead of opening them and never closed.
    """

    def __init__(self, pinned: Mapping[str, h5py.File]) -> None:
        self._pinned = pinned
        # What a file of that name on a disk holds may be something else.
        self.in_memory = frozenset(name for name, file in pinned.items() if _lives_in_memory(file))
        self._open: OrderedDict[str, h5py.File] = OrderedDict()
        # The library works on one thread at a time anyway; the lock keeps a file from being closed under a reader.
        self._lock = threading.RLock()

    @contextmanager
    def dataset(self, file: str, path: str) -> Iterator[h5py.Dataset]:
        """A dataset while the library is held.

        Raises
        ------
        DamagedFileError
            If it is not there any more.
        ClosedError
            If the file lived in memory, and the caller closed it.
        """
        with self._lock:
            if file in self.in_memory and not self._pinned[file]:
                raise ClosedError("the HDF5 file lived in memory and was closed", file=file)
            handle = self._pinned.get(file) or self._open.get(file)
            if handle is None:
                while len(self._open) >= min(_MAX_OPEN, open_limit()):
                    self._open.popitem(last=False)[1].close()
                handle = self._open[file] = open_hdf5(file)
            elif file in self._open:
                self._open.move_to_end(file)
            try:
                found = open_dataset(handle, path)
            except (KeyError, RuntimeError, OSError, ValueError) as error:
                raise DamagedFileError(f"the dataset cannot be opened: {error}", file=file, path=path) from error
            try:
                yield found
            finally:
                if found and found.external is not None:
                    # It is opened in a way of its own, and another thread may open it next: the library does not open a
                    # dataset in two ways at once.
                    found.id.close()

    @staticmethod
    def is_own(dataset: h5py.Dataset, file: str) -> bool:
        """Whether a dataset lies in the file that was opened, not behind an external link."""
        if is_url(file):
            return True  # links out of it were refused
        return bool(os.path.realpath(dataset.file.filename) == os.path.realpath(file))

    def close(self) -> None:
        """Close all files that were opened here."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


def _lives_in_memory(file: h5py.File) -> bool:
    """Whether the file has no copy on a disk, or may have been changed since it was read from there."""
    is_copy = file.driver == "core" and file.mode == "r" and os.path.exists(file.filename)
    return file.driver in ("core", "fileobj") and not is_copy


def read_rows(dataset: h5py.Dataset, column: Column, rows: Rows) -> NDArray[Any]:
    """Read rows in any order, each chunk once.

    Returns
    -------
    ndarray
        ``(n, *other axes, *type's own dimensions)`` of ``column.memory``; objects for what has variable length. Rows
        that lie along another axis than the first come as a view with swapped strides.
    """
    if isinstance(rows, range):
        return _read_span(dataset, column, rows.start, rows.stop)
    size = _span_rows(dataset, column.axis)
    pieces = [
        (read.out, _take(_read_span(dataset, column, start + low, start + high), read.rows, low))
        for read in plan_rows(rows, chunk_rows=size)
        for start in [read.chunk * size]
        for low, high in [_bounds(read.rows)]
    ]
    if not pieces:
        return _read_span(dataset, column, 0, 0)
    out = np.empty((len(rows), *pieces[0][1].shape[1:]), pieces[0][1].dtype)
    for places, values in pieces:
        out[places] = values
    return out


def read_whole(dataset: h5py.Dataset, column: Column) -> NDArray[Any]:
    """Read a dataset of any rank, scalars included, as one row: ``(1, *shape, *type's own dimensions)``."""
    if dataset.shape:
        return _read_box(dataset, column, (0,) * len(dataset.shape), dataset.shape)[np.newaxis]
    return _read_selected(dataset, column, h5s.create(h5s.SCALAR), None, ())[np.newaxis]


def _read_box(dataset: h5py.Dataset, column: Column, start: tuple[int, ...], count: tuple[int, ...]) -> NDArray[Any]:
    """Read a block: ``count`` values from ``start`` on along each axis of the dataset.

    Returns
    -------
    ndarray
        ``(*count, *type's own dimensions)`` of ``column.memory``; objects for what has variable length.
    """
    if 0 in count:
        return np.empty(count, column.memory)
    memory_space = h5s.create_simple(count)
    file_space = dataset.id.get_space()
    file_space.select_hyperslab(start, count)
    return _read_selected(dataset, column, memory_space, file_space, count)


def read_into_box(dataset: h5py.Dataset, column: Column, box: Box) -> NDArray[Any]:
    """Fill the array of a box, whose places are slices."""
    sides = [place for place in box.places[: len(dataset.shape)] if isinstance(place, slice)]
    found = _read_box(
        dataset, column, tuple(side.start for side in sides), tuple(side.stop - side.start for side in sides)
    )
    np.copyto(box.out, found.reshape(box.out.shape), casting="same_kind")
    return box.out


def _span_rows(dataset: h5py.Dataset, axis: int) -> int:
    if dataset.chunks:
        return int(dataset.chunks[axis])
    others = (*dataset.shape[:axis], *dataset.shape[axis + 1 :])
    row_bytes = max(1, int(dataset.id.get_type().get_size()) * math.prod(others))
    return max(1, int(_JOINED_BYTES // row_bytes))


def _bounds(rows: slice | NDArray[np.int64]) -> tuple[int, int]:
    if isinstance(rows, slice):
        return rows.start, rows.stop
    return int(rows.min()), int(rows.max()) + 1


def _take(values: NDArray[Any], rows: slice | NDArray[np.int64], low: int) -> NDArray[Any]:
    return values if isinstance(rows, slice) else values[rows - low]


def _read_span(dataset: h5py.Dataset, column: Column, start: int, stop: int) -> NDArray[Any]:
    """Read rows ``[start, stop)``, which lie along the column's axis."""
    axis = column.axis
    corner = tuple(start if number == axis else 0 for number in range(len(dataset.shape)))
    count = tuple(stop - start if number == axis else size for number, size in enumerate(dataset.shape))
    return np.moveaxis(_read_box(dataset, column, corner, count), axis, 0)


def _read_selected(
    dataset: h5py.Dataset, column: Column, memory_space: Any, file_space: Any, shape: tuple[int, ...]
) -> NDArray[Any]:
    if column.memory is None:
        raise ValueError(f"column {column.name!r} has no dataset")
    if column.variable is None:
        out = np.empty(shape, column.memory)
        kind = h5t.py_create(column.memory, logical=True) if column.converted else dataset.id.get_type()
        dataset.id.read(memory_space, memory_space if file_space is None else file_space, out, kind)
        return out
    selection = () if file_space is None else _selection(file_space, shape)
    is_one_list = file_space is None and h5py.check_vlen_dtype(dataset.dtype) is not None
    return _resolved(_as_array(read_selection(dataset, selection), is_one=is_one_list), dataset)


def _as_array(value: Any, *, is_one: bool) -> NDArray[Any]:
    """A scalar as an array without dimensions; numpy would cut bytes at a NUL and split lists."""
    if isinstance(value, np.ndarray | np.generic) and not is_one:
        return np.asarray(value)
    out = np.empty((), object)
    out[()] = value
    return out


def _selection(space: h5s.SpaceID, count: tuple[int, ...]) -> tuple[slice, ...]:
    starts = map(int, space.get_select_bounds()[0])
    return tuple(slice(start, start + size) for start, size in zip(starts, count, strict=True))


def _resolved(raw: NDArray[Any], dataset: h5py.Dataset) -> NDArray[Any]:
    """What h5py leaves open: references as paths, and the byte order of variable-length numbers."""
    dtype = dataset.dtype
    if h5py.check_ref_dtype(dtype) is not None:
        return _each(raw, lambda value: reference_text(value, dataset))
    if dtype.names:
        return _resolved_fields(raw, dtype, dataset)
    return _resolved_objects(raw, dtype, dataset)


def _resolved_fields(raw: NDArray[Any], dtype: np.dtype[Any], dataset: h5py.Dataset) -> NDArray[Any]:
    out = raw.copy() if isinstance(raw, np.ndarray) else np.array(raw)
    for name in dtype.names or ():
        field = dtype[name]
        while field.subdtype:
            field = field.subdtype[0]
        if field.names:
            out[name] = _resolved_fields(out[name], field, dataset)
        elif field.kind == "O":
            out[name] = _resolved_objects(out[name], field, dataset)
    return out


def _resolved_objects(raw: NDArray[Any], dtype: np.dtype[Any], dataset: h5py.Dataset) -> NDArray[Any]:
    if h5py.check_ref_dtype(dtype) is not None:
        return _each(raw, lambda value: reference_text(value, dataset))
    base = h5py.check_vlen_dtype(dtype)
    if not isinstance(base, np.dtype):
        return raw  # strings, in the dataset or inside lists
    if h5py.check_ref_dtype(base) is not None:
        return _each(raw, lambda value: _each(value, lambda item: reference_text(item, dataset)))
    if base.byteorder == ">" and not _library_swaps():
        return _each(raw, lambda value: value.byteswap() if value.dtype.byteorder in "=<" else value)
    return raw


def _each(raw: NDArray[Any], change: Any) -> NDArray[Any]:
    raw = np.asarray(raw, object)
    out = np.empty(raw.size, object)
    for number, value in enumerate(raw.ravel()):
        out[number] = change(value)
    return out.reshape(raw.shape)


@functools.cache
def _library_swaps() -> bool:
    """Whether h5py swaps big-endian numbers of variable length; 3.16 hands them out unswapped but labelled native."""
    with h5py.File("probe", "w", driver="core", backing_store=False) as probe:
        dataset = probe.create_dataset("x", (1,), h5py.vlen_dtype(np.dtype(">i2")))
        dataset[0] = np.array([1], ">i2")
        return bool(dataset[0][0] == 1)
