"""``axis=``: along which axis of a dataset its rows lie, where the user says that it is not the first.

Pure; no I/O.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import LayoutError, OptionError, closest_names
from .schema import Column, Schema, Table
from .tree import DatasetNode, GroupNode, Tree

__all__ = ["Axis", "check_axis", "check_lengths", "turn_tree"]

Axis = int | Mapping[str, int]
"""One axis for all datasets that have it, or one for each named column; negative ones count from the last."""


def check_axis(axis: Any) -> None:
    """Raise ``OptionError`` unless a value is an axis, names columns with one each, or is None."""
    if axis is None:
        return
    given = axis if isinstance(axis, Mapping) else {"": axis}
    for name, number in given.items():
        if not isinstance(name, str) or not isinstance(number, int) or isinstance(number, bool):
            raise OptionError(
                f"axis={axis!r} is neither an axis nor a mapping of columns to one",
                hint="axis=-1 is the last axis of every dataset, axis={'x': 1} the second of x",
            )


def turn_tree(tree: Tree, axis: Axis) -> Tree:
    """The tree with rows along another axis.

    A number counts for every dataset that has that axis; the rows of others stay along their first.

    Raises
    ------
    OptionError
        If there is no dataset of a name, or it has no such axis, or none has.
    """
    used: set[str] = set()
    turned = replace(tree, root=_turn_group(tree.root, tree.file, axis, used))
    most = max((len(node.shape or ()) for node in tree.root.walk()), default=0)
    if isinstance(axis, int) and most and not -most <= axis < most:
        raise OptionError(
            f"axis={axis}: no dataset has more than {most} axes", file=tree.file, hint="axis=-1 is the last"
        )
    for name in axis if isinstance(axis, Mapping) else ():
        if name not in used:
            known = [node.path.strip("/") for node in tree.root.walk()]
            raise OptionError(f"axis=: there is no dataset {name!r}", file=tree.file, hint=closest_names(name, known))
    return turned


def _turn_group(group: GroupNode, file: str, axis: Axis, used: set[str]) -> GroupNode:
    return GroupNode(
        group.path,
        group.name,
        {name: _turn_group(inner, file, axis, used) for name, inner in group.groups.items()},
        {name: _turn(node, file, axis, used) for name, node in group.datasets.items()},
    )


def _turn(node: DatasetNode, file: str, axis: Axis, used: set[str]) -> DatasetNode:
    rank = len(node.shape or ())
    if isinstance(axis, int):
        return replace(node, axis=axis % rank) if rank and -rank <= axis < rank else node
    for name, number in axis.items():
        if _is_named(node.path, name):
            used.add(name)
            if not -rank <= number < rank:
                raise OptionError(
                    f"axis={number}: the dataset has {rank} axes, of shape {node.shape}", file=file, path=node.path
                )
            return replace(node, axis=number % rank)
    return node


def _is_named(path: str, name: str) -> bool:
    """Whether a column's name, or a pattern of names, is that of a dataset, in an episode too."""
    wanted = name.strip("/")
    return fnmatch.fnmatchcase(path.strip("/"), wanted) or path.endswith(f"/{wanted}")


def check_lengths(schema: Schema, table: Table, axis: Axis, *, chosen: bool) -> None:
    """Raise where columns of which the user said the axis are not in the table, as they differ in length.

    Parameters
    ----------
    chosen
        Whether the user named the columns that are wanted; then a number as ``axis`` speaks of these only.
    """
    if isinstance(axis, int) and chosen:
        return
    present = {(column.path, column.axis) for column in table.columns.values()}
    for other in schema.tables.values():
        for column in other.columns.values():
            if _is_meant(column, axis) and (column.path, column.axis) not in present:
                raise LayoutError(
                    f"column {column.name!r} has {other.num_rows:,} rows along axis {column.axis}, and "
                    f"{_listed(table)} {table.num_rows:,}",
                    file=schema.file,
                    path=column.path,
                    hint="pass another axis=, such as axis={'x': -1}, or columns=[...] to choose",
                )


def _is_meant(column: Column, axis: Axis) -> bool:
    if column.take != "rows":
        return False
    if isinstance(axis, int):
        return bool(column.axis)
    return any(_is_named(f"/{column.path.strip('/')}", name) for name in axis)


def _listed(table: Table) -> str:
    names = [repr(name) for name in table.columns]
    if len(names) == 1:
        return f"{names[0]} has"
    return f"{', '.join(names[:3])}{' and others' if len(names) > 3 else ''} have"
