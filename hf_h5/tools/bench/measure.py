"""Measure a file: its first rows, by each way to read, for each kind of work."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...describe.options import make_options
from ...describe.schema import Table
from ...errors import FormatError, LayoutError, MissingPackageError, OptionError, closest_names
from ...isolate.choose import AnyReader, make_reader, resolve, scans_apart
from ...opening import DEFAULT_CACHE, count_bytes
from ...read.pool import default_threads
from ...read.reader import TableReader
from .limits import limit_of
from .results import Bench, Speed

__all__ = ["BATCH_ROWS", "bench"]

BATCH_ROWS = 256
# A pass that takes longer than this many times the time for a measurement is cut short.
_PATIENCE = 3

Pass = Callable[[], Iterator[int]]
"""Begins to go through rows, and tells of each batch how many it had."""


def bench(
    files: Any,
    *,
    split: str | None = None,
    max_bytes: int | str = "256MB",
    seconds: float = 1.0,
    cache_bytes: int | None = None,
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> Bench:
    """Measure how fast rows come by each way to read them.

    Parameters
    ----------
    files
        A path, a pattern or a list of them.
    split
        Which split; the first one if None.
    max_bytes
        How much of it is read, and converted for the cached mode, into a temporary folder: rows from the first on.
    seconds
        Time for each measurement.
    cache_bytes
        Of decoded chunks that the direct mode keeps; None for what it keeps by default, in proportion to the part of
        the rows that is read, so that a sample is no better off than the whole.
    progress
        Called with what is measured next.
    **options
        See the reference page of the options.

    Raises
    ------
    MissingPackageError
        If torch is not installed.
    H5Error
        If the files cannot be read, or hold no rows.
    """
    _need_torch()
    if not seconds > 0:
        raise OptionError(f"seconds={seconds!r} is not a positive number of seconds")
    chosen = make_options(**options)
    table = _split_of(resolve(files, chosen).splits, split)
    say = progress or (lambda text: None)
    with (
        make_reader(table[1], chosen, cache_bytes=0) as reader,
        tempfile.TemporaryDirectory(prefix="hf-h5-bench-") as at,
    ):
        most = count_bytes(max_bytes, "max_bytes")
        kept = _kept_bytes(table[1], most) if cache_bytes is None else cache_bytes
        sample = _open_sample(files, table[0], table[1], most, {**options, "cache_bytes": kept})
        sample.apart = scans_apart(files, chosen)
        with sample.view:
            return _Race(sample, reader, chosen.threads or default_threads(), seconds, say).run(at)


def _need_torch() -> None:
    try:
        import torch  # noqa: F401  only whether it is there
    except ImportError as error:
        raise MissingPackageError(
            "rows are measured as tensors, and torch is not installed", hint='pip install "hf-h5[torch]"'
        ) from error


def _kept_bytes(table: Table, max_bytes: int) -> int:
    part = min(1.0, max_bytes / max(1, table.logical_bytes))
    return int(count_bytes(DEFAULT_CACHE, "cache_bytes") * part)


def _split_of(splits: Any, name: str | None) -> tuple[str, Table]:
    chosen = next(iter(splits)) if name is None else name
    if chosen not in splits:
        file = next(iter(splits.values())).files[0]
        raise OptionError(f"there is no split {chosen!r}", file=file, hint=closest_names(chosen, splits))
    table = splits[chosen]
    if not table.num_rows:
        hint = "check that whoever wrote the file had finished"
        raise LayoutError("there are no rows to measure", file=next(iter(table.files), None), hint=hint)
    return chosen, table


@dataclass
class _Sample:
    """What is measured: a view of the first rows and of some columns, and which others were left out."""

    table: Table
    split: str
    view: Any
    n_rows: int
    left_out: dict[str, str]
    why_no_class: str | None
    apart: bool = False

    @property
    def row_bytes(self) -> int:
        """Decoded bytes of a row; 0 where lengths differ."""
        columns = [self.table.columns[name] for name in self.names]
        if any(column.dtype.kind == "O" or column.is_ragged for column in columns):
            return 0
        return sum(column.row_bytes for column in columns)

    @property
    def names(self) -> list[str]:
        """The columns that are read."""
        found: list[str] = self.view.column_names
        return found


def _open_sample(files: Any, split: str, table: Table, max_bytes: int, options: dict[str, Any]) -> _Sample:
    from ...view import H5TorchView
    from .handwritten import why_not_plain

    flat = {name: value for name, value in options.items() if name != "nested"}
    view = H5TorchView(files, split=split, **flat).with_format("torch", dtype=None)
    left_out = {name: why for name in view.column_names if (why := _why_no_tensor(view, name))}
    names = [name for name in view.column_names if name not in left_out]
    if not names:
        raise LayoutError("no column can be made tensors", file=table.files[0], hint=next(iter(left_out.values())))
    strange = {name: why for name in names if (why := why_not_plain(table.columns[name]))}
    bytes_of = {name: table.columns[name].row_bytes for name in names}
    why_no_class = None
    if sum(bytes_of[name] for name in strange) * 2 <= sum(bytes_of.values()) and len(strange) < len(names):
        left_out |= strange
        names = [name for name in names if name not in strange]
    elif strange:
        name, why = next(iter(strange.items()))
        why_no_class = f"{name}: {why}"
    n_rows = _sample_rows(table.select(names), max_bytes)
    return _Sample(table, split, view.select_columns(names).select(range(n_rows)), n_rows, left_out, why_no_class)


def _why_no_tensor(view: Any, name: str) -> str | None:
    try:
        view.select_columns([name])[:1]
    except FormatError as error:
        return error.problem
    return None


def _sample_rows(table: Table, max_bytes: int) -> int:
    """Rows from the first on, as many as fit, whole chunks if possible."""
    row_bytes = sum(column.row_bytes for column in table.columns.values())
    if any(column.dtype.kind == "O" or column.is_ragged for column in table.columns.values()):
        row_bytes += sum(os.path.getsize(file) for file in table.files if os.path.exists(file)) // table.num_rows
    fitting = max(1, min(table.num_rows, max_bytes // row_bytes))
    groups = table.row_groups
    whole = int(groups[int(np.searchsorted(groups, fitting, side="right")) - 1])
    return whole or fitting


class _Race:
    """The measurements of one sample."""

    def __init__(
        self, sample: _Sample, reader: AnyReader, threads: int, seconds: float, say: Callable[[str], None]
    ) -> None:
        self._sample, self._reader, self._threads, self._seconds, self._say = sample, reader, threads, seconds, say
        random = np.random.default_rng(0)
        self._order = random.permutation(sample.n_rows).tolist()

    def run(self, scratch: str) -> Bench:
        """Measure everything; ``scratch`` is a folder for the conversion."""
        sample = self._sample
        self._say("converting")
        start_s = time.perf_counter()
        cached = sample.view.to_dataset(cache_dir=scratch)
        converting_s = time.perf_counter() - start_s
        size = sum(os.path.getsize(each["filename"]) for each in cached.cache_files)
        speeds = {"shuffled": self._shuffled(cached), "random": self._random(cached), "single": self._single(cached)}
        by_class = speeds["shuffled"]["class"]
        speeds["random"] = {"class": by_class} | speeds["random"]
        return Bench(
            file=sample.table.files[0],
            split=sample.split,
            n_rows=sample.table.num_rows,
            n_measured=sample.n_rows,
            row_bytes=sample.row_bytes or size // sample.n_rows,
            columns=tuple(sample.names),
            left_out=sample.left_out,
            speeds=speeds,
            converting_rows_per_s=sample.n_rows / converting_s,
            cached_row_bytes=size // sample.n_rows,
            threads=self._threads,
        )

    def _shuffled(self, cached: Any) -> dict[str, Speed]:
        return {
            "class": self._by_class(self._batches_of),
            "h5py": self._by_slices(),
            "cached": self._measured("cached, shuffled", lambda: self._batches_of(cached)),
            "view": self._by_loader("cached as a view, shuffled", _view_of(cached)),
            "direct": self._by_loader("direct, shuffled", self._sample.view),
            "limit": self._by_limit(),
        }

    def _random(self, cached: Any) -> dict[str, Speed]:
        def blocks(rows: Any) -> Iterator[int]:
            for start in range(0, len(self._order), BATCH_ROWS):
                chosen = self._order[start : start + BATCH_ROWS]
                rows[chosen]
                yield len(chosen)

        viewed = _view_of(cached)
        return {
            "cached": self._measured("cached, random rows", lambda: blocks(cached)),
            "view": self._measured("cached as a view, random rows", lambda: blocks(viewed)),
            "direct": self._measured("direct, random rows", lambda: blocks(self._sample.view)),
        }

    def _single(self, cached: Any) -> dict[str, Speed]:
        viewed = _view_of(cached)
        return {
            "class": self._by_class(self._rows_of),
            "cached": self._measured("cached, single rows", lambda: self._rows_of(cached)),
            "view": self._measured("cached as a view, single rows", lambda: self._rows_of(viewed)),
            "direct": self._measured("direct, single rows", lambda: self._rows_of(self._sample.view)),
        }

    def _by_loader(self, title: str, view: Any) -> Speed:
        loader, n_rows = view.loader(BATCH_ROWS, shuffle=True), self._sample.n_rows
        lengths = [min(BATCH_ROWS, n_rows - start) for start in range(0, n_rows, BATCH_ROWS)]
        return self._measured(title, lambda: (count for _, count in zip(loader, lengths, strict=True)))

    def _rows_of(self, rows: Any) -> Iterator[int]:
        for row in self._order:
            rows[row]
            yield 1

    def _batches_of(self, rows: Any) -> Iterator[int]:
        """Shuffled batches of a DataLoader in this process."""
        from torch.utils.data import DataLoader

        steps = range(0, len(self._order), BATCH_ROWS)
        batches = [self._order[start : start + BATCH_ROWS] for start in steps]
        loader = DataLoader(rows, batch_sampler=batches, collate_fn=_collate)
        for _, batch in zip(loader, batches, strict=True):
            yield len(batch)

    def _by_class(self, go: Callable[[Any], Iterator[int]]) -> Speed:
        from .handwritten import HandWritten

        why = self._why_not_here()
        if why is not None:
            return Speed(None, why)
        rows = HandWritten(self._sample.table, self._sample.names)
        try:
            return self._measured("hand-written class", lambda: go(rows))
        finally:
            rows.close()

    def _by_slices(self) -> Speed:
        from .handwritten import slices_along_chunks

        why = self._why_not_here()
        if why is not None:
            return Speed(None, why)
        sample = self._sample
        return self._measured("h5py", lambda: slices_along_chunks(sample.table, sample.names, sample.n_rows))

    def _why_not_here(self) -> str | None:
        if self._sample.apart:
            return "the HDF5 library runs in a process of its own"
        return self._sample.why_no_class

    def _by_limit(self) -> Speed:
        if not isinstance(self._reader, TableReader):
            return Speed(None, "the HDF5 library runs in a process of its own")
        work = limit_of(self._reader, self._sample.names, self._sample.n_rows, self._threads)
        if isinstance(work, str):
            return Speed(None, work)
        return self._measured("the limit", lambda: iter([work()]))

    def _measured(self, title: str, begin: Pass) -> Speed:
        self._say(title)
        try:
            return Speed(rows_per_s(begin, self._seconds))
        except (OSError, TypeError, ValueError) as error:
            return Speed(None, f"{type(error).__name__}: {error}")


def rows_per_s(begin: Pass, seconds: float) -> float:
    """The best of several passes, which are cut short if they take long; the first batch is not timed."""
    warm = begin()
    next(warm, 0)
    _close(warm)
    best, end_s = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        rows, start_s = 0, time.perf_counter()
        running = begin()
        for count in running:
            rows += count
            if time.perf_counter() - start_s > _PATIENCE * seconds:
                break
        best = max(best, rows / (time.perf_counter() - start_s))
        _close(running)
    return best


def _view_of(cached: Any) -> Any:
    from ...view import H5TorchView

    return H5TorchView.from_dataset(cached)


def _close(running: Iterator[int]) -> None:
    if hasattr(running, "close"):
        running.close()


def _collate(rows: Sequence[Any]) -> Any:
    """Stack rows where they can be; leave rows of different lengths as they are."""
    from torch.utils.data import default_collate

    try:
        return default_collate(list(rows))
    except (TypeError, RuntimeError):
        return rows
