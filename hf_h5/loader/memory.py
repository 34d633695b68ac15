"""Memory for batches that is used again once nobody holds it.

A fresh buffer of some megabytes costs a page fault for every four kilobytes of it, which is as slow as filling it.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Memory"]


class _Buffer(np.ndarray[Any, np.dtype[np.uint8]]):
    """Memory of its own type: numpy lets a view of a view hold on to the first one only where their types differ.

    Of plain arrays it would hold on to the buffer, and the array that tells when all views are gone were gone before.
    """


class Memory:
    """Gives out arrays and takes their memory back when the last view of them, tensor or array, is gone.

    Parameters
    ----------
    n_kept
        How many free buffers of one size are kept.
    """

    def __init__(self, n_kept: int) -> None:
        self._n_kept = n_kept
        self._free: dict[int, deque[_Buffer]] = {}
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array with arbitrary content, which is the caller's."""
        size = math.prod(shape) * dtype.itemsize
        if not size:
            return np.empty(shape, dtype)
        with self._lock:
            free = self._free.setdefault(size, deque(maxlen=self._n_kept))
        try:
            buffer = free.pop()
        except IndexError:
            buffer = _Buffer(size, np.uint8)
        array: NDArray[Any] = np.ndarray(shape, dtype, buffer=buffer)
        weakref.finalize(array, free.append, buffer).atexit = False
        return array
