"""Columns and formats of a view, by the names and meanings of ``datasets.Dataset``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

from ..assemble.arrow_formats import check_format, format_name
from ..assemble.formats import Format
from .state import Transform, ViewState

__all__ = ["ColumnMethods"]


class ColumnMethods(ViewState):
    """Which columns come, under which names, and in which format.

    ``new_fingerprint``, which names a cache in ``datasets``, is taken and not needed.
    """

    def select_columns(self, column_names: str | Sequence[str], new_fingerprint: str | None = None) -> Self:
        """A view of some columns; only these are read."""
        return self._with_columns(self._named(column_names))

    def remove_columns(self, column_names: str | Sequence[str], new_fingerprint: str | None = None) -> Self:
        """A view without some columns."""
        removed = set(self._named(column_names))
        return self._with_columns([name for name in self.column_names if name not in removed])

    def _with_columns(self, names: list[str]) -> Self:
        columns = self._format.columns
        kept = None if columns is None else tuple(name for name in columns if name in names)
        return self._copy(shown=self._shown.select(names), format=replace(self._format, columns=kept))

    def rename_column(
        self, original_column_name: str, new_column_name: str, new_fingerprint: str | None = None
    ) -> Self:
        """A view with another name for a column."""
        return self.rename_columns({original_column_name: new_column_name})

    def rename_columns(self, column_mapping: Mapping[str, str], new_fingerprint: str | None = None) -> Self:
        """A view with other names for some columns.

        Raises
        ------
        ColumnError
            If there is no such column.
        ValueError
            If two columns would have one name, or one would have none.
        """
        self._check_columns(column_mapping)
        names = [column_mapping.get(name, name) for name in self.column_names]
        if not all(names) or len(set(names)) < len(names):
            raise ValueError(f"column names must be different and not empty, and would be {names}")
        columns, chosen = self._format.columns, self._tuple
        renamed = None if columns is None else tuple(column_mapping.get(name, name) for name in columns)
        return self._copy(
            shown=self._shown.rename(column_mapping),
            format=replace(self._format, columns=renamed),
            tuple=None if chosen is None else tuple(column_mapping.get(name, name) for name in chosen),
        )

    def as_tuple(self, *columns: str) -> Self:
        """A view whose rows are tuples of these columns, as hand-written datasets return them."""
        if self._format.transform is None:
            self._check_columns(columns)
        return self._copy(tuple=columns)

    @property
    def format(self) -> dict[str, Any]:
        """The format as ``datasets.Dataset.format`` describes it."""
        chosen = self._format
        custom = chosen.transform is not None
        return {
            "type": "custom" if custom else chosen.kind,
            "format_kwargs": {"transform": chosen.transform} if custom else dict(chosen.kwargs),
            "columns": self.column_names if chosen.columns is None else list(chosen.columns),
            "output_all_columns": chosen.all_columns,
        }

    def with_format(
        self,
        type: str | None = None,
        columns: str | Sequence[str] | None = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> Self:
        """A view in another format: what ``Dataset.with_format`` gives for the same rows."""
        format_kwargs |= format_kwargs.pop("format_kwargs", {})  # as in datasets: with_format(**view.format)
        if type == "custom":
            return self.with_transform(format_kwargs.get("transform"), columns, output_all_columns)
        kind = format_name(type)
        check_format(kind, self._shown.features, format_kwargs)
        names = None if columns is None else tuple(self._named(columns))
        return self._copy(format=Format(kind, format_kwargs, names, output_all_columns))

    def set_format(
        self,
        type: str | None = None,
        columns: str | Sequence[str] | None = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> None:
        """Change the format of this view."""
        self._take_format(self.with_format(type, columns, output_all_columns, **format_kwargs))

    def reset_format(self) -> None:
        """Give Python objects of all columns."""
        self.set_format()

    @contextmanager
    def formatted_as(
        self,
        type: str | None = None,
        columns: str | Sequence[str] | None = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> Iterator[None]:
        """Change the format of this view inside a ``with`` statement."""
        before = self._copy()
        try:
            self.set_format(type, columns, output_all_columns, **format_kwargs)
            yield
        finally:
            self._take_format(before)

    def with_transform(
        self,
        transform: Transform | None,
        columns: str | Sequence[str] | None = None,
        output_all_columns: bool = False,
    ) -> Self:
        """A view whose batches go through ``transform``: a function of a dict of columns, in the view's format.

        A row is a batch of one, as in ``datasets``. Unlike there, the columns come in the view's format (tensors
        unless said otherwise); with ``with_format(None)`` before, they come as Python lists. ``columns`` are those
        that the function gets; with ``output_all_columns`` the others come along as Python objects, after it.
        """
        if transform is not None and not callable(transform):
            raise TypeError(f"transform={transform!r} is not a function")
        names = None if columns is None else tuple(self._named(columns))
        changed = replace(self._format, transform=transform, columns=names, all_columns=output_all_columns)
        return self._copy(format=changed)

    def set_transform(
        self,
        transform: Transform | None,
        columns: str | Sequence[str] | None = None,
        output_all_columns: bool = False,
    ) -> None:
        """Change the function that this view's batches go through."""
        self._take_format(self.with_transform(transform, columns, output_all_columns))

    def _take_format(self, other: ViewState) -> None:
        self._change(format=other._format)
