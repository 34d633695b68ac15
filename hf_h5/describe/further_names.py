"""The further names of a file's objects, hard and soft links inside the file, in the tree of their first names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import h5py
from h5py import h5o

from .schema import Note
from .tree import DatasetNode, GroupNode

__all__ = ["FurtherNames", "Link"]

# Links to groups in groups can multiply without end, though each object lies in the file once.
_MOST = 100_000


class Link(NamedTuple):
    """Kind of a link, and the address in the file that a hard one leads to."""

    kind: int
    address: int | None


class FurtherNames:
    """Collects links to what was met under another name, and adds them to the tree when it is complete.

    Parameters
    ----------
    handle
        The group that is walked.
    firsts
        The first name of each object by its address.
    groups
        Groups by their first names; those that are met later are added by the caller.
    """

    def __init__(
        self, handle: h5py.Group, firsts: Mapping[int | None, bytes], groups: Mapping[bytes, GroupNode]
    ) -> None:
        self._handle, self._firsts, self._groups = handle, firsts, groups
        self._found: dict[bytes, list[tuple[str, bytes]]] = {}
        self._n_added = 0

    def note(self, raw: bytes, address: int | None) -> None:
        """A hard link."""
        first = self._firsts.get(address)
        if first is not None:
            parent, _, name = raw.rpartition(b"/")
            self._found.setdefault(parent, []).append((name.decode("utf-8", "surrogateescape"), first))

    def note_soft(self, raw: bytes) -> None:
        """A soft link; what it leads to in another file is left out."""
        try:
            info = h5o.get_info(self._handle.id, raw)
            is_here = info.fileno == h5o.get_info(self._handle.id).fileno
        except (KeyError, RuntimeError, OSError, ValueError):
            return
        if is_here:
            self.note(raw, info.addr)

    def add(self) -> list[Note]:
        """Add all; a group is not added below itself."""
        if not self._found:
            return []
        inner = {raw: (dict(group.groups), dict(group.datasets)) for raw, group in self._groups.items()}
        for raw, group in self._groups.items():
            above = [raw[:place] for place in range(len(raw)) if raw[place : place + 1] == b"/"]
            self._add_to(group, raw, frozenset([b"", *above, raw]), inner)
        if self._n_added < _MOST:
            return []
        return [Note("/", f"objects have more than {_MOST:,} further names, of which the rest is left out")]

    def _add_to(self, group: GroupNode, raw: bytes, above: frozenset[bytes], inner: _Inner) -> None:
        for name, first in self._found.get(raw, ()):
            path = f"{group.path.rstrip('/')}/{name}"
            parent, _, last = first.rpartition(b"/")
            found = inner[parent][1].get(last.decode("utf-8", "surrogateescape")) if parent in inner else None
            if found is not None:
                self._add_dataset(group, name, found)
            elif first in inner and first not in above:
                group.groups[name] = self._copy(first, path, name, above, inner)
        group.groups = dict(sorted(group.groups.items(), key=lambda each: each[0].encode("utf-8", "surrogateescape")))
        group.datasets = dict(
            sorted(group.datasets.items(), key=lambda each: each[0].encode("utf-8", "surrogateescape"))
        )

    def _add_dataset(self, group: GroupNode, name: str, node: DatasetNode) -> None:
        self._n_added += 1
        if self._n_added < _MOST:
            path = f"{group.path.rstrip('/')}/{name}"
            group.datasets[name] = replace(node, path=path, name=name, first=node.path)

    def _copy(self, first: bytes, path: str, name: str, above: frozenset[bytes], inner: _Inner) -> GroupNode:
        copied = GroupNode(path, name, first=self._groups[first].path)
        self._n_added += 1
        if self._n_added >= _MOST:
            return copied
        above |= {first}
        groups, datasets = inner[first]
        for inner_name, node in datasets.items():
            self._add_dataset(copied, inner_name, node)
        for inner_name in groups:
            raw = first + b"/" + inner_name.encode("utf-8", "surrogateescape")
            if raw in inner and raw not in above:
                copied.groups[inner_name] = self._copy(raw, f"{path}/{inner_name}", inner_name, above, inner)
        self._add_to(copied, first, above, inner)
        return copied


_Inner = dict[bytes, tuple[dict[str, GroupNode], dict[str, DatasetNode]]]
