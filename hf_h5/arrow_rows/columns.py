"""Features and Arrow types -> columns as the package knows them, and which of them are numbers of one shape.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..describe.derived import Fetch
from ..describe.elements import Binary, Element, FeatureSpec, Label, Number, Text
from ..describe.schema import Column, Storage

__all__ = ["number_column", "other_column"]

_NUMBERS: Mapping[pa.DataType, np.dtype[Any]] = {
    pa.from_numpy_dtype(np.dtype(name)): np.dtype(name)
    for name in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
}
# Views hand out arrays of up to five dimensions as blocks, as datasets has no larger ones.
_MAX_DIMENSIONS = 5
_TEXTS: Mapping[str, Text | Binary] = {
    "string": Text(),
    "binary": Binary(),
    "large_string": Text(),
    "large_binary": Binary(),
}


def number_column(name: str, spec: FeatureSpec, kind: pa.DataType, n_bytes: int) -> Column | None:
    """The column of numbers of one shape that a feature is; None if it is something else.

    Parameters
    ----------
    spec
        The feature, as ``Features.to_dict`` writes it.
    kind
        Its Arrow type; of ``Array2D`` to ``Array5D`` that of their storage.
    n_bytes
        Of the whole column.
    """
    found = _array(spec, kind) if str(spec.get("_type")).startswith("Array") else _fixed_lists(spec, kind)
    if found is None or 0 in found[1] or len(found[1]) > _MAX_DIMENSIONS:
        return None
    element, shape = found
    as_lists = str(spec["_type"]) == "List"
    return Column(name, name, "rows", element, shape, storage=_stored(n_bytes), as_lists=as_lists)


def _array(spec: FeatureSpec, kind: pa.DataType) -> tuple[Element, tuple[int, ...]] | None:
    shape = tuple(spec["shape"])
    for _ in shape:
        if not pa.types.is_list(kind):
            return None
        kind = kind.value_type
    return (Number(_NUMBERS[kind]), shape) if kind in _NUMBERS and None not in shape else None


def _fixed_lists(spec: FeatureSpec, kind: pa.DataType) -> tuple[Element, tuple[int, ...]] | None:
    shape: tuple[int, ...] = ()
    while spec.get("_type") == "List" and pa.types.is_fixed_size_list(kind):
        shape += (kind.list_size,)
        spec, kind = spec["feature"], kind.value_type
    if spec.get("_type") == "ClassLabel" and kind == pa.int64():
        names = tuple(spec.get("names") or ())
        return Label(names, tuple(range(len(names)))), shape
    if spec.get("_type") == "Value" and kind in _NUMBERS:
        return Number(_NUMBERS[kind]), shape
    return None


def _stored(n_bytes: int) -> Storage:
    return Storage("contiguous", None, (), n_bytes)


def other_column(name: str, spec: FeatureSpec, n_bytes: int, n_rows: int) -> Column:
    """The column of any other feature: strings and bytes, or values that only ``datasets`` knows what they are.

    Parameters
    ----------
    n_bytes, n_rows
        Of the whole column.
    """
    average = _Average(Column(name, name, "rows", Binary(), ()), max(1, n_bytes // max(1, n_rows)))
    text = _TEXTS.get(spec.get("dtype", "")) if spec.get("_type") == "Value" else None
    shape = (None,) if text is None else ()
    feature = None if text is not None and not spec["dtype"].startswith("large") else spec
    element = text or Binary()
    return Column(name, name, "rows", element, shape, storage=_stored(n_bytes), feature=feature, derived=average)


@dataclass(frozen=True)
class _Average:
    """How large rows that differ in size are."""

    source: Column
    row_bytes: int
    group_rows: int = 1

    @property
    def read_bytes(self) -> int:
        return self.row_bytes

    @property
    def sources(self) -> tuple[Column, ...]:
        return (self.source,)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """Rows as they are."""
        return fetch.rows(self.source, rows)

    def __str__(self) -> str:
        return "values of any size"
