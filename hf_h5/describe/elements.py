"""What one value of a column is, once it is read: the element types that HDF5 types map to.

Pure; no I/O. ``describe/types.py`` makes elements out of HDF5 types, ``read/values.py`` decodes stored
values by them, ``assemble/arrow.py`` builds Arrow arrays by them.

An element describes a single value; the dimensions of a row lie beside it (``Column.row_shape``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "Binary",
    "Element",
    "FeatureSpec",
    "Label",
    "Number",
    "Ragged",
    "Shape",
    "Struct",
    "StructField",
    "Text",
    "feature_spec",
    "feature_text",
    "is_array",
    "leaf_spec",
]

# Of the names of classes, as many are shown as fit beside the rest of a line.
_LISTED_CHARACTERS = 80

Shape = tuple["int | None", ...]
FeatureSpec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Number:
    """A number, truth value, point in time or duration; read as ``dtype`` (native byte order).

    Points in time with a ``timezone`` are instants in UTC, which are to be shown there.
    """

    dtype: np.dtype[Any]
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A string; read as ``str`` in an object array.

    ``padding`` is how a fixed-length string ends: ``"null_terminated"`` at its first NUL, ``"null_padded"``
    before its trailing NULs, ``"space_padded"`` before its trailing spaces; ``None`` for strings of
    variable length (HDF5 file format, section IV.A.2.d, class 3).
    """

    padding: str | None = None


@dataclass(frozen=True, slots=True)
class Binary:
    """Bytes, kept whole; read as ``bytes`` in an object array."""


@dataclass(frozen=True, slots=True)
class Label:
    """One of a few names; read as the int64 position in ``names``, -1 where missing.

    ``codes[i]`` is the stored number of ``names[i]``.
    """

    names: tuple[str, ...]
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ragged:
    """A list of any length; read as an array per row, in an object array.

    ``shape`` are the dimensions that each of the list's items has of its own.
    """

    item: Element
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class StructField:
    """One named field of a ``Struct``."""

    name: str
    element: Element
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Struct:
    """Named values side by side, only inside a ``Ragged``; read as a structured array."""

    fields: tuple[StructField, ...] = ()


Element = Number | Text | Binary | Label | Ragged | Struct


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Name a numpy dtype as ``datasets.Value`` does.

    >>> dtype_name(np.dtype("M8[ms]")), dtype_name(np.dtype("<f4"))
    ('timestamp[ms]', 'float32')
    """
    if dtype.kind in "Mm":
        unit = np.datetime_data(dtype)[0]
        if dtype.kind == "M" and unit == "D":
            return "date32"
        return f"{'timestamp' if dtype.kind == 'M' else 'duration'}[{unit}]"
    return dtype.name


def feature_spec(element: Element, shape: Shape, *, arrays: bool = True) -> FeatureSpec:
    """Say which ``datasets`` feature holds rows of ``shape`` made of ``element``; without ``arrays``, as lists.

    Returns
    -------
    dict
        In the form of ``datasets.Features.to_dict()``: ``_type`` names the feature class.

    Notes
    -----
    The rules are those of the table "row shape": ``Value``, ``List(length)``, ``Array2D`` to ``Array5D``, nested
    lists beyond; a dimension of size 0 has no fixed length; a leading ``None`` is a length that varies by row.
    """
    if not shape:
        return _scalar_spec(element)
    if arrays and isinstance(element, Number) and is_array(element, shape):
        return {"shape": shape, "dtype": dtype_name(element.dtype), "_type": f"Array{len(shape)}D"}
    sized = 0 not in shape
    spec = _scalar_spec(element)
    for size in reversed(shape):
        spec = {"feature": spec, "length": size if sized and size is not None else -1, "_type": "List"}
    return spec


def is_array(element: Element, shape: Shape) -> bool:
    """Whether rows are an ``Array2D`` to ``Array5D``: numbers, no dimension of size 0, only the first of any size."""
    if not isinstance(element, Number) or element.dtype.kind in "Mm":
        return False
    return 2 <= len(shape) <= 5 and 0 not in shape and None not in shape[1:]


def _scalar_spec(element: Element) -> FeatureSpec:
    match element:
        case Number(dtype, timezone) if timezone:
            return {"dtype": f"{dtype_name(dtype).removesuffix(']')}, tz={timezone}]", "_type": "Value"}
        case Number(dtype):
            return {"dtype": dtype_name(dtype), "_type": "Value"}
        case Text():
            return {"dtype": "string", "_type": "Value"}
        case Binary():
            return {"dtype": "binary", "_type": "Value"}
        case Label(names):
            return {"names": list(names), "_type": "ClassLabel"}
        case Ragged(item, shape):
            return {"feature": feature_spec(item, shape), "length": -1, "_type": "List"}
        case Struct(fields):
            return {item.name: feature_spec(item.element, item.shape) for item in fields}


def feature_text(spec: FeatureSpec) -> str:
    """Write a feature as a person would in Python.

    >>> feature_text(feature_spec(Number(np.dtype("u1")), (64, 64, 3)))
    "Array3D(shape=(64, 64, 3), dtype='uint8')"
    """
    kind = spec.get("_type")
    if not isinstance(kind, str):
        return "{" + ", ".join(f"{name!r}: {feature_text(inner)}" for name, inner in spec.items()) + "}"
    if kind == "Value":
        return f"Value({spec['dtype']!r})"
    if kind in ("List", "LargeList", "Sequence"):
        length = spec.get("length", -1)
        return f"{kind}({feature_text(spec['feature'])}" + (f", length={length})" if length >= 0 else ")")
    if kind == "ClassLabel":
        names = spec["names"]
        return f"ClassLabel(names=[{_listed(names)}])"
    if kind.startswith("Array"):
        return f"{kind}(shape={tuple(spec['shape'])}, dtype={spec['dtype']!r})"
    return f"{kind}()"


def leaf_spec(spec: FeatureSpec) -> FeatureSpec:
    """The feature inside of all lists; a dict of them is a leaf.

    >>> leaf_spec({"feature": {"dtype": "int8", "_type": "Value"}, "length": 3, "_type": "List"})
    {'dtype': 'int8', '_type': 'Value'}
    """
    while isinstance(spec.get("_type"), str) and isinstance(spec.get("feature"), dict):
        spec = spec["feature"]
    return spec


def _listed(names: Sequence[str]) -> str:
    """The first five names, and of long ones fewer."""
    shown = [repr(name) for name in names[:5]]
    while len(shown) > 1 and sum(map(len, shown)) > _LISTED_CHARACTERS:
        shown.pop()
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")
