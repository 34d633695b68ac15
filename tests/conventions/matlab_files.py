"""Files as MATLAB 7.3 writes them, by the rules that its files show; there is no MATLAB that tests could run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

CLASSES = {"f8": "double", "f4": "single", "b1": "logical"}


@dataclass(frozen=True)
class Cell:
    """A cell array: ``items`` in MATLAB's order."""

    shape: tuple[int, int]
    items: Sequence[Any]


@dataclass(frozen=True)
class Structs:
    """A struct array: the values of each field."""

    fields: dict[str, Sequence[Any]]


@dataclass(frozen=True)
class Chars:
    """A char matrix: rows of one length."""

    rows: Sequence[str]


@dataclass(frozen=True)
class Sparse:
    """A sparse matrix."""

    values: Any


@dataclass(frozen=True)
class Object:
    """An object of a class, of which the file shows only where it lies."""

    kind: str


class MatlabFile:
    """Writes variables: numpy arrays as they are in MATLAB, texts, dicts as structs, and the classes above."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = h5py.File(path, "w", userblock_size=512)
        self._count = 0

    def __enter__(self) -> MatlabFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        with open(self._path, "r+b") as out:
            out.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")

    def __setitem__(self, name: str, value: Any) -> None:
        self._write(self._file, name, value)

    def _write(self, group: h5py.Group, name: str, value: Any) -> None:
        if isinstance(value, dict):
            inner = group.create_group(name)
            inner.attrs["MATLAB_class"] = np.bytes_("struct")
            for field, each in value.items():
                self._write(inner, field, each)
            self._list_fields(inner, list(value))
        elif isinstance(value, Structs):
            inner = group.create_group(name)
            inner.attrs["MATLAB_class"] = np.bytes_("struct")
            for field, each in value.fields.items():
                inner[field] = self._references(each).reshape(-1, 1)
            self._list_fields(inner, list(value.fields))
        elif isinstance(value, Sparse):
            self._sparse(group, name, value.values)
        else:
            self._dataset(group, name, value)

    def _dataset(self, group: h5py.Group, name: str, value: Any) -> None:
        if isinstance(value, Cell) and not value.items:
            group[name] = np.array(value.shape, "u8")
            self._mark(group[name], "cell", MATLAB_empty=np.uint8(1))
        elif isinstance(value, Cell):
            group[name] = self._references(value.items).reshape(value.shape[::-1])
            self._mark(group[name], "cell")
        elif isinstance(value, Object):
            group[name] = np.array([[0xDD000000, 2, 1, 1, 1, 1]], "u4")
            self._mark(group[name], value.kind, MATLAB_object_decode=np.int32(3))
        elif isinstance(value, str | Chars):
            self._text(group, name, value)
        else:
            self._array(group, name, np.asarray(value))

    def _array(self, group: h5py.Group, name: str, array: Any) -> None:
        array = array.reshape(1, 1) if not array.ndim else array.reshape(1, -1) if array.ndim == 1 else array
        kind = CLASSES.get(array.dtype.str[1:], array.dtype.name)
        if not array.size:
            group[name] = np.array(array.shape, "u8")
            self._mark(group[name], kind, MATLAB_empty=np.uint8(1))
            return
        stored = array.astype("u1") if array.dtype == bool else array
        if array.dtype.kind == "c":
            half = array.real.dtype
            stored = np.empty(array.shape, [("real", half), ("imag", half)])
            stored["real"], stored["imag"] = array.real, array.imag
            kind = "double"
        group[name] = np.ascontiguousarray(stored.T)
        more = {"MATLAB_int_decode": np.int32(1)} if array.dtype == bool else {}
        self._mark(group[name], kind, **more)

    def _text(self, group: h5py.Group, name: str, value: str | Chars) -> None:
        rows = [value] if isinstance(value, str) else list(value.rows)
        units = [np.frombuffer(row.encode("utf-16-le"), "<u2") for row in rows]
        if not len(units[0]):
            group[name] = np.zeros(2, "u8")
            self._mark(group[name], "char", MATLAB_empty=np.uint8(1))
            return
        group[name] = np.ascontiguousarray(np.array(units).T)
        self._mark(group[name], "char", MATLAB_int_decode=np.int32(2))

    def _sparse(self, group: h5py.Group, name: str, values: Any) -> None:
        dense = np.asarray(values)
        inner = group.create_group(name)
        self._mark(inner, CLASSES[dense.dtype.str[1:]], MATLAB_sparse=np.uint64(dense.shape[0]))
        rows, columns = np.nonzero(dense.T)[::-1]
        inner["jc"] = np.concatenate([[0], np.cumsum(np.count_nonzero(dense, axis=0))]).astype("u8")
        if len(rows):
            inner["ir"] = rows.astype("u8")
            stored = dense[rows, columns]
            inner["data"] = stored.astype("u1") if dense.dtype == bool else stored

    def _references(self, values: Sequence[Any]) -> Any:
        behind = self._file.require_group("#refs#")
        found = np.empty(len(values), h5py.ref_dtype)
        for place, value in enumerate(values):
            self._count += 1
            name = f"r{self._count}"
            self._write(behind, name, value)
            found[place] = behind[name].ref
        return found

    @staticmethod
    def _mark(item: h5py.HLObject, kind: str, **more: Any) -> None:
        item.attrs["MATLAB_class"] = np.bytes_(kind)
        for name, value in more.items():
            item.attrs[name] = value

    @staticmethod
    def _list_fields(group: h5py.Group, names: list[str]) -> None:
        listed = np.empty(len(names), object)
        listed[:] = [np.frombuffer(name.encode(), "S1") for name in names]
        group.attrs.create("MATLAB_fields", listed, dtype=h5py.vlen_dtype(np.dtype("S1")))
