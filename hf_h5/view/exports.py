"""What becomes of a view elsewhere: datasets of ``datasets``, and the values of a column."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import datasets
import numpy as np
import pyarrow as pa
from datasets.arrow_writer import ArrowWriter
from datasets.iterable_dataset import ArrowExamplesIterable
from filelock import FileLock

from ..arrow_rows.fixed_lists import with_loose_lists
from ..assemble.arrow_formats import has_dataset_method
from ..errors import OptionError
from ..registry import make_key
from ..splitting import shard_rows
from .state import ViewState

__all__ = ["ExportMethods"]

_TABLE_BYTES = 16 << 20


class ExportMethods(ViewState):
    """Ways out of a view."""

    def to_dataset(self, cache_dir: str | os.PathLike[str] | None = None, keep_in_memory: bool = False) -> Any:
        """The same rows and columns as a ``datasets.Dataset``, in the view's format: the cached mode.

        Parameters
        ----------
        cache_dir
            Folder of the Arrow file, which is written once; that of ``datasets`` if None.
        keep_in_memory
            Whether to write no file.

        Raises
        ------
        OptionError
            If the view's batches go through a function: a dataset stores columns.
        """
        view = self._without_tuple("to_dataset()")
        features = view._shown.features
        info = datasets.DatasetInfo(features=features.copy())
        split = None if self._split is None else datasets.NamedSplit(self._split)
        if keep_in_memory or not len(self) or self._fingerprint() is None:
            dataset = datasets.Dataset(pa.concat_tables(view._tables()), info=info, split=split)
        else:
            dataset = datasets.Dataset.from_file(view._cached_file(cache_dir), info=info, split=split)
        chosen = self._format
        columns = None if chosen.columns is None else list(chosen.columns)
        dataset.set_format(chosen.kind, columns, chosen.all_columns, **chosen.kwargs)
        return dataset

    def to_iterable_dataset(self, num_shards: int = 1) -> Any:
        """The same rows as a ``datasets.IterableDataset`` that is read from the files when iterated over.

        Parameters
        ----------
        num_shards
            Parts that nodes and DataLoader workers share; at least as many as there are of them.

        Raises
        ------
        NotImplementedError
            If the format has arguments, which an ``IterableDataset`` cannot hold.
        """
        view = self._without_tuple("to_iterable_dataset()")
        chosen = self._format
        if chosen.kwargs or (chosen.columns is not None and set(chosen.columns) != set(view.column_names)):
            raise NotImplementedError(
                "an IterableDataset has a format without arguments and columns: "
                "use view.select_columns([...]).with_format('torch').to_iterable_dataset()"
            )
        if not 1 <= num_shards <= max(1, len(self)):
            raise ValueError(f"num_shards={num_shards} is not between 1 and the number of rows, {len(self)}")
        shards = [shard_rows(len(self), num_shards, number, contiguous=True) for number in range(num_shards)]
        ranges = [(shard.start, shard.stop) for shard in shards]
        examples = ArrowExamplesIterable(_shard_tables, {"view": view, "ranges": ranges})
        split = None if self._split is None else datasets.NamedSplit(self._split)
        info = datasets.DatasetInfo(features=view._shown.features.copy())
        dataset = datasets.IterableDataset(examples, info=info, split=split)
        return dataset.with_format(chosen.kind) if chosen.kind is not None else dataset

    def unique(self, column: str) -> list[Any]:
        """The different values of a column, in order of their first appearance."""
        self._check_columns([column])
        arrays = [self._shown.to_arrow(arrays, [column])[column] for _, arrays in self._batches([column])]
        found: list[Any] = pa.chunked_array([each.unique() for each in arrays]).unique().to_pylist() if arrays else []
        return found

    def __getattr__(self, name: str) -> NoReturn:
        if not name.startswith("_") and has_dataset_method(name):
            raise AttributeError(f"a view has no {name!r}: use view.to_dataset().{name}, which copies the rows")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _without_tuple(self, asked: str) -> ExportMethods:
        """The view's columns as they are stored, of a tuple only its own."""
        if self._format.transform is not None:
            raise OptionError(
                f"{asked} hands on columns, and this view's batches go through a function",
                file=self._file,
                hint=f"call {asked} before with_transform(...), and with_transform(...) or map(...) on what it gives",
            )
        if self._tuple is None:
            return self
        return self._copy(shown=self._shown.select(dict.fromkeys(self._tuple)), tuple=None)

    def _tables(self, start: int = 0, stop: int | None = None) -> Iterator[pa.Table]:
        """Arrow tables of some rows; one without rows if there are none."""
        names = self._shown.read_names(self.column_names)
        stop = len(self) if stop is None else stop
        step = self._step_rows(names, _TABLE_BYTES)
        for first in range(start, max(stop, start + 1), step):
            arrays = self._read(range(first, min(first + step, stop)), names)
            yield self._shown.to_arrow(arrays, self.column_names)

    def _fingerprint(self) -> str | None:
        """What the rows' values follow from; None where a file may change without it."""
        if self._in_memory:
            return None
        rows = self._rows
        chosen = repr(rows) if isinstance(rows, range) else hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest()
        facts = (self._source.fingerprint, chosen, dict(self._shown.sources), repr(self._shown.features))
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    def _cached_file(self, cache_dir: str | os.PathLike[str] | None) -> str:
        """Path of the Arrow file with the rows; written whole or not at all."""
        folder = Path(cache_dir or datasets.config.HF_DATASETS_CACHE) / "hf_h5_views" / str(self._fingerprint())
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / "rows.arrow"
        with FileLock(f"{target}.lock"):
            if not target.exists():
                self._write_rows(target)
        return str(target)

    def _write_rows(self, target: Path) -> None:
        # The name is always the same, so that what a killed process left is written over.
        part = target.with_name("rows.arrow.incomplete")
        try:
            with ArrowWriter(path=str(part), features=self._shown.features) as writer:
                for table in self._tables():
                    writer.write_table(table)
                writer.finalize()
            self._source.check_files()
            os.replace(part, target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _shard_tables(view: ExportMethods, ranges: list[tuple[int, int]]) -> Iterator[tuple[Any, pa.Table]]:
    """Yield the tables of some shards with their keys, as an ``IterableDataset`` asks for them."""
    for shard, (start, stop) in enumerate(ranges):
        for number, table in enumerate(view._tables(start, stop)):
            yield make_key(shard, number), with_loose_lists(table)
