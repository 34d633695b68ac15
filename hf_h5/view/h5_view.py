"""Rows of HDF5 files as tensors, read when asked for, with the methods of ``datasets.Dataset``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..arrow_rows.opening import OpenedDataset, open_dataset_rows
from ..assemble.arrow_formats import TABLE_FORMATS, make_info
from ..assemble.formats import Format
from ..assemble.shown import Shown, show_table
from ..collate import Rows
from ..describe.options import make_options
from ..describe.wording import bytes_text, layout_text
from ..opening import DEFAULT_CACHE, open_tables
from ..read.memory import Memory
from ..read.plan import Rows as RowNumbers
from ..read.rows import RowSource
from ..recipes import load_recipe
from .column import ViewColumn
from .columns import ColumnMethods
from .cutting import check_rows_alike, cut_rows
from .exports import ExportMethods
from .loading import LoadingMethods
from .rows import RowMethods

__all__ = ["H5TorchView", "ViewColumn"]

# Memory of batches that were dropped, for the next ones.
_KEPT_BYTES = 16 << 20


class H5TorchView(ColumnMethods, RowMethods, LoadingMethods, ExportMethods):
    """A lazy view of a table in HDF5 files: nothing is copied, rows are read when asked for.

    Parameters
    ----------
    files
        A path, a pattern, a list of them, a mapping of them by split, or an open ``h5py.File`` or group.
    split
        Which split, where the files hold several; as in ``datasets``, ``"train[:10%]"`` and ``"train+test"`` work.
    cache_bytes
        Bound of the decoded chunks that are kept, over all files and columns: a number, or a text such as ``"256MB"``.
    window
        ``(length, stride)``, or a length for a stride of 1: each row of the view is a window of so many rows, of one
        episode or file.
    episodes
        For windows, where episodes lie one after the other in one table: the column that numbers or names them, or
        columns of truth values that flag their last steps.
    patch
        A shape, or ``(shape, stride)``: each row of the view is a block of a volume, which rows make up.
    pad
        ``"edge"`` or ``"zero"``: windows and patches that reach beyond the end count too, and are filled so.
    complex
        Whether the halves ``x/real`` and ``x/imag`` of complex numbers are one column ``x`` of complex numbers.
    recipe
        A loading script of yours, whose options are used where none are given here.
    **options
        ``columns``, ``table``, ``layout`` and so on; see the reference page of the options.

    Examples
    --------
    >>> # view = H5TorchView("digits.h5")
    >>> # view[0]["images"]            a tensor
    >>> # view[[3, 1, 1]]["labels"]    a tensor of three labels
    """

    def __init__(
        self,
        files: Any,
        *,
        split: str | None = None,
        cache_bytes: int | str = DEFAULT_CACHE,
        window: int | tuple[int, int] | None = None,
        episodes: str | Sequence[str] | None = None,
        patch: Sequence[int] | tuple[Sequence[int], Sequence[int]] | None = None,
        pad: str | None = None,
        complex: bool = False,
        recipe: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        if recipe is not None:
            options = {**load_recipe(recipe).options, **options}
        opened = open_tables(files, split, make_options(**options), cache_bytes)
        chosen = opened.options
        cut = cut_rows(opened.reader, opened.rows, window=window, episodes=episodes, patch=patch, pad=pad)
        # The user's features are those of single rows; windows of them follow from the columns.
        given = chosen.features if cut.source is opened.reader else None
        shown = show_table(cut.source.schema, nested=chosen.nested, given=given, join_complex=complex)
        self._begin(cut.source, shown, cut.rows, split)
        facts = {"description": opened.description, "cut": cut.facts}
        self._change(**facts, in_memory=opened.was_open, threads=chosen.threads)

    @classmethod
    def from_dataset(
        cls,
        dataset: Any,
        *,
        window: int | tuple[int, int] | None = None,
        episodes: str | Sequence[str] | None = None,
        patch: Sequence[int] | tuple[Sequence[int], Sequence[int]] | None = None,
        pad: str | None = None,
    ) -> Self:
        """A view of a ``datasets.Dataset``: the same rows and values, many times as fast.

        Parameters
        ----------
        dataset
            Any: cached, mapped, in memory, concatenated, with its rows shuffled, selected or filtered. Numbers of one
            shape are copied out of its Arrow buffers; other columns are gathered and formatted as ``datasets`` does.
            A format that was set is taken along; without one, the view gives tensors.
        window, episodes, patch, pad
            As for the class itself; for columns of numbers and strings.

        Raises
        ------
        OptionError
            If it is no ``datasets.Dataset``, such as a ``DatasetDict``; or an argument makes no sense.

        Examples
        --------
        >>> import datasets
        >>> dataset = datasets.Dataset.from_dict({"x": [1, 2, 3], "name": ["a", "b", "c"]})
        >>> H5TorchView.from_dataset(dataset)[[2, 0]]
        {'x': tensor([3, 1]), 'name': ['c', 'a']}
        """
        is_cut = window is not None or patch is not None
        opened = open_dataset_rows(dataset, as_objects=is_cut)
        if is_cut:
            check_rows_alike(opened.reader.schema)
        cuts: dict[str, Any] = {"window": window, "episodes": episodes, "patch": patch, "pad": pad}
        # The rows of the dataset are what its user knows, wherever its table has them.
        cut = cut_rows(opened.reader, opened.rows, counts_given=True, **cuts)
        shown = show_table(cut.source.schema, given=None if is_cut else opened.features)
        view = cls.__new__(cls)
        view._begin(cut.source, shown, cut.rows, opened.split)
        view._change(description=opened.description, cut=cut.facts, format=_format_of(opened), keeps_lists=not is_cut)
        return view

    def _begin(self, source: RowSource, shown: Shown, rows: RowNumbers, split: str | None) -> None:
        """Show all rows of a source in the default format."""
        self._change(
            source=source,
            memory=Memory(_KEPT_BYTES),
            shown=shown,
            rows=rows,
            split=split,
            format=Format(),
            tuple=None,
            warned=set(),
            description="",
            cut={},
            in_memory=False,
            keeps_lists=False,
            threads=None,
        )

    @property
    def features(self) -> Any:
        """The features, as ``datasets.Dataset.features``."""
        return self._shown.features.copy()

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(self._rows)

    @property
    def num_columns(self) -> int:
        """Number of columns."""
        return len(self._shown.features)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return self.num_rows, self.num_columns

    @property
    def split(self) -> str | None:
        """The split that was asked for."""
        return self._split

    @property
    def info(self) -> Any:
        """``datasets.DatasetInfo`` with the features and what the file holds."""
        return make_info(self.features, self._description)

    def __repr__(self) -> str:
        facts = {"features": self.column_names, "num_rows": self.num_rows, **self._cut, **self._storage_facts()}
        lines = [f"    {name}: {value}" for name, value in facts.items()]
        return f"{type(self).__name__}({{\n" + ",\n".join(lines) + "\n})"

    def _repr_html_(self) -> str:
        from html import escape

        cells = [(name, repr(feature), self._layouts().get(name, "")) for name, feature in self.features.items()]
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in cells)
        facts = " · ".join(
            f"{name} {value}" for name, value in (self._cut | self._storage_facts()).items() if name != "chunks"
        )
        return (
            f"<div><b>{escape(type(self).__name__)}</b>: {self.num_rows:,} rows · {escape(facts)}"
            f"<table><tr><th>column</th><th>feature</th><th>stored</th></tr>{rows}</table></div>"
        )

    def _storage_facts(self) -> dict[str, Any]:
        files = self._table.files
        named = repr(files[0]) if len(files) == 1 else f"{files[0]!r} and {len(files) - 1} more" if files else "none"
        columns = [self._table.columns[name] for name in self._shown.read_names(self.column_names)]
        # How long strings and lists are is not known before they are read.
        fixed = [column for column in columns if not (column.is_ragged or column.dtype.kind == "O")]
        size = bytes_text(sum(column.row_bytes for column in fixed) * len(self))
        size = size if len(fixed) == len(columns) else f"{size}, and strings or lists"
        return {"file": named, "size": size, "chunks": self._layouts()}

    def _layouts(self) -> dict[str, str]:
        """Per shown column how its first dataset lies in the file."""
        columns = {name: self._table.columns[sources[0]] for name, sources in self._shown.sources.items() if sources}
        texts = {name: layout_text(column) for name, column in columns.items()}
        return {name: text for name, text in texts.items() if text}

    def __getitem__(self, key: Any) -> Any:
        """A row for an integer, a dict of columns for a slice or list of integers, a column for a name."""
        if isinstance(key, str):
            return self._column(key)
        if isinstance(key, int | np.integer) and not isinstance(key, bool):
            return self._row(int(key))
        keys = self._keys(key)
        return self._maker.make_batch(self._read(keys, self._maker.read_names))

    def _row(self, key: int) -> Any:
        count = len(self._rows)
        if not -count <= key < count:
            raise self._out_of_range(key)
        row = int(self._rows[key])
        maker = self._maker
        return maker.make_row(self._source.read_row(row, maker.read_names))

    def _column(self, name: str) -> Any:
        """A column to index, or the whole column in formats where a column is a value of its own."""
        self._check_columns([name])
        if self._format.transform is not None:
            return ViewColumn(self._copy(tuple=None), name)
        alone = self._copy(shown=self._shown.select([name]), tuple=None)
        if self._format.kind not in TABLE_FORMATS:
            return ViewColumn(alone, name)
        return alone._maker.make_column(self._read(range(len(self)), alone._shown.read_names([name])), name)

    def __getitems__(self, keys: list[int]) -> Sequence[Any]:
        """Rows for a DataLoader, cut from one block; ``hf_h5.collate`` hands the block on whole."""
        block = self[keys]
        if self._tuple is not None:
            return Rows(block, len(keys), lambda columns, number: tuple(column[number] for column in columns))
        return Rows(block, len(keys), lambda batch, number: {name: column[number] for name, column in batch.items()})

    def __iter__(self) -> Iterator[Any]:
        maker = self._maker
        step = self._step_rows(maker.read_names)
        for start in range(0, len(self), step):
            arrays = self._read(range(start, min(start + step, len(self))), maker.read_names)
            for number in range(min(step, len(self) - start)):
                yield maker.make_row({name: values[number : number + 1] for name, values in arrays.items()})

    def iter(self, batch_size: int, drop_last_batch: bool = False) -> Iterator[Any]:
        """Batches of ``batch_size`` rows, in order."""
        stop = len(self) // batch_size * batch_size if drop_last_batch else len(self)
        for start in range(0, stop, batch_size):
            yield self[start : start + batch_size]

    def close(self) -> None:
        """Close the files."""
        self._source.close()

    def __enter__(self) -> H5TorchView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _format_of(opened: OpenedDataset) -> Format:
    """The format that a dataset has; that of a new view if it has none."""
    chosen = opened.format
    return Format() if chosen is None else Format(*chosen)
