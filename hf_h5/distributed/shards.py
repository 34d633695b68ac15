"""One shard of a plan -> one file: the same bytes whenever it is written, and never written twice."""

from __future__ import annotations

import operator
import os
import time
from collections.abc import Generator
from contextlib import closing
from typing import Any, SupportsIndex

from ..batching import arrow_batches
from ..errors import DataError, OptionError
from .encoding import CountedStream, ShardWriter, open_writer, read_mark
from .manifest import expect_own, open_output
from .plan import Plan, PlannedShard, expect_plan
from .reports import ShardReport
from .rows import ShardRows, open_rows
from .storage import Folder

__all__ = ["convert_shard", "find_shard"]


def convert_shard(plan: Plan, number: int, out: str | os.PathLike[str], *, threads: int | None = None) -> ShardReport:
    """Write one shard, if it is not there and whole.

    It may be called again at any time, by any process on any machine, also for a shard that another one is writing:
    a file is written under another name and renamed once it is whole, and all write the same bytes.

    Parameters
    ----------
    number
        Which of ``plan.shards``.
    out
        The folder, a path or a URL that `fsspec` knows.
    threads
        How many decode; by default as many as there are cores.

    Raises
    ------
    FileChangedError
        If a file is not what it was when the plan was made.
    OptionError
        If the folder holds what another plan wrote, or is being written by it.
    """
    expect_plan(plan)
    number = _checked_number(plan, number)
    started = time.perf_counter()
    folder = open_output(plan, out)
    found = find_shard(plan, number, folder, whole=True)
    if found is not None:
        return found
    shard = plan.shards[number]
    writing = folder.writing(shard.name, check=lambda: expect_own(plan, folder))
    # The half-written file comes first: it shows others that the folder is in use.
    with writing as stream, open_rows(plan, shard, threads=threads) as rows:
        mark = _write(plan, number, rows, CountedStream(stream))
        n_bytes = stream.tell()
    seconds = time.perf_counter() - started
    return _report(number, shard, mark, n_bytes, was_there=False, seconds=seconds)


def _checked_number(plan: Plan, number: SupportsIndex) -> int:
    """A number of a shard as Python's own, which JSON takes."""
    if isinstance(number, SupportsIndex) and 0 <= operator.index(number) < len(plan.shards):
        return operator.index(number)
    raise OptionError(f"there is no shard {number!r}: the plan has {len(plan.shards)}", hint="they count from 0")


def find_shard(plan: Plan, number: int, folder: Folder, *, whole: bool) -> ShardReport | None:
    """What is known of a shard that is there, or None if it is not, or is not what the plan says.

    Parameters
    ----------
    whole
        Whether all of the file is read and compared with its checksum.
    """
    started = time.perf_counter()
    shard = plan.shards[number]
    try:
        with folder.open(shard.name) as stream:
            mark = read_mark(stream, plan.format, whole=whole)
            n_bytes = stream.seek(0, os.SEEK_END)
    except FileNotFoundError:
        return None
    if mark is None or (mark["plan"], mark["shard"]) != (plan.id, number):
        return None
    return _report(number, shard, mark, n_bytes, was_there=True, seconds=time.perf_counter() - started)


def _write(plan: Plan, number: int, rows: ShardRows, stream: CountedStream) -> dict[str, Any]:
    with closing(open_writer(stream, rows.features.arrow_schema, plan.format)) as writer:
        written, arrow_bytes = _write_rows(plan.shards[number], rows, writer)
        left_out = rows.stop - rows.start - written
        if left_out and rows.options.on_bad_rows == "error":
            raise DataError(f"{written:,} rows came of {rows.stop - rows.start:,}", file=plan.shards[number].name)
        mark = {"plan": plan.id, "shard": number, "rows": written, "rows_left_out": left_out}
        return writer.finish(mark | {"arrow_bytes": arrow_bytes})


def _write_rows(shard: PlannedShard, rows: ShardRows, writer: ShardWriter) -> tuple[int, int]:
    """Write all rows; returns how many they were, and their bytes in memory."""
    written = arrow_bytes = 0
    try:
        with closing(_batches(rows)) as batches:
            for _, _, batch in batches:
                writer.write(batch)
                written += batch.num_rows
                arrow_bytes += batch.nbytes
                del batch
        if rows.start == rows.stop:
            writer.write(rows.to_table(rows.reader.read(range(0))))
    except DataError as error:
        raise _with_offset(error, shard, rows.offset) from error
    return written, arrow_bytes


def _batches(rows: ShardRows) -> Generator[tuple[int, int, Any], None, None]:
    ranges = [(rows.start, rows.stop)]
    return arrow_batches(rows.reader, ranges, rows.options, rows.to_table, are_written=True)


def _with_offset(error: DataError, shard: PlannedShard, offset: int) -> DataError:
    """Say where the rows that an error names are counted from; a reader knows no other files than its own."""
    if not offset:
        return error
    problem = f"{error.problem} (rows are counted from row {offset:,} of the split {shard.split!r})"
    return DataError(problem, file=error.file, path=error.path, hint=error.hint)


def _report(
    number: int, shard: PlannedShard, mark: dict[str, Any], n_bytes: int, *, was_there: bool, seconds: float
) -> ShardReport:
    return ShardReport(
        number=number,
        name=shard.name,
        rows=mark["rows"],
        rows_left_out=mark["rows_left_out"],
        n_bytes=n_bytes,
        arrow_bytes=mark["arrow_bytes"],
        checksum=mark["xxh3"],
        was_there=was_there,
        seconds=seconds,
    )
