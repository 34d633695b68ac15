"""pandas' ``fixed`` format: an axis for the columns, one for the rows, and a block of values for each dtype.

Rules: pandas/io/pytables.py (``GenericFixed``, ``BlockManagerFixed``, ``SeriesFixed``). Blocks are stored transposed,
rows first; each is one dataset of which each column of the frame is one place along the last axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..describe.columns import constant_column
from ..describe.elements import Label
from ..describe.schema import Column, Part, Table
from ..describe.tree import DatasetNode, GroupNode
from .derivations import LookedUp
from .pandas_store import PICKLED, REWRITE, Store, free_name, is_pickled, listed
from .pandas_values import dtype_element, label_parts, label_text, meant_column
from .pickles import is_label

__all__ = ["missing_text", "read_fixed", "with_own_names"]


def read_fixed(store: Store, group: GroupNode, *, is_series: bool) -> Table | None:
    """The table of a frame or series; None, with a note, if none of it can be read."""
    axis = "index" if is_series else "axis1"
    index, n_rows = _index(store, group, axis)
    found = list(_series(store, group) if is_series else _blocks(store, group))
    if n_rows is None:
        n_rows = next((each.n_rows for each in found), None)
    if n_rows is None:
        store.leave_out(group.path, "no column of the frame can be read", "layout='raw'")
        return None
    for each in found:
        if each.n_rows != n_rows:
            why = f"column {each.column.name!r} has {each.n_rows:,} rows, the index {n_rows:,}"
            store.leave_out(each.column.path, why, "layout='raw'")
    # Those that cannot be read keep their names too: the index is not what their name stands for.
    names = [] if is_series else [label_text(label) for label in store.labels(group, "axis0") or ()]
    columns = with_own_names(index, [each.column for each in found if each.n_rows == n_rows], names)
    kind = "series" if is_series else "frame"
    part = Part(store.tree.file, "", n_rows, columns)
    return Table(group.path, columns, (part,), f"pandas {kind} in fixed format")


def with_own_names(index: list[Column], values: list[Column], names: Iterable[str] = ()) -> dict[str, Column]:
    """Columns of the frame keep their names; levels of the index that have one, or one of ``names``, get another."""
    taken: dict[str, Column] = {}
    for column in values:
        name = free_name(column.name, taken)
        note = column.note if name == column.name else f"another column is called {column.name!r}"
        taken[name] = column if name == column.name else replace(column, name=name, note=note)
    levels: dict[str, Column] = {}
    for column in index:
        name = free_name(column.name, taken | levels | dict.fromkeys(names))
        levels[name] = replace(column, name=name, parts=(name,))
    return levels | taken


@dataclass(frozen=True)
class _Found:
    """A column of a frame, and where it stands among them."""

    column: Column
    n_rows: int


def _blocks(store: Store, group: GroupNode) -> Iterator[_Found]:
    """The columns of a frame's blocks, in the order of the frame."""
    labels = store.labels(group, "axis0")
    order = {_key(label): number for number, label in enumerate(labels or ())}
    found: list[tuple[int, _Found]] = []
    count = store.get(group, "nblocks")
    for number in range(min(count, len(group.datasets)) if isinstance(count, int) else 0):
        node = group.datasets.get(f"block{number}_values")
        items = store.labels(group, f"block{number}_items")
        if node is None:
            store.leave_out(f"{group.path}/block{number}_values", f"{listed(items)}: the block is missing")
            continue
        for label, each in _block_columns(store, group, node, items):
            found.append((order.get(_key(label), len(order)), each))
    return (each for _, each in sorted(found, key=lambda pair: pair[0]))


def _key(label: Any) -> tuple[str, str]:
    # Not-a-number among labels equals nothing, itself included.
    return type(label).__name__, label_text(label)


def _block_columns(
    store: Store, group: GroupNode, node: DatasetNode, items: list[Any] | None
) -> Iterator[tuple[Any, _Found]]:
    if is_pickled(store, node):
        store.leave_out(node.path, f"{listed(items)}: {PICKLED}", REWRITE)
        return
    if store.is_empty(node):
        element = dtype_element(store.text(node, "value_type"))
        for label in items or ():
            name = label_text(label)
            empty = replace(constant_column(name, element), take="missing", parts=label_parts(label))
            yield label, _Found(empty, 0)
        return
    if node.stored is None or not node.shape or len(node.shape) > 2:
        why = node.unreadable or f"a block of shape {node.shape} is none of a frame"
        store.leave_out(node.path, f"{listed(items)}: {why}", "layout='raw'")
        return
    is_flat = len(node.shape) == 1
    is_turned = not is_flat and not store.get(node, "transposed", False)
    n_rows, width = node.shape[1 if is_turned else 0], 1 if is_flat else node.shape[0 if is_turned else 1]
    if items is None or len(items) != width:
        store.leave_out(node.path, f"the names of its {width:,} columns are not understood; they are numbered")
        items = [f"{node.name}/{position}" for position in range(width)]
    meaning = store.meaning(group, store.text(node, "value_type"), store.get(node, "tz"))
    for base in store.columns(node, node.name):
        half = base.name.removeprefix(node.name)
        block = replace(base, axis=1, row_shape=(width,)) if is_turned else base
        for position, label in enumerate(items):
            named = replace(block, name=label_text(label) + half, parts=label_parts(label) + tuple(half.split("/")[1:]))
            yield label, _Found(meant_column(named, meaning, None if is_flat else position), n_rows)


def _series(store: Store, group: GroupNode) -> Iterator[_Found]:
    node = group.datasets.get("values")
    name = store.get(group, "name")
    label = "values" if name is None or name == "" or not is_label(name) else name
    if node is None:
        store.leave_out(group.path, "the series has no values")
        return
    for _, each in _block_columns(store, group, node, [label]):
        yield each


def _index(store: Store, group: GroupNode, key: str) -> tuple[list[Column], int | None]:
    """The columns of an index, and how many rows it has; None where that is not known."""
    variety = store.text(group, f"{key}_variety")
    if variety == "multi":
        return _levels(store, group, key)
    node = group.datasets.get(key)
    if node is None or variety not in ("regular", ""):
        store.leave_out(f"{group.path}/{key}", f"an index of kind {variety!r} is not known", "layout='raw'")
        return [], None
    if store.is_empty(node):
        element = dtype_element(store.text(node, "value_type"))
        name = _index_name(store, node, "index")
        return [replace(constant_column(name, element), take="missing")], 0
    if store.text(node, "kind") == "category":
        return _categorical(store, group, node)
    column = _index_column(store, group, node, _index_name(store, node, "index"))
    if column is None:
        return [], None
    return [column], node.length


def _index_name(store: Store, node: DatasetNode, otherwise: str) -> str:
    name = store.get(node, "name")
    return otherwise if name is None or not is_label(name) else label_text(name)


def _index_column(store: Store, group: GroupNode, node: DatasetNode, name: str) -> Column | None:
    """The values of an index or of a level; None, with a note, if they cannot be read."""
    if is_pickled(store, node):
        store.leave_out(node.path, f"index {name!r}: {PICKLED}", REWRITE)
        return None
    columns = store.columns(node, name) if node.has_rows else []
    if len(columns) != 1 or columns[0].row_shape:
        store.leave_out(node.path, f"index {name!r}: {node.unreadable or 'no plain values'}", "layout='raw'")
        return None
    kind = store.text(node, "kind")
    if store.text(node, "index_class") == "period":
        kind = "period"
    column = replace(columns[0], name=name, parts=(name,))
    return meant_column(column, store.meaning(group, kind, store.get(node, "tz"), missing_text(store, node)))


def missing_text(store: Store, node: DatasetNode, name: str = "nan_rep") -> str | None:
    """What stands for a missing string of an index; files of before pandas 3.1 do not say, and mean ``"nan"``."""
    stated = store.get(node, name, "nan")
    return stated or None if isinstance(stated, str) else None


def _levels(store: Store, group: GroupNode, key: str) -> tuple[list[Column], int | None]:
    """A column for each level of an index of several."""
    columns, n_rows = [], None
    count = store.get(group, f"{key}_nlevels")
    for number in range(min(count, len(group.datasets)) if isinstance(count, int) else 0):
        level, codes = (group.datasets.get(f"{key}_{part}{number}") for part in ("level", "label"))
        if level is None or codes is None or not codes.has_rows:
            store.leave_out(f"{group.path}/{key}_label{number}", "a level of the index is missing")
            continue
        n_rows = codes.length
        name = _index_name(store, level, f"level_{number}")
        values = _index_column(store, group, level, name)
        if values is not None:
            columns.append(_looked_up(store, codes, level, values, name))
    return columns, n_rows


def _looked_up(store: Store, codes: DatasetNode, level: DatasetNode, values: Column, name: str) -> Column:
    places = store.columns(codes, name)[0]
    n_values = 0 if store.is_empty(level) else level.length
    derived = LookedUp(places, values, n_values)
    return replace(places, name=name, parts=(name,), take="derived", element=values.element, derived=derived)


def _categorical(store: Store, group: GroupNode, node: DatasetNode) -> tuple[list[Column], int | None]:
    """An index of categories: codes, and what they stand for."""
    name = _index_name(store, node, "index")
    values = group.datasets.get(f"{node.name}_categories")
    names = None if values is None else store.labels(group, values.name)
    codes = replace(store.columns(node, name)[0], name=name, parts=(name,))
    if names is not None and all(isinstance(each, str) for each in names) and len(set(names)) == len(names):
        return [replace(codes, element=Label(tuple(names), tuple(range(len(names)))))], node.length
    found = None if values is None else _index_column(store, group, values, name)
    if values is None or found is None:
        return [], node.length
    return [_looked_up(store, node, values, found, name)], node.length
