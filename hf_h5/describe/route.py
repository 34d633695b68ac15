"""By which route a column's values are read, and why not from the file's bytes.

Pure; no I/O. This is what a schema alone can tell: it does not know which decoders are installed.
"""

from __future__ import annotations

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
    reason = column.variable or column.converted or _storage_reason(column)
    return ("direct", None) if reason is None else ("h5py", reason)


def _storage_reason(column: Column) -> str | None:
    if column.storage is None:
        return None
    if column.storage.layout in _LAYOUTS:
        return _LAYOUTS[column.storage.layout]
    for number, name in column.storage.filter_ids:
        if number not in DECODED_FILTERS:
            return f"filter {number} ({name})"
    return None
