"""What ``window=``, ``pad=`` and ``patch=`` of a view make of the rows that were opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cuts.patches import PatchSource
from ..cuts.window_rows import find_runs, split_runs
from ..cuts.windows import WindowSource
from ..describe.schema import Table
from ..errors import OptionError, closest_names
from ..read.plan import Rows
from ..read.rows import RowSource

__all__ = ["Cut", "check_rows_alike", "cut_rows"]

_PADS = ("edge", "zero", None)
_STEP_ROWS = 1 << 20
_WINDOW_HINT = "window=(16, 4) is 16 rows every 4; window=16 is the same as window=(16, 1)"
_PATCH_HINT = "patch=(32, 64, 64) is a block of that shape, patch=((32, 64, 64), (16, 32, 32)) one every 16, 32 and 32"


class Cut(NamedTuple):
    """The source that a view reads, its rows, and what was asked for in words."""

    source: RowSource
    rows: Rows
    facts: dict[str, str]


def cut_rows(
    reader: RowSource,
    rows: Rows,
    *,
    window: Any,
    episodes: Any,
    patch: Any,
    pad: str | None,
    counts_given: bool = False,
) -> Cut:
    """Make windows or patches of rows, where they were asked for.

    Parameters
    ----------
    episodes
        Columns that say where an episode ends inside a part; they are read as a whole.
    counts_given
        As for ``PatchSource``.

    Raises
    ------
    OptionError
        If an argument makes no sense, or does not go with these columns.
    """
    if pad not in _PADS:
        raise OptionError(f"pad={pad!r} is not one of 'edge', 'zero', None")
    if window is not None and patch is not None:
        raise OptionError("window= and patch= were both given", hint="patch=(length, ...) cuts rows and other axes")
    if window is not None:
        length, stride = _length_and_stride(window)
        runs = find_runs(rows, reader.schema.starts)
        for name in [episodes] if isinstance(episodes, str) else episodes or ():
            runs = split_runs(*runs, _find_breaks(reader, name))
        windows = WindowSource(reader, runs, length=length, stride=stride, pad=pad)
        return Cut(windows, range(len(windows)), {"window": str(windows)})
    if episodes is not None:
        raise OptionError(f"episodes={episodes!r} says where windows end", hint="pass window= too")
    if patch is not None:
        shape, steps = _shape_and_stride(patch)
        patches = PatchSource(reader, rows, shape=shape, stride=steps, pad=pad, counts_given=counts_given)
        return Cut(patches, range(len(patches)), {"patch": str(patches)})
    if pad is not None:
        raise OptionError(f"pad={pad!r} fills windows and patches", hint="pass window= or patch= too")
    return Cut(reader, rows, {})


def check_rows_alike(table: Table) -> None:
    """Say which columns of a dataset cannot be cut.

    Raises
    ------
    OptionError
        If a column holds something else than numbers and strings, or rows without a value.
    """
    for name, column in table.columns.items():
        if column.is_ragged:
            raise OptionError(
                f"window= and patch= cut numbers and strings: column {name!r} is {column.feature_text}, "
                "or has rows without a value",
                file=table.files[0],
                hint=f"leave it out with dataset.remove_columns({name!r})",
            )


def _find_breaks(reader: RowSource, name: str) -> NDArray[np.int64]:
    """The rows at which an episode begins: after a flag of a last step, or where another value begins.

    Raises
    ------
    OptionError
        If there is no such column, or its rows differ in length.
    """
    columns = reader.schema.columns
    file = next(iter(reader.schema.files), None)
    if name not in columns:
        raise OptionError(f"episodes=: there is no column {name!r}", file=file, hint=closest_names(name, columns))
    if columns[name].is_ragged:
        problem = f"episodes=: column {name!r} is {columns[name].feature_text}, whose rows differ in length"
        raise OptionError(problem, file=file, hint="name a column of numbers or strings")
    found = [np.empty(0, np.int64)]
    for start in range(0, len(reader), _STEP_ROWS):
        # One row of those before tells whether the first one is another episode's.
        first = max(start - 1, 0)
        values = np.ma.getdata(reader.read(range(first, min(start + _STEP_ROWS, len(reader))), [name])[name])
        flat = values.reshape(len(values), -1)
        is_last = flat[:-1].any(axis=1) if flat.dtype == np.bool_ else (flat[1:] != flat[:-1]).any(axis=1)
        found.append(np.flatnonzero(is_last) + first + 1)
    return np.concatenate(found)


def _length_and_stride(window: Any) -> tuple[int, int]:
    pair = (window, 1) if _is_count(window) else window
    if not _are_counts(pair) or len(pair) != 2:
        raise OptionError(f"window={window!r} is no length, nor a length and a stride", hint=_WINDOW_HINT)
    return int(pair[0]), int(pair[1])


def _shape_and_stride(patch: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    pair = (patch, patch) if _are_counts(patch) else patch
    is_pair = isinstance(pair, Sequence) and len(pair) == 2 and all(map(_are_counts, pair))
    if not is_pair or len(pair[0]) != len(pair[1]):
        raise OptionError(f"patch={patch!r} is no shape, nor a shape and a stride of as many axes", hint=_PATCH_HINT)
    shape, steps = (tuple(map(int, each)) for each in pair)
    return shape, steps


def _are_counts(numbers: Any) -> bool:
    return isinstance(numbers, Sequence) and len(numbers) > 0 and all(map(_is_count, numbers))


def _is_count(number: Any) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool) and bool(number >= 1)
