"""Arrays as they were read -> the batch or row that the user sees: format, columns, transform, tuple.

Numbers of one shape are handed out as blocks, with one allocation; all else goes by the formatters of ``datasets``.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.schema import Column
from ..errors import FormatError
from .arrow_formats import format_rows
from .complex_columns import join_halves
from .formats import (
    Format,
    full_rows,
    gives_same_objects,
    holds_numbers,
    holds_rows_of_numbers,
    is_block,
    to_array,
    to_objects,
)
from .shown import Shown
from .torch import joined_tensors, to_complex_tensor, to_tensor, warn_if_wrapped

__all__ = ["BatchMaker"]

Arrays = Mapping[str, NDArray[Any]]
Formatted = tuple[Any, Mapping[str, Any] | None]
"""The formatted columns, and the others as Python objects."""

_BLOCK_FORMATS = ("torch", "numpy", None)


class BatchMaker:
    """Makes batches and rows of a view; knows everything but which rows.

    Parameters
    ----------
    shown
        The view's columns.
    chosen
        The format.
    as_tuple
        Names of columns that come as a tuple instead of a dict.
    warned
        Columns of which the user was warned already; shared with all views made from one another.
    """

    def __init__(self, shown: Shown, chosen: Format, as_tuple: Sequence[str] | None, warned: set[str]) -> None:
        self._shown, self._format, self._tuple, self._warned = shown, chosen, as_tuple, warned
        names = list(shown.features)
        if as_tuple is not None and chosen.transform is None:
            formatted, others = list(dict.fromkeys(as_tuple)), []
        else:
            # As in datasets: in the order of the columns, not of the choice.
            formatted = [name for name in names if chosen.columns is None or name in chosen.columns]
            others = [name for name in names if name not in formatted] if chosen.all_columns else []
        self.formatted, self.others = formatted, others
        self.read_names = tuple(shown.read_names(formatted + others))
        self._blocks = {name: shown.sources[name][0] for name in names if self._may_be_block(name)}
        self._ragged = {name: shown.sources[name][0] for name in names if self._may_be_rows(name)}

    def _may_be_block(self, name: str) -> bool:
        column = self._shown.column(name)
        if column is None or self._format.kind not in _BLOCK_FORMATS or not holds_numbers(column):
            return False
        return self._format.kind is not None or gives_same_objects(column.dtype)

    def _may_be_rows(self, name: str) -> bool:
        column = self._shown.column(name)
        if column is None or self._format.kind not in _BLOCK_FORMATS or not holds_rows_of_numbers(column):
            return False
        return self._format.kind is not None or gives_same_objects(column.dtype)

    def make_batch(self, arrays: Arrays) -> Any:
        """Make a batch of all rows of the arrays, by the names of the table's columns.

        The arrays are given away: tensors of stored types share their memory.
        """
        return self.finish(self.format_batch(arrays))

    def format_batch(self, arrays: Arrays) -> Formatted:
        """Do the part of ``make_batch`` that any thread may do: all but the user's function."""
        batch = self._format_columns(arrays, self.formatted, "batch")
        return batch, self._by_datasets(arrays, self.others, None, {}, "batch") if self.others else None

    def finish(self, formatted: Formatted) -> Any:
        """Call the user's function, and make the tuple."""
        return self._in_tuple(self._transformed(*formatted))

    def make_row(self, arrays: Arrays) -> Any:
        """Make a row of arrays of one row."""
        if self._format.transform is None:
            others = self._by_datasets(arrays, self.others, None, {}, "row") if self.others else None
            return self._in_tuple(self._transformed(self._format_columns(arrays, self.formatted, "row"), others))
        batch = self._transformed(*self.format_batch(arrays))
        if not hasattr(batch, "items"):
            raise FormatError(
                f"the function of the view made {type(batch).__name__} of a batch, of which no row can be taken",
                hint="let it return a dict of columns, or ask for batches",
            )
        return self._in_tuple({name: self._first(name, column) for name, column in batch.items()})

    @staticmethod
    def _first(name: str, column: Any) -> Any:
        try:
            return column[0]
        except (TypeError, IndexError, KeyError) as error:
            raise FormatError(
                f"the function of the view made {type(column).__name__} of column {name!r}, which has no rows",
                hint="each column that it returns needs a value for every row of the batch",
            ) from error

    def make_column(self, arrays: Arrays, name: str) -> Any:
        """Make the column of a table format (Arrow, pandas, polars); one that is not formatted is Python objects."""
        chosen = self._format
        if chosen.columns is not None and name not in chosen.columns:
            return self._by_datasets(arrays, [name], None, {}, "column")
        return self._by_datasets(arrays, [name], chosen.kind, chosen.kwargs, "column")

    def _in_tuple(self, batch: Any) -> Any:
        return batch if self._tuple is None else tuple(batch[name] for name in self._tuple)

    def _transformed(self, batch: Any, others: Mapping[str, Any] | None) -> Any:
        if self._format.transform is not None:
            batch = self._format.transform(batch)
        if others is not None:
            if not isinstance(batch, MutableMapping):
                raise TypeError(f"output_all_columns=True needs a dict to add to, not {type(batch).__name__}")
            batch.update(others)
        return batch

    def _format_columns(self, arrays: Arrays, names: list[str], query: str) -> Any:
        made: dict[str, Any] = {}
        kind, kwargs, as_row = self._format.kind, self._format.kwargs, query == "row"
        for name in names:
            source = self._blocks.get(name)
            if source is not None and is_block(values := arrays[source]):
                if kind == "torch":
                    self._warn(name, values)
                    made[name] = to_tensor(values[0] if as_row else values, kwargs)
                else:
                    made[name] = to_array(values, kwargs, as_row=as_row) if kind else to_objects(values, as_row=as_row)
            elif name in self._ragged and (kind != "numpy" or as_row):
                rows = full_rows(arrays[self._ragged[name]])
                if rows is not None:
                    made[name] = self._of_rows(name, rows, as_row)
            elif name in self._shown.halves and kind in _BLOCK_FORMATS:
                joined = join_halves(*(arrays[half] for half in self._shown.sources[name]))
                if joined is not None and len(joined):
                    made[name] = self._complex(joined, as_row)
        if len(made) == len(names) and names:
            return made
        rest = [name for name in names if name not in made]
        found = self._by_datasets(arrays, rest, kind, kwargs, query)
        if not made:
            return found
        made |= found
        return {name: made[name] for name in names}

    def _of_rows(self, name: str, rows: list[NDArray[Any]], as_row: bool) -> Any:
        """Rows of numbers, each of a length of its own, in the format."""
        kind, kwargs = self._format.kind, self._format.kwargs
        if kind == "numpy":
            return to_array(rows[0][np.newaxis], kwargs, as_row=True)
        if kind is None:
            return rows[0].tolist() if as_row else [row.tolist() for row in rows]
        for row in rows:
            self._warn(name, row)
        return to_tensor(rows[0], kwargs) if as_row else joined_tensors([to_tensor(row, kwargs) for row in rows])

    def _warn(self, name: str, values: NDArray[Any]) -> None:
        if values.dtype == np.uint64 and name not in self._warned:
            if warn_if_wrapped(name, values, self._format.kwargs):
                self._warned.add(name)

    def _complex(self, values: NDArray[Any], as_row: bool) -> Any:
        """Complex numbers in the format; in the others they are a struct of both halves."""
        if as_row:
            values = values[0]
        if self._format.kind == "numpy":
            return values
        if self._format.kind is None:
            return [row.tolist() for row in values] if values.dtype.kind == "O" else values.tolist()
        if values.dtype.kind == "O":
            return joined_tensors([to_complex_tensor(row, self._format.kwargs) for row in values])
        return to_complex_tensor(values, self._format.kwargs)

    def _by_datasets(
        self, arrays: Arrays, names: list[str], kind: str | None, kwargs: Mapping[str, Any], query: str
    ) -> Any:
        table = self._shown.to_arrow(arrays, names)
        features = type(self._shown.features)({name: self._shown.features[name] for name in names})
        try:
            return format_rows(table, features, kind, dict(kwargs), query=query)
        except TypeError as error:
            columns = {name: self._shown.column(name) for name in names}
            dates = [(name, each) for name, each in columns.items() if each is not None and _holds_dates(each)]
            if not dates:
                raise
            name, column = dates[0]
            files = self._shown.table.files
            raise FormatError(
                f"column {name!r} holds dates or durations, which format {kind!r} has no type for",
                file=files[0] if files else None,
                path=column.path,
                hint="leave it out with select_columns([...]), or use with_format('numpy')",
            ) from error


def _holds_dates(column: Column) -> bool:
    spec = column.spec
    is_date = spec.get("_type") == "Value" and str(spec["dtype"]).startswith(("timestamp", "duration", "date", "time"))
    return is_date or column.dtype.kind in "Mm"
