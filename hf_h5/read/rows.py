"""The one protocol for rows: what a view, a loader, the builder and the tools know of a source of rows.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..describe.schema import Table
from .boxes import Box
from .cache import CacheInfo

__all__ = ["RowSource"]


class RowSource(Protocol):
    """Rows by number. Implementations are thread-safe, and pickle without handles, threads and locks.

    Classes that inherit from it say so, and have what is the same for nearly all of them.
    """

    @property
    def schema(self) -> Table:
        """The table whose rows these are."""
        ...

    def __len__(self) -> int:
        """Number of rows."""
        ...

    def read(
        self, rows: Any, columns: Sequence[str] | None = None, out: Mapping[str, NDArray[Any]] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Read rows in any order, repeats allowed: ``(n, *row_shape)`` per column, object arrays where ragged."""
        ...

    def read_row(self, row: int, columns: tuple[str, ...]) -> dict[str, NDArray[Any]]:
        """Read one row as ``read`` does; both row and columns are there."""
        ...

    def read_here(
        self, rows: NDArray[np.int64], columns: Sequence[str], out: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        """Read rows as ``read`` does, with as little help of other threads as can be."""
        ...

    def makes_arrays(self, columns: Sequence[str]) -> frozenset[str]:
        """Columns of numbers of which ``read_here`` makes new arrays quicker than it fills those of ``out``."""
        return frozenset()

    def row_groups(self) -> NDArray[np.int64]:
        """``(k + 1,)`` boundaries of rows that are worth reading together (they share chunks)."""
        ...

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the rows may have changed."""
        ...

    def fetch_boxes(self, number: int, name: str, boxes: Sequence[Box]) -> bool:
        """Fill the arrays of boxes of a column of numbers, in part ``number``; their first axis are its rows.

        Returns
        -------
        bool
            False where only whole rows can be read; nothing is filled then.
        """
        return False

    def cache_info(self) -> CacheInfo:
        """How much the cache of decoded chunks holds, and how often it helped; all zero where there is none."""
        return CacheInfo(0, 0, 0, 0, 0)

    def check_files(self, start: int = 0, stop: int | None = None) -> None:
        """Raise ``FileChangedError`` if a local file of some rows is not the one that was opened; of all unless said.

        Whoever keeps what was read calls it after: reading looks at a file before.
        """
        return

    def close(self) -> None:
        """Close what was opened; reading afterwards raises ``ClosedError``."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
