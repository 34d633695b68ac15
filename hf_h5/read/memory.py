"""Memory for batches that is used again once nobody holds it.

A fresh buffer of some megabytes costs a page fault for every four kilobytes of it, which is as slow as filling it.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.schema import Column

__all__ = ["BatchArrays", "Memory"]

# Smaller arrays come from the system's allocator, which does not give their pages back.
_SMALL_BYTES = 128 << 10
# A free buffer may be this much larger than what is asked for.
_SLACK = 1.25


class _Buffer(np.ndarray[Any, np.dtype[np.uint8]]):
    """Memory of its own type: numpy lets a view of a view hold on to the first one only where their types differ.

    Of plain arrays it would hold on to the buffer, and the array that tells when all views are gone were gone before.
    """


class Memory:
    """Gives out arrays and takes their memory back when the last view of them, tensor or array, is gone.

    Thread-safe. A copy made by pickling is empty.

    Parameters
    ----------
    max_free_bytes
        Bound of the memory that is kept while nobody uses it.
    """

    def __init__(self, max_free_bytes: int) -> None:
        self._max_free_bytes = max_free_bytes
        self._free: list[_Buffer] = []
        # Memory may come back while this thread holds the lock: whatever it does can be the end of some array.
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[object, ...]:
        return Memory, (self._max_free_bytes,)

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array with arbitrary content, which is the caller's."""
        size = math.prod(shape) * dtype.itemsize
        if size < _SMALL_BYTES:
            return np.empty(shape, dtype)
        buffer = self._find(size)
        if buffer is None:
            buffer = _Buffer(size, np.uint8)
        array: NDArray[Any] = np.ndarray(shape, dtype, buffer=buffer)
        weakref.finalize(array, self._take_back, buffer).atexit = False
        return array

    def _find(self, size: int) -> _Buffer | None:
        with self._lock:
            for place in range(len(self._free) - 1, -1, -1):
                # The one used last is still in the processor's cache.
                if size <= len(self._free[place]) <= size * _SLACK:
                    return self._free.pop(place)
        return None

    def _take_back(self, buffer: _Buffer) -> None:
        dropped = []
        with self._lock:
            self._free.append(buffer)
            kept = sum(map(len, self._free))
            while kept > self._max_free_bytes:
                dropped.append(self._free.pop(0))
                kept -= len(dropped[-1])
        # Large buffers go back to the operating system: not under the lock.
        dropped.clear()


class BatchArrays:
    """Makes arrays for rows of some columns.

    Parameters
    ----------
    columns
        The columns by name.
    memory
        Where those of numbers come from; strings and lists need arrays of objects, which are new each time.
    """

    def __init__(self, columns: Mapping[str, Column], memory: Memory) -> None:
        self._memory = memory
        self._shapes: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {
            name: ((), np.dtype(object)) if column.is_ragged else (_sizes(column), column.dtype)
            for name, column in columns.items()
        }
        self.numbers = tuple(name for name, (_, dtype) in self._shapes.items() if dtype.kind != "O")

    def make(self, n_rows: int, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
        """Arrays for ``n_rows`` of some columns, all if None; they are the caller's, with arbitrary content."""
        arrays: dict[str, NDArray[Any]] = {}
        for name in self._shapes if names is None else names:
            shape, dtype = self._shapes[name]
            whole = (n_rows, *shape)
            arrays[name] = np.empty(whole, dtype) if dtype.kind == "O" else self._memory.take(whole, dtype)
        return arrays


def _sizes(column: Column) -> tuple[int, ...]:
    return tuple(size for size in column.row_shape if size is not None)
