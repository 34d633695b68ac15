"""What the positions along a row are called, in short: rows of files whose positions differ are not alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import h5py

from ..describe.opening import open_dataset
from ..describe.schema import Column
from .anndata_frames import Masked

__all__ = ["names_digest", "with_axis_names"]

_MOST_NAMES = 1_000_000


def names_digest(handle: h5py.Group, names: Iterable[Column], n_names: int) -> str | None:
    """The number of names and a hash of them; None where no one column holds them, or far too many."""
    columns = list(names)
    if len(columns) != 1 or n_names > _MOST_NAMES:
        return None
    derived = columns[0].derived
    # Names that might be missing, as newer versions of AnnData write them; none of them is.
    column = derived.values if isinstance(derived, Masked) else columns[0]
    if column.take != "rows":
        return None
    values = open_dataset(handle, column.path.strip("/"))[()]
    for field in column.fields:
        values = values[field]
    texts = (value if isinstance(value, bytes) else str(value).encode("utf-8") for value in values.ravel().tolist())
    digest = hashlib.sha256(b"\0".join(texts)).hexdigest()
    return f"{n_names} ({digest[:16]})"


def with_axis_names(columns: list[Column], digest: str | None) -> list[Column]:
    """Columns that know what the positions along their rows are called; ``resolve.merge`` compares it."""
    if digest is None:
        return columns
    return [replace(column, attrs={**column.attrs, "axis_names": digest}) for column in columns]
