"""Which way the rows of a dataset come: by their bytes in the file, or through the HDF5 library.

A dataset is read by its bytes where that is possible; its first rows are then compared once with what the library
says, so that a misreading can never pass unseen.
"""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..describe.schema import Column, Part
from ..describe.urls import is_url
from ..errors import DamagedFileError, FileChangedError, FilterError, H5Error, H5Warning, OptionError
from .boxes import Box, read_along, read_boxes, turn_box
from .cache import ChunkCache
from .direct import DirectDataset
from .fingerprint import Fingerprint
from .h5py_route import LibraryFiles, read_into_box, read_rows, read_whole
from .heap import TABLES_BYTES, Heap
from .index import build_index, why_not_direct
from .packed import Packed, to_objects
from .plan import Rows
from .pool import shared_pool
from .source import Source, open_source
from .stored_types import find_items, is_variable
from .variable import VariableDataset

__all__ = ["Routes"]

# Datasets whose index is kept; a file of 10,000 episodes has some 100,000 small ones.
_MAX_DATASETS = 65_536
# Rows compared with the library's: those of the first chunk, as far as they are few.
_CHECK_ROWS = 16
_CHECK_BYTES = 4 << 20
# What HDF5 and its filters raise when bytes are not what they should be.
_LIBRARY_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)


Found = DirectDataset | VariableDataset | str
"""A dataset as it is read directly, or why it is not."""


_Value = TypeVar("_Value")


class Routes:
    """The datasets of a reader, each with the way in which its rows come; thread-safe, renewed after a fork.

    Parameters
    ----------
    library
        The open handles of the HDF5 library.
    fingerprints
        The version of each file that the reader was opened on.
    route
        ``"auto"``, ``"direct"`` or ``"h5py"``.
    cache
        For decoded chunks.
    threads
        Threads that decode one batch, the calling one included.
    """

    def __init__(
        self,
        library: LibraryFiles,
        fingerprints: dict[str, Fingerprint],
        *,
        route: str,
        cache: ChunkCache,
        threads: int,
    ) -> None:
        self._library = library
        self._fingerprints = fingerprints
        self._route = route
        self._cache = cache
        self._threads = threads
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], Found] = OrderedDict()
        self._made: dict[tuple[str, str], Found] = {}
        self._heaps: dict[str, Heap] = {}
        self._tables = ChunkCache(TABLES_BYTES)
        self._sources: dict[str, Source] = {}
        self._checked: set[tuple[str, str]] = set()

    def fetch(
        self, file: str, path: str, column: Column, rows: Rows, out: NDArray[Any] | None = None
    ) -> NDArray[Any] | Packed:
        """Read rows of a dataset in its memory form, or whole as one row; packed where lengths vary.

        ``out`` is filled and returned where the values are numbers that need no decoding; its rows may lack axes of
        size 1 that those of the dataset have, as a vector of one column.
        """
        found = self.find(file, path, column)
        if isinstance(found, VariableDataset):
            pool = shared_pool(self._threads)
            if column.take == "whole":
                return found.read_rows(range(len(found)), pool=pool).as_one_row()
            return found.read_rows(rows, column.axis, pool=pool)
        if isinstance(found, DirectDataset):
            pool = shared_pool(self._threads)
            if column.take == "whole":
                return found.read_rows(range(len(found)), pool=pool)[np.newaxis]
            if out is not None and not column.row_shape:
                out = out.reshape(len(rows), *_other_axes(found, column.axis))
            if column.axis:
                return read_along(found, rows, column.axis, out, pool)
            return found.read_rows(rows, out=out, pool=pool)
        values = self._by_library(file, path, column, rows)
        if out is None:
            return values
        np.copyto(out, values.reshape(out.shape), casting="same_kind")
        return out

    def fetch_boxes(self, file: str, path: str, column: Column, boxes: Sequence[Box]) -> None:
        """Fill the arrays of boxes with values in their memory form; their places are slices, of rows first."""
        found = self.find(file, path, column)
        if isinstance(found, DirectDataset):
            shape = found.index.shape
            read_boxes(found, [turn_box(box, column.axis, shape) for box in boxes], shared_pool(self._threads))
            return
        self._expect_unchanged(file)
        with self._library.dataset(file, path) as dataset:
            shape = (*dataset.shape, *(column.memory.shape if column.memory else ()))
            for box in boxes:
                turned = turn_box(box, column.axis, shape)
                _guarded(partial(read_into_box, dataset, column, turned), file, path)

    def describe(self, file: str, path: str, column: Column) -> str:
        """``"direct"``, or why the rows come through the HDF5 library."""
        found = self.find(file, path, column)
        return found if isinstance(found, str) else "direct"

    def close(self) -> None:
        """Close the sources; the library's handles are closed by their owner."""
        with self._lock:
            for source in self._sources.values():
                source.close()
            self._known.clear()

    def find(self, file: str, path: str, column: Column) -> Found:
        """The dataset as it is read directly, or why it is not."""
        key = (file, path)
        with self._lock:
            found = self._known.get(key)
        if found is None:
            found = self._choose(file, path, column)
            with self._lock:
                found = self._known.setdefault(key, found)
                if len(self._known) > _MAX_DATASETS:
                    self._known.popitem(last=False)
        if isinstance(found, str) and self._route == "direct":
            raise OptionError(
                f"route='direct', but {found}", file=file, path=path, hint="route='auto' reads it through h5py"
            )
        return found

    def prefetch(self, part: Part, columns: Sequence[Column], rows: Rows) -> None:
        """Begin to fetch rows of several columns of a part behind a URL, with those that they are compared by.

        One after the other, each would take a round trip or two.
        """
        remote = [
            (part.file_of(column), part.path_of(column), column)
            for column in columns
            if column.take == "rows" and not column.axis and is_url(part.file_of(column))
        ]
        for file, path, column in remote:
            if (file, path) not in self._known:
                stored = _stored(self._make_once(file, path, column))
                if stored is not None:
                    stored.prefetch(range(stored.count_rows(_CHECK_ROWS, _CHECK_BYTES)))
        for place in remote:
            # Compares, after which it is known what is there already.
            stored = _stored(self.find(*place))
            if stored is not None:
                stored.prefetch(rows)

    def _choose(self, file: str, path: str, column: Column) -> Found:
        made = self._make_once(file, path, column)
        self._made.pop((file, path), None)
        return made if isinstance(made, str) else self._compared(made, file, path, column)

    def _make_once(self, file: str, path: str, column: Column) -> Found:
        """The dataset before it was compared."""
        made = self._made.get((file, path))
        if made is None:
            made = self._make(file, path, column)
            if is_url(file):
                self._made[file, path] = made
        return made

    def _make(self, file: str, path: str, column: Column) -> Found:
        if self._route == "h5py":
            return "route='h5py' was asked for"
        reason = column.converted or (column.variable if column.fields else None)
        if reason is not None:
            return f"it holds {reason}"
        fingerprint = self._fingerprints.get(file)
        if fingerprint is None:
            return "the file was handed over open"
        # Before, so that a file cut short is said to have changed; after, for what came while it was opened.
        self._check_unchanged(file, fingerprint)
        with self._library.dataset(file, path) as dataset:
            self._check_unchanged(file, fingerprint)
            reason = why_not_direct(dataset)
            if reason is None and not self._library.is_own(dataset, file):
                reason = "it lies in another file"
            if reason is not None:
                return reason
            try:
                index = _guarded(lambda: build_index(dataset, file=file, fingerprint=fingerprint), file, path)
            except FilterError as error:
                return error.problem
            items = find_items(dataset) if is_variable(dataset) else None
            base = int(dataset.file.userblock_size)
        source = self._sources.setdefault(file, open_source(file, fingerprint))
        direct = DirectDataset(index, source, file=file, path=path, cache=self._cache, threads=self._threads)
        if items is None:
            return direct
        heap = self._heaps.setdefault(file, Heap(source, base, self._cache, self._tables))
        return VariableDataset(direct, heap, items)

    def _check_unchanged(self, file: str, fingerprint: Fingerprint) -> None:
        if is_url(file):
            return  # its source asks now and then: a round trip is too dear for every batch
        found = Fingerprint.of_file(file)
        if found != fingerprint:
            raise FileChangedError(
                f"the file changed since it was opened ({fingerprint.difference(found)})",
                file=file,
                hint="open it again; copy it first if another program still writes it",
            )

    def _compared(self, direct: DirectDataset | VariableDataset, file: str, path: str, column: Column) -> Found:
        """Compare the first rows with the library's, once per file and column."""
        key = (file, column.name)
        if key in self._checked or not len(direct) or column.memory is None:
            return direct
        try:
            rows = range(direct.count_rows(_CHECK_ROWS, _CHECK_BYTES))
            mine = direct.read_rows(rows)
        except FilterError:
            # The library knows more ways to pack.
            return "its chunks do not unpack outside the HDF5 library"
        except DamagedFileError:
            # No fallback: of a chunk that unpacks to too few bytes the library returns what its memory held before, and
            # for a value of variable length it makes room for whatever length the file claims.
            return direct
        with self._library.dataset(file, path) as dataset:
            # Along the first axis, wherever the column's rows lie: what is compared is what the bytes mean.
            theirs = _guarded(lambda: read_rows(dataset, replace(column, axis=0), rows), file, path)
        if _are_equal(mine, theirs):
            # Only now: a thread that comes meanwhile compares for itself.
            self._checked.add(key)
            return direct
        index = (direct.references if isinstance(direct, VariableDataset) else direct).index
        warnings.warn(
            f"{file}::{path} reads differently without the HDF5 library, so it is read through it; please report this "
            f"with the file and these details: {index.kind}, {index.dtype}, chunks {index.chunk}, "
            f"filters {index.filters}",
            H5Warning,
            stacklevel=2,
        )
        return "its first rows read differently outside the HDF5 library"

    def _by_library(self, file: str, path: str, column: Column, rows: Rows) -> NDArray[Any]:
        self._expect_unchanged(file)
        with self._library.dataset(file, path) as dataset:
            if column.take == "whole":
                return _guarded(lambda: read_whole(dataset, column), file, path)
            return _guarded(lambda: read_rows(dataset, column, rows), file, path)

    def _expect_unchanged(self, file: str) -> None:
        fingerprint = self._fingerprints.get(file)
        if fingerprint is not None:
            self._check_unchanged(file, fingerprint)


def _stored(found: Found) -> DirectDataset | None:
    """The dataset whose chunks are read for rows, if they are read directly."""
    if isinstance(found, VariableDataset):
        return found.references
    return found if isinstance(found, DirectDataset) else None


def _are_equal(mine: NDArray[Any] | Packed, theirs: NDArray[Any]) -> bool:
    """Whether all bytes are the same, those of lists in the byte order and type that the library gives them."""
    if isinstance(mine, np.ndarray):
        return mine.tobytes() == np.ascontiguousarray(theirs).tobytes()
    for one, two in zip(to_objects(mine).ravel(), theirs.ravel(), strict=True):
        if isinstance(one, bytes):
            if one != two:
                return False
        elif one.shape != two.shape or one.astype(two.dtype).tobytes() != two.tobytes():
            return False
    return True


def _other_axes(dataset: DirectDataset, axis: int) -> tuple[int, ...]:
    """The shape of one row that lies along an axis."""
    shape = (len(dataset), *dataset.row_shape)
    return (*shape[:axis], *shape[axis + 1 :])


def _guarded(read: Callable[[], _Value], file: str, path: str) -> _Value:
    """Turn what the library raises into an error that names the place."""
    try:
        return read()
    except H5Error:
        raise
    except _LIBRARY_ERRORS as error:
        raise DamagedFileError(
            f"the HDF5 library cannot read rows of the dataset: {error}",
            file=file,
            path=path,
            hint="the file may be truncated or corrupt; columns=[...] reads only others",
        ) from error
