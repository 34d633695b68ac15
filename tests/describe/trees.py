"""Trees of files that were never written, for the rules that decide on shapes and names alone. Pure; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from hf_h5.describe.schema import Storage
from hf_h5.describe.tree import DatasetNode, GroupNode, Tree
from hf_h5.describe.types import interpret_type

__all__ = ["group_of", "node_of", "tree_of"]

Shapes = Mapping[str, Any]


def node_of(path: str, shape: tuple[int, ...] | None, dtype: Any = "f4") -> DatasetNode:
    """Return a dataset of a shape and of any type that h5py can write."""
    stored = interpret_type(h5py.h5t.py_create(np.dtype(dtype), logical=True))
    size = 0 if shape is None else int(np.prod(shape, dtype=np.int64)) * stored.full_memory.itemsize
    return DatasetNode(path, path.rpartition("/")[2], shape, stored, Storage("contiguous", None, (), size))


def group_of(shapes: Shapes) -> GroupNode:
    """Return the root group of datasets given by path: ``{"g/x": (10, 3), "g/y": ((10,), "i8")}``."""
    root = GroupNode("/", "")
    for path, shape in shapes.items():
        *names, last = path.split("/")
        group = root
        for name in names:
            inner = f"{group.path.rstrip('/')}/{name}"
            group = group.groups.setdefault(name, GroupNode(inner, name))
        is_typed = shape is not None and len(shape) == 2 and isinstance(shape[0], tuple)
        given, dtype = shape if is_typed else (shape, "f4")
        group.datasets[last] = node_of(f"/{path}", given, dtype)
    return root


def tree_of(shapes: Shapes, attrs: Mapping[str, Mapping[str, Any]] | None = None) -> Tree:
    """Return the tree of a file called ``a.h5``; ``attrs`` are attributes by path."""
    known = attrs or {}
    return Tree("a.h5", group_of(shapes), lambda path: known.get(path, {}), lambda node: None)
