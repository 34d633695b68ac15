"""Rows of a view, chosen by the names and meanings of ``datasets.Dataset``: the very rows that it picks.

Each method costs indices, not data, but for ``filter``, ``sort`` and stratified splits, which read the columns that
they look at.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..assemble.arrow_formats import is_label, progress_bar, stratified_rows
from ..assemble.batches import BatchMaker
from ..read.plan import as_rows
from ..splitting import Size, draw_generator, shard_rows, split_sizes
from .state import ViewState

__all__ = ["RowMethods"]

# Arguments of datasets.Dataset that say where indices are cached; a view keeps them in memory.
_CACHING = frozenset(
    {
        "cache_file_name",
        "indices_cache_file_name",
        "keep_in_memory",
        "load_from_cache_file",
        "new_fingerprint",
        "num_proc",
        "suffix_template",
        "test_indices_cache_file_name",
        "test_new_fingerprint",
        "train_indices_cache_file_name",
        "train_new_fingerprint",
        "writer_batch_size",
    }
)
_PLACEMENTS = {"at_start": "at_start", "first": "at_start", "at_end": "at_end", "last": "at_end"}


class RowMethods(ViewState):
    """Which rows come, in which order. Arguments that tell ``datasets`` where to cache are taken and not needed."""

    def select(self, indices: Any, **caching: Any) -> Self:
        """A view of some rows, in the given order; repeats allowed."""
        _check_caching(caching)
        chosen = as_rows(self._keys(indices), len(self))
        return self._copy(rows=as_rows(self._source_rows(chosen), len(self._source)))

    def take(self, n: int) -> Self:
        """The first rows; all of them if there are fewer."""
        return self.select(range(min(_count(n), len(self))))

    def skip(self, n: int) -> Self:
        """All but the first rows."""
        return self.select(range(min(_count(n), len(self)), len(self)))

    def repeat(self, num_times: int) -> Self:
        """The rows again and again."""
        if not isinstance(num_times, int):
            raise ValueError(f"num_times={num_times!r}: a view is repeated a number of times, not forever")
        rows = np.tile(np.asarray(self._rows, np.int64), max(0, num_times))
        return self._copy(rows=as_rows(rows, len(self._source)))

    def shard(self, num_shards: int, index: int, contiguous: bool = True, **caching: Any) -> Self:
        """One of ``num_shards`` parts of about equal size."""
        return self.select(shard_rows(len(self), num_shards, index, contiguous=contiguous), **caching)

    def shuffle(self, seed: int | None = None, generator: np.random.Generator | None = None, **caching: Any) -> Self:
        """The rows in the order that ``Dataset.shuffle`` gives for the same seed.

        Reading them is slow where rows lie in compressed chunks; ``loader(shuffle=True)`` is the fast way to train.
        """
        _check_caching(caching)
        if not len(self):
            return self._copy()
        return self.select(draw_generator(seed, generator).permutation(len(self)))

    def train_test_split(
        self,
        test_size: Size = None,
        train_size: Size = None,
        shuffle: bool = True,
        stratify_by_column: str | None = None,
        seed: int | None = None,
        generator: np.random.Generator | None = None,
        **caching: Any,
    ) -> dict[str, Self]:
        """Views ``"train"`` and ``"test"`` of the rows that ``Dataset.train_test_split`` picks."""
        _check_caching(caching)
        if not len(self):
            return {"train": self._copy(), "test": self._copy()}
        n_train, n_test = split_sizes(len(self), test_size, train_size)
        if not shuffle:
            if stratify_by_column is not None:
                raise ValueError("stratify_by_column needs shuffle=True")
            return {"train": self.take(n_train), "test": self.skip(n_train).take(n_test)}
        drawn = generator if generator is not None else draw_generator(seed, None)
        if stratify_by_column is not None:
            train, test = stratified_rows(self._labels(stratify_by_column), n_train, n_test, drawn)
        else:
            order = drawn.permutation(len(self))
            test, train = order[:n_test], order[n_test : n_test + n_train]
        return {"train": self.select(train), "test": self.select(test)}

    def _labels(self, name: str) -> NDArray[Any]:
        self._check_columns([name])
        if not is_label(self._shown.features[name]):
            raise ValueError(f"column {name!r} is {self._shown.features[name]}: only a ClassLabel can be stratified by")
        source = self._shown.sources[name][0]
        return np.concatenate([arrays[source] for _, arrays in self._batches([name])])

    def sort(
        self,
        column_names: str | Sequence[str],
        reverse: bool | Sequence[bool] = False,
        null_placement: str = "at_end",
        **caching: Any,
    ) -> Self:
        """The rows sorted by some columns, which are read."""
        _check_caching(caching)
        names = self._named(column_names)
        backwards = [reverse] * len(names) if isinstance(reverse, bool) else list(reverse)
        if len(backwards) != len(names):
            raise ValueError(f"reverse={reverse!r} must be True, False, or one of them for each of {names}")
        if null_placement not in _PLACEMENTS:
            raise ValueError(f"null_placement={null_placement!r} is not one of {', '.join(map(repr, _PLACEMENTS))}")
        if not len(self):
            return self._copy()
        table = pa.concat_tables(self._shown.to_arrow(arrays, names) for _, arrays in self._batches(names))
        keys = [(name, "descending" if each else "ascending") for name, each in zip(names, backwards, strict=True)]
        return self.select(_sort_rows(table, keys, _PLACEMENTS[null_placement]).to_numpy())

    def filter(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        with_rank: bool = False,
        input_columns: str | Sequence[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        fn_kwargs: Mapping[str, Any] | None = None,
        desc: str | None = None,
        **caching: Any,
    ) -> Self:
        """The rows for which ``function`` is true.

        ``function`` gets a row, or with ``batched`` a dict of columns and returns one truth value for each row; with
        ``input_columns`` it gets these columns one by one, and only they are read. Values come in the view's format.
        """
        _check_caching(caching)
        if function is None or not len(self):
            return self._copy()
        predicate = _Predicate(function, batched, with_indices, with_rank, dict(fn_kwargs or {}))
        names = None if input_columns is None else self._named(input_columns)
        with progress_bar(len(self), desc or "Filter") as bar:
            # A function of single rows does not see how many are read together: then it is as many as memory is for.
            by_bytes = self._step_rows(self._shown.read_names(self.column_names if names is None else names))
            step = by_bytes if not batched else batch_size if batch_size and batch_size > 0 else len(self)
            kept = [rows for rows in self._kept(predicate, names, step, bar) if len(rows)]
        return self.select(np.concatenate(kept) if kept else [])

    def _kept(self, predicate: _Predicate, names: list[str] | None, step: int, bar: Any) -> Iterator[NDArray[np.int64]]:
        chosen = replace(self._format, columns=None if names is None else tuple(names), all_columns=False)
        maker = BatchMaker(self._shown, chosen, None, self._warned)
        for start, arrays in self._batches(names, step):
            numbers = range(start, min(start + step, len(self)))
            mask = predicate.mask(maker.make_batch(arrays), names, numbers)
            yield np.array([number for number, keep in zip(numbers, mask, strict=False) if keep], np.int64)
            bar.update(len(numbers))


class _Predicate:
    """A user's function and how it wants to be called."""

    def __init__(
        self, function: Callable[..., Any], batched: bool, with_indices: bool, with_rank: bool, kwargs: dict[str, Any]
    ) -> None:
        self._function, self._batched, self._kwargs = function, batched, kwargs
        self._with_indices, self._with_rank = with_indices, with_rank

    def mask(self, batch: Any, names: list[str] | None, numbers: range) -> list[Any]:
        """What the function says of each row of a batch."""
        inputs = [batch] if names is None else [batch[name] for name in names]
        if self._batched:
            found = self._results([self._call(inputs, list(numbers))])[0]
            return found.to_pylist() if isinstance(found, pa.Array | pa.ChunkedArray) else list(found)
        if names is None:
            rows = ([{name: column[place] for name, column in batch.items()}] for place in range(len(numbers)))
        else:
            rows = ([column[place] for column in inputs] for place in range(len(numbers)))
        return self._results([self._call(row, number) for row, number in zip(rows, numbers, strict=True)])

    def _call(self, inputs: list[Any], number: Any) -> Any:
        more = ([number] if self._with_indices else []) + ([0] if self._with_rank else [])
        return self._function(*inputs, *more, **self._kwargs)

    def _results(self, calls: list[Any]) -> list[Any]:
        if not inspect.iscoroutinefunction(self._function):
            return calls

        async def gather() -> list[Any]:
            return list(await asyncio.gather(*calls))

        return asyncio.run(gather())


def _sort_rows(table: pa.Table, keys: list[tuple[str, str]], null_placement: str) -> pa.Array:
    """Sort stably. From pyarrow 25 on each key says where its nulls go, and one word for all is deprecated."""
    if null_placement == "at_end":
        return pc.sort_indices(table, sort_keys=keys)
    if int(pa.__version__.split(".")[0]) >= 25:
        return pc.sort_indices(table, sort_keys=[(*key, null_placement) for key in keys])
    return pc.sort_indices(table, sort_keys=keys, null_placement=null_placement)


def _check_caching(given: Mapping[str, Any]) -> None:
    unknown = sorted(given.keys() - _CACHING)
    if unknown:
        raise TypeError(f"there is no argument {unknown[0]!r}")


def _count(number: int) -> int:
    if number < 0:
        raise ValueError(f"n={number} is negative")
    return number
