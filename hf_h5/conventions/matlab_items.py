"""What lies behind MATLAB's references: cells and the elements of struct arrays, as Python and numpy values.

Read when the file is described, as what each holds is not known before; only up to so many bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from h5py import h5a
from numpy.typing import NDArray

from ..errors import DataError
from .matlab_values import join_letters, turn

__all__ = [
    "SAVE_OTHERWISE",
    "CannotReadError",
    "Cell",
    "ItemReader",
    "Unreadable",
    "class_of",
    "field_names",
    "is_empty",
    "is_object",
    "plain",
]

SAVE_OTHERWISE = "in MATLAB, save it as a struct, cellstr or numbers"
# Structs in cells in structs: deeper is no data of rows.
_MAX_DEPTH = 16


class CannotReadError(ValueError):
    """The values are too many to be read at once, or of no kind that has a feature; the message says why."""


@dataclass(frozen=True)
class Unreadable:
    """A value that has no counterpart, and why."""

    why: str


@dataclass(frozen=True)
class Cell:
    """A cell array: its dimensions and its values in MATLAB's order, the first dimension fastest."""

    shape: tuple[int, ...]
    items: tuple[Any, ...]

    @property
    def rows(self) -> list[list[Any]]:
        """Its values by rows; all dimensions but the first as one."""
        n_rows = self.shape[0] if self.shape else 1
        return [list(self.items[row::n_rows]) for row in range(n_rows)]


class ItemReader:
    """Reads values of one variable, until they are too many.

    Parameters
    ----------
    owner
        An object of the file, by which references are followed.
    limit_bytes
        The budget.
    """

    def __init__(self, owner: h5py.HLObject, limit_bytes: int) -> None:
        self._owner, self._limit, self._left = owner, limit_bytes, limit_bytes

    def read(self, item: h5py.HLObject, depth: int = 0) -> Any:
        """The value of a dataset or group.

        Returns
        -------
        str, numpy scalar, ndarray, Cell, dict, list of dict or Unreadable
            A char row, a number, an array in MATLAB's dimensions, a cell array, a struct, a struct array; a list of
            strings for a char matrix; None for a reference that leads nowhere.

        Raises
        ------
        CannotReadError
            If the budget is spent.
        """
        self._spend(0)
        if depth > _MAX_DEPTH:
            return Unreadable("values that lie too deep inside others")
        if is_object(item):
            return Unreadable(f"objects of class {class_of(item)!r}")
        if h5a.exists(item.id, b"MATLAB_sparse"):
            return Unreadable("sparse matrices")
        if isinstance(item, h5py.Group):
            return self._struct(item, depth)
        if is_empty(item):
            return self._empty(item)
        if h5py.check_ref_dtype(item.dtype) is not None:
            return self._cell(item, depth)
        return self._array(item)

    def follow(self, dataset: h5py.Dataset) -> Iterator[h5py.HLObject | None]:
        """What the references of a dataset lead to, in MATLAB's order."""
        # The order of bytes in the file is that of MATLAB's memory.
        for reference in np.asarray(dataset[()]).reshape(-1):
            yield self._owner.file[reference] if reference else None

    def _array(self, dataset: h5py.Dataset) -> Any:
        kind = class_of(dataset)
        self._spend(dataset.size * dataset.dtype.itemsize)
        stored = np.asarray(dataset[()])
        if kind == "char":
            return _texts(turn(stored))
        if stored.dtype.names == ("real", "imag"):
            stored = stored["real"] + 1j * stored["imag"]
        if stored.dtype.kind not in "biufc":
            return Unreadable(f"values of type {stored.dtype}")
        values = turn(stored).astype(stored.dtype.newbyteorder("="), copy=False)
        values = values != 0 if kind == "logical" else values
        return values.reshape(-1)[0] if values.size == 1 else values

    def _empty(self, dataset: h5py.Dataset) -> Any:
        kind = class_of(dataset)
        if kind == "char":
            return ""
        if kind in ("cell", "struct"):
            return Cell((0, 0), ()) if kind == "cell" else []
        dims = tuple(int(size) for size in np.asarray(dataset[()]).reshape(-1)[:8])
        # What the file says is their shape; one without a dimension of size 0 would be no empty array.
        dtype = {"logical": "bool", "single": "f4"}.get(kind, kind if kind.startswith(("int", "uint")) else "f8")
        return np.empty(dims if 0 in dims else (0, 0), dtype)

    def _cell(self, dataset: h5py.Dataset, depth: int) -> Cell:
        items = tuple(None if each is None else self.read(each, depth + 1) for each in self.follow(dataset))
        return Cell(tuple(reversed(dataset.shape)), items)

    def _struct(self, group: h5py.Group, depth: int) -> Any:
        if class_of(group) not in ("", "struct"):
            return Unreadable(f"objects of class {class_of(group)!r}")
        names = field_names(group)
        if not is_struct_array(group):
            return {name: self.read(group[name], depth + 1) for name in names}
        columns = [
            [None if each is None else self.read(each, depth + 1) for each in self.follow(group[name])]
            for name in names
        ]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def _spend(self, n_bytes: int) -> None:
        # A Python object costs that much besides.
        self._left -= n_bytes + 64
        if self._left < 0:
            raise CannotReadError(f"it holds more than {self._limit >> 20} MiB one by one behind references")


def _texts(codes: NDArray[Any]) -> Any:
    """A char row as a string, a matrix as a list of them."""
    if codes.ndim != 2 or codes.dtype.kind not in "iu":
        return Unreadable("characters in more than two dimensions")
    try:
        if codes.shape[0] == 1:
            return join_letters(codes[0], cut=False)
        return [join_letters(row) for row in codes]
    except DataError as error:
        return Unreadable(error.problem)


def class_of(item: h5py.HLObject) -> str:
    """The MATLAB class that an object is marked with; empty if with none."""
    if not h5a.exists(item.id, b"MATLAB_class"):
        return ""
    value = item.attrs["MATLAB_class"]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def is_object(item: h5py.HLObject) -> bool:
    """Whether it is an object of a class or a function, whose values only MATLAB understands."""
    # 1: functions, 2: objects of old classes, 3: of new ones, whose values lie elsewhere (#subsystem#).
    return bool(h5a.exists(item.id, b"MATLAB_object_decode"))


def is_empty(item: h5py.HLObject) -> bool:
    """Whether a dataset holds the dimensions of an empty array in place of values."""
    return bool(h5a.exists(item.id, b"MATLAB_empty") and item.attrs["MATLAB_empty"])


def is_struct_array(group: h5py.Group) -> bool:
    """Whether each field is a list of references, one for each element; fields of one struct are marked themselves."""
    fields = list(group.values())
    return bool(fields) and all(
        isinstance(each, h5py.Dataset)
        and h5py.check_ref_dtype(each.dtype) is not None
        and not h5a.exists(each.id, b"MATLAB_class")
        for each in fields
    )


def field_names(group: h5py.Group) -> list[str]:
    """The fields of a struct in the order in which they were made, as far as the file says."""
    names = list(group)
    if not h5a.exists(group.id, b"MATLAB_fields"):
        return names
    listed = group.attrs["MATLAB_fields"]
    if isinstance(listed, h5py.h5r.Reference):
        # Too many fields for an attribute.
        listed = group.file[listed][()] if listed else []
    given = [b"".join(np.asarray(each).tolist()).decode("utf-8", "replace") for each in listed]
    return [name for name in given if name in names] + [name for name in names if name not in given]


def plain(item: Any) -> Any:
    """A value as plain Python, for metadata."""
    if isinstance(item, Unreadable):
        return f"<{item.why}>"
    if isinstance(item, Cell):
        return [plain(each) for each in item.items] if 1 in item.shape else [plain(row) for row in item.rows]
    if isinstance(item, dict):
        return {name: plain(value) for name, value in item.items()}
    if isinstance(item, list):
        return [plain(each) for each in item]
    if isinstance(item, np.ndarray):
        return (item.reshape(-1) if sum(size != 1 for size in item.shape) <= 1 else item).tolist()
    return item.item() if isinstance(item, np.generic) else item
