"""What ``window=``, ``pad=`` and ``patch=`` of a view make of the rows that were opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import OptionError
from ..isolate.choose import AnyReader
from ..read.plan import Rows
from ..read.rows import RowSource
from ..read.windows import WindowSource

__all__ = ["Cut", "cut_rows"]

_PADS = ("edge", "zero", None)
_WINDOW_HINT = "window=(16, 4) is 16 rows every 4; window=16 is the same as window=(16, 1)"


class Cut(NamedTuple):
    """The source that a view reads, its rows, and what was asked for in words."""

    source: RowSource
    rows: Rows
    facts: dict[str, str]


def cut_rows(reader: AnyReader, rows: Rows, *, window: Any, pad: str | None) -> Cut:
    """Make windows of rows, where they were asked for.

    Raises
    ------
    OptionError
        If an argument makes no sense, or does not go with these columns.
    """
    if pad not in _PADS:
        raise OptionError(f"pad={pad!r} is not one of 'edge', 'zero', None")
    if window is None:
        if pad is not None:
            raise OptionError(f"pad={pad!r} fills windows", hint="pass window= too")
        return Cut(reader, rows, {})
    length, stride = _length_and_stride(window)
    source = WindowSource(reader, rows, length=length, stride=stride, pad=pad)
    return Cut(source, range(len(source)), {"window": str(source)})


def _length_and_stride(window: Any) -> tuple[int, int]:
    pair = (window, 1) if _is_count(window) else window
    if not isinstance(pair, Sequence) or len(pair) != 2 or not all(map(_is_count, pair)):
        raise OptionError(f"window={window!r} is no length, nor a length and a stride", hint=_WINDOW_HINT)
    return int(pair[0]), int(pair[1])


def _is_count(number: Any) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool) and bool(number >= 1)
