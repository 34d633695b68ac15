"""Objects with several names: which of the further ones, hard or soft links, matter.

Pure; no I/O. A file that shows the same array at two places (as NeXus does) shall not load it twice; but an array that
two splits or episodes share belongs to both, and whoever asks for a name gets it.
"""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .options import Options
from .schema import Note
from .splits import split_name
from .tree import DatasetNode, GroupNode

__all__ = ["NO_NAMES", "Asked", "asked_for", "drop_further_names"]

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Asked:
    """What the user names: columns or patterns of them, and a table; or whether it is everything."""

    columns: Sequence[str] = ()
    table: str | None = None
    everything: bool = False


NO_NAMES = Asked()


def asked_for(options: Options) -> Asked:
    """What options name."""
    return Asked((*(options.columns or ()), *(options.features or ())), options.table, options.nested)


def drop_further_names(root: GroupNode, asked: Asked) -> list[Note]:
    """Take out of a tree what is there under another name too, unless it matters; return a note of each."""
    return [] if asked.everything else list(_Names(root, asked).drop(root))


class _Names:
    """The groups of a tree by path, and what of them tells which further names matter.

    All is looked at before anything is taken out.
    """

    def __init__(self, root: GroupNode, asked: Asked) -> None:
        self._patterns = [pattern.strip("/") for pattern in asked.columns]
        self._table = asked.table.strip("/") if asked.table is not None else None
        self._groups = {group.path.strip("/"): group for group in _groups(root)}
        self._stems: dict[str, Counter[str]] = {}
        self._inner: dict[str, frozenset[str]] = {}
        self._dropped = {
            node.path
            for group in self._groups.values()
            for node in group.datasets.values()
            if node.first and not self._matters(node, is_copied=bool(group.first))
        }

    def drop(self, group: GroupNode) -> Iterator[Note]:
        """Take out what does not matter; what was linked as a group is noted as one."""
        for node in [node for node in group.datasets.values() if node.path in self._dropped]:
            del group.datasets[node.name]
            if not group.first:
                yield Note(node.path, f"another name of {node.first}")
        for child in list(group.groups.values()):
            yield from self.drop(child)
            if child.first and not any(child.walk()):
                del group.groups[child.name]
                if not group.first:
                    yield Note(child.path, f"another name of {child.first}")

    def _matters(self, node: DatasetNode, *, is_copied: bool) -> bool:
        """Whether a further name does; ``is_copied`` says that not it, but a group above it is linked."""
        own, first = node.path.strip("/"), node.first.strip("/")
        if own in self._patterns:
            return True
        if any(_chooses(pattern, own) and not _chooses(pattern, first) for pattern in self._patterns):
            return True
        if self._table is not None and _lies_in(own, self._table) and not _lies_in(first, self._table):
            return True
        if is_copied and own.count("/") != first.count("/"):
            return False
        role = self._role(own)
        if role and role != self._role(first):
            return True
        return not is_copied and self._are_parallel(own, first)

    def _role(self, path: str) -> list[str]:
        """The splits, and the numbers among several, that a path speaks of.

        Rows of one do not lie beside those of another.
        """
        found: list[str] = []
        parts = path.split("/")
        for place, part in enumerate(parts):
            split = split_name(part)
            if split is not None:
                found.append(split[0])
            elif _DIGITS.search(part) and self._count_alike("/".join(parts[:place]), part) > 1:
                found.append(part)
        return found

    def _count_alike(self, group: str, name: str) -> int:
        """How many members of a group have a name but for its number."""
        if group not in self._stems:
            found = self._groups.get(group)
            names = [*found.groups, *found.datasets] if found is not None else []
            self._stems[group] = Counter(_DIGITS.sub("#", each) for each in names)
        return self._stems[group][_DIGITS.sub("#", name)]

    def _are_parallel(self, own: str, first: str) -> bool:
        """Whether two paths lead through groups, side by side, that hold the same names: each is an episode, say."""
        parts, others = own.split("/"), first.split("/")
        differing = [place for place, pair in enumerate(zip(parts, others, strict=False)) if pair[0] != pair[1]]
        if len(parts) != len(others) or len(differing) != 1 or differing[0] == len(parts) - 1:
            return False
        place = differing[0] + 1
        return self._names_in("/".join(parts[:place])) == self._names_in("/".join(others[:place]))

    def _names_in(self, path: str) -> frozenset[str]:
        if path not in self._inner:
            self._inner[path] = frozenset(node.path.strip("/")[len(path) :] for node in self._groups[path].walk())
        return self._inner[path]


def _groups(group: GroupNode) -> Iterator[GroupNode]:
    yield group
    for child in group.groups.values():
        yield from _groups(child)


def _chooses(pattern: str, path: str) -> bool:
    return fnmatch.fnmatchcase(path, pattern) or _lies_in(path, pattern) or path.endswith("/" + pattern)


def _lies_in(path: str, group: str) -> bool:
    return not group or path == group or path.startswith(group + "/")
