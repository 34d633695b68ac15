"""Attributes of PyTables' nodes: plain values, also of those that PyTables pickles."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5g, h5o, h5t

from ..describe.attribute_sizes import HeldBytes
from .pickles import PickleError, parse_pickle

__all__ = ["NodeAttributes"]

_MOST_BYTES = 16 << 20
_UNREADABLE = (TypeError, OSError, RuntimeError, ValueError, KeyError)


class NodeAttributes:
    """The attributes of the groups and datasets of an open file, as PyTables would return the plain ones."""

    def __init__(self, handle: h5py.Group) -> None:
        self._handle = handle

    def get(self, path: str, name: str, default: Any = None) -> Any:
        """An attribute's value; ``default`` where it is not there or cannot be read.

        Strings are ``str``; what is pickled is parsed and never unpickled; an empty string is ``""``.
        """
        try:
            node = self._node(path)
            attribute = h5a.open(node, name.encode("utf-8", "surrogateescape"))
            if HeldBytes(node).count(attribute) > _MOST_BYTES:
                return default
            value = (h5py.Group if isinstance(node, h5g.GroupID) else h5py.Dataset)(node).attrs[name]
        except _UNREADABLE:
            return default
        if isinstance(value, h5py.Empty):
            return ""
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogateescape")
        if isinstance(value, bytes):
            return _text(bytes(value), may_be_pickled=_is_ascii(attribute.get_type()))
        return value.item() if isinstance(value, np.generic | np.ndarray) and np.size(value) == 1 else value

    def text(self, path: str, name: str) -> str | None:
        """An attribute that is a string; None if it is not."""
        value = self.get(path, name)
        return value if isinstance(value, str) else None

    def has(self, path: str, name: str) -> bool:
        """Whether there is an attribute."""
        return bool(h5a.exists(self._node(path), name.encode("utf-8", "surrogateescape")))

    def _node(self, path: str) -> Any:
        raw = path.strip("/").encode("utf-8", "surrogateescape")
        return h5o.open(self._handle.id, raw) if raw else self._handle.id


def _is_ascii(tid: h5t.TypeID) -> bool:
    # PyTables pickles into ASCII strings; its own strings are UTF-8 since version 3.
    return not isinstance(tid, h5t.TypeStringID) or tid.get_cset() == h5t.CSET_ASCII


def _text(raw: bytes, *, may_be_pickled: bool) -> Any:
    # PyTables takes each string that ends with a full stop for a pickle, but for these two.
    if may_be_pickled and raw.endswith(b".") and raw != b"0.":
        try:
            return parse_pickle(raw)
        except PickleError:
            pass
    return raw.decode("utf-8", "backslashreplace")
