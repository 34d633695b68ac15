"""Which way the rows of a dataset come: by their bytes in the file, or through the HDF5 library.

A dataset is read by its bytes where that is possible; its first rows are then compared once with what the library
says, so that a misreading can never pass unseen.
"""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.schema import Column
from ..describe.urls import is_url
from ..errors import DamagedFileError, FileChangedError, FilterError, H5Error, H5Warning, OptionError
from .boxes import Box, read_along, read_boxes
from .cache import ChunkCache
from .direct import DirectDataset
from .fingerprint import Fingerprint
from .h5py_route import LibraryFiles, read_into_box, read_rows, read_whole
from .index import build_index, why_not_direct
from .plan import Rows
from .pool import shared_pool
from .source import Source, open_source

__all__ = ["Routes"]

# Datasets whose index is kept; a file of 10,000 episodes has some 100,000 small ones.
_MAX_DATASETS = 65_536
# Rows compared with the library's: those of the first chunk, as far as they are few.
_CHECK_ROWS = 16
_CHECK_BYTES = 4 << 20
# What HDF5 and its filters raise when bytes are not what they should be.
_LIBRARY_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)


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
        self._known: OrderedDict[tuple[str, str], DirectDataset | str] = OrderedDict()
        self._sources: dict[str, Source] = {}
        self._checked: set[tuple[str, str]] = set()

    def fetch(self, file: str, path: str, column: Column, rows: Rows, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Read rows of a dataset in its memory form, or whole as one row.

        ``out`` is filled and returned where the values are numbers that need no decoding.
        """
        found = self.find(file, path, column)
        if isinstance(found, DirectDataset) and not (column.axis and column.variable):
            pool = shared_pool(self._threads)
            if column.take == "whole":
                return found.read_rows(range(len(found)), pool=pool)[np.newaxis]
            if column.axis:
                return read_along(found, rows, column.axis, out, pool)
            return found.read_rows(rows, out=out, pool=pool)
        values = self._by_library(file, path, column, rows)
        if out is None:
            return values
        np.copyto(out, values.reshape(out.shape), casting="same_kind")
        return out

    def fetch_boxes(self, file: str, path: str, column: Column, boxes: Sequence[Box]) -> None:
        """Fill the arrays of boxes of a dataset with values in its memory form; their places are slices."""
        found = self.find(file, path, column)
        if isinstance(found, DirectDataset):
            read_boxes(found, boxes, shared_pool(self._threads))
            return
        self._expect_unchanged(file)
        with self._library.dataset(file, path) as dataset:
            for box in boxes:
                _guarded(lambda box=box: read_into_box(dataset, column, box), file, path)

    def describe(self, file: str, path: str, column: Column) -> str:
        """``"direct"``, or why the rows come through the HDF5 library."""
        found = self.find(file, path, column)
        return "direct" if isinstance(found, DirectDataset) else found

    def close(self) -> None:
        """Close the sources; the library's handles are closed by their owner."""
        with self._lock:
            for source in self._sources.values():
                source.close()
            self._known.clear()

    def find(self, file: str, path: str, column: Column) -> DirectDataset | str:
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

    def _choose(self, file: str, path: str, column: Column) -> DirectDataset | str:
        if self._route == "h5py":
            return "route='h5py' was asked for"
        reason = column.variable or column.converted
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
            index = build_index(dataset, file=file, fingerprint=fingerprint)
        source = self._sources.setdefault(file, open_source(file, fingerprint))
        direct = DirectDataset(index, source, file=file, path=path, cache=self._cache, threads=self._threads)
        return self._compared(direct, file, path, column)

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

    def _compared(self, direct: DirectDataset, file: str, path: str, column: Column) -> DirectDataset | str:
        """Compare the first rows with the library's, once per file and column."""
        key = (file, column.name)
        if key in self._checked or not len(direct) or column.memory is None:
            return direct
        count = min(_CHECK_ROWS, len(direct), max(1, _CHECK_BYTES // max(1, direct.index.row_nbytes)))
        rows = range(count)
        try:
            mine = direct.read_rows(rows)
        except (DamagedFileError, FilterError):
            # The library has the last word on whether a chunk is damaged, and knows more filters.
            return "its chunks do not unpack outside the HDF5 library"
        with self._library.dataset(file, path) as dataset:
            theirs = _guarded(lambda: read_rows(dataset, replace(column, axis=0), rows), file, path)
        if mine.tobytes() == np.ascontiguousarray(theirs).tobytes():
            # Only now: a thread that comes meanwhile compares for itself.
            self._checked.add(key)
            return direct
        warnings.warn(
            f"{file}::{path} reads differently without the HDF5 library, so it is read through it; please report this "
            f"with the file and these details: {direct.index.kind}, {direct.index.dtype}, chunks {direct.index.chunk}, "
            f"filters {direct.index.filters}",
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


def _guarded(read: Any, file: str, path: str) -> NDArray[Any]:
    """Turn what the library raises into an error that names the place."""
    try:
        values: NDArray[Any] = read()
    except H5Error:
        raise
    except _LIBRARY_ERRORS as error:
        raise DamagedFileError(
            f"the HDF5 library cannot read rows of the dataset: {error}",
            file=file,
            path=path,
            hint="the file may be truncated or corrupt; columns=[...] reads only others",
        ) from error
    return values
