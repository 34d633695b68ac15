"""One column of a batch while the pieces of its parts arrive, and the values that no dataset holds.

Pure; no I/O.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.elements import Number
from ..describe.schema import Column, Part
from .plan import Places, Rows

__all__ = ["Assembly", "made_values"]


class Assembly:
    """One column of a batch while its pieces arrive."""

    def __init__(self, column: Column, n_rows: int, out: NDArray[Any] | None) -> None:
        self._column, self._n_rows, self._out = column, n_rows, out
        self._mask: NDArray[np.bool_] | None = None

    def put(self, places: Places, values: NDArray[Any] | None) -> None:
        """Place the values of some rows; None where they have none."""
        ragged = self._column.is_ragged
        if isinstance(values, np.ma.MaskedArray):
            self._put_masked(places, values)
        elif values is None:
            self._put_nothing(places)
        elif self._out is None and not ragged and isinstance(places, slice) and places == slice(0, self._n_rows):
            self._out = values.astype(self._column.dtype, copy=False).reshape(self._n_rows, *self._shape)
        elif ragged:
            target = self._target()
            numbers = range(self._n_rows)[places] if isinstance(places, slice) else places
            dtype = self._column.dtype
            for number, value in zip(numbers, values, strict=True):
                target[number] = value.astype(dtype, copy=False)
        else:
            target = self._target()
            target[places] = values.reshape(-1, *self._shape) if values.size else values.reshape(target[places].shape)

    def number_target(self, places: Places, column: Column) -> NDArray[Any] | None:
        """The part of the batch into which a reader may write a part's numbers as they are stored, or None."""
        dtype = self._column.dtype
        base = column.memory.base if column.memory is not None else None
        as_stored = base is not None and base.newbyteorder("=") == dtype and base.kind in "iuf"
        if not as_stored or column.fields or column.take != "rows" or not isinstance(places, slice):
            return None
        if not isinstance(column.element, Number) or self._column.is_ragged:
            return None
        return self._target()[places]

    def made_target(self, places: Places, column: Column) -> NDArray[Any] | None:
        """The part of the batch into which a derivation may write a part's numbers, or None."""
        if column.element != self._column.element or column.row_shape != self._column.row_shape:
            return None
        if not isinstance(column.element, Number) or column.is_ragged or not isinstance(places, slice):
            return None
        return self._target()[places]

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(size for size in self._column.row_shape if size is not None)

    def _target(self) -> NDArray[Any]:
        if self._out is None:
            shape = () if self._column.is_ragged else self._shape
            dtype = np.dtype(object) if self._column.is_ragged else self._column.dtype
            # Zeros only where nothing may be written: pages that a reader fills are touched once.
            self._out = np.empty((self._n_rows, *shape), dtype)
        return self._out

    def _put_masked(self, places: Places, values: np.ma.MaskedArray[Any, Any]) -> None:
        """Rows of which some have no value: a flag each."""
        mask = np.ma.getmaskarray(values)
        absent = mask.reshape(len(mask), -1).any(axis=1)
        if not mask.reshape(len(mask), -1)[absent].all():
            raise ValueError("values inside a row cannot be missing")
        self.put(places, values.data)
        if absent.any():
            numbers = np.arange(self._n_rows)[places]
            self._put_nothing(numbers[absent])

    def _put_nothing(self, places: Places) -> None:
        target = self._target()
        if target.dtype.kind == "O":
            target[places] = None
            return
        target[places] = np.zeros((), target.dtype)
        if self._mask is None:
            self._mask = np.zeros(self._n_rows, bool)
        self._mask[places] = True

    def result(self) -> NDArray[Any]:
        """The column of the whole batch, masked where parts have no values."""
        out = self._target()
        if self._mask is None:
            return out
        mask = np.broadcast_to(self._mask.reshape(-1, *(1,) * (out.ndim - 1)), out.shape)
        return np.ma.MaskedArray(out, mask)


def made_values(part: Part, column: Column, local: Rows) -> NDArray[Any] | None:
    """Values that no dataset holds: constants of the part, and row counters."""
    if column.take == "missing":
        return None
    if column.take == "counter":
        return np.asarray(local, np.int64)
    value = part.constants.get(column.name)
    if value is None:
        return None
    if column.is_ragged:
        out = np.empty(len(local), object)
        for number in range(len(local)):
            out[number] = np.asarray(value, column.dtype)
        return out
    if column.row_shape:
        array = np.asarray(value, column.dtype)
        return np.broadcast_to(array, (len(local), *array.shape))
    return np.full(len(local), value, column.dtype)
