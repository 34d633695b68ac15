"""The tables of many files, kept for the next time: looking at ten thousand files takes seconds, reading this does not.

What is kept counts only for the very same options and versions of all files. It is JSON and never unpickled; anything
that is wrong with it makes the files be looked at again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..cache_home import cache_home
from ..describe.elements import Binary, Label, Number, Ragged, Struct, StructField, Text
from ..describe.options import Options
from ..describe.schema import Column, Part, Storage, Table
from ..describe.urls import is_url
from ..errors import warn
from ..whole_file import write_whole
from .left_out import NOTHING_LEFT_OUT, LeftOut

__all__ = ["MIN_FILES", "Saved", "find_place", "load_tables", "plain_splits", "restore_splits", "save_tables"]

MIN_FILES = 64
"""Fewer files are looked at in some 10 ms."""

_FORMAT = "hf_h5 tables 2"
_SETTLED_NS = 2_000_000_000
_MOST_KEPT = 64
_CLASSES: dict[str, Any] = {
    each.__name__: each for each in (Binary, Column, Label, Number, Ragged, Storage, Struct, StructField, Text)
}


@dataclass(frozen=True)
class Saved:
    """Tables by split, whether the splits were found inside the files, what the user was warned of, and bad files."""

    splits: Mapping[str, Table]
    inside: bool
    warned: tuple[str, ...]
    left_out: LeftOut = NOTHING_LEFT_OUT


class _CannotSaveError(Exception):
    """A table holds something that JSON would not give back as it was."""


def find_place(files: Sequence[str], options: Options) -> tuple[Path, str] | None:
    """The file in which the tables of these files are kept, and the facts that must be equal; None if they are not.

    All files must have rested for two seconds: a file system counts time in steps, and a file that is written twice
    within one looks unchanged. The time of the last change of status, which no program can set, counts too.
    """
    if len(files) < MIN_FILES or options.allow_external or any(map(is_url, files)):
        return None
    stated = repr(options)
    if " at 0x" in stated:
        return None
    digest, newest = hashlib.sha256(f"{_FORMAT}\0{_package_digest()}\0{stated}".encode()), 0
    try:
        for file in files:
            found = os.stat(file)
            newest = max(newest, found.st_mtime_ns, found.st_ctime_ns)
            facts = (file, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
            digest.update(repr(facts).encode("utf-8", "surrogateescape"))
        folder = os.getcwd()  # names may be relative
    except OSError:
        return None
    if time.time_ns() - newest < _SETTLED_NS:
        return None
    named = "\0".join((folder, stated, *files)).encode("utf-8", "surrogateescape")
    return cache_home() / "tables" / hashlib.sha256(named).hexdigest()[:40], digest.hexdigest()


def load_tables(place: tuple[Path, str]) -> Saved | None:
    """What was kept, or None if there is nothing of this version in good order; warns as the first time."""
    file, facts = place
    try:
        content = file.read_bytes()
    except OSError:
        return None
    header, _, body = content.partition(b"\n")
    if header != json.dumps([facts, zlib.crc32(body)]).encode():
        return None
    kept = json.loads(body)
    splits = restore_splits(kept)
    for message in kept["warned"]:
        warn(message)
    left_out = LeftOut(tuple((file, why) for file, why in kept["left_out"]), kept["n_files"])
    return Saved(splits, kept["inside"], tuple(kept["warned"]), left_out)


def save_tables(place: tuple[Path, str], saved: Saved) -> None:
    """Keep tables for the next time, if they can be written as JSON and the folder can be written to."""
    file, facts = place
    plain = plain_splits(saved.splits)
    if plain is None:
        return
    found = {"inside": saved.inside, "warned": saved.warned}
    bad = {"left_out": saved.left_out.files, "n_files": saved.left_out.n_files}
    body = json.dumps(plain | found | bad).encode()
    header = json.dumps([facts, zlib.crc32(body)]).encode()
    try:
        write_whole(file, header + b"\n" + body)
        _drop_oldest(file.parent)
    except OSError:
        return


def plain_splits(splits: Mapping[str, Table]) -> dict[str, Any] | None:
    """Tables as values that JSON gives back as they were, for `restore_splits`; None if it would not."""
    columns = _SharedColumns()
    try:
        plain = {name: _plain_table(table, columns) for name, table in splits.items()}
        json.dumps([plain, columns.plain], allow_nan=False)
    except (_CannotSaveError, ValueError):
        return None
    return {"columns": columns.plain, "splits": plain}


def restore_splits(plain: Mapping[str, Any]) -> dict[str, Table]:
    """The tables that `plain_splits` took apart."""
    columns = [_restored(each) for each in plain["columns"]]
    return {name: _table(each, columns) for name, each in plain["splits"].items()}


def _package_digest() -> str:
    """What the package's own files are: another version may find other tables."""
    root = Path(__file__).parents[1]
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(root.rglob("*.py"))]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _drop_oldest(folder: Path) -> None:
    known = sorted(os.scandir(folder), key=lambda entry: -entry.stat().st_mtime_ns)
    for entry in known[_MOST_KEPT:]:
        os.remove(entry.path)


class _SharedColumns:
    """Mappings of columns, each of those that are equal once."""

    def __init__(self) -> None:
        self.plain: list[Any] = []
        self._seen: list[Mapping[str, Column]] = []
        self._by_id: dict[int, int] = {}
        self._by_text: dict[str, int] = {}

    def number(self, columns: Mapping[str, Column]) -> int:
        known = self._by_id.get(id(columns))
        if known is not None:
            return known
        if any(column.file for column in columns.values()):
            raise _CannotSaveError
        plain = _plain(dict(columns))
        number = self._by_text.setdefault(json.dumps(plain), len(self.plain))
        if number == len(self.plain):
            self.plain.append(plain)
        self._seen.append(columns)  # so that no other mapping gets its id
        self._by_id[id(columns)] = number
        return number


def _plain_table(table: Table, columns: _SharedColumns) -> dict[str, Any]:
    if any(column.storage and column.storage.layout == "virtual" for column in table.columns.values()):
        raise _CannotSaveError
    parts = [
        [part.file, part.prefix, int(part.n_rows), columns.number(part.columns), _plain(dict(part.constants))]
        for part in table.parts
    ]
    splits = {name: _plain_table(inner, columns) for name, inner in table.splits.items()}
    own = columns.number(table.columns)
    return {"name": table.name, "columns": own, "parts": parts, "rule": table.rule, "splits": splits}


def _table(plain: Mapping[str, Any], columns: Sequence[Mapping[str, Column]]) -> Table:
    parts = tuple(
        Part(file, prefix, n_rows, columns[number], _restored(constants))
        for file, prefix, n_rows, number, constants in plain["parts"]
    )
    splits = {name: _table(inner, columns) for name, inner in plain["splits"].items()}
    return Table(plain["name"], columns[plain["columns"]], parts, plain["rule"], splits)


def _plain(value: Any) -> Any:
    """A value as JSON has it; what it cannot tell apart is put into a list with its kind before it."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is dict and all(type(key) is str for key in value):
        return {key: _plain(inner) for key, inner in value.items()}
    if type(value) in (tuple, list):
        return [type(value).__name__, *map(_plain, value)]
    if value is str or value is bytes:
        return ["type", value.__name__]
    if isinstance(value, np.dtype):
        return _plain_dtype(value)
    if _CLASSES.get(type(value).__name__) is type(value):
        return [type(value).__name__, *(_plain(getattr(value, each.name)) for each in fields(value))]
    raise _CannotSaveError


def _plain_dtype(dtype: np.dtype[Any]) -> list[Any]:
    """A dtype with what h5py notes in its metadata: which strings or lists its objects are."""
    if dtype.subdtype is not None:
        return ["array", *map(_plain, dtype.subdtype)]
    if dtype.fields is None:
        return ["dtype", dtype.str, _plain(dict(dtype.metadata or {}))]
    names = list(dtype.fields)
    inner = [[name, *map(_plain, dtype.fields[name][:2])] for name in names]
    return ["compound", dtype.itemsize, *inner]


def _restored_dtype(kind: str, rest: list[Any]) -> np.dtype[Any]:
    made: Any = rest[0]
    if kind == "array":
        made = (_restored(rest[0]), _restored(rest[1]))
    elif kind == "compound":
        names, formats, offsets = ([each[place] for each in rest[1:]] for place in range(3))
        made = {"names": names, "formats": [*map(_restored, formats)], "offsets": offsets, "itemsize": rest[0]}
    noted = _restored(rest[1]) if kind == "dtype" else None
    dtype: np.dtype[Any] = np.dtype(made, metadata=noted) if noted else np.dtype(made)
    return dtype


def _restored(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _restored(inner) for key, inner in plain.items()}
    if not isinstance(plain, list):
        return plain
    kind, *rest = plain
    if kind == "type":
        return str if rest[0] == "str" else bytes
    if kind in ("dtype", "array", "compound"):
        return _restored_dtype(kind, rest)
    inner: Iterable[Any] = map(_restored, rest)
    if kind in ("tuple", "list"):
        return tuple(inner) if kind == "tuple" else list(inner)
    return _CLASSES[kind](*inner)
