"""Rows, tables and schemas through a process of their own; the same answers as without it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.options import Options
from ..describe.schema import Schema, Table
from ..errors import ClosedError, FileChangedError, RowError
from ..read.cache import CacheInfo
from ..read.plan import as_rows
from ..read.rows import RowSource
from ..remote.known import hand_over, is_url, take_over
from ..remote.secrets import seal, unseal
from ..resolve.tables import Resolved
from .process import LibraryProcess

__all__ = ["IsolatedReader", "describe_isolated", "resolve_isolated"]

Batch = dict[str, NDArray[Any]]


def describe_isolated(file: str, given: Mapping[str, Any], options: Options) -> Schema:
    """What ``describe`` says, found out in another process."""
    process = LibraryProcess(file, options.limits)
    try:
        _hand_over(process, [file])
        schema: Schema = process.call("describe", file, dict(given))
        return schema
    finally:
        process.close()


def resolve_isolated(files: Any, options: Options) -> Resolved:
    """What ``resolve_tables``, or ``resolve_splits`` for a mapping, returns."""
    process = LibraryProcess(_first_name(files), options.limits)
    try:
        name = "resolve_splits" if isinstance(files, Mapping) else "resolve_tables"
        names = _hand_over(process, _names(files))
        resolved: Resolved = process.call(name, _plain(files), options)
        if names:
            take_over(process.call("hand_over", names))
        return resolved
    finally:
        process.close()


def _plain(files: Any) -> Any:
    """Names without the types that ``datasets`` gives lists of files: the other process does not know them."""
    if isinstance(files, str | os.PathLike):
        return os.fspath(files)
    if isinstance(files, Mapping):
        return {str(split): _plain(inner) for split, inner in files.items()}
    return [_plain(inner) for inner in files]


def _hand_over(process: LibraryProcess, files: Iterable[str]) -> list[str]:
    """Tell a process what is known of the files that lie behind URLs, and return these."""
    names = [file for file in files if is_url(file)]
    if names:
        process.call("take_over", hand_over(names))
    return names


def _names(files: Any) -> list[str]:
    """All files, of whatever splits."""
    if isinstance(files, str | os.PathLike):
        return [os.fspath(files)]
    inner = files.values() if isinstance(files, Mapping) else files
    return [name for each in inner for name in _names(each)]


def _first_name(files: Any) -> str:
    """A file for messages, before it is known what ``files`` names."""
    if isinstance(files, str | os.PathLike):
        return os.fspath(files)
    values = list(files.values() if isinstance(files, Mapping) else files)
    return _first_name(values[0]) if values else ""


class IsolatedReader(RowSource):
    """A ``TableReader`` in a process of its own; see there. Pickles as its table and options.

    Parameters
    ----------
    table, options, cache_bytes
        Those of the reader.
    """

    def __init__(self, table: Table, options: Options, *, cache_bytes: int) -> None:
        self._arguments = (table, options, cache_bytes)
        self._process = LibraryProcess(next(iter(table.files), table.name), options.limits)
        self._opened: tuple[int, int] | None = None
        self._closed = False
        self._fingerprint: str | None = None
        self._open()

    def _open(self) -> None:
        generation = self._process.generation
        _hand_over(self._process, self.schema.files)
        number, fingerprint = self._process.call("open", *self._arguments)
        if self._fingerprint not in (None, fingerprint):
            # Another process may take over hours later, or on another machine.
            raise FileChangedError("the file changed since it was opened", file=self._file, hint="open it again")
        self._opened, self._fingerprint = (generation, number), fingerprint

    def _ask(self, name: str, *arguments: Any) -> Any:
        if self._closed:
            raise ClosedError("the reader is closed", file=self._file, hint="open the file again")
        if self._opened is None or self._opened[0] != self._process.generation:
            self._open()
        if self._opened is None:
            raise ValueError("the reader did not open")
        return self._process.call(name, self._opened[1], *arguments)

    @property
    def _file(self) -> str:
        return next(iter(self.schema.files), self.schema.name)

    @property
    def schema(self) -> Table:
        """The table that is read."""
        return self._arguments[0]

    @property
    def fingerprint(self) -> str:
        """A short text that changes when a file or the choice of columns changes."""
        return str(self._fingerprint)

    def __len__(self) -> int:
        return self.schema.num_rows

    def read(
        self, rows: Any, columns: Sequence[str] | None = None, out: Mapping[str, NDArray[Any]] | None = None
    ) -> Batch:
        """Read rows in any order, repeats allowed; see ``TableReader.read``."""
        try:
            wanted = as_rows(rows, len(self))
        except RowError as error:
            raise RowError(error.problem, file=self._file) from error
        found: Batch = self._ask("read", wanted, None if columns is None else list(columns))
        for name, target in (out or {}).items():
            if name in found:
                target[...] = found[name]
                found[name] = target if not np.ma.isMaskedArray(found[name]) else found[name]
        return found

    def read_row(self, row: int, columns: tuple[str, ...]) -> Batch:
        """Read one row."""
        return self.read(range(row, row + 1), columns)

    def read_here(self, rows: NDArray[np.int64], columns: Sequence[str], out: Mapping[str, NDArray[Any]]) -> Batch:
        """Read rows as ``read`` does."""
        return self.read(rows, columns, out)

    def row_groups(self) -> NDArray[np.int64]:
        """``(k + 1,)`` boundaries of rows that share chunks."""
        return self.schema.row_groups

    def routes(self) -> dict[str, str]:
        """By which route each column is read; see ``TableReader.routes``."""
        found: dict[str, str] = self._ask("routes")
        return found

    def cache_info(self) -> CacheInfo:
        """How much the cache of decoded chunks holds."""
        found: CacheInfo = self._ask("cache_info")
        return found

    def check_first_rows(self) -> None:
        """Read strings of the first rows, so that text that is none is found early."""
        self._ask("check_first_rows")

    def check_files(self, start: int = 0, stop: int | None = None) -> None:
        """Raise ``FileChangedError`` if a local file of these rows is not the one that was opened."""
        self._ask("check_files", start, stop)

    def close(self) -> None:
        """End the process."""
        self._closed = True
        self._process.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None, "_sealed": seal(self.schema.files)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        sealed = state.pop("_sealed")
        if sealed:
            unseal(sealed)
        self.__dict__.update(state)
