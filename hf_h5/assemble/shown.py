"""Which columns a view shows, under which names, and of which columns of the table they are made.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ..describe.schema import Column, Table
from ..errors import OptionError
from .arrow import table_features, to_arrow_table
from .complex_columns import complex_pairs

__all__ = ["Shown", "show_table"]


@dataclass(frozen=True)
class Shown:
    """The columns of a view.

    Attributes
    ----------
    table
        The table as it is read.
    features
        ``datasets.Features`` by shown name, in order.
    sources
        Per shown name the table's columns that it is made of: one; both halves of a complex number; or, with nested
        features, all columns of a group.
    nested
        Whether groups are nested features.
    halves
        The shown names that are complex numbers.
    """

    table: Table
    features: Any
    sources: Mapping[str, tuple[str, ...]]
    nested: bool = False
    halves: frozenset[str] = frozenset()

    def select(self, names: Iterable[str]) -> Shown:
        """Fewer columns, in the given order."""
        chosen = list(names)
        return replace(
            self,
            features=type(self.features)({name: self.features[name] for name in chosen}),
            sources={name: self.sources[name] for name in chosen},
            halves=self.halves & set(chosen),
        )

    def rename(self, new_names: Mapping[str, str]) -> Shown:
        """The same columns under other names."""
        return replace(
            self,
            features=type(self.features)({new_names.get(name, name): kind for name, kind in self.features.items()}),
            sources={new_names.get(name, name): sources for name, sources in self.sources.items()},
            halves=frozenset(new_names.get(name, name) for name in self.halves),
        )

    def read_names(self, names: Iterable[str]) -> list[str]:
        """The table's columns that must be read for some shown ones."""
        return list(dict.fromkeys(source for name in names for source in self.sources[name]))

    def column(self, name: str) -> Column | None:
        """The one column of numbers, strings or lists that is shown under a name, if it is one."""
        is_one = not self.nested and name not in self.halves
        return self.table.columns[self.sources[name][0]] if is_one else None

    def to_arrow(self, arrays: Mapping[str, Any], names: Iterable[str]) -> pa.Table:
        """An Arrow table of some shown columns, from arrays by the table's names."""
        names = list(names)
        features = type(self.features)({name: self.features[name] for name in names})
        if not self.nested and not self.halves & set(names):
            columns = {name: self._renamed(self.sources[name][0], (name,)) for name in names}
            batch = {name: arrays[self.sources[name][0]] for name in names}
            return to_arrow_table(batch, replace(self.table, columns=columns), features)
        columns, batch = {}, {}
        for name in names:
            for source in self.sources[name]:
                inner = self.table.columns[source].nested_name
                path = (name, *inner[1:]) if self.nested else (name, inner[-1]) if name in self.halves else (name,)
                columns[source], batch[source] = self._renamed(source, path), arrays[source]
        return to_arrow_table(batch, replace(self.table, columns=columns), features, nested=True)

    def _renamed(self, source: str, path: tuple[str, ...]) -> Column:
        column = self.table.columns[source]
        return column if column.parts == path and column.name == source else replace(column, parts=path)


def show_table(table: Table, *, nested: bool = False, given: Any = None, join_complex: bool = False) -> Shown:
    """Show all columns of a table.

    Parameters
    ----------
    nested
        Whether groups are nested features.
    given
        The user's own features.
    join_complex
        Whether the halves of complex numbers are one column.
    """
    features = table_features(table, nested=nested, given=given)
    if nested:
        if join_complex:
            raise OptionError("complex=True joins flat columns, and nested=True was asked for too")
        sources: dict[str, tuple[str, ...]] = dict.fromkeys(features, ())
        for name, column in table.columns.items():
            sources[column.nested_name[0]] += (name,)
        return Shown(table, features, sources, nested=True)
    sources = {name: (name,) for name in features}
    shown = Shown(table, features, sources)
    return _with_complex(shown) if join_complex else shown


def _with_complex(shown: Shown) -> Shown:
    pairs = complex_pairs({name: shown.table.columns[name] for name in shown.features})
    first, second = ({pair[half]: base for base, pair in pairs.items()} for half in (0, 1))
    features: dict[str, Any] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for name, feature in shown.features.items():
        base = first.get(name)
        if base is not None:
            features[base] = {"real": feature, "imag": shown.features[pairs[base][1]]}
            sources[base] = pairs[base]
        elif name not in second:
            features[name], sources[name] = feature, (name,)
    return replace(shown, features=type(shown.features)(features), sources=sources, halves=frozenset(pairs))
