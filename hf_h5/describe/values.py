"""Attributes and small datasets of a file as plain Python values, for metadata."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5g, h5r

from .attribute_sizes import UNKNOWN_BYTES, HeldBytes, count_held_by_dataset
from .types import Stored

__all__ = ["VARIABLE_FACTOR", "plain_attrs", "plain_value", "reference_text"]

VARIABLE_FACTOR = 256
"""Values of variable length may take so many times what the others may, as their references say less."""

# Many references may lead to one large value: so many are followed at once.
_FOLLOWED = 64


def plain_attrs(location: Any, handle: h5py.Group, limit_bytes: int) -> dict[str, Any]:
    """Attributes of an object by name; those above ``limit_bytes`` or of unreadable types as a short text.

    Those of variable length may take `VARIABLE_FACTOR` times that.
    """
    owner = h5py.Group(location) if isinstance(location, h5g.GroupID) else h5py.Dataset(location)
    values: dict[str, Any] = {}
    sizes = HeldBytes(location)
    for name in owner.attrs:
        # h5py hands out names that are no UTF-8 as bytes.
        raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
        shown, attribute = raw.decode("utf-8", "backslashreplace"), h5a.open(location, raw)
        size = attribute.get_space().get_simple_extent_npoints() * attribute.get_type().get_size()
        held = 0 if size > limit_bytes else sizes.count(attribute)
        if max(size, held // VARIABLE_FACTOR) > limit_bytes:
            values[shown] = "<values of unknown sizes>" if held == UNKNOWN_BYTES else f"<{size + held:,} bytes>"
            continue
        try:
            values[shown] = _plain(owner.attrs[name], handle)
        except (TypeError, OSError, RuntimeError, ValueError, KeyError) as error:
            values[shown] = f"<unreadable: {error}>"
    return values


def plain_value(dataset: h5py.Dataset, stored: Stored | None, limit_bytes: int) -> Any:
    """A small dataset's value; None for a null dataspace, a short text for what is too large or unreadable."""
    if dataset.shape is None:
        return None
    size = dataset.size * (stored.full_memory.itemsize if stored else 1)
    if stored is None or size > limit_bytes:
        return f"<{size:,} bytes>"
    try:
        value = _read_value(dataset, stored, VARIABLE_FACTOR * limit_bytes)
    except (TypeError, OSError, RuntimeError, ValueError, KeyError) as error:
        return f"<unreadable: {error}>"
    return f"<more than {VARIABLE_FACTOR * limit_bytes:,} bytes>" if value is None else _plain(value, dataset)


def _read_value(dataset: h5py.Dataset, stored: Stored, limit_bytes: int) -> Any:
    """All of a dataset; None if it is of variable length and holds more than ``limit_bytes``."""
    rows = dataset.astype(stored.memory) if stored.converted else dataset
    if stored.variable is not None and count_held_by_dataset(dataset.id) > limit_bytes:
        return None
    if stored.variable is None or dataset.size <= _FOLLOWED:
        return rows[()]
    step = max(1, _FOLLOWED // math.prod(dataset.shape[1:]))
    pieces, held = [], 0
    for start in range(0, dataset.shape[0], step):
        pieces.append(rows[start : start + step])
        held += sum(
            len(value) * getattr(value, "itemsize", 1) for value in pieces[-1].ravel() if hasattr(value, "__len__")
        )
        if held > limit_bytes:
            return None
    return np.concatenate(pieces)


def reference_text(reference: Any, owner: h5py.HLObject) -> str | None:
    """A reference as the path of its target; a region with its selection; None for a null reference.

    >>> # "/images" for an object, "/images[0:3, 2:5]" for a region
    """
    if not reference:
        return None
    raw = h5r.get_name(reference, owner.id)
    path = "" if raw is None else raw.decode("utf-8", "backslashreplace")
    if not isinstance(reference, h5r.RegionReference):
        return path
    return path + _region_text(h5r.get_region(reference, owner.id))


def _region_text(space: Any) -> str:
    if space.get_select_npoints() == 0:
        return "[]"
    start, stop = space.get_select_bounds()
    box = ", ".join(f"{first}:{last + 1}" for first, last in zip(start, stop, strict=True))
    is_box = np.prod([last + 1 - first for first, last in zip(start, stop, strict=True)]) == space.get_select_npoints()
    if is_box:
        return f"[{box}]"
    if space.get_select_type() == h5py.h5s.SEL_POINTS:
        points = space.get_select_elem_pointlist()
        return "[" + "; ".join(", ".join(map(str, point)) for point in points) + "]"
    blocks = space.get_select_hyper_blocklist()
    boxes = (", ".join(f"{a}:{b + 1}" for a, b in zip(low, high, strict=True)) for low, high in blocks)
    return "[" + "; ".join(boxes) + "]"


def _plain(value: Any, owner: h5py.HLObject) -> Any:
    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, h5r.Reference):
        return reference_text(value, owner)
    if isinstance(value, bytes):
        return _text_or_bytes(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "SO" or value.dtype.names:
            flat = [_plain(item, owner) for item in value.ravel()]
            return flat if value.ndim == 1 else _reshape(flat, value.shape)
        return [str(item) for item in value] if value.dtype.kind in "mM" else value.tolist()
    if isinstance(value, np.void):
        if value.dtype.names:
            return {name: _plain(value[name], owner) for name in value.dtype.names}
        return value.tobytes()
    if isinstance(value, np.datetime64 | np.timedelta64):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value


def _text_or_bytes(value: bytes) -> str | bytes:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def _reshape(flat: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return flat[0]
    step = len(flat) // shape[0] if shape[0] else 0
    return [_reshape(flat[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]
