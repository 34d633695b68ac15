"""When a thread may wait for others that read."""

from __future__ import annotations

from h5py._objects import phil

__all__ = ["may_wait_for_readers"]


def may_wait_for_readers() -> bool:
    """Whether this thread may wait for threads that read through `h5py`: not while it holds the lock of `h5py` itself.

    The one who asks can be Python's collector, which drops what lies in a cycle (an iterator that an exception's frames
    hold, say) whenever it comes, in the middle of a call of `h5py` too.
    """
    return not phil._is_owned()
