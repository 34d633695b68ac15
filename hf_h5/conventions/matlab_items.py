"""What lies behind MATLAB's references: cells and the elements of struct arrays, as Python and numpy values.

Read when the file is described, as what each holds is not known before; only up to so many bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5o, h5r, h5s, h5t
from numpy.typing import NDArray

from ..describe.attribute_sizes import HeldBytes
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
    "holds_references",
    "is_empty",
    "is_object",
    "plain",
]

SAVE_OTHERWISE = "in MATLAB, save it as a struct, cellstr or numbers"
_MOST_NAME_BYTES = 16 << 20
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

    Through the lower layer of h5py: structs of structs are many small objects, and the upper one takes five times as
    long for each.

    Parameters
    ----------
    owner
        An object of the file, by which references are followed.
    limit_bytes
        The budget.
    """

    def __init__(self, owner: h5py.HLObject, limit_bytes: int) -> None:
        self._file, self._limit, self._left = owner.file.id, limit_bytes, limit_bytes

    def read(self, item: Any, depth: int = 0) -> Any:
        """The value of a dataset or group, by its low-level identifier.

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
        # What a Python object costs.
        self._spend(64)
        if depth > _MAX_DEPTH:
            return Unreadable("values that lie too deep inside others")
        if is_object(item):
            return Unreadable(f"objects of class {class_of(item)!r}")
        if h5a.exists(item, b"MATLAB_sparse"):
            return Unreadable("sparse matrices")
        if isinstance(item, h5g.GroupID):
            return self._struct(item, depth)
        if not isinstance(item, h5d.DatasetID):
            return Unreadable("types without values")
        if is_empty(item):
            return _empty(item)
        if holds_references(item):
            return self._cell(item, depth)
        return self._array(item)

    def follow(self, dataset: h5d.DatasetID) -> Iterator[Any]:
        """What the references of a dataset lead to, in MATLAB's order; None where one leads nowhere."""
        self._spend(8 * math.prod(dataset.shape))
        # The order of bytes in the file is that of MATLAB's memory.
        for reference in _values(dataset).reshape(-1):
            yield h5r.dereference(reference, self._file) if reference else None

    def _items(self, dataset: h5d.DatasetID, depth: int) -> list[Any]:
        return [None if each is None else self.read(each, depth + 1) for each in self.follow(dataset)]

    def _array(self, dataset: h5d.DatasetID) -> Any:
        kind = class_of(dataset)
        self._spend(math.prod(dataset.shape) * dataset.get_type().get_size())
        stored = _values(dataset)
        if kind == "char":
            return _texts(turn(stored))
        if stored.dtype.names == ("real", "imag"):
            stored = stored["real"] + 1j * stored["imag"]
        if stored.dtype.kind not in "biufc":
            return Unreadable(f"values of type {stored.dtype}")
        values = turn(stored).astype(stored.dtype.newbyteorder("="), copy=False)
        values = values != 0 if kind == "logical" else values
        return values.reshape(-1)[0] if values.size == 1 else values

    def _cell(self, dataset: h5d.DatasetID, depth: int) -> Cell:
        return Cell(tuple(reversed(dataset.shape)), tuple(self._items(dataset, depth)))

    def _struct(self, group: h5g.GroupID, depth: int) -> Any:
        if class_of(group) not in ("", "struct"):
            return Unreadable(f"objects of class {class_of(group)!r}")
        names = field_names(group)
        fields = [h5o.open(group, name.encode("utf-8", "surrogateescape")) for name in names]
        if not are_lists(fields):
            return dict(zip(names, (self.read(each, depth + 1) for each in fields), strict=True))
        columns = [self._items(each, depth) for each in fields]
        if len({len(each) for each in columns}) > 1:
            return Unreadable("structs whose fields have different lengths")
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def _spend(self, n_bytes: int) -> None:
        self._left -= n_bytes
        if self._left < 0:
            raise CannotReadError(f"it holds more than {self._limit >> 20} MiB one by one behind references")


def _values(dataset: h5d.DatasetID) -> NDArray[Any]:
    values = np.empty(dataset.shape, dataset.dtype)
    if values.size:
        dataset.read(h5s.ALL, h5s.ALL, values)
    return values


def _empty(dataset: h5d.DatasetID) -> Any:
    kind = class_of(dataset)
    if kind == "char":
        return ""
    if kind in ("cell", "struct"):
        return Cell((0, 0), ()) if kind == "cell" else []
    dtype = {"logical": "bool", "single": "f4"}.get(kind, kind if kind.startswith(("int", "uint")) else "f8")
    return np.empty((0, 0), dtype)


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


def class_of(item: Any) -> str:
    """The MATLAB class that an object is marked with; empty if with none."""
    if not h5a.exists(item, b"MATLAB_class"):
        return ""
    attribute = h5a.open(item, b"MATLAB_class")
    kind = attribute.get_type()
    if kind.get_class() != h5t.STRING or kind.is_variable_str() or attribute.shape != ():
        return "of an unknown kind"
    name = np.empty((), f"S{kind.get_size()}")
    attribute.read(name, kind)
    return bytes(name.item()).decode("utf-8", "replace")


def is_object(item: Any) -> bool:
    """Whether it is an object of a class or a function, whose values only MATLAB understands."""
    # 1: functions, 2: objects of old classes, 3: of new ones, whose values lie elsewhere (#subsystem#).
    return bool(h5a.exists(item, b"MATLAB_object_decode"))


def is_empty(item: Any) -> bool:
    """Whether a dataset holds the dimensions of an empty array in place of values."""
    if not h5a.exists(item, b"MATLAB_empty"):
        return False
    flag = np.zeros((), np.int64)
    h5a.open(item, b"MATLAB_empty").read(flag, h5t.NATIVE_INT64)
    return bool(flag)


def holds_references(dataset: h5d.DatasetID) -> bool:
    """Whether its values are references to objects."""
    return bool(dataset.get_type().equal(h5t.STD_REF_OBJ))


def is_struct_array(group: h5g.GroupID) -> bool:
    """Whether each field is a list of references, one for each element."""
    return are_lists([h5o.open(group, name) for name in group])


def are_lists(fields: Sequence[Any]) -> bool:
    """Whether fields are those of a struct array: lists of references; fields of one struct are marked themselves."""
    return bool(fields) and all(
        isinstance(each, h5d.DatasetID) and holds_references(each) and not h5a.exists(each, b"MATLAB_class")
        for each in fields
    )


def field_names(group: h5g.GroupID) -> list[str]:
    """The fields of a struct in the order in which they were made, as far as the file says."""
    names = [name.decode("utf-8", "surrogateescape") for name in group]
    if not h5a.exists(group, b"MATLAB_fields"):
        return names
    if HeldBytes(group).count(h5a.open(group, b"MATLAB_fields")) > _MOST_NAME_BYTES:
        return names
    owner = h5py.Group(group)
    listed = owner.attrs["MATLAB_fields"]
    if isinstance(listed, h5r.Reference):
        # Too many fields for an attribute.
        listed = owner.file[listed][()] if listed else []
    given = [b"".join(np.asarray(each).tolist()).decode("utf-8", "replace") for each in listed]
    there = set(names)
    return [name for name in given if name in there] + sorted(there - set(given))


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
