"""One HDF5 dataset -> its columns: compound fields and the halves of complex numbers are columns of their own.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .elements import Element, Label, Number, Text
from .schema import Column, Take
from .tree import DatasetNode
from .types import Stored

__all__ = [
    "attribute_column",
    "codes_text",
    "constant_column",
    "counter_column",
    "dataset_columns",
    "shown_name",
    "stored_integers",
]


def shown_name(name: str) -> str:
    """A link's name as a column's name: bytes that are no UTF-8 are written as escapes.

    >>> shown_name("caf\\udce9")
    'caf\\\\xe9'
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def dataset_columns(
    node: DatasetNode, name: str, path: str, *, take: Take = "rows", attrs: Mapping[str, Any] | None = None
) -> list[Column]:
    """The columns that a dataset gives: one, or one for each field.

    Parameters
    ----------
    node
        The dataset; its shape must be known.
    name
        The column's name, or the first part of the names of its fields.
    path
        The dataset's path, relative to the part's prefix.
    take
        ``"rows"``: the first axis is the rows; ``"whole"``: the dataset is one row.
    """
    if node.shape is None or node.stored is None:
        raise ValueError(f"{node.path} has no values")
    shape: tuple[int | None, ...] = node.row_shape if take == "rows" else node.shape
    if take == "whole" and shape:
        # Rows of their own: how long the next one is nobody knows.
        shape = (None, *shape[1:])
    start = Column(
        name=shown_name(name),
        path=path,
        take=take,
        element=Text(),
        row_shape=shape,
        memory=node.stored.full_memory,
        converted=node.stored.converted,
        variable=node.stored.variable,
        storage=node.storage,
        attrs=attrs or {},
        parts=tuple(shown_name(part) for part in name.split("/")),
        axis=node.axis if take == "rows" else 0,
    )
    return _expand(start, node.stored)


def _expand(column: Column, stored: Stored) -> list[Column]:
    column = replace(column, row_shape=column.row_shape + stored.shape, note=stored.note or column.note)
    if stored.element is None:
        expanded: list[Column] = []
        for part in stored.fields:
            inner = replace(
                column,
                name=f"{column.name}/{shown_name(part.name)}",
                fields=(*column.fields, part.name),
                parts=(*column.parts, shown_name(part.name)),
            )
            expanded += _expand(inner, part.stored)
        return expanded
    if isinstance(stored.element, Label):
        return [_labelled(column, stored.element)]
    return [replace(column, element=stored.element)]


def _labelled(column: Column, label: Label) -> Column:
    """One label per row is a ClassLabel; more of them are a mask, whose names go to the attributes."""
    if all(size == 1 for size in column.row_shape):
        return replace(column, element=label, row_shape=())
    if column.take == "whole" and all(size == 1 for size in column.row_shape[1:]):
        return replace(column, element=label)  # one label per step of an episode
    return replace(column, element=Number(stored_integers(column)), attrs={**column.attrs, "enum": codes_text(label)})


def codes_text(label: Label) -> dict[str, str]:
    """Stored numbers and their names, as attributes have them."""
    return {str(code): name for name, code in zip(label.names, label.codes, strict=True)}


def stored_integers(column: Column) -> np.dtype[Any]:
    """The type of the integers of an enum, as they are stored."""
    memory = column.memory
    for name in column.fields:
        while memory is not None and memory.subdtype:
            memory = memory.subdtype[0]
        memory = memory[name] if memory is not None and memory.names else memory
    while memory is not None and memory.subdtype:
        memory = memory.subdtype[0]
    if memory is None:
        raise ValueError(f"{column.name} has no stored type")
    return memory.newbyteorder("=")


def constant_column(name: str, element: Element, shape: tuple[int | None, ...] = ()) -> Column:
    """A column whose value each part states."""
    return Column(name=shown_name(name), path="", take="constant", element=element, row_shape=shape)


def counter_column(name: str) -> Column:
    """A column that counts the rows inside each part."""
    return Column(name=name, path="", take="counter", element=Number(np.dtype(np.int64)), row_shape=())


def attribute_column(name: str, values: list[Any]) -> Column | None:
    """The column of one attribute over many groups; None where no one feature holds all values.

    Missing values are None.
    """
    present = [value for value in values if value is not None]
    if not present:
        return None
    if all(isinstance(value, str) for value in present):
        return constant_column(name, Text())
    arrays = [np.asarray(value) for value in present]
    kinds = {array.dtype.kind for array in arrays}
    shapes = {array.shape for array in arrays}
    if not kinds <= set("biuf") or ("b" in kinds and len(kinds) > 1) or len({len(shape) for shape in shapes}) > 1:
        if kinds == {"U"} and all(len(shape) == 1 for shape in shapes):
            return constant_column(name, Text(), (None,) if len(shapes) > 1 else shapes.pop())
        return None
    dtype = np.result_type(*arrays)
    shape: tuple[int | None, ...] = next(iter(shapes)) if len(shapes) == 1 else (None,) * len(next(iter(shapes)))
    return constant_column(name, Number(dtype), shape)
