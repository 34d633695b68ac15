"""A table as found -> the table as asked for: chosen columns, class names, features.

Pure; no I/O.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..describe.columns import codes_text
from ..describe.elements import (
    Binary,
    Element,
    FeatureSpec,
    Label,
    Number,
    Ragged,
    Struct,
    Text,
    feature_text,
    leaf_spec,
)
from ..describe.schema import Column, Part, Table
from ..errors import ColumnError, OptionError, closest_names
from .labels import as_numbers, as_read, asked_names, own_label

__all__ = [
    "choose_columns",
    "flat_specs",
    "in_tree_order",
    "map_columns",
    "match_columns",
    "with_arrays",
    "with_class_labels",
    "with_features",
    "with_named_splits",
]

_BYTES = ("binary", "large_binary")
# Features whose values are encoded bytes.
_MEDIA = ("Image", "Audio", "Video", "Pdf", "Nifti", "Mesh")


def match_columns(patterns: Sequence[str], names: Sequence[str], *, file: str | None = None) -> list[str]:
    """Names that the patterns choose, each once; names in the patterns' order, globs in the table's.

    A pattern may be a name, a glob of slash paths, or the path of a group or compound (all below it).

    Raises
    ------
    ColumnError
        If a pattern chooses nothing; the closest names are in the hint.

    Examples
    --------
    >>> match_columns(["y", "obs/*"], ["obs/a", "obs/b", "y"])
    ['y', 'obs/a', 'obs/b']
    """
    chosen: dict[str, None] = {}
    for given in patterns:
        pattern = given.strip("/") or given
        found = [name for name in names if name == pattern]
        found = found or [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        found = found or [name for name in names if name.startswith(pattern + "/")]
        if not found:
            raise ColumnError(f"no column {given!r}", file=file, hint=closest_names(pattern, names))
        chosen |= dict.fromkeys(found)
    return list(chosen)


def in_tree_order(table: Table) -> Table:
    """The table with its columns as one meets them walking the file by name, fields of compounds as declared."""

    def place(name: str) -> tuple[bytes, ...]:
        column = table.columns[name]
        parts = column.nested_name if column.path else ()
        return tuple(part.encode("utf-8", "surrogateescape") for part in parts[: len(parts) - len(column.fields)])

    return table.select(sorted(table.columns, key=place))


def choose_columns(table: Table, patterns: Sequence[str] | None, *, file: str | None = None) -> Table:
    """The table with the columns that the patterns choose; all of them without patterns."""
    if patterns is None:
        return table
    return table.select(match_columns(patterns, list(table.columns), file=file))


def map_columns(
    table: Table, change: Callable[[Column], Column], change_stored: Callable[[Column], Column] | None = None
) -> Table:
    """Change every column, in the table, its parts and its splits; parts keep sharing their mappings.

    ``change_stored`` is for the columns of parts, where these are changed otherwise.
    """
    made: dict[tuple[int, Any], Mapping[str, Column]] = {}

    def changed(columns: Mapping[str, Column], change: Callable[[Column], Column]) -> Mapping[str, Column]:
        key = (id(columns), change)
        if key not in made:
            made[key] = {name: change(column) for name, column in columns.items()}
        return made[key]

    def part_of(part: Part) -> Part:
        return replace(part, columns=changed(part.columns, change_stored or change))

    return replace(
        table,
        columns=changed(table.columns, change),
        parts=tuple(part_of(part) for part in table.parts),
        splits={split: map_columns(inner, change, change_stored) for split, inner in table.splits.items()},
    )


def with_arrays(table: Table, arrays: str) -> Table:
    """The table with its arrays as the option ``arrays`` says; ``"list"`` are nested lists of fixed length."""
    return table if arrays == "array" else map_columns(table, lambda column: replace(column, as_lists=True))


def with_class_labels(table: Table, labels: Mapping[str, Sequence[str]], *, file: str) -> Table:
    """The table with the given columns as labels; ``labels`` are the class names in order of their numbers.

    Raises
    ------
    ColumnError
        If there is no such column.
    OptionError
        If a column holds neither numbers nor strings.
    """
    chosen = {
        column: tuple(names)
        for given, names in labels.items()
        for column in match_columns([given], list(table.columns), file=file)
    }

    def labelled(column: Column, *, is_part: bool) -> Column:
        return _labelled(column, chosen[column.name], file, is_part=is_part) if column.name in chosen else column

    return map_columns(table, partial(labelled, is_part=False), partial(labelled, is_part=True))


def _labelled(column: Column, names: tuple[str, ...], file: str, *, is_part: bool) -> Column:
    if len(set(names)) != len(names):
        raise OptionError(f"class_labels[{column.name!r}] has a name twice", file=file, path=column.path)
    if isinstance(column.element, Text):
        return replace(column, feature={"names": list(names), "_type": "ClassLabel"})
    is_number = isinstance(column.element, Label) or (
        isinstance(column.element, Number) and column.element.dtype.kind in "biuf"
    )
    if not is_number:
        raise OptionError(
            f"class_labels: column {column.name!r} is {column.feature_text}, not numbers or strings", file=file
        )
    shape = () if all(size == 1 for size in column.row_shape) else column.row_shape
    asked, own = Label(names, tuple(range(len(names)))), own_label(column)
    stored = asked if own is None else as_read(own, asked, column, file)
    # Files are compared by what their numbers mean, unless they were brought to the same names.
    attrs = {name: value for name, value in column.attrs.items() if name != "enum"}
    if own is not None and stored is asked and stored != own:
        attrs["enum"] = codes_text(own)
    return replace(column, element=stored if is_part else asked, row_shape=shape, attrs=attrs)


def flat_specs(table: Table, specs: Mapping[str, FeatureSpec], *, file: str) -> dict[str, FeatureSpec]:
    """Nested features by the names of the flat columns that lie there, in their order.

    Raises
    ------
    ColumnError
        If there is no column at a place.
    """
    names = {column.nested_name: name for name, column in table.columns.items()}
    flat: dict[str, FeatureSpec] = {}

    def walk(spec: FeatureSpec, place: tuple[str, ...]) -> None:
        is_leaf = isinstance(spec.get("_type"), str)
        if place in names and (is_leaf or not isinstance(table.columns[names[place]].inferred.get("_type"), str)):
            flat[names[place]] = spec
        elif is_leaf:
            name = "/".join(place)
            if name in table.columns:
                within = "".join(f"{{{part!r}: " for part in table.columns[name].nested_name)
                raise ColumnError(
                    f"features: column {name!r} is named by its path",
                    file=file,
                    path=table.columns[name].path or None,
                    hint=f"with nested=True it is features={within}...{'}' * len(table.columns[name].nested_name)}",
                )
            raise ColumnError(f"features: no column {name!r}", file=file, hint=closest_names(name, list(table.columns)))
        else:
            for name, inner in spec.items():
                walk(inner, (*place, name))

    walk(dict(specs), ())
    return flat


def with_features(table: Table, specs: Mapping[str, FeatureSpec], *, file: str) -> Table:
    """The table with the columns and types of ``features``.

    Types that the reader can produce itself (bytes for strings, labels for numbers, wider numbers) become the
    column's element; others are noted in ``Column.feature``, and the Arrow batch is cast to them.
    """
    names = list(table.columns)
    for name in specs:
        if name not in table.columns:
            raise ColumnError(f"features: no column {name!r}", file=file, hint=closest_names(name, names))
    chosen = table.select(list(specs))

    def featured(column: Column, *, is_part: bool) -> Column:
        return _featured(column, specs[column.name], file, is_part=is_part) if column.name in specs else column

    return map_columns(chosen, partial(featured, is_part=False), partial(featured, is_part=True))


def with_named_splits(table: Table, splits: Mapping[str, Sequence[str]], *, file: str) -> Table:
    """The table with splits of which each is a choice of episodes by name; episodes in the file's order.

    Raises
    ------
    OptionError
        If the table's rows come from no episodes, or a name is none of theirs.
    """
    parts = {part.constants.get("episode_id"): part for part in table.parts}
    known = [str(name) for name in parts if name is not None]
    if len(known) < len(table.parts):
        raise OptionError("splits= names episodes, and the rows come from none", file=file, path=table.name)
    found = {}
    for split, names in splits.items():
        unknown = [name for name in names if name not in parts]
        if unknown:
            raise OptionError(
                f"splits: there is no episode {unknown[0]!r}, which {split!r} names",
                file=file,
                path=table.name,
                hint=closest_names(unknown[0], known),
            )
        chosen = set(names)
        kept = tuple(part for name, part in parts.items() if name in chosen)
        found[split] = replace(table, parts=kept, splits={})
    return replace(table, splits=found)


def _featured(column: Column, spec: FeatureSpec, file: str, *, is_part: bool) -> Column:
    if _same(spec, column.inferred):
        return replace(column, feature=None)
    _check_shape(column, spec, file)
    own = own_label(column) if leaf_spec(spec).get("_type") == "ClassLabel" else None
    column = as_numbers(column, spec) if own is None else replace(column, element=own)
    asked = asked_names(column.element, spec)
    if asked != column.element:
        stored = as_read(column.element, asked, column, file)
        named = replace(column, element=asked, feature=None)
        named = named if _same(spec, named.inferred) else replace(named, feature=spec)
        return replace(named, element=stored) if is_part else named
    element, shape = _element_for(column, spec)
    changed = replace(column, element=element, row_shape=shape, feature=None)
    return changed if _same(spec, changed.inferred) else replace(changed, feature=spec)


def _check_shape(column: Column, spec: FeatureSpec, file: str) -> None:
    """Raise where rows would be cut anew: arrays are cast as one run of values, whatever their shape."""
    asked = _asked_shape(spec)
    if asked is None or isinstance(column.element, Ragged | Struct):
        return
    stored = column.row_shape
    if len(asked) == len(stored) and all(
        None in pair or pair[0] == pair[1] for pair in zip(asked, stored, strict=True)
    ):
        return
    raise OptionError(
        f"features: rows of column {column.name!r} have the shape {stored}, not {asked}",
        file=file,
        path=column.path or None,
        hint=f"features= changes types, not shapes: ask for {stored}, and reshape the rows with map or with_transform",
    )


def _asked_shape(spec: FeatureSpec) -> tuple[int | None, ...] | None:
    """The sizes that arrays and lists ask for, None for any; None if there is neither, or no plain values inside."""
    kind = spec.get("_type")
    if kind in ("List", "LargeList", "Sequence") and isinstance(spec.get("feature"), dict):
        inner = spec["feature"]
        length = spec.get("length", -1)
        sizes: tuple[int | None, ...] = (None if length < 0 else length,)
        if inner.get("_type") in ("Value", "ClassLabel"):
            return sizes
        deeper = _asked_shape(inner)
        return None if deeper is None else sizes + deeper
    if isinstance(kind, str) and kind.startswith("Array"):
        return tuple(spec["shape"])
    return None


def _element_for(column: Column, spec: FeatureSpec) -> tuple[Element, Any]:
    """The element, and row shape, from which ``spec`` is made with the least detour."""
    element, shape, leaf = column.element, column.row_shape, leaf_spec(spec)
    kind = leaf.get("_type")
    wants_bytes = kind in _MEDIA or (kind == "Value" and leaf.get("dtype") in _BYTES)
    is_byte_list = isinstance(element, Ragged) and element.item == Number(np.dtype(np.uint8)) and not element.shape
    if wants_bytes and (isinstance(element, Text) or is_byte_list):
        return Binary(), shape
    if isinstance(element, Binary) and kind == "Value" and leaf.get("dtype") in ("string", "large_string"):
        return Text("null_padded"), shape
    if kind == "ClassLabel" and leaf is spec and isinstance(element, Number) and element.dtype.kind in "biuf":
        if all(size == 1 for size in shape) and leaf.get("names"):
            names = tuple(leaf["names"])
            return Label(names, tuple(range(len(names)))), ()
    if isinstance(element, Number) and element.dtype.kind in "biuf" and kind != "ClassLabel":
        return _widened(element, leaf), shape
    return element, shape


def _widened(element: Number, leaf: FeatureSpec) -> Number:
    """The number type of the feature, if it holds every value exactly."""
    wanted = leaf.get("dtype")
    if not isinstance(wanted, str):
        return element  # numpy reads None as float64
    try:
        dtype = np.dtype(wanted)
    except (TypeError, ValueError):  # those that are Arrow's alone: decimals, strings
        return element
    # Of 64 bits numpy calls a cast to float64 safe that rounds; Arrow's looks at the values.
    may_round = dtype.kind == "f" and element.dtype.kind in "iu" and element.dtype.itemsize == 8
    if may_round:
        return element
    if dtype.kind in "iuf" and element.dtype.kind != "b" and np.can_cast(element.dtype, dtype, "safe"):
        return Number(dtype)
    return element


def _same(one: FeatureSpec, other: FeatureSpec) -> bool:
    return feature_text(_canonical(one)) == feature_text(_canonical(other)) and _names(one) == _names(other)


def _canonical(spec: FeatureSpec) -> FeatureSpec:
    """``Value`` aliases under one name."""
    if spec.get("_type") == "Value":
        aliases = {"float": "float32", "double": "float64"}
        dtype = spec["dtype"]
        return {"dtype": aliases.get(dtype, dtype), "_type": "Value"}
    return spec


def _names(spec: FeatureSpec) -> Any:
    return leaf_spec(spec).get("names") if leaf_spec(spec).get("_type") == "ClassLabel" else None
