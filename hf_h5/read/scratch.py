"""Buffers that each thread uses over and over: a fresh one costs page faults on every chunk."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

__all__ = ["KEPT_BYTES", "borrow_scratch"]

KEPT_BYTES = 64 << 20
"""Larger buffers are not kept: a thread must not hold one huge chunk for the rest of its life."""

_BUFFERS = threading.local()


def borrow_scratch(role: str, nbytes: int) -> NDArray[np.uint8]:
    """Return ``nbytes`` of this thread's buffer for ``role``, with arbitrary content.

    The buffer is the caller's until the same thread borrows the same role again.
    """
    kept: NDArray[np.uint8] | None = getattr(_BUFFERS, role, None)
    if kept is None or kept.nbytes < nbytes:
        kept = np.empty(nbytes, np.uint8)
        if nbytes <= KEPT_BYTES:
            setattr(_BUFFERS, role, kept)
    return kept[:nbytes]
