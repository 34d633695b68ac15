"""Which files, splits, rows and dataset are compared: the public ``verify``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...describe.opening import expand_files
from ...describe.options import make_options
from ...describe.schema import Table
from ...describe.wording import bytes_text
from ...errors import OptionError, closest_names
from ...isolate.choose import resolve
from .compare_split import Other, compare_split
from .report import Report
from .stored import RowSource, Stored, find_converted, open_stored

__all__ = ["verify"]

Rows = range | NDArray[np.int64]

# A conversion of its own is made up to here unless more was asked for.
_CONVERTED_BYTES = 1 << 30


def verify(
    files: Any,
    dataset: Any = None,
    *,
    split: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    convert: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Report:
    """Compare what HDF5 files hold with what both modes make of it, value by value, bit for bit.

    Memory is bounded: rows are compared some megabytes at a time.

    Parameters
    ----------
    files
        A path, a pattern or a list of them.
    dataset
        What was made of the files: a folder that ``hf-h5 convert`` or ``save_to_disk`` wrote, a Parquet file, a name on
        the Hub, or an object of ``datasets``. None for the cached mode: the conversion in the cache of ``datasets``.
    split
        The one split to compare; all of them if None.
    sample, seed
        Compare so many random rows of each split, chosen by the seed; all rows if None.
    convert
        Whether files that are not in the cache are converted, into a temporary folder; None: where their rows take at
        most 1 GiB and all are compared. Only without ``dataset``.
    progress
        Called with the number of rows that were compared since the last call, and how many there are in all.
    **options
        The options with which the files were converted; see the reference page.

    Returns
    -------
    Report
        True if everything is the same; ``str()`` of it is what a person reads, ``.checksum`` what one may quote.

    Raises
    ------
    H5Error
        If the files, or the dataset, cannot be read.

    Examples
    --------
    >>> import h5py
    >>> with h5py.File("numbers.h5", "w") as file:
    ...     file["x"] = [1, 2, 3]
    >>> report = verify("numbers.h5")
    >>> bool(report), report.splits["train"].columns["x"].compared
    (True, ('h5py', 'cached'))
    """
    if sample is not None and (not isinstance(sample, int) or sample < 1):
        raise OptionError(f"sample={sample!r} is not a number of rows")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise OptionError(f"seed={seed!r} is not an integer from 0 on")
    chosen = make_options(**options)
    names = expand_files(files)
    tables = _chosen_splits(resolve(names, chosen).splits, split, names[0])
    with tempfile.TemporaryDirectory(prefix="hf-h5-verify-") as scratch:
        stored, why = _find_stored(names, dataset, tables, options, convert, sample, scratch)
        problems, pairs = _paired(tables, stored, split)
        rows = {name: _rows_to_compare(table.num_rows, sample, seed) for name, table in tables.items()}
        total = sum(map(len, rows.values()))

        def advance(count: int) -> None:
            if progress is not None:
                progress(count, total)

        splits = {}
        for name, table in tables.items():
            other = Other(pairs[name], stored.label) if stored is not None and name in pairs else None
            splits[name] = compare_split(name, table, chosen, other, rows[name], advance)
    what = stored.what if stored is not None else None
    return Report(tuple(names), what, why, splits, problems, sample, seed if sample is not None else None)


def _chosen_splits(tables: Mapping[str, Table], split: str | None, file: str) -> Mapping[str, Table]:
    if split is None:
        return tables
    if split not in tables:
        raise OptionError(f"there is no split {split!r}", file=file, hint=closest_names(split, tables))
    return {split: tables[split]}


def _find_stored(
    names: list[str],
    dataset: Any,
    tables: Mapping[str, Table],
    options: Mapping[str, Any],
    convert: bool | None,
    sample: int | None,
    scratch: str,
) -> tuple[Stored | None, str | None]:
    """What to compare with, or why there is nothing."""
    if dataset is not None:
        return open_stored(dataset), None
    n_bytes = sum(table.logical_bytes for table in tables.values())
    is_small = sample is None and n_bytes <= _CONVERTED_BYTES
    may_convert = is_small if convert is None else convert
    stored = find_converted(names, options, lambda: may_convert, scratch)
    if stored is not None:
        return stored, None
    why = "none is made for a sample" if sample is not None else f"one would take some {bytes_text(n_bytes)}"
    return None, f"none is in the cache, and {why} (--convert makes one)"


def _paired(
    tables: Mapping[str, Table], stored: Stored | None, split: str | None
) -> tuple[tuple[str, ...], dict[str, RowSource]]:
    """What is missing, and the dataset's split for each of the files'."""
    if stored is None:
        return (), {}
    single = stored.splits.get(None)
    if single is not None:
        if len(tables) > 1:
            listed = ", ".join(map(repr, tables))
            raise OptionError(
                f"the files hold the splits {listed}, and the dataset is one of them", hint="say which: split=, --split"
            )
        return (), {next(iter(tables)): single}
    missing = [f"the dataset has no split {name!r}" for name in tables if name not in stored.splits]
    extra = [f"the files have no split {name!r}" for name in stored.splits if name not in tables and split is None]
    return (*missing, *extra), {name: stored.splits[name] for name in tables if name in stored.splits}


def _rows_to_compare(n_rows: int, sample: int | None, seed: int) -> Rows:
    if sample is None or sample >= n_rows:
        return range(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, sample, replace=False, shuffle=False)).astype(np.int64)
