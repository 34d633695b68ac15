"""NeXus: each ``NXdata`` is a table of its signal and axes, each ``NXlog`` and ``NXevent_data`` one of its records.

Marker: the attribute ``NX_class`` of the root or of a group in it. Rules: the NeXus manual, "Associating plottable
data" (all three versions), and the base classes NXdata, NXlog and NXevent_data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

import h5py

from ..describe.layout import Layout
from ..describe.options import Options
from ..describe.schema import Column, Note, Part, Table
from ..describe.tree import DatasetNode, GroupNode, Tree
from .found import Found
from .nodes import Nodes, add_rest, walk_groups

__all__ = ["find_nexus"]

# Coordinates of the values inside a row, as long as metadata may be.
_COORDINATE_BYTES = 1 << 15
_LOOKED_AT = 16


def find_nexus(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """The tables of a NeXus file; None if it is none, or has none of the groups that say what its rows are."""
    attrs = tree.read_attrs("/")
    # A file of 100,000 episodes has as many groups, and none of them is an entry.
    first = islice(tree.root.groups.values(), _LOOKED_AT)
    if not _class(attrs) and not any(_class(tree.read_attrs(group.path)) for group in first):
        return None
    reading = _Reading(tree, Nodes(tree, handle))
    reading.read()
    version = _text(attrs.get("NeXus_version") or attrs.get("NeXus_Version"))
    return Found(f"NeXus {version}".strip(), reading.layout) if reading.layout.tables else None


class _Reading:
    """The tables of one file while they are found."""

    def __init__(self, tree: Tree, nodes: Nodes) -> None:
        self.layout = Layout(notes=list(tree.notes))
        self._tree, self._nodes = tree, nodes
        self._claimed: set[str] = set()

    def read(self) -> None:
        readers = {"NXdata": self._add_data, "NXlog": self._add_log, "NXevent_data": self._add_events}
        for group in walk_groups(self._tree.root):
            attrs = self._tree.read_attrs(group.path)
            reader = readers.get(_class(attrs))
            if reader is not None:
                reader(group, attrs, self._with_rows(group))
        if not self.layout.tables:
            return
        add_rest(self.layout, self._tree, self._claimed)
        default = self._default_group()
        self.layout.tables.sort(key=lambda table: (*_rank(table, default), -self.layout.sizes[table.name]))

    def _with_rows(self, group: GroupNode) -> dict[str, DatasetNode]:
        return {name: node for name, node in self._nodes.members(group.path).items() if node.has_rows}

    def _default_group(self) -> str:
        """The group that the attributes ``default`` lead to."""
        group = self._tree.root
        while (inner := group.groups.get(_text(self._tree.read_attrs(group.path).get("default")))) is not None:
            group = inner
        return group.path

    def _add(self, name: str, members: Mapping[str, DatasetNode], n_rows: int, rule: str) -> None:
        columns: dict[str, Column] = {}
        for member, node in members.items():
            self._claimed.add(node.path)
            columns |= {column.name: column for column in self._nodes.columns(node, member)}
        table = Table(name, columns, (Part(self._tree.file, "", n_rows, columns),), rule)
        self.layout.add(table, sum(node.logical_bytes for node in members.values()))

    def _add_data(self, group: GroupNode, attrs: Mapping[str, Any], members: dict[str, DatasetNode]) -> None:
        marks = {name: self._tree.read_attrs(node.path) for name, node in members.items()}
        signal = _signal(attrs, marks)
        if signal is None or signal not in members:
            return
        n_rows, rank = members[signal].length, len(members[signal].shape or ())
        places = {name: _places(name, attrs, marks, signal) for name in members}
        rows = {
            name: node
            for name, node in members.items()
            if node.length == n_rows and (not places[name] or 0 in places[name])
        }
        first = [name for name in rows if places[name]]
        order = [*first, signal, *(name for name in rows if name not in first and name != signal)]
        self._add(group.path, {name: rows[name] for name in dict.fromkeys(order)}, n_rows, f"NXdata, signal {signal!r}")
        for name, node in members.items():
            if (
                name not in rows
                and places[name]
                and max(places[name]) < rank
                and node.logical_bytes <= _COORDINATE_BYTES
            ):
                if node.path not in self._claimed:
                    self._claimed.add(node.path)
                    self.layout.metadata.append(node)

    def _add_log(self, group: GroupNode, attrs: Mapping[str, Any], members: dict[str, DatasetNode]) -> None:
        value, time = members.get("value"), members.get("time")
        if value is None or time is None or value.length < 2:
            return
        if value.length != time.length:
            self.layout.notes.append(Note(group.path, f"{time.length:,} times for {value.length:,} values"))
            return
        self._add(group.path, {"time": time, "value": value}, value.length, "NXlog")

    def _add_events(self, group: GroupNode, attrs: Mapping[str, Any], members: dict[str, DatasetNode]) -> None:
        """Events are one table; the pulses, each with the number of its first event, are another."""
        for name, first, rule in (
            (group.path, "event_id", "NXevent_data: events"),
            (f"{group.path}/event_index", "event_index", "NXevent_data: pulses"),
        ):
            main = members.get(first)
            if main is None:
                continue
            known = _EVENTS if first == "event_id" else _PULSES
            rows = {each: members[each] for each in known if each in members and members[each].length == main.length}
            self._add(name, rows, main.length, rule)


_EVENTS = ("event_time_offset", "event_id", "pulse_height")
_PULSES = ("event_time_zero", "event_index", "events_per_pulse", "cue_timestamp_zero")


def _rank(table: Table, default: str) -> tuple[bool, bool]:
    """The group that the file names comes first, then data and events; logs and the rest are beside them."""
    return table.name != default, not table.rule.startswith(("NXdata", "NXevent_data"))


def _signal(attrs: Mapping[str, Any], marks: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The name of the plottable data; None if nothing says it."""
    if "signal" in attrs:
        return _text(attrs["signal"])
    marked = [name for name, mark in marks.items() if _numbers(mark.get("signal")) == [1]]
    return marked[0] if marked else "data" if "data" in marks else None


def _places(name: str, attrs: Mapping[str, Any], marks: Mapping[str, Mapping[str, Any]], signal: str) -> list[int]:
    """Dimensions of the signal that a dataset is said to be the axis of, from 0; none where nothing says it is one."""
    axes = _listed(attrs["axes"] if "axes" in attrs else marks[signal].get("axes"))
    if f"{name}_indices" in attrs:
        return _numbers(attrs[f"{name}_indices"])
    if name in axes:
        return [place for place, axis in enumerate(axes) if axis == name]
    return [number - 1 for number in _numbers(marks[name].get("axis")) if number > 0]


def _listed(value: Any) -> list[str]:
    """Names of axes: a list, or a text such as ``[x,y]`` or ``x:y``."""
    if isinstance(value, list):
        return [str(name) for name in value]
    return [name.strip() for name in re.split("[:,]", value.strip("[] "))] if isinstance(value, str) else []


def _numbers(value: Any) -> list[int]:
    """Whole numbers, which old files write as text."""
    if isinstance(value, str):
        return [int(number) for number in re.findall(r"\d+", value)]
    values = value if isinstance(value, list) else [value]
    return [int(number) for number in values if isinstance(number, int | float) and number % 1 == 0]


def _text(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else ""


def _class(attrs: Mapping[str, Any]) -> str:
    found = _text(attrs.get("NX_class"))
    return found if found.startswith("NX") else ""
