"""The one protocol for rows: what a view, a loader, the builder and the tools know of a source of rows.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..describe.schema import Table

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

    @property
    def makes_arrays(self) -> frozenset[str]:
        """Columns of numbers of which ``read_here`` makes new arrays quicker than it fills those of ``out``."""
        return frozenset()

    def row_groups(self) -> NDArray[np.int64]:
        """``(k + 1,)`` boundaries of rows that are worth reading together (they share chunks)."""
        ...

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the rows may have changed."""
        ...

    def close(self) -> None:
        """Close what was opened; reading afterwards raises ``ClosedError``."""
        ...
