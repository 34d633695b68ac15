"""One file and options -> its schema."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import h5py

from ..describe.opening import open_hdf5
from ..describe.options import Options, make_options
from ..describe.schema import Schema
from ..errors import H5Warning, OptionError
from .apply import with_arrays
from .tables import describe_handle, resolve_tables

__all__ = ["describe"]


def describe(file: Any, **options: Any) -> Schema:
    """The schema of a file or an open group, looked at in this process; see ``opening.describe``."""
    chosen = make_options(**options)
    if not isinstance(file, str | os.PathLike | h5py.Group):
        raise OptionError(f"file={file!r} is not a path or an open HDF5 file", hint="describe takes one file at a time")
    names_splits = isinstance(chosen.splits, Mapping)
    if any((chosen.table, chosen.columns, chosen.class_labels, chosen.features, names_splits)):
        return _describe_asked(file, chosen)
    if isinstance(file, h5py.Group):
        return _as_converted(describe_handle(file, file.file.filename, chosen)[0], chosen)
    name = os.fspath(file)
    with open_hdf5(name) as handle:
        return _as_converted(describe_handle(handle, name, chosen)[0], chosen)


def _as_converted(schema: Schema, options: Options) -> Schema:
    """The schema with the features that a conversion with these options has."""
    return replace(schema, tables={name: with_arrays(table, options.arrays) for name, table in schema.tables.items()})


def _describe_asked(file: Any, options: Options) -> Schema:
    with warnings.catch_warnings():
        # That the rest of the file is left out is what was asked for.
        warnings.simplefilter("ignore", H5Warning)
        resolved = resolve_tables(file if isinstance(file, h5py.Group) else [os.fspath(file)], options)
    table = next(iter(resolved.splits.values()))
    if resolved.inside:
        parts = tuple(part for split in resolved.splits.values() for part in split.parts)
        table = replace(table, parts=parts, splits=resolved.splits)
    return replace(resolved.schema, tables={table.name: table}, default=table.name, default_reason="as asked for")
