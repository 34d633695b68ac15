"""Windows of rows as rows: a source over another one, each of whose rows are ``length`` rows of that one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.elements import Binary, FeatureSpec, Label, Number, Text
from ..describe.schema import Column, Part, Table
from ..errors import DataError, OptionError
from ..read.cache import CacheInfo
from ..read.memory import BatchArrays, Memory
from ..read.plan import Rows, as_rows
from ..read.rows import RowSource
from .window_copy import copy_windows, window_mask
from .window_rows import Gathered, Windows

__all__ = ["IS_PAD", "WindowSource", "filler", "lengthened"]

Arrays = dict[str, NDArray[Any]]
Numbers = NDArray[np.int64]

IS_PAD = "is_pad"
"""The column that says which rows of a window were filled in."""

_SINGLE = ("constant", "counter")
_GROUP_BYTES = 8 << 20
_SCRATCH_BYTES = 16 << 20


class WindowSource(RowSource):
    """Rows of another source, ``length`` of them at a time; pickles with that source.

    A column of rows ``(...)`` becomes one of rows ``(length, ...)``. What no dataset holds stays single: of constants
    of an episode and of counters, a window has the value of its first row. With ``pad`` there is a column ``is_pad``.

    Parameters
    ----------
    source
        Where the rows come from; it is closed along.
    runs
        The first row of each run of rows and how many there are; a window lies inside one, and a run inside one part.
    length, stride
        Rows of a window, and from the begin of one to that of the next.
    pad
        ``"edge"`` and ``"zero"``: a window begins at every stride, and what lies beyond the end of the part is the
        last row again, or zeros (-1 for class labels, empty strings). None: only whole windows.

    Raises
    ------
    OptionError
        If a column cannot be in windows, or there is not one window.
    """

    def __init__(
        self, source: RowSource, runs: tuple[Numbers, Numbers], *, length: int, stride: int, pad: str | None
    ) -> None:
        self._source, self._pad = source, pad
        table = source.schema
        starts, sizes = runs
        self._windows = Windows(starts, sizes, length, stride, pad is not None)
        self._file = table.files[0] if table.files else None
        _check_columns(table, self._file)
        self._check_count(sizes)
        self._single = frozenset(name for name, column in table.columns.items() if column.take in _SINGLE)
        self._table = _windowed(table, self._windows, pad)
        self._rows = BatchArrays(table.columns, Memory(_SCRATCH_BYTES))
        self._made = frozenset(self._table.columns) - frozenset(table.columns)

    def _check_count(self, sizes: Numbers) -> None:
        if len(sizes) and not len(self._windows):
            longest = int(sizes.max())
            raise OptionError(
                f"window={self._windows.length} is longer than every run of rows: the longest has {longest:,}",
                file=self._file,
                hint=f"use window={longest} or less, or pad='edge' or pad='zero', which fill windows at the end",
            )

    @property
    def schema(self) -> Table:
        """The table of windows; its parts count windows."""
        return self._table

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the rows may have changed, or are cut otherwise."""
        cut = self._windows
        digest = hashlib.sha256(np.stack([cut.starts, cut.sizes]).tobytes())
        digest.update(repr((self._source.fingerprint, cut.length, cut.stride, self._pad)).encode())
        return digest.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._windows)

    def __str__(self) -> str:
        cut = self._windows
        none = int((cut.counts == 0).sum())
        lost = f"; {none} of {len(cut.counts)} runs of rows are too short for one" if none else ""
        filled = f", pad={self._pad!r}" if self._pad else ""
        return f"{cut.length} rows every {cut.stride}{filled}{lost}"

    def read(self, rows: Any, columns: Sequence[str] | None = None, out: Mapping[str, Any] | None = None) -> Arrays:
        """Read windows in any order, repeats allowed; rows that several share are read once."""
        return self._read(as_rows(rows, len(self)), columns, out or {}, self._source.read)

    def read_row(self, row: int, columns: tuple[str, ...]) -> Arrays:
        """Read one window as ``read`` does; a whole one is a run of rows, for which nothing needs to be planned."""
        first, count = self._windows.place_of(row)
        if count < self._windows.length:
            return self.read(range(row, row + 1), columns)
        single = tuple(name for name in columns if name in self._single)
        many = [name for name in columns if name not in self._single | self._made]
        found = self._source.read(range(first, first + count), many) if many else {}
        if any(isinstance(values, np.ma.MaskedArray) for values in found.values()):
            return self.read(range(row, row + 1), columns)
        found = {name: values[np.newaxis] for name, values in found.items()}
        found |= self._source.read_row(first, single) if single else {}
        found |= {name: np.zeros((1, count), np.bool_) for name in self._made.intersection(columns)}
        return {name: found[name] for name in columns}

    def read_here(self, rows: Numbers, columns: Sequence[str], out: Mapping[str, Any]) -> Arrays:
        """Read windows as ``read`` does, with as little help of other threads as can be."""
        return self._read(as_rows(rows, len(self)), columns, out, self._fetch_here)

    def _fetch_here(self, rows: Any, names: Sequence[str], out: Mapping[str, Any]) -> Arrays:
        return self._source.read_here(np.asarray(rows, np.int64), names, {**self._scratch(rows, names, out), **out})

    def _scratch(self, rows: Any, names: Sequence[str], out: Mapping[str, Any]) -> Arrays:
        """Memory for numbers that have no place yet, used again from batch to batch."""
        return self._rows.make(len(rows), [name for name in self._rows.numbers if name in names and name not in out])

    def _read(
        self, rows: Rows, columns: Sequence[str] | None, out: Mapping[str, Any], fetch: Callable[..., Arrays]
    ) -> Arrays:
        names = list(self._table.columns) if columns is None else list(columns)
        windows = np.asarray(rows, np.int64)
        found: Arrays = {}
        single = [name for name in names if name in self._single]
        if single:
            given = {name: out[name] for name in single if name in out}
            found |= fetch(self._windows.firsts_of(windows), single, given)
        many = [name for name in names if name not in self._single | self._made]
        if many:
            found |= self._read_many(windows, many, out, fetch)
        for name in self._made.intersection(names):
            found[name] = self._is_pad(windows, out.get(name))
        return {name: found[name] for name in names}

    def _is_pad(self, windows: Numbers, out: NDArray[Any] | None) -> NDArray[Any]:
        flags = np.empty((len(windows), self._windows.length), np.bool_) if out is None else out
        np.greater_equal(np.arange(self._windows.length), self._windows.counts_of(windows)[:, np.newaxis], out=flags)
        return flags

    def _read_many(
        self, windows: Numbers, names: list[str], out: Mapping[str, Any], fetch: Callable[..., Arrays]
    ) -> Arrays:
        length = self._windows.length
        wanted = self._windows.gather(windows)
        targets = {name: self._target(name, len(windows), out.get(name)) for name in names}
        joined: Arrays = {}
        steps = np.arange(0, len(windows) * length, length)
        if len(wanted.rows) == len(windows) * length and (wanted.begins == steps).all():
            # One window after the other, and all are whole: their rows go straight to where they belong.
            joined = {name: _joined(each) for name, each in targets.items() if _is_plain(each)}
        rows = as_rows(wanted.rows, len(self._source))
        found = fetch(rows, names, joined or self._scratch(rows, names, {}))
        return {name: self._gathered(name, values, wanted, targets[name]) for name, values in found.items()}

    def _target(self, name: str, n_windows: int, out: NDArray[Any] | None) -> NDArray[Any]:
        if out is not None:
            return out
        column = self._table.columns[name]
        return np.empty((n_windows, *_sizes(column)), column.dtype)

    def _gathered(self, name: str, values: NDArray[Any], wanted: Gathered, target: NDArray[Any]) -> NDArray[Any]:
        """Put the rows of each window together; a window without values is masked."""
        plain = np.ma.getdata(values)
        if plain.dtype.kind == "O" or not np.may_share_memory(plain, target):
            copy_windows(plain, wanted, target, filler(self._table.columns[name]) if self._pad == "zero" else None)
        if not isinstance(values, np.ma.MaskedArray):
            return target
        mask: NDArray[np.bool_] = np.ma.getmaskarray(values).reshape(len(values), -1)
        flags = window_mask(np.logical_or.reduce(mask, axis=1), wanted)
        if flags is None:
            raise DataError(
                f"column {name!r} has rows without a value, which a window cannot hold",
                file=self._file,
                hint="leave it out with columns=[...], or read it without window=",
            )
        if not flags.any():
            return target
        return np.ma.MaskedArray(target, np.broadcast_to(flags.reshape(-1, *(1,) * (target.ndim - 1)), target.shape))

    def row_groups(self) -> Numbers:
        """``(k + 1,)`` boundaries of windows that are worth reading together: they share most of their chunks.

        A group has at most some megabytes, or twice those of a chunk, whose windows may be many times as large as it.
        """
        boundaries = self._source.row_groups()
        chunk_rows = int(np.median(np.diff(boundaries))) if len(boundaries) > 1 else 1
        most_bytes = max(_GROUP_BYTES, 2 * chunk_rows * self._source.schema.row_bytes)
        return self._windows.groups(boundaries, max(1, most_bytes // self._table.row_bytes))

    def cache_info(self) -> CacheInfo:
        """How much the cache of decoded chunks holds, and how often it helped."""
        return self._source.cache_info()

    def check_files(self, start: int = 0, stop: int | None = None) -> None:
        """Raise ``FileChangedError`` if a file is not the one that was opened; all are looked at."""
        self._source.check_files()

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def _windowed(table: Table, windows: Windows, pad: str | None) -> Table:
    """The table of windows of a table's rows."""
    columns = {
        name: column if column.take in _SINGLE else lengthened(column, windows.length)
        for name, column in table.columns.items()
    }
    if pad is not None and IS_PAD not in columns:
        shape = (windows.length,)
        columns[IS_PAD] = Column(IS_PAD, "", "constant", Number(np.dtype(np.bool_)), shape)
    owner = np.searchsorted(table.starts, windows.starts, side="right") - 1
    firsts = np.flatnonzero(np.diff(owner, prepend=-1))
    counts = np.diff(np.append(windows.bounds[firsts], len(windows))).tolist()
    parts: list[Part] = [
        replace(table.parts[part], n_rows=count) for part, count in zip(owner[firsts].tolist(), counts, strict=True)
    ]
    rule = f"{table.rule}; windows of {windows.length} rows"
    return replace(table, columns=columns, parts=tuple(parts), rule=rule, splits={})


def lengthened(column: Column, length: int) -> Column:
    """The column whose rows are ``length`` rows of a column."""
    shape = (length, *column.row_shape)
    feature = None if column.feature is None else _lengthened_spec(column.feature, length)
    return replace(column, row_shape=shape, feature=feature)


def _lengthened_spec(spec: FeatureSpec, length: int) -> FeatureSpec:
    if str(spec.get("_type")).startswith("Array") and len(spec["shape"]) < 5:
        shape = (length, *spec["shape"])
        return {**spec, "shape": shape, "_type": f"Array{len(shape)}D"}
    return {"feature": spec, "length": length, "_type": "List"}


def filler(column: Column) -> Any:
    """What stands where there is no value: zero, no class, or an empty string."""
    match column.element:
        case Label():
            return -1
        case Text():
            return ""
        case Binary():
            return b""
        case _:
            return np.zeros((), column.dtype)


def _check_columns(table: Table, file: str | None) -> None:
    part = table.parts[0] if table.parts else None
    for name, column in table.columns.items():
        if column.take in _SINGLE:
            continue
        problem, hint = None, "leave it out with columns=[...]"
        if column.is_ragged or not isinstance(column.element, Number | Label | Text | Binary):
            problem = f"is {column.feature_text}, whose rows differ in length"
            hint = "layout='steps' makes the steps of each group rows" if column.take == "whole" else hint
        elif isinstance(column.element, Number | Label) and not _is_of_numbers(column.feature):
            problem = f"shall be {column.feature_text}, which is made of one row"
            hint = "leave it out of features="
        if problem is not None:
            path = part.path_of(part.columns[name]) if part else column.path
            raise OptionError(f"window=: column {name!r} {problem}", file=file, path=path, hint=hint)


def _is_of_numbers(spec: FeatureSpec | None) -> bool:
    """Whether a feature that was asked for holds numbers, and no picture or sound."""
    kind = "Value" if spec is None else str(spec.get("_type"))
    return kind in ("Value", "ClassLabel", "List", "LargeList", "Sequence") or kind.startswith("Array")


def _sizes(column: Column) -> tuple[int, ...]:
    return tuple(size for size in column.row_shape if size is not None)


def _is_plain(target: NDArray[Any]) -> bool:
    """Whether numbers may be read into an array as if its windows were one."""
    return target.dtype.kind != "O" and target.flags.c_contiguous


def _joined(target: NDArray[Any]) -> NDArray[Any]:
    return target.reshape(-1, *target.shape[2:])
