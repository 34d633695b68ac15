"""Facts of a schema as short texts: sizes, shapes, stored types, values.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import shown
from .elements import Binary, Number, Ragged, Text
from .schema import Column, Table
from .sizes import Size

__all__ = [
    "aligned",
    "bytes_text",
    "count_text",
    "layout_text",
    "parts_text",
    "shape_text",
    "shortened",
    "size_text",
    "stored_type",
]

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_SIGNS = {"exact": "", "about": "~", "at least": ">="}
_PADDING = {"null_terminated": "ended by NUL", "null_padded": "padded with NUL", "space_padded": "padded with spaces"}


def bytes_text(n_bytes: int) -> str:
    """A number of bytes for people; 1 kB is 1,000 bytes.

    >>> bytes_text(999), bytes_text(12_345), bytes_text(3_000_000)
    ('999 B', '12.3 kB', '3.0 MB')
    """
    size, unit = float(n_bytes), 0
    while size >= 999.95 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{n_bytes} B" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def size_text(size: Size) -> str:
    """A size with its certainty.

    >>> size_text(Size(2048, "at least"))
    '>=2.0 kB'
    """
    return _SIGNS[size.bound] + bytes_text(size.n_bytes)


def count_text(count: int, noun: str) -> str:
    """A count with its noun.

    >>> count_text(1, "row"), count_text(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def shape_text(column: Column, n_rows: int) -> str:
    """The shape of the column's values in the file; ``*`` is a length that differs."""
    if column.take == "rows":
        return _tuple((n_rows, *column.row_shape))
    return _tuple(column.row_shape) if column.take == "whole" else ""


def _tuple(shape: Sequence[int | None]) -> str:
    inner = ", ".join("*" if size is None else str(size) for size in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def stored_type(column: Column) -> str:
    """The type of one value as the file stores it."""
    match column.element:
        case _ if column.take in ("constant", "counter", "missing"):
            return ""
        case _ if column.derived is not None:
            return str(column.derived)
        case Text(padding) if padding is not None:
            return f"string of {_stored(column).itemsize} bytes, {_PADDING[padding]}"
        case Text() | Ragged() if column.variable:
            return column.variable
        case Binary():
            return f"{_stored(column).itemsize} bytes"
        case Number() if column.converted:
            return column.converted
        case _:
            return _number_text(_stored(column))


def _stored(column: Column) -> np.dtype[Any]:
    """The stored type of one value, inside compounds and arrays."""
    memory = column.memory if column.memory is not None else column.dtype
    for name in column.fields:
        memory = memory.base
        if memory.names and name in memory.names:
            memory = memory[name]
    return memory.base


def _number_text(dtype: np.dtype[Any]) -> str:
    big = dtype.byteorder == ">" and dtype.itemsize > 1
    return dtype.newbyteorder("=").name + (" big-endian" if big else "")


def layout_text(column: Column) -> str:
    """How the dataset lies in the file: its chunks and filters.

    >>> from hf_h5.describe.schema import Storage
    >>> storage = Storage("chunked", (64, 8), ((2, "shuffle"), (1, "gzip")), 900)
    >>> layout_text(Column("x", "/x", "rows", Text(), (), storage=storage))
    'chunks 64x8, shuffle+gzip'
    """
    storage = column.storage
    if storage is None or column.take not in ("rows", "whole"):
        return ""
    if storage.chunks is None:
        return storage.layout if storage.stored_bytes or storage.layout == "virtual" else "nothing written"
    filters = "+".join(storage.filters) or "no filter"
    return f"chunks {'x'.join(map(str, storage.chunks))}, {filters}"


def parts_text(table: Table) -> str:
    """What the parts of a table are, if there are several: ``10 episodes under /data (demo_0 ... demo_9)``."""
    if len(table.parts) < 2 or table.splits:
        return ""
    names = [part.constants.get("episode_id") for part in table.parts]
    if names[0] is None:
        return f"{len(table.parts)} parts"
    text = f"{len(names):,} episodes under {shown(table.name)} ({shown(str(names[0]))} ... {shown(str(names[-1]))})"
    is_whole = any(column.take == "whole" for column in table.columns.values())
    other = (
        "layout='steps' makes each of their rows a row" if is_whole else "layout='episodes' makes each of them a row"
    )
    return f"{text}; {other}"


def shortened(value: Any, limit: int = 72) -> str:
    """A value as Python writes it, cut to ``limit`` characters.

    >>> shortened(list(range(100)), 20)
    '[0, 1, 2, 3, 4, 5, ... (100 items)'
    """
    # The repr of a long list is never written out whole: a few items are enough to fill the line.
    is_long = isinstance(value, list | str | bytes) and len(value) > limit
    text = shown(repr(value[:limit] if is_long else value)).replace("\n", " ")
    if not is_long and len(text) <= limit:
        return text
    size = (
        f" ({len(value):,} {'items' if isinstance(value, list) else 'characters'})"
        if isinstance(value, list | str)
        else ""
    )
    return (
        f"{text[: limit - 2].rstrip(' ')} ...{size}" if not isinstance(value, list) else _cut_list(text, limit) + size
    )


def _cut_list(text: str, limit: int) -> str:
    cut = text[:limit]
    return cut[: cut.rfind(",") + 1] + " ..." if "," in cut else f"{cut} ..."


def aligned(rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Lines of a table whose cells are padded to the widest of their column; columns without any text are left out.

    >>> aligned([("a", "", "10"), ("bcd", "", "5")], right=frozenset({2}))
    ['a    10', 'bcd   5']
    """
    cells = [list(row) for row in rows]
    # The first line holds the headings: they do not make a column worth showing.
    used = [number for number in range(len(cells[0]) if cells else 0) if any(row[number] for row in cells[1:] or cells)]
    widths = {number: max(len(row[number]) for row in cells) for number in used}
    return [
        "  ".join(
            row[number].rjust(widths[number]) if number in right else row[number].ljust(widths[number])
            for number in used
        ).rstrip()
        for row in cells
    ]
