"""Which datasets of a file are the rows of which table: the rules, in their order.

Pure; no I/O of its own. 1 splits, 2 families of one length, 3 repeated groups, 4 repeated datasets, 5 what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .columns import constant_column, dataset_columns
from .elements import Binary, Text
from .repeated import Known, Repeated, episodes_table, find_alone, find_repeated, steps_table
from .schema import Column, Note, Part, Table
from .splits import FoundSplits, find_splits, named_nodes
from .tree import DatasetNode, GroupNode, Tree, common_group
from .unify import CannotUnifyError, unify_columns

__all__ = ["SAMPLE_RULE", "Layout", "find_tables"]

SAMPLE_RULE = "one sample"


@dataclass(slots=True)
class Layout:
    """The tables of a file, the largest first, and what is in none of them."""

    tables: list[Table] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    metadata: list[DatasetNode] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    single: bool = False
    known: Known = frozenset()

    def add(self, table: Table, size: int) -> None:
        """Add a table under a name of its own."""
        name = table.name
        if name in self.sizes:
            name = _other_name(table, self.sizes)
        self.tables.append(replace(table, name=name))
        self.sizes[name] = size


def find_tables(tree: Tree, *, layout: str, splits: bool, single: bool = False, known: Known = frozenset()) -> Layout:
    """Apply the rules to a file.

    Parameters
    ----------
    tree
        The scanned file.
    layout
        ``"auto"``, ``"table"``, ``"episodes"``, ``"steps"`` or ``"raw"``; ``"sample"`` for a file that is one row.
    splits
        Whether names of groups and datasets may mean splits.
    single
        Whether one row beside tables of more is a table too, and no metadata: where the user names what is wanted.
    known
        Groups that repeat in other files, so that one of them is enough here.
    """
    result = Layout(notes=list(tree.notes), single=single, known=known)
    claimed: set[str] = set()
    if splits and layout != "raw":
        for found in find_splits(tree.root):
            if not found.paths & claimed and not _is_side_data(found, tree.root, known):
                if _add_splits(found, tree, layout, result):
                    claimed |= found.paths
    _tables_of(tree.root, tree, layout, claimed, result)
    result.tables.sort(key=lambda table: -result.sizes[table.name])
    return result


def _is_side_data(found: FoundSplits, root: GroupNode, known: Known) -> bool:
    """Splits inside each episode are none of the rows, nor are lists of episodes called ``train`` and ``valid``."""
    inside = _bytes_of(root, found.paths)
    for repeated in find_repeated(root, known):
        paths = repeated.paths()
        if paths <= found.paths:
            continue
        if paths & found.paths or _bytes_of(root, paths) > inside:
            return True
    return False


def _bytes_of(root: GroupNode, paths: Iterable[str]) -> int:
    wanted = set(paths)
    return sum(node.logical_bytes for node in root.walk() if node.path in wanted)


def _add_splits(found: FoundSplits, tree: Tree, layout: str, result: Layout) -> bool:
    """Add the tables whose splits were found, the main one first; whether the columns of the main ones agree."""
    tables: dict[str, Table] = {}
    inners: list[Layout] = []
    for split, group in found.groups.items():
        inner = Layout(known=result.known)
        _tables_of(group, tree, layout, set(), inner)
        if not inner.tables:
            return False
        tables[split] = max(inner.tables, key=lambda table: inner.sizes[table.name])
        inners.append(inner)
    names = {frozenset(table.columns) for table in tables.values()}
    main = _united(found, tables) if found.rule != "splits by group" or len(names) == 1 else None
    if main is None:
        return False
    result.add(main, _bytes_of(tree.root, found.paths))
    for inner in inners:
        result.metadata += inner.metadata
        result.notes += inner.notes
    for others in _side_by_side(found.groups, inners, tables):
        united = _united(found, {split: table for split, (table, _) in others.items()}) if len(others) > 1 else None
        if united is not None:
            result.add(united, sum(size for _, size in others.values()))
        else:
            for split, (table, size) in others.items():
                result.add(replace(table, splits={split: table}), size)
    return True


def _side_by_side(
    groups: Iterable[str], inners: Iterable[Layout], mains: Mapping[str, Table]
) -> list[dict[str, tuple[Table, int]]]:
    """The tables beside the main ones, by split, with their sizes; those of the same columns together."""
    alike: dict[tuple[frozenset[str], int], dict[str, tuple[Table, int]]] = {}
    for split, inner in zip(groups, inners, strict=True):
        for table in inner.tables:
            if table is not mains[split]:
                names = frozenset(table.columns)
                # Two tables of one split may have the same columns: the second goes with the second of the others.
                number = 0
                while split in alike.get((names, number), ()):
                    number += 1
                alike.setdefault((names, number), {})[split] = (table, inner.sizes[table.name])
    return list(alike.values())


def _united(found: FoundSplits, tables: Mapping[str, Table]) -> Table | None:
    """One table of those of the splits, None where their columns disagree."""
    names = list(dict.fromkeys(name for table in tables.values() for name in table.columns))
    ragged = any(column.take == "whole" for table in tables.values() for column in table.columns.values())
    try:
        columns = {
            name: unify_columns(
                [table.columns[name] for table in tables.values() if name in table.columns], widen="f", ragged=ragged
            )
            for name in names
        }
    except CannotUnifyError:
        return None
    completed = {split: _completed(table, columns) for split, table in tables.items()}
    every = tuple(part for table in completed.values() for part in table.parts)
    rule = f"{found.rule}; {next(iter(tables.values())).rule}"
    completed = {split: replace(table, name=found.parent) for split, table in completed.items()}
    return Table(found.parent, columns, every, rule, splits=completed)


def _completed(table: Table, columns: Mapping[str, Column]) -> Table:
    """A split's table with all columns; those that it lacks have no values."""
    absent = {name: replace(column, take="missing") for name, column in columns.items() if name not in table.columns}
    shared: dict[int, dict[str, Column]] = {}
    for part in table.parts:
        shared.setdefault(id(part.columns), {**part.columns, **absent})
    parts = tuple(replace(part, columns=shared[id(part.columns)]) for part in table.parts) if absent else table.parts
    return replace(table, columns=columns, parts=parts)


def _tables_of(group: GroupNode, tree: Tree, layout: str, claimed: set[str], result: Layout) -> None:
    """Rules 2 to 5 on a group (the root, or one split)."""
    repetitions = [] if layout in ("raw", "table") else find_repeated(group, result.known)
    if layout in ("episodes", "steps") and not repetitions:
        repetitions = _find_one_alone(group)
    for repeated in repetitions:
        paths = repeated.paths()
        if paths & claimed:
            continue
        result.add(_repeated_table(repeated, tree, layout, result.notes), _bytes_of(tree.root, paths))
        claimed |= paths
    left = [(name, node) for name, node in named_nodes(group) if node.path not in claimed]
    if layout in ("episodes", "sample") and not repetitions and any(node.stored for _, node in left):
        result.add(_whole_table(left, tree, layout), sum(node.logical_bytes for _, node in left))
        return
    _add_families(left, tree, result)


def _find_one_alone(group: GroupNode) -> list[Repeated]:
    """One numbered group is an episode where episodes are asked for, and all else are lists of names and scalars."""
    found = find_repeated(group, find_alone(group))
    paths = found[0].paths() if len(found) == 1 else set()
    others = [node for node in group.walk() if node.has_rows and node.path not in paths]
    are_names = all(node.stored is not None and isinstance(node.stored.element, Binary | Text) for node in others)
    return found if paths and are_names else []


def _repeated_table(repeated: Repeated, tree: Tree, layout: str, notes: list[Note]) -> Table:
    if layout == "steps":
        table, found = steps_table(repeated, tree.file)
    else:
        table, found = episodes_table(repeated, tree.file, tree.read_attrs)
    notes += found
    return table


def _add_families(left: list[tuple[str, DatasetNode]], tree: Tree, result: Layout) -> None:
    families: dict[int, list[tuple[str, DatasetNode]]] = {}
    scalars: list[tuple[str, DatasetNode]] = []
    for name, node in left:
        if node.unreadable is not None:
            result.notes.append(Note(node.path, node.unreadable))
        elif node.has_rows:
            families.setdefault(node.length, []).append((name, node))
        else:
            scalars.append((name, node))
    is_alone = not result.tables and all(length == 1 for length in families)
    sizes = {length: sum(node.logical_bytes for _, node in members) for length, members in families.items()}
    for length in sorted(families, key=lambda length: -sizes[length]):
        members = families[length]
        if length == 1 and not is_alone and not result.single:
            result.metadata += [node for _, node in members]
        else:
            result.add(_family_table(members, tree), sizes[length])
    if not families and not result.tables and any(node.shape == () for _, node in scalars):
        readable = [(name, node) for name, node in scalars if node.shape == ()]
        result.add(_single_row_table(readable, tree, "scalars only: one row"), 1)
        scalars = [(name, node) for name, node in scalars if node.shape is None]
    result.metadata += [node for _, node in scalars]


def _family_table(members: list[tuple[str, DatasetNode]], tree: Tree) -> Table:
    columns = _columns(members, tree, take="rows")
    length = members[0][1].length
    rule = f"datasets of one length ({length:,})" if len(members) > 1 else f"one dataset of {length:,} rows"
    return Table(common_group(node.path for _, node in members), columns, (Part(tree.file, "", length, columns),), rule)


def _whole_table(members: list[tuple[str, DatasetNode]], tree: Tree, layout: str) -> Table:
    """The whole file as one row: rule 6, or ``layout="episodes"`` where nothing repeats."""
    readable = [(name, node) for name, node in members if node.stored is not None and node.shape is not None]
    if layout == "sample":
        return _single_row_table(readable, tree, SAMPLE_RULE, take="first")
    table = _single_row_table(readable, tree, "the file is one row (episodes)")
    columns = {"file_name": constant_column("file_name", Text())} | dict(table.columns)
    name = tree.file.replace("\\", "/").rpartition("/")[2]
    parts = tuple(replace(part, columns=columns, constants={"file_name": name}) for part in table.parts)
    return replace(table, columns=columns, parts=parts)


def _single_row_table(members: list[tuple[str, DatasetNode]], tree: Tree, rule: str, take: str = "whole") -> Table:
    columns = _columns(members, tree, take=take)
    return Table("/", columns, (Part(tree.file, "", 1, columns),), rule)


def _columns(members: list[tuple[str, DatasetNode]], tree: Tree, *, take: Any) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for name, node in members:
        # Of one sample's file, a first axis of one row is no dimension of the sample.
        how: Any = ("rows" if node.has_rows else "whole") if take == "first" else take
        for column in dataset_columns(node, name, node.path, take=how, attrs=tree.read_attrs(node.path)):
            columns[_free_name(column.name, columns)] = column
    return {name: column if column.name == name else replace(column, name=name) for name, column in columns.items()}


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    """A dataset ``a/b`` and a field ``b`` of the compound ``a`` cannot both be ``a/b``."""
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}.{number}", number + 1
    return free


def _other_name(table: Table, taken: Mapping[str, int]) -> str:
    """A second table in one group is called by its first dataset."""
    paths = [
        column.path or part.prefix
        for part in table.parts[:1]
        for column in table.columns.values()
        if column.take != "constant"
    ]
    for path in paths:
        name = path if path.startswith("/") else f"{table.parts[0].prefix}/{path}"
        if name not in taken:
            return name
    return f"{table.name}#{len(taken)}"
