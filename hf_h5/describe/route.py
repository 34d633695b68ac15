"""By which route a column's values are read, and why not from the file's bytes.

Pure; no I/O. This is what a schema alone can tell: it does not know which decoders are installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .schema import Column

__all__ = ["DECODED_FILTERS", "route_of"]

DECODED_FILTERS = frozenset({1, 2, 3, 4, 307, 32000, 32001, 32004, 32008, 32015, 32026})
"""Registered numbers of the filters that are undone outside the HDF5 library."""

_NO_DATASET = {
    "constant": "from names and attributes",
    "counter": "counted",
    "missing": "no values",
}
_LAYOUTS = {"virtual": "a virtual dataset", "external": "external storage"}


def route_of(column: Column) -> tuple[str, str | None]:
    """Say how a column is read.

    Returns
    -------
    route
        ``"direct"``: stored bytes, decoded in threads outside the HDF5 library; ``"h5py"``: through the library;
        ``"none"``: no dataset is read.
    reason
        Why it is not direct; None where it is.
    """
    if column.take in _NO_DATASET:
        return "none", _NO_DATASET[column.take]
    if column.derived is not None:
        reasons = [route_of(source)[1] for source in column.derived.sources]
        reason = next((reason for reason in reasons if reason), None)
        return ("direct", None) if reason is None else ("h5py", reason)
    reason = column.converted or _variable_reason(column) or _storage_reason(column)
    return ("direct", None) if reason is None else ("h5py", reason)


def _variable_reason(column: Column) -> str | None:
    """Say why strings and lists are collected by the library: only of numbers are found in the file's heap."""
    if column.variable is None:
        return None
    metadata: Mapping[str, Any] | None = None if column.memory is None else column.memory.metadata
    items = (metadata or {}).get("vlen")
    is_number = isinstance(items, np.dtype) and items.base.kind in "iufbc"
    if column.fields or not (items is str or items is bytes or is_number):
        return column.variable
    is_inline = column.storage is not None and column.storage.layout == "compact"
    return f"{column.variable} in the object header" if is_inline else None


def _storage_reason(column: Column) -> str | None:
    if column.storage is None:
        return None
    if column.storage.layout in _LAYOUTS:
        return _LAYOUTS[column.storage.layout]
    for number, name in column.storage.filter_ids:
        if number not in DECODED_FILTERS:
            return f"filter {number} ({name})"
    return None
