"""The names of classes, out of the dataset that lists them."""

from __future__ import annotations

import h5py

from ..describe.opening import open_dataset
from ..describe.tree import DatasetNode
from ..describe.values import plain_value

__all__ = ["class_names"]

# A list of more names is no list of classes: the values are looked up instead.
_MOST_CLASSES = 10_000
_MOST_NAME_BYTES = 1 << 24


def class_names(handle: h5py.Group, node: DatasetNode | None) -> tuple[str, ...] | None:
    """The names that a dataset lists, of numbers their texts; None where it lists none, too many, or one twice."""
    if node is None or node.stored is None or node.shape is None or len(node.shape) > 1:
        return None
    if node.shape and node.length > _MOST_CLASSES:
        return None
    values = plain_value(open_dataset(handle, node.path[1:]), node.stored, _MOST_NAME_BYTES)
    listed = values if isinstance(values, list) else [values]
    if not all(isinstance(value, str | int | float) for value in listed):
        return None
    names = tuple(str(value) for value in listed)
    return names if len(set(names)) == len(names) else None
