"""The tables of several files -> one table: rows one after the other, or columns side by side.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..describe.columns import constant_column
from ..describe.elements import Text, feature_text
from ..describe.schema import Column, Part, Table
from ..describe.unify import CannotUnifyError, unify_columns
from ..errors import MismatchError, warn

__all__ = ["join_columns", "join_rows", "one_sample_table"]

# Attributes that say what stored numbers mean.
_ENCODING = ("units", "scale_factor", "add_offset", "_Unsigned", "enum")
_SAME_MEANING = "class_labels={column: [names]} with the names of all files brings them together"
_DECODED = "decode=True gives what netCDF files mean"
_HINT = "pass columns=[...] or features=... to choose; hf-h5 describe shows both files"


def join_rows(tables: Sequence[Table]) -> Table:
    """The rows of all tables, in order; columns go by name, in the first table's order.

    Raises
    ------
    MismatchError
        Naming two files and what differs between them.
    """
    first = tables[0]
    if len(tables) == 1:
        return first
    for table in tables[1:]:
        _check_names(first, table)
    columns: dict[str, Column] = {}
    for name in first.columns:
        columns[name] = _unified([table.columns[name] for table in tables], tables)
    _warn_encodings(tables)
    shared: dict[int, Mapping[str, Column]] = {}
    parts: list[Part] = []
    for table in tables:
        parts += _renumbered(table, len(parts))
    ordered = tuple(_reordered(part, columns, shared) for part in parts)
    return Table(first.name, columns, ordered, f"{first.rule}; {len(tables)} files")


def _warn_encodings(tables: Sequence[Table]) -> None:
    """Say which numbers mean something else in another file: they are joined as they are stored."""
    first = tables[0]
    for name, column in first.columns.items():
        for table in tables[1:] if column.derived is None else ():
            other = table.columns[name].attrs
            differs = [each for each in _ENCODING if column.attrs.get(each) != other.get(each)]
            if differs:
                facts = f"{differs[0]} {column.attrs.get(differs[0])!r} in {_file(first)}, {other.get(differs[0])!r}"
                warn(
                    f"column {name!r} is joined as stored, and its numbers differ in meaning: {facts} in "
                    f"{_file(table)}; {_SAME_MEANING if differs[0] == 'enum' else _DECODED}",
                )
                break


def _renumbered(table: Table, before: int) -> tuple[Part, ...]:
    """Parts whose ``episode_index`` counts on from the files before."""
    if "episode_index" not in table.columns or not before:
        return table.parts
    return tuple(
        replace(part, constants={**part.constants, "episode_index": before + number})
        for number, part in enumerate(table.parts)
    )


def _reordered(part: Part, columns: Mapping[str, Column], shared: dict[int, Mapping[str, Column]]) -> Part:
    key = id(part.columns)
    if key not in shared:
        shared[key] = {name: part.columns[name] for name in columns}
    return replace(part, columns=shared[key])


def _check_names(first: Table, other: Table) -> None:
    missing = [name for name in first.columns if name not in other.columns]
    extra = [name for name in other.columns if name not in first.columns]
    if not missing and not extra:
        return
    facts = []
    if missing:
        facts.append(f"{_file(other)} lacks {_listed(missing)}, which {_file(first)} has")
    if extra:
        facts.append(f"{_file(other)} has {_listed(extra)}, which {_file(first)} lacks")
    raise MismatchError(f"the files have different columns: {'; '.join(facts)}", file=_file(other), hint=_HINT)


def _unified(columns: Sequence[Column], tables: Sequence[Table]) -> Column:
    result = columns[0]
    ragged = any(column.take == "whole" for column in columns)
    for column, table in zip(columns[1:], tables[1:], strict=True):
        _check_positions(columns[0], column, _file(tables[0]), _file(table))
        asked = column.feature is not None and column.feature == result.feature
        try:
            result = unify_columns([result, column], widen="iuf" if asked else "f", ragged=ragged)
        except CannotUnifyError as error:
            raise MismatchError(
                f"column {column.name!r} is {feature_text(columns[0].inferred)} in {_file(tables[0])} "
                f"and {feature_text(column.inferred)} in {_file(table)}",
                file=_file(table),
                path=column.path,
                hint=_HINT,
            ) from error
    return result


def _check_positions(first: Column, other: Column, file: str, other_file: str) -> None:
    """Rows whose positions have names, which a convention notes in short, are alike only if the names are."""
    names, other_names = (each.attrs.get("axis_names") for each in (first, other))
    if names is not None and other_names is not None and names != other_names:
        raise MismatchError(
            f"the positions of column {first.name!r} have other names, or another order, in {file} than in "
            f"{other_file}: {names} and {other_names}",
            file=other_file,
            path=other.path,
            hint="bring the files to the same variables first, or leave the column out with columns=[...]",
        )


def one_sample_table(tables: Sequence[Table]) -> Table:
    """One row per file, from tables of one row; columns have fixed shapes where all files agree."""
    named = []
    for table in tables:
        names = {"file_name": constant_column("file_name", Text())}
        columns = table.columns if "file_name" in table.columns else names | dict(table.columns)
        file_name = _file(table).replace("\\", "/").rpartition("/")[2]
        parts = tuple(
            replace(part, columns={**names, **part.columns}, constants={**part.constants, "file_name": file_name})
            for part in table.parts
        )
        named.append(replace(table, columns=columns, parts=parts))
    joined = join_rows(named)
    return replace(joined, rule=f"one sample per file; {len(tables)} files")


def join_columns(tables: Sequence[Table]) -> Table:
    """Tables of equally many rows side by side; files with the same columns are first put one after the other.

    Raises
    ------
    MismatchError
        If lengths differ, or two files name a column alike.
    """
    groups: dict[frozenset[str], list[Table]] = {}
    for table in tables:
        groups.setdefault(frozenset(table.columns), []).append(table)
    if len(groups) == 1 and len(tables) > 1:
        raise MismatchError(
            f"join='columns': all {len(tables)} files have the same columns, so none stand beside others",
            file=_file(tables[-1]),
            hint="leave join= out to have their rows one after the other",
        )
    sides = [join_rows(group) for group in groups.values()]
    first = sides[0]
    columns = dict(first.columns)
    for side in sides[1:]:
        if side.num_rows != first.num_rows:
            raise MismatchError(
                f"join='columns': {_file(first)} has {first.num_rows} rows and {_file(side)} has {side.num_rows}",
                file=_file(side),
                hint="the files must hold the same rows; check the pairs",
            )
        common = [name for name in side.columns if name in columns]
        if common:
            raise MismatchError(
                f"join='columns': both {_file(first)} and {_file(side)} have {_listed(common)}",
                file=_file(side),
                hint=_HINT,
            )
        if not np.array_equal(side.starts, first.starts):
            raise MismatchError(
                f"join='columns': the files behind {_file(first)} and {_file(side)} hold different numbers of rows",
                file=_file(side),
                hint="name the files in the same order on both sides",
            )
        columns |= side.columns
    parts = tuple(_side_by_side(row) for row in zip(*(side.parts for side in sides), strict=True))
    return Table(first.name, columns, parts, f"{first.rule}; {len(sides)} files side by side")


def _side_by_side(parts: tuple[Part, ...]) -> Part:
    """One part whose columns each know their own file and group."""
    columns: dict[str, Column] = {}
    constants: dict[str, object] = {}
    for part in parts:
        for name, column in part.columns.items():
            columns[name] = replace(column, file=part.file_of(column), path=part.path_of(column))
        constants |= part.constants
    return Part(parts[0].file, "", parts[0].n_rows, columns, constants)


def _file(table: Table) -> str:
    return table.parts[0].file if table.parts else table.name


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
