"""Batches in the formats of ``datasets``, by its own formatters: the same output as the cached mode by construction."""

from __future__ import annotations

from typing import Any

import datasets
import pyarrow as pa
from datasets.formatting import get_format_type_from_alias, get_formatter

__all__ = ["check_format", "format_name", "format_rows"]


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
    table: pa.Table, features: datasets.Features, kind: str | None, kwargs: dict[str, Any], *, as_row: bool
) -> Any:
    """Format a table as ``datasets`` does.

    Parameters
    ----------
    as_row
        Whether the table's single row is wanted as a row, not as a batch of one.
    """
    formatter = get_formatter(kind, features=features, **kwargs)
    return formatter(table, query_type="row" if as_row else "batch")
