"""How a batch of numpy rows is handed out: format, columns, and which columns need no detour through Arrow.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.elements import Label, Number
from ..describe.schema import Column

__all__ = [
    "Format",
    "full_rows",
    "gives_same_objects",
    "holds_numbers",
    "holds_rows_of_numbers",
    "is_block",
    "to_array",
    "to_objects",
]

# Kinds whose values pyarrow and numpy turn into the same Python objects.
_SAME_OBJECTS = frozenset("biu")
_MAX_ARRAY_DIMENSIONS = 5


@dataclass(frozen=True)
class Format:
    """An output format: ``kind`` as ``datasets`` names it (None for Python objects), and its arguments.

    ``columns`` are the formatted ones (all if None); with ``all_columns`` the others come along as Python objects.
    ``transform`` is a function of the formatted batch.
    """

    kind: str | None = "torch"
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    all_columns: bool = False
    transform: Callable[[Any], Any] | None = None


def holds_numbers(column: Column) -> bool:
    """Whether rows of the column are numbers of one shape, as the formatters of ``datasets`` see them after Arrow."""
    if column.feature is not None or column.is_ragged or 0 in column.row_shape:
        return False
    match column.element:
        case Label():
            return True
        case Number(dtype):
            return dtype.kind in "biuf" and len(column.row_shape) <= _MAX_ARRAY_DIMENSIONS
    return False


def holds_rows_of_numbers(column: Column) -> bool:
    """Whether rows of the column are numbers, of which each row has as many along its first dimension as it likes."""
    if column.feature is not None or not column.row_shape or column.row_shape[0] is not None:
        return False
    if not all(column.row_shape[1:]) or len(column.row_shape) > _MAX_ARRAY_DIMENSIONS:
        return False
    return isinstance(column.element, Number) and column.element.dtype.kind in "biuf"


def full_rows(values: NDArray[Any]) -> list[NDArray[Any]] | None:
    """The rows of a batch of rows of different lengths; None if one has no value, or no numbers.

    Of these the formatters make what their neighbours in the batch ask for.
    """
    if type(values) is not np.ndarray or values.dtype != object or not len(values):
        return None
    rows = values.tolist()
    return rows if all(isinstance(row, np.ndarray) and row.size for row in rows) else None


def is_block(values: NDArray[Any]) -> bool:
    """Whether a batch of such rows is an array that may be handed out as it is.

    Masked ones are not, nor are empty ones: from no rows the formatters make an array of float64.
    """
    return type(values) is np.ndarray and len(values) > 0


def to_array(block: NDArray[Any], kwargs: Mapping[str, Any], *, as_row: bool) -> Any:
    """Give numbers as the numpy formatter of ``datasets`` does: integers as int64 and floats as float32, unless asked.

    A single number of a row keeps its stored type, whatever the arguments.

    Examples
    --------
    >>> to_array(np.zeros((1, 2), "u1"), {}, as_row=False).dtype, to_array(np.zeros(1, "u1"), {}, as_row=True).dtype
    (dtype('int64'), dtype('uint8'))
    """
    values = block[0] if as_row else block
    if isinstance(values, np.number):
        return values
    default: dict[str, Any] = {}
    if block.dtype.kind in "iu":
        default = {"dtype": np.int64}
    elif block.dtype.kind == "f":
        default = {"dtype": np.float32}
    return np.asarray(values, **{**default, **kwargs})


def to_objects(block: NDArray[Any], *, as_row: bool) -> Any:
    """Give numbers as Python objects in lists."""
    return (block[0] if as_row else block).tolist()


def gives_same_objects(dtype: np.dtype[Any]) -> bool:
    """Whether numpy's Python objects are those of pyarrow, which makes half floats of its own."""
    return dtype.kind in _SAME_OBJECTS or (dtype.kind == "f" and dtype.itemsize >= 4)
