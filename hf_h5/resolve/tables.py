"""Files and options -> schemas and tables: where scan, rules, options and merging come together."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import h5py

from ..conventions.recognise import find_convention
from ..describe.axes import check_lengths, turn_tree
from ..describe.kept_names import asked_for
from ..describe.layout import SAMPLE_RULE, find_tables
from ..describe.opening import check_filters, expand_files, open_hdf5
from ..describe.options import Options
from ..describe.repeated import Known
from ..describe.scan import scan_tree
from ..describe.schema import Schema, Table
from ..describe.splits import SPLITS
from ..describe.tree import Tree
from ..describe.types import interpret_type
from ..describe.values import plain_attrs, plain_value
from ..errors import (
    DamagedFileError,
    H5Warning,
    LayoutError,
    MismatchError,
    MissingFileError,
    NotHDF5Error,
    OptionError,
    closest_names,
    warn,
)
from .apply import (
    choose_columns,
    flat_specs,
    in_tree_order,
    match_columns,
    with_arrays,
    with_class_labels,
    with_features,
    with_named_splits,
)
from .choosing import matches, pick_table
from .left_out import NOTHING_LEFT_OUT, LeftOut, join_left_out
from .merge import join_columns, join_rows, one_sample_table
from .repeating import Repeating, repeated_groups
from .saved import Saved, find_place, load_tables, save_tables
from .warned import warn_left_out, warn_lost_splits, warn_rounded

__all__ = ["Resolved", "describe_handle", "resolve_splits", "resolve_tables"]

_BAD_FILE = (DamagedFileError, NotHDF5Error)


@dataclass(frozen=True)
class Resolved:
    """The tables that were asked for, by split, and whether the splits were found inside the files.

    ``schema`` is that of the first file; ``left_out`` are those that cannot be read.
    """

    splits: Mapping[str, Table]
    inside: bool
    schema: Schema
    left_out: LeftOut = NOTHING_LEFT_OUT

    @property
    def description(self) -> str:
        """What the first file holds, and which files are left out."""
        return f"{self.schema}\n\n{self.left_out}." if self.left_out else str(self.schema)


def describe_handle(handle: h5py.Group, file: str, options: Options, known: Known = frozenset()) -> tuple[Schema, Tree]:
    """The schema of an open file or group, and the tree that it was made from; ``known`` as for ``find_tables``."""
    tree = scan_tree(handle, file, limits=options.limits, allowed=options.allow_external, asked=asked_for(options))
    named = options.columns is not None or options.table is not None
    if options.axis is not None:
        tree = turn_tree(tree, options.axis)
    # Whoever says how the rows lie needs no convention to say it.
    convention = find_convention(tree, handle, options) if options.axis is None else None
    read = dict(convention.values) if convention is not None else {}
    found = convention.layout if convention is not None else None
    if found is None:
        found = find_tables(tree, layout=options.layout, splits=options.splits == "auto", single=named, known=known)
    tables = {table.name: _prefixed(table, handle.name or "/") for table in found.tables}
    default = found.tables[0].name if found.tables else None
    reason = "the only table" if len(tables) == 1 else "most bytes" if tables else "no dataset has rows"
    if convention is not None and len(tables) > 1:
        reason = f"the main table of {convention.name}"
    schema = Schema(
        file=file,
        tables=tables,
        default=default,
        default_reason=reason,
        metadata={node.path: tree.read_value(node) for node in found.metadata} | read,
        attrs=tree.read_attrs("/"),
        notes=tuple(found.notes),
        file_bytes=os.path.getsize(file) if os.path.exists(file) else 0,
        convention=convention.name if convention else None,
    )
    return schema, tree


def _prefixed(table: Table, group: str) -> Table:
    """Paths inside an open group start from it; make them absolute."""
    if group == "/":
        return table
    parts = tuple(replace(part, prefix=group + part.prefix) for part in table.parts)
    return replace(table, parts=parts, splits={name: _prefixed(inner, group) for name, inner in table.splits.items()})


def resolve_tables(files: Any, options: Options) -> Resolved:
    """The table (or the splits) of one or several files.

    Parameters
    ----------
    files
        A path, a pattern, a list of them, or an open ``h5py.File`` or group.

    Raises
    ------
    H5Error
        If a file cannot be read, or the files do not form one table.
    """
    if isinstance(files, h5py.Group):
        return _looked_up(files, options)
    names = expand_files(files)
    place = find_place(names, options)
    if place is None:
        return _looked_up(names, options)
    kept = load_tables(place)
    if kept is not None:
        with open_hdf5(names[0]) as handle:
            known = repeated_groups(kept.splits.values())
            schema, _ = describe_handle(handle, names[0], _samples(options, handle), known)
            return Resolved(kept.splits, kept.inside, schema, kept.left_out)
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        resolved = _looked_up(names, options)
    for each in noted:
        warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    warned = tuple(str(each.message) for each in noted if issubclass(each.category, H5Warning))
    save_tables(place, Saved(resolved.splits, resolved.inside, warned, resolved.left_out))
    return resolved


def _looked_up(files: list[str] | h5py.Group, options: Options) -> Resolved:
    """What a look at each of the files says."""
    tables: list[Table] = []
    bad: list[tuple[str, str]] = []
    first: Schema | None = None
    for schema, table in _file_tables(files, options, bad):
        first = first or schema
        tables.append(table)
    left_out = LeftOut(tuple(bad), 1 if isinstance(files, h5py.Group) else len(files))
    if first is None:
        why = f": {left_out}" if left_out else ""
        raise LayoutError(f"no file is left to read{why}", hint="each was empty, or left out by on_bad_files")
    left_out.warn()
    with_splits = [table for table in tables if table.splits]
    if not with_splits:
        return Resolved({"train": _merged(tables, options)}, inside=False, schema=first, left_out=left_out)
    if len(with_splits) < len(tables):
        without = next(table for table in tables if not table.splits)
        raise MismatchError(
            f"{with_splits[0].files[0]} holds splits ({', '.join(with_splits[0].splits)}), {without.files[0]} none",
            file=without.files[0],
            hint="pass splits=False to read all files alike, or load them apart",
        )
    found = list(dict.fromkeys(name for table in tables for name in table.splits))
    names = sorted(found, key=lambda name: SPLITS.index(name) if name in SPLITS else len(SPLITS))
    merged = {
        name: _merged([table.splits[name] for table in tables if name in table.splits], options) for name in names
    }
    return Resolved(_agreed(merged), inside=True, schema=first, left_out=left_out)


def resolve_splits(data_files: Mapping[str, Any], options: Options) -> Resolved:
    """The tables of files that are named split by split.

    Only where ``train`` is the one key may the files hold splits of their own.
    """
    if not data_files:
        raise MissingFileError("no file was named", hint="pass a mapping such as {'train': 'train.h5'}")
    if list(data_files) == ["train"]:
        return resolve_tables(data_files["train"], options)
    found = {split: resolve_tables(files, options) for split, files in data_files.items()}
    for split, resolved in found.items():
        if resolved.inside:
            file = next(iter(resolved.splits.values())).files[0]
            raise OptionError(
                f"data_files names the split {split!r}, and the file holds splits itself: {', '.join(resolved.splits)}",
                file=file,
                hint="pass splits=False to read the file's datasets as they are, or name the file without a split",
            )
    tables = {split: resolved.splits["train"] for split, resolved in found.items()}
    left_out = join_left_out(resolved.left_out for resolved in found.values())
    return Resolved(_agreed(tables), False, next(iter(found.values())).schema, left_out)


def _agreed(splits: Mapping[str, Table]) -> dict[str, Table]:
    """Splits whose columns are one and the same, so that they have the same features."""
    together = join_rows(list(splits.values())) if len(splits) > 1 else next(iter(splits.values()))
    return {name: replace(table, columns=together.columns) for name, table in splits.items()}


def _merged(tables: Sequence[Table], options: Options) -> Table:
    if options.join == "columns":
        joined = _as_asked(join_columns(tables), options)
        # Says which name of class_labels= is that of no column.
        match_columns(list(options.class_labels or {}), list(joined.columns), file=joined.files[0])
        return joined
    single = [len(table.parts) == 1 and table.num_rows == 1 for table in tables]
    if len(tables) > 1 and all(single) and tables[0].rule == SAMPLE_RULE:
        return one_sample_table(tables)
    return join_rows(tables)


def _file_tables(
    files: list[str] | h5py.Group, options: Options, bad: list[tuple[str, str]]
) -> Iterator[tuple[Schema, Table]]:
    if isinstance(files, h5py.Group):
        schema, _ = describe_handle(files, files.file.filename, options)
        yield schema, _chosen_table(files, schema, options)
        return
    several = len(files) > 1
    repeating = Repeating(files, lambda handle, name: describe_handle(handle, name, _samples(options, handle)))
    for name in files:
        try:
            with open_hdf5(name) as handle:
                chosen = _samples(options, handle) if several else options
                schema, tree = describe_handle(handle, name, chosen)
                known = repeating.find(schema, tree) if several else frozenset()
                if known:
                    chosen = options
                    schema, _ = describe_handle(handle, name, chosen, known)
                if several and not (schema.tables or schema.metadata or schema.notes):
                    warn(f"{name} holds no datasets, so no rows come from it")
                else:
                    yield schema, _chosen_table(handle, schema, chosen)
        except _BAD_FILE as error:
            if options.on_bad_files == "error":
                raise
            bad.append((name, str(error)))
            if options.on_bad_files == "warn":
                warn(f"left out: {error}")


def _samples(options: Options, handle: h5py.File) -> Options:
    """Rule 6: files that hold single rows and scalars only are one sample each."""
    if options.layout != "auto":
        return options
    sizes: list[int | None] = []

    def look(name: str, item: h5py.HLObject) -> bool | None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            sizes.append(item.shape[0] if item.shape else None)
            return True if item.shape and item.shape[0] != 1 else None
        return None

    handle.visititems(look)
    return (
        options
        if any(size not in (None, 1) for size in sizes) or None not in sizes
        else replace(options, layout="sample")
    )


def _chosen_table(handle: h5py.Group, schema: Schema, options: Options) -> Table:
    file = schema.file
    table = in_tree_order(pick_table(schema, options)) if options.nested else pick_table(schema, options)
    if options.axis is not None:
        check_lengths(schema, table, options.axis, chosen=options.columns is not None)
    sided = options.join == "columns"
    if options.class_labels:
        # Of files side by side, each has some of the columns that are named.
        labels = {name: given for name, given in options.class_labels.items() if not sided or matches(name, table)}
        names = {name: _names(handle, file, given, "class_labels") for name, given in labels.items()}
        table = with_class_labels(table, names, file=file)
    if not sided:
        table = _as_asked(table, options)
    elif options.columns is not None:
        present = [pattern for pattern in options.columns if matches(pattern, table)]
        table = choose_columns(table, present, file=file) if present else table
    if isinstance(options.splits, Mapping):
        named = {split: _names(handle, file, path, "splits") for split, path in options.splits.items()}
        table = with_named_splits(table, named, file=file)
    check_filters(file, table.columns.values())
    warn_left_out(schema, table, options)
    warn_lost_splits(schema, table, options)
    warn_rounded(table, file)
    return table


def _as_asked(table: Table, options: Options) -> Table:
    """The features and columns that the user asked for."""
    file, specs = table.files[0], options.feature_specs
    table = with_arrays(table, options.arrays)
    if specs is not None:
        chosen = flat_specs(table, specs, file=file) if options.nested else specs
        table = with_features(table, chosen, file=file)
    return choose_columns(table, options.columns, file=file)


def _names(handle: h5py.Group, file: str, given: Sequence[str] | str, option: str) -> list[str]:
    """Names from a list, a dataset (``"/list_classes"``) or an attribute (``"/y@names"``)."""
    if not isinstance(given, str):
        return [str(name) for name in given]
    path, _, attribute = given.partition("@")
    target = handle.get(path or "/")
    if target is None:
        hint = "name a dataset '/names' or an attribute '/y@names'"
        if option == "splits":
            hint = "name the dataset that lists a split's episodes, such as '/mask/train'; splits=False is for none"
        raise OptionError(f"{option}: there is no {path!r}", file=file, hint=hint)
    if attribute:
        values: Any = plain_attrs(target.id, handle, 1 << 20).get(attribute)
    else:
        values = plain_value(target, None, 0) if not isinstance(target, h5py.Dataset) else _plain_names(target)
    if isinstance(values, str):
        values = [name.strip() for name in values.split(",")]
    if not isinstance(values, list) or not all(isinstance(name, str | int) for name in values):
        known = list(target.attrs)
        if attribute and attribute not in known:
            hint = f"of its attributes {closest_names(attribute, known)}"
            raise OptionError(f"{option}: there is no {given!r}", file=file, path=target.name, hint=hint)
        raise OptionError(
            f"{option}: {given!r} holds no list of names",
            file=file,
            path=target.name,
            hint="names are strings in UTF-8, or integers; pass them as a list, such as ['no', 'yes'], where the file "
            "has none",
        )
    return [str(name) for name in values]


def _plain_names(dataset: h5py.Dataset) -> Any:
    return plain_value(dataset, interpret_type(dataset.id.get_type()), 1 << 24)
