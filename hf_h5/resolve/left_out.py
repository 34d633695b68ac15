"""Files that give no rows because they cannot be read: which, of how many, and why. Pure; no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import warn

__all__ = ["NOTHING_LEFT_OUT", "LeftOut", "join_left_out"]

# More are not named, as there may be thousands.
_NAMED = 5


@dataclass(frozen=True)
class LeftOut:
    """What ``on_bad_files`` left out: ``(file, why)`` of each, and how many files there are with them.

    >>> print(LeftOut((("b.h5", "the file is empty [b.h5]"),), 3))
    1 of 3 files is left out: the file is empty [b.h5]
    """

    files: tuple[tuple[str, str], ...] = ()
    n_files: int = 0

    def __bool__(self) -> bool:
        return bool(self.files)

    def __str__(self) -> str:
        why = "; ".join(why.split("\n", 1)[0] for _, why in self.files[:_NAMED])
        more = f"; and {len(self.files) - _NAMED:,} more" if len(self.files) > _NAMED else ""
        are = "is" if len(self.files) == 1 else "are"
        return f"{len(self.files):,} of {self.n_files:,} files {are} left out: {why}{more}"

    def warn(self) -> None:
        """Say it once, if there are any."""
        if self:
            warn(f"{self} (on_bad_files)")


NOTHING_LEFT_OUT = LeftOut()


def join_left_out(parts: Iterable[LeftOut]) -> LeftOut:
    """Those of several splits."""
    listed = list(parts)
    return LeftOut(tuple(file for part in listed for file in part.files), sum(part.n_files for part in listed))
