"""Rule 1: splits inside a file, by the names of groups or datasets.

Pure; no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .tree import DatasetNode, GroupNode

__all__ = ["SPLITS", "FoundSplits", "find_splits", "split_name"]

_WORDS = {
    "train": ("train", "training", "trn"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "tst"),
}
SPLITS = tuple(_WORDS)
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
_ANY = "|".join(sorted(_SPLIT_OF, key=len, reverse=True))
_PREFIX = re.compile(rf"({_ANY})[_\-. ](.+)", re.IGNORECASE)
_SUFFIX = re.compile(rf"(.+)[_\-. ]({_ANY})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundSplits:
    """Splits of one place in a file.

    Attributes
    ----------
    parent
        Path of the group in which they lie.
    rule
        How they were found, in words.
    groups
        Per split, a group whose members' names are the same in every split.
    paths
        Paths of all datasets that belong to a split.
    """

    parent: str
    rule: str
    groups: dict[str, GroupNode]
    paths: frozenset[str]


def split_name(name: str) -> tuple[str, str] | None:
    """The split that a dataset's name speaks of, and what is left of the name.

    >>> split_name("train_X"), split_name("X-Test"), split_name("dev"), split_name("images")
    (('train', 'X'), ('test', 'X'), ('validation', ''), None)
    """
    if name.lower() in _SPLIT_OF:
        return _SPLIT_OF[name.lower()], ""
    if match := _PREFIX.fullmatch(name):
        return _SPLIT_OF[match[1].lower()], match[2]
    if match := _SUFFIX.fullmatch(name):
        return _SPLIT_OF[match[2].lower()], match[1]
    return None


def find_splits(root: GroupNode) -> Iterator[FoundSplits]:
    """Places that may hold splits, outermost first; whether the columns agree is for the caller to see."""
    for found in (_by_group(root), _by_exact_name(root), _by_affix(root)):
        if found is not None:
            yield found
    for child in root.groups.values():
        yield from find_splits(child)


def _by_group(group: GroupNode) -> FoundSplits | None:
    groups: dict[str, GroupNode] = {}
    for name, child in group.groups.items():
        split = _SPLIT_OF.get(name.lower())
        if split is None or not any(node.has_rows for node in child.walk()):
            continue
        if split in groups:
            return None
        groups[split] = child
    paths = frozenset(node.path for child in groups.values() for node in child.walk())
    others = [node for node in group.walk() if node.has_rows and node.path not in paths]
    if not groups or (len(groups) == 1 and others):
        return None
    return FoundSplits(group.path, "splits by group", _ordered(groups), paths)


def _by_exact_name(group: GroupNode) -> FoundSplits | None:
    named = {name: node for name, node in group.datasets.items() if node.has_rows and name.lower() in _SPLIT_OF}
    splits = {_SPLIT_OF[name.lower()]: node for name, node in named.items()}
    kinds = {(repr(node.stored), node.row_shape) for node in named.values()}
    if len(splits) < 2 or len(splits) < len(named) or len(kinds) > 1:
        return None
    groups = {split: GroupNode(group.path, split, datasets={"data": node}) for split, node in splits.items()}
    for name, node in group.datasets.items():
        longs = [split for split, data in splits.items() if node.has_rows and data.length == node.length]
        if name not in named and len(longs) == 1:
            groups[longs[0]].datasets[name] = node
    paths = frozenset(node.path for child in groups.values() for node in child.datasets.values())
    return FoundSplits(group.path, "splits by name", _ordered(groups), paths)


def _by_affix(group: GroupNode) -> FoundSplits | None:
    groups: dict[str, GroupNode] = {}
    rows = [node for node in group.datasets.values() if node.has_rows]
    for node in rows:
        found = split_name(node.name)
        if found is None or not found[1]:
            continue
        split, rest = found
        child = groups.setdefault(split, GroupNode(group.path, split))
        if rest in child.datasets:
            return None
        child.datasets[rest] = node
    paths = frozenset(node.path for child in groups.values() for node in child.datasets.values())
    if not groups or not (_two_agree(groups) or len(paths) == len(rows)):
        return None
    return FoundSplits(group.path, "splits by name", _ordered(groups), paths)


def _two_agree(groups: dict[str, GroupNode]) -> bool:
    names = [frozenset(child.datasets) for child in groups.values()]
    return any(names.count(one) >= 2 for one in names)


def _ordered(groups: dict[str, GroupNode]) -> dict[str, GroupNode]:
    return {split: groups[split] for split in SPLITS if split in groups}


def named_nodes(group: GroupNode, prefix: str = "") -> Iterator[tuple[str, DatasetNode]]:
    """Datasets of a group (a real one, or one split's) with their names relative to it."""
    for name, node in group.datasets.items():
        yield prefix + name, node
    for name, child in group.groups.items():
        yield from named_nodes(child, f"{prefix}{name}/")
