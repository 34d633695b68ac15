"""One file and options -> its schema: the public ``describe``."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import Any

import h5py

from ..describe.opening import open_hdf5
from ..describe.options import Options, make_options
from ..describe.schema import Schema
from ..errors import H5Warning, OptionError
from .tables import describe_handle, resolve_tables

__all__ = ["describe"]


def describe(file: Any, **options: Any) -> Schema:
    """Say what is in an HDF5 file: its tables, their columns and features, splits, metadata, and what is left out.

    Parameters
    ----------
    file
        A path, or an open ``h5py.File`` or group.
    **options
        The options of the package that concern what is read; see the reference page. With ``table``, ``columns``,
        ``class_labels`` or ``features`` the schema holds only the table that these make.

    Returns
    -------
    Schema
        ``str()`` of it is the tree that a person reads.

    Raises
    ------
    H5Error
        If the file is missing, no HDF5, damaged, or reaches outside itself.
    """
    chosen = make_options(**options)
    if not isinstance(file, str | os.PathLike | h5py.Group):
        raise OptionError(f"file={file!r} is not a path or an open HDF5 file", hint="describe takes one file at a time")
    if any((chosen.table, chosen.columns, chosen.class_labels, chosen.features)):
        return _describe_asked(file, chosen)
    if isinstance(file, h5py.Group):
        return describe_handle(file, file.file.filename, chosen)[0]
    name = os.fspath(file)
    with open_hdf5(name) as handle:
        return describe_handle(handle, name, chosen)[0]


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
