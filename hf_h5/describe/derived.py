"""Columns that are made of several datasets, or of one by more than its type says: what a convention hands over.

Pure; no I/O. A convention states how values are made of plain columns (`Derivation`); the reader gives it those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .schema import Column

__all__ = ["Derivation", "Fetch", "Fills", "Sized"]

Kept = TypeVar("Kept")


class Fetch(Protocol):
    """Reads the plain columns that a derived one is made of; each chunk once, outside the HDF5 library if possible."""

    def rows(self, source: Column, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Rows of a column of ``take="rows"`` in any order: ``(n, *row_shape)``, decoded."""
        ...

    def spans(
        self, source: Column, starts: NDArray[np.int64], stops: NDArray[np.int64], *, scratch: str | None = None
    ) -> NDArray[Any]:
        """Rows ``[starts[0], stops[0])``, then ``[starts[1], stops[1])`` and so on, one after the other.

        With ``scratch``, a name, they may lie in memory that this thread uses again for what is next read by that name.
        """
        ...

    def whole(self, source: Column) -> NDArray[Any]:
        """The whole dataset of a column, whatever its ``take``; for small ones."""
        ...

    def kept(self, key: str, make: Callable[[], Kept]) -> Kept:
        """What ``make`` returned the first time, as long as the reader is open: for what all rows need."""
        ...


class Derivation(Protocol):
    """How the values of a column are made; a small immutable value that pickles and compares."""

    @property
    def sources(self) -> tuple[Column, ...]:
        """The plain columns that are read, their paths relative to the part's prefix."""
        ...

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """Make the values of some rows of a part.

        Returns
        -------
        ndarray
            ``(n, *row_shape)`` in the column's dtype; an object array of arrays where it is ragged. Masked, one flag
            a row, where rows have no value.
        """
        ...

    def __str__(self) -> str:
        """In a few words, for a person: ``"CSR matrix of X"``."""
        ...


@runtime_checkable
class Fills(Protocol):
    """A derivation that can write numbers of one shape into memory that is there already."""

    def fill(self, rows: NDArray[np.int64], fetch: Fetch, out: NDArray[Any]) -> None:
        """Fill ``out``, ``(n, *row_shape)`` in the column's dtype, with what ``make`` would return."""
        ...


@runtime_checkable
class Sized(Protocol):
    """A derivation whose rows are runs of other datasets: how long they are on average."""

    @property
    def row_bytes(self) -> int:
        """Bytes of one made row."""
        ...

    @property
    def read_bytes(self) -> int:
        """Bytes that are read for one row, decoded."""
        ...

    @property
    def group_rows(self) -> int:
        """Rows that are worth reading together; 1 if any are, as nothing needs to be decoded."""
        ...
