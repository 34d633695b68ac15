"""How MATLAB's stored arrays become rows: axes turned round, letters joined, and what lies behind references."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.derived import Fetch
from ..describe.schema import Column
from ..errors import DataError

__all__ = ["Cells", "Held", "Letters", "Turned", "join_letters", "turn"]


def turn(stored: NDArray[Any]) -> NDArray[Any]:
    """An array in MATLAB's order of dimensions: HDF5 files hold it with the first dimension last."""
    return stored.transpose()


def join_letters(codes: NDArray[Any], *, cut: bool = True) -> str:
    """UTF-16 code units as text.

    Parameters
    ----------
    cut
        Whether blanks at the end were put there so that all rows of a char matrix have one length, as ``cellstr``
        takes it.

    Raises
    ------
    DataError
        If they are no text.
    """
    try:
        text = codes.astype("<u2").tobytes().decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise DataError(
            f"characters are no UTF-16: {codes[:8].tolist()}", hint="layout='raw' reads their numbers"
        ) from error
    return text.rstrip(" \0") if cut else text


@dataclass(frozen=True)
class Turned:
    """Rows with their own dimensions in MATLAB's order; those of size 1 that a vector has besides are left out."""

    source: Column
    row_shape: tuple[int, ...]

    @property
    def sources(self) -> tuple[Column, ...]:
        """The stored array."""
        return (self.source,)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """``(n, *row_shape)``."""
        values = fetch.rows(self.source, rows)
        turned = values.transpose(0, *range(values.ndim - 1, 0, -1))
        return np.ascontiguousarray(turned).reshape(len(rows), *self.row_shape)

    def __str__(self) -> str:
        axis = "the last axis" if self.source.axis else "the first axis"
        return f"rows along {axis}" + (", transposed" if len(self.row_shape) > 1 else "")


@dataclass(frozen=True)
class Letters:
    """Rows of a char matrix as strings; of one with more dimensions lists of them."""

    source: Column

    @property
    def sources(self) -> tuple[Column, ...]:
        """The code units."""
        return (self.source,)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """An object array of strings."""
        codes = fetch.rows(self.source, rows)
        turned = codes.transpose(0, *range(codes.ndim - 2, 0, -1), codes.ndim - 1)
        flat = turned.reshape(-1, turned.shape[-1])
        out = np.empty(len(flat), object)
        out[:] = [join_letters(each) for each in flat]
        return out.reshape(turned.shape[:-1])

    def __str__(self) -> str:
        return "rows of characters"


@dataclass(frozen=True)
class Held:
    """Values that were read when the file was described, because they lie one by one behind references."""

    digest: str
    values: NDArray[Any] = field(compare=False, repr=False)

    @property
    def sources(self) -> tuple[Column, ...]:
        """Nothing is read any more."""
        return ()

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """Some of the values."""
        return self.values[rows]

    def __str__(self) -> str:
        return "cells, read with the description"


@dataclass(frozen=True)
class Cells:
    """One array behind a reference for each row; None where a cell is empty."""

    cells: tuple[Column | None, ...] = field(repr=False)
    rank: int
    is_text: bool = False

    @property
    def sources(self) -> tuple[Column, ...]:
        """The first array: one for each row would be too many to list."""
        return tuple(each for each in self.cells if each is not None)[:1]

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """An object array of one array, or string, per row."""
        out = np.empty(len(rows), object)
        for place, row in enumerate(rows.tolist()):
            cell = self.cells[row]
            out[place] = self._empty if cell is None else self._value(fetch.whole(cell))
        return out

    @property
    def _empty(self) -> Any:
        dtype = next((each.dtype for each in self.cells if each is not None), np.dtype(np.float64))
        return "" if self.is_text else np.empty((0,) * self.rank, dtype)

    def _value(self, stored: NDArray[Any]) -> Any:
        if self.is_text:
            return join_letters(stored.reshape(-1), cut=False)
        return stored.reshape(-1) if self.rank == 1 else np.ascontiguousarray(turn(stored))

    def __str__(self) -> str:
        return "the array behind each reference"
