"""Which errors may be gone when a shard is tried again. Pure; no I/O."""

from __future__ import annotations

import errno

from ..errors import DamagedFileError, H5Error

__all__ = ["is_transient"]

# The disk does not get emptier, nor the permission come, by asking again.
_LASTING = frozenset(
    {
        *(errno.EACCES, errno.EDQUOT, errno.EISDIR, errno.ENAMETOOLONG, errno.ENOENT),
        *(errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS),
    }
)


def is_transient(error: BaseException) -> bool:
    """Whether an error is of a file system or network, and of the kind that passes.

    >>> is_transient(OSError(errno.EIO, "Input/output error")), is_transient(OSError(errno.ENOSPC, "No space left"))
    (True, False)
    """
    if isinstance(error, DamagedFileError):
        # What the HDF5 library could not read may be damaged, or the disk may not have answered.
        return isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.EIO, errno.ESTALE)
    if isinstance(error, H5Error):
        return False
    return isinstance(error, OSError) and error.errno not in _LASTING
