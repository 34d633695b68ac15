"""Batches in the formats of ``datasets``, by its own formatters: the same output as the cached mode by construction."""

from __future__ import annotations

from typing import Any

import datasets
import pyarrow as pa
from datasets.formatting import get_format_type_from_alias, get_formatter
from datasets.utils.stratify import stratified_shuffle_split_generate_indices

from ..errors import FormatError

__all__ = [
    "TABLE_FORMATS",
    "check_format",
    "format_name",
    "format_rows",
    "has_dataset_method",
    "is_label",
    "make_info",
    "progress_bar",
    "stratified_rows",
]

TABLE_FORMATS = ("arrow", "pandas", "polars")
"""Formats whose column is a value of its own, not a list of rows."""


def format_name(kind: str | None) -> str | None:
    """The name of a format without aliases (``"pt"`` is ``"torch"``).

    Raises
    ------
    ValueError
        If ``datasets`` knows no such format, or lacks the package that it needs.
    """
    name = get_format_type_from_alias(kind)
    get_formatter(name)
    return str(name) if name is not None else None


def check_format(kind: str | None, features: datasets.Features, kwargs: dict[str, Any]) -> None:
    """Raise what ``datasets`` raises for arguments that the format does not take."""
    get_formatter(kind, features=features, **kwargs)


def format_rows(
    table: pa.Table, features: datasets.Features, kind: str | None, kwargs: dict[str, Any], *, query: str
) -> Any:
    """Format a table as ``datasets`` does.

    Parameters
    ----------
    query
        ``"batch"``; ``"row"``, the table's single row; or ``"column"``, the table's single column.

    Raises
    ------
    FormatError
        If rows without a value stand among arrays of any length, on which the formatters of ``datasets`` fail.
    """
    formatter = get_formatter(kind, features=features, **kwargs)
    try:
        return formatter(table, query_type=query)
    except AttributeError as error:
        empty = [name for name in table.column_names if table[name].null_count]
        if not empty:
            raise
        # Of numbers they are not-a-number; it is lists, and arrays, that the formatters stack.
        kinds = {name: table[name].type for name in empty}
        lists = [name for name in empty if pa.types.is_nested(kinds[name]) or isinstance(kinds[name], pa.ExtensionType)]
        raise FormatError(
            f"rows of column {(lists or empty)[0]!r} have no value, which format {kind!r} cannot hold among arrays",
            hint="leave it out with select_columns([...]), or use with_format('arrow')",
        ) from error


def progress_bar(n_rows: int, title: str) -> Any:
    """A progress bar of ``datasets``, which its users know how to switch off."""
    return datasets.utils.tqdm(total=n_rows, desc=title, unit=" examples")


def stratified_rows(labels: Any, n_train: int, n_test: int, generator: Any) -> tuple[Any, Any]:
    """The rows of ``Dataset.train_test_split(stratify_by_column=...)``, by its own function.

    Raises
    ------
    ValueError
        If a class has too few rows.
    """
    found = next(stratified_shuffle_split_generate_indices(labels, n_train, n_test, rng=generator))
    return found[0], found[1]


def make_info(features: datasets.Features, description: str) -> datasets.DatasetInfo:
    """Describe rows as ``Dataset.info`` does."""
    return datasets.DatasetInfo(features=features, description=description)


def is_label(feature: Any) -> bool:
    """Whether a feature is a ``ClassLabel``."""
    return isinstance(feature, datasets.ClassLabel)


def has_dataset_method(name: str) -> bool:
    """Whether ``datasets.Dataset`` has something of this name."""
    return hasattr(datasets.Dataset, name)
