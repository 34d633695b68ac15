"""Rules 3 and 4: groups (or datasets) that repeat are episodes: one row each, or their rows one after the other.

Pure; no I/O of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .columns import attribute_column, constant_column, counter_column, dataset_columns, shown_name
from .elements import Number, Text
from .schema import Column, Note, Part, Storage, Table
from .tree import DatasetNode, GroupNode
from .types import Stored
from .unify import element_kind, unify_columns

__all__ = [
    "Known",
    "Repeated",
    "episodes_table",
    "find_alone",
    "find_repeated",
    "name_pattern",
    "natural_key",
    "steps_table",
]

# More siblings of one length than this are rows, not columns.
MAX_SIBLING_COLUMNS = 100
# The widths of numbers may differ between episodes: the wider one holds all values exactly.
_WIDEN = "iufc"
_DIGITS = re.compile(r"(\d+)")

Known = frozenset[tuple[str, str]]
"""Groups that repeat, as ``name_pattern`` writes them."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """Siblings that are alike.

    Attributes
    ----------
    parent
        Path of the group that holds them.
    members
        ``(name, path, {relative path: dataset})`` of each, in natural order; a dataset's own relative path is "".
    """

    parent: str
    members: tuple[tuple[str, str, Mapping[str, DatasetNode]], ...]

    def paths(self) -> set[str]:
        """Paths of all datasets inside."""
        return {node.path for _, _, nodes in self.members for node in nodes.values()}

    def inner_names(self) -> list[str]:
        """Relative paths of the members' datasets, each once."""
        return list(dict.fromkeys(name for _, _, nodes in self.members for name in nodes))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts ``demo_2`` before ``demo_10``."""
    return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in _DIGITS.split(name)]


def find_repeated(root: GroupNode, known: Known = frozenset()) -> list[Repeated]:
    """All outermost repetitions below a group; of those that are known, from other files, one member is enough."""
    lengths = Counter(node.length for node in root.walk() if node.has_rows)
    return list(_find(root, lengths, known))


def name_pattern(path: str) -> tuple[str, str]:
    """A path as its group and its name without numbers.

    >>> name_pattern("/data/demo_12")
    ('/data', 'demo_#')
    """
    parent, _, name = path.rpartition("/")
    return parent or "/", _stem(name)


def find_alone(group: GroupNode) -> Known:
    """Patterns of the numbered groups with rows that have no sibling but for the number."""
    stems = Counter(_stem(name) for name in group.groups)
    found = {
        (group.path, _stem(name))
        for name, child in group.groups.items()
        if "#" in _stem(name) and stems[_stem(name)] == 1 and any(node.has_rows for node in child.walk())
    }
    return frozenset(found).union(*map(find_alone, group.groups.values()))


def _find(group: GroupNode, lengths: Counter[int], known: Known) -> Iterator[Repeated]:
    taken: set[str] = set()
    for numbered, names in _group_clusters(group, known):
        members = _members(group, names)
        repeated = Repeated(group.path, members)
        are_rows = len(names) == 1 or not _are_columns(members, lengths, numbered)
        if _alike(members, strict=not numbered) and are_rows:
            taken.update(names)
            yield repeated
    yield from _repeated_datasets(group)
    for name, child in group.groups.items():
        if name not in taken:
            yield from _find(child, lengths, known)


def _group_clusters(group: GroupNode, known: Known) -> Iterator[tuple[bool, list[str]]]:
    """Names of child groups that may repeat: those alike but for a number, else all of them."""
    stems: dict[str, list[str]] = {}
    for name in group.groups:
        stems.setdefault(_stem(name), []).append(name)
    numbered = {
        stem: names for stem, names in stems.items() if "#" in stem and (len(names) >= 2 or (group.path, stem) in known)
    }
    for names in numbered.values():
        yield True, names
    rest = [name for name in group.groups if not any(name in names for names in numbered.values())]
    if len(rest) >= 3:
        yield False, rest


def _stem(name: str) -> str:
    return _DIGITS.sub("#", name)


def _members(group: GroupNode, names: list[str]) -> tuple[tuple[str, str, dict[str, DatasetNode]], ...]:
    ordered = sorted(names, key=natural_key)
    return tuple((name, group.groups[name].path, _inner(group.groups[name])) for name in ordered)


def _inner(group: GroupNode) -> dict[str, DatasetNode]:
    start = len(group.path.rstrip("/")) + 1
    return {node.path[start:]: node for node in group.walk() if node.stored is not None and node.shape is not None}


def _alike(members: tuple[tuple[str, str, Mapping[str, DatasetNode]], ...], *, strict: bool) -> bool:
    """Whether members have the same inner structure; of numbered ones each may lack some, but most is in most."""
    kinds: dict[str, Any] = {}
    counts: Counter[str] = Counter()
    for _, _, nodes in members:
        counts.update(nodes.keys())
        for name, node in nodes.items():
            kind = (_stored_kind(node.stored), len(node.shape or ()))
            if kinds.setdefault(name, kind) != kind:
                return False
    if strict:
        return bool(kinds) and all(count == len(members) for count in counts.values())
    common = sum(count * 2 > len(members) for count in counts.values())
    return bool(kinds) and common * 2 >= len(kinds)


def _stored_kind(stored: Stored | None) -> Any:
    if stored is None:
        return None
    if stored.element is not None:
        return (element_kind(stored.element), stored.shape)
    return (stored.shape, tuple((field.name, _stored_kind(field.stored)) for field in stored.fields))


def _are_columns(
    members: tuple[tuple[str, str, Mapping[str, DatasetNode]], ...], lengths: Counter[int], numbered: bool
) -> bool:
    """Rule 2: siblings of one length are columns side by side, unless their numbers say that they are episodes."""
    inside = Counter(node.length for _, _, nodes in members for node in nodes.values() if node.has_rows)
    if len(inside) != 1 or len(members) > MAX_SIBLING_COLUMNS:
        return False
    length, count = next(iter(inside.items()))
    return lengths[length] > count if numbered else True


def _repeated_datasets(group: GroupNode) -> Iterator[Repeated]:
    stems: dict[str, list[DatasetNode]] = {}
    for name, node in group.datasets.items():
        if node.has_rows and "#" in _stem(name):
            stems.setdefault(_stem(name), []).append(node)
    for nodes in stems.values():
        kinds = {(repr(_stored_kind(node.stored)), len(node.shape or ())) for node in nodes}
        if len(nodes) < 3 or len(kinds) > 1:
            continue
        if len({node.length for node in nodes}) > 1 or len(nodes) > MAX_SIBLING_COLUMNS:
            ordered = sorted(nodes, key=lambda node: natural_key(node.name))
            yield Repeated(group.path, tuple((node.name, node.path, {"": node}) for node in ordered))


def episodes_table(
    repeated: Repeated, file: str, read_attrs: Callable[[str], Mapping[str, Any]]
) -> tuple[Table, list[Note]]:
    """One row per member: its datasets whole, its scalars and attributes as plain columns.

    Raises
    ------
    CannotUnifyError
        Never for members that ``find_repeated`` found alike, but for the codes of lists of enums.
    """
    names = repeated.inner_names()
    per_member, columns = _unified(repeated, names, take="whole")
    equal_shapes = (
        len({tuple(nodes[""].shape or ()) for _, _, nodes in repeated.members}) == 1 if names == [""] else False
    )
    if equal_shapes:
        # Rule 4: many datasets of one shape are rows of that shape.
        shape = repeated.members[0][2][""].shape or ()
        columns = {
            name: replace(column, row_shape=shape + column.row_shape[len(shape) :]) for name, column in columns.items()
        }
    attrs, extra, notes = _attribute_columns(repeated, set(columns), read_attrs)
    every = {"episode_id": constant_column("episode_id", Text())} | columns | extra
    parts = tuple(
        Part(file, path, 1, per_member[number], {"episode_id": shown_name(name)} | attrs[number])
        for number, (name, path, _) in enumerate(repeated.members)
    )
    rule = f"repeated {'datasets' if names == [''] else 'groups'}: one row each (episodes)"
    return Table(repeated.parent, every, _with_constants(parts, every), rule), notes


def steps_table(repeated: Repeated, file: str) -> tuple[Table, list[Note]]:
    """The members' rows one after the other: of all datasets the family of one length with the most bytes."""
    names, rest = _largest_family(repeated)
    per_member, columns = _unified(repeated, names, take="rows")
    index = Number(np.dtype(np.int64))
    every = {
        "episode_id": constant_column("episode_id", Text()),
        "episode_index": constant_column("episode_index", index),
        "step_index": counter_column("step_index"),
    } | columns
    parts = tuple(
        Part(
            file,
            path,
            next(iter(nodes[name].length for name in names if name in nodes), 0),
            per_member[number],
            {"episode_id": shown_name(name), "episode_index": number},
        )
        for number, (name, path, nodes) in enumerate(repeated.members)
    )
    notes = [
        Note(f"{repeated.parent.rstrip('/')}/*/{name}", "has another length than the steps", "layout='episodes'")
        for name in rest
    ]
    return Table(
        repeated.parent, every, _with_constants(parts, every), "repeated groups: their rows one after the other (steps)"
    ), notes


def _largest_family(repeated: Repeated) -> tuple[list[str], list[str]]:
    families: dict[tuple[int | None, ...], list[str]] = {}
    sizes: Counter[tuple[int | None, ...]] = Counter()
    for name in repeated.inner_names():
        nodes = [inner.get(name) for _, _, inner in repeated.members]
        if any(node is not None and not node.has_rows for node in nodes):
            continue
        key = tuple(node.length if node is not None else None for node in nodes)
        families.setdefault(key, []).append(name)
        sizes[key] += sum(node.logical_bytes for node in nodes if node is not None)
    if not families:
        return [], repeated.inner_names()
    key = max(families, key=lambda key: sizes[key])
    chosen = list(families.pop(key))
    for other, names in families.items():
        # A member that lacks a dataset says nothing of its length.
        if all(None in pair or pair[0] == pair[1] for pair in zip(key, other, strict=True)):
            key = tuple(one if one is not None else two for one, two in zip(key, other, strict=True))
            chosen += names
    return [name for name in repeated.inner_names() if name in chosen], [
        name for name in repeated.inner_names() if name not in chosen
    ]


def _unified(repeated: Repeated, names: list[str], *, take: Any) -> tuple[list[dict[str, Column]], dict[str, Column]]:
    """The columns of each member (shared where equal) and of all together."""
    made: dict[Any, dict[str, Column]] = {}
    members: dict[Any, list[Mapping[str, DatasetNode]]] = {}
    per_member: list[dict[str, Column]] = []
    for _, _, nodes in repeated.members:
        key = tuple(
            (name, id(node.stored), node.axis, node.shape and (node.row_shape if take == "rows" else node.shape[1:]))
            for name, node in nodes.items()
            if name in names
        )
        if key not in made:
            made[key] = {
                column.name: column
                for name in names
                if name in nodes
                for column in dataset_columns(nodes[name], name or "data", name, take=take)
            }
        per_member.append(made[key])
        members.setdefault(key, []).append(nodes)
    for key, columns in made.items():
        for name, column in columns.items():
            columns[name] = replace(column, storage=_together([nodes[column.path].storage for nodes in members[key]]))
    every = dict.fromkeys(name for columns in made.values() for name in columns)
    unified = {
        name: unify_columns([columns[name] for columns in made.values() if name in columns], widen=_WIDEN, ragged=True)
        for name in every
    }
    for columns in made.values():
        for name in every:
            if name not in columns:
                columns[name] = replace(unified[name], take="missing", path="")
    return per_member, unified


def _together(storages: Sequence[Storage]) -> Storage:
    """The first dataset's storage with the sizes of all."""
    stored_bytes = sum(storage.stored_bytes for storage in storages)
    return replace(storages[0], stored_bytes=stored_bytes, n_values=sum(storage.n_values for storage in storages))


def _attribute_columns(
    repeated: Repeated, taken: set[str], read_attrs: Callable[[str], Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, Column], list[Note]]:
    """Constants of each member from its attributes, their columns, and what no feature holds."""
    found = [dict(read_attrs(path)) for _, path, _ in repeated.members]
    constants: list[dict[str, Any]] = [{} for _ in found]
    columns: dict[str, Column] = {}
    notes: list[Note] = []
    for name in dict.fromkeys(name for attrs in found for name in attrs):
        shown = shown_name(name) if name not in taken | {"episode_id"} else f"@{shown_name(name)}"
        values = [attrs.get(name) for attrs in found]
        column = attribute_column(shown, values)
        if column is None:
            notes.append(Note(f"{repeated.parent.rstrip('/')}/*@{name}", "attributes of these types make no column"))
            continue
        columns[column.name] = column
        for number, value in enumerate(values):
            constants[number][column.name] = value
    return constants, columns, notes


def _with_constants(parts: tuple[Part, ...], every: Mapping[str, Column]) -> tuple[Part, ...]:
    """Parts whose columns are in the table's order, the constant ones included; equal mappings stay shared."""
    made: dict[int, dict[str, Column]] = {}
    for part in parts:
        if id(part.columns) not in made:
            made[id(part.columns)] = {name: part.columns.get(name, column) for name, column in every.items()}
    return tuple(replace(part, columns=made[id(part.columns)]) for part in parts)
