"""How a batch of numpy rows is handed out: format, columns, and which columns need no detour through Arrow.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.elements import Label, Number
from ..describe.schema import Column

__all__ = ["Format", "is_block"]


@dataclass(frozen=True)
class Format:
    """An output format: ``kind`` as ``datasets`` names it (None for Python objects), and its arguments.

    ``columns`` are the formatted ones (all if None); with ``all_columns`` the others come along as Python objects.
    """

    kind: str | None = "torch"
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    all_columns: bool = False


def is_block(column: Column, values: NDArray[Any]) -> bool:
    """Whether the values are one numeric array, as the formatters of ``datasets`` would see it after Arrow.

    Empty batches are not: from no rows the formatters make an array of float64, whatever the column.
    """
    if column.feature is not None or column.is_ragged or not len(values) or 0 in column.row_shape:
        return False
    if isinstance(values, np.ma.MaskedArray):
        return False
    match column.element:
        case Label():
            return True
        case Number(dtype):
            return dtype.kind in "biuf" and (len(column.row_shape) <= 5 or not column.row_shape)
    return False
