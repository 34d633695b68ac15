"""One column of a view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["ViewColumn"]


class ViewColumn(Sequence[Any]):
    """One column of a view, read when indexed, as ``datasets.Column``.

    An integer gives a value, a slice or integers a block, a name one field of a nested column.

    Parameters
    ----------
    source
        The view, or the column whose field this is.
    name
        The column's or field's name.
    """

    def __init__(self, source: Any, name: str) -> None:
        self._source = source
        self._name = name

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return ViewColumn(self, key)
        found = self._source[key]
        if isinstance(self._source, ViewColumn) and not isinstance(found, dict):
            return [item[self._name] for item in found]
        return found[self._name]

    def __iter__(self) -> Iterator[Any]:
        return (row[self._name] for row in self._source)

    def __eq__(self, other: object) -> bool:
        return bool(list(self) == (list(other) if isinstance(other, ViewColumn) else other))

    __hash__ = None  # type: ignore[assignment]  # compared by value, as lists

    def __repr__(self) -> str:
        shown = repr(list(self[:5]))
        return f"ViewColumn({shown[:-1]}, ...])" if len(self) > 5 else f"ViewColumn({shown})"
