"""What tells one version of a file from the next."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

from ..errors import MissingFileError

__all__ = ["Fingerprint"]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Size, time of the last change and identity of a file; for a URL its size and ETag (or what stands for it).

    Attributes
    ----------
    size
        Bytes of the file.
    mtime_ns
        When it was last written, nanoseconds since 1970; 0 for a URL.
    inode
        Its number in the file system; 0 for a URL.
    tag
        ETag, version or date of a URL.
    """

    size: int
    mtime_ns: int = 0
    inode: int = 0
    tag: str = ""

    @classmethod
    def of_file(cls, file: str | os.PathLike[str]) -> Fingerprint:
        """Take the fingerprint of a local file.

        Raises
        ------
        MissingFileError
            If it is not there.
        """
        try:
            return cls.of_status(os.stat(file))
        except FileNotFoundError as error:
            raise MissingFileError("no such file", file=file) from error

    @classmethod
    def of_status(cls, status: os.stat_result) -> Fingerprint:
        """Take the fingerprint from what ``stat`` returned."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)

    def difference(self, other: Fingerprint) -> str:
        """Say in which parts another fingerprint differs.

        >>> Fingerprint(3, 1, 2).difference(Fingerprint(4, 1, 2))
        'size 3 -> 4'
        """
        names = (each.name for each in fields(self))
        changed = [(name, getattr(self, name), getattr(other, name)) for name in names]
        return ", ".join(f"{name} {old} -> {new}" for name, old, new in changed if old != new)
