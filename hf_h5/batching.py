"""Row ranges of a reader -> Arrow tables of bounded size, one read while the one before is used.

What the builder, conversions and engines make their data of.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .assemble.arrow_packed import pack_lists, pack_texts
from .describe.options import Options
from .describe.schema import Table
from .errors import warn
from .isolate.choose import AnyReader
from .read.mapping import map_rows
from .read.memory import BatchArrays, Memory
from .read.packed import PackedTexts
from .read.packed_rows import read_packed
from .read.reader import TableReader
from .read.skipping import read_past
from .sharding import BatchSize, join_ranges, plan_batches

__all__ = ["BATCH_BYTES", "CACHE_BYTES", "arrow_batches"]

BATCH_BYTES = 16 << 20
"""Large enough that a call costs nothing beside it, small enough that three of them are little memory."""

CACHE_BYTES = 32 << 20
"""Chunks that lie across two batches are kept this long; a batch rarely needs more of them."""

# Memory of batches that were written, for the next ones.
_FREE_BYTES = 2 * BATCH_BYTES
_PAGE_BYTES = 4096
# How long the end of a stream waits for the batch that is under way: not for ever, as the one who ends it may be
# Python's collector, in a thread that holds what that batch needs.
_LAST_WAIT_S = 2.0

Numbered = tuple[int, int, pa.Table]


def arrow_batches(
    reader: AnyReader,
    ranges: Sequence[tuple[int, int]],
    options: Options,
    to_table: Callable[[dict[str, Any]], pa.Table],
    *,
    are_written: bool = False,
) -> Generator[Numbered, None, None]:
    """Read ranges batch by batch, one ahead of the caller.

    Parameters
    ----------
    ranges
        Half-open, of the reader's rows.
    options
        ``batch_size`` and ``on_bad_rows`` are used here.
    to_table
        Makes an Arrow table of the columns of a batch.
    are_written
        Whether the caller writes each batch before it asks for the next one, and keeps none: numbers that lie plainly
        in a file are then not copied before they are written, and batches go across ranges that follow one another.

    Yields
    ------
    tuple
        Number of the range, number of the batch in it, and the batch. With ``on_bad_rows="skip"`` rows may lack,
        each with a warning.

    Raises
    ------
    FileChangedError
        Also after the last batch: if a file changed while its rows were read, or were written as they lie in it.
    """
    size = _batch_size(options, reader.schema, 2 if are_written else 1)
    pieces = plan_batches(join_ranges(ranges) if are_written else ranges, size, reader.row_groups())
    arrays = BatchArrays(reader.schema.columns, Memory(_FREE_BYTES))

    def make(shard: int, batch: int, start: int, stop: int) -> Numbered:
        if options.on_bad_rows == "error":
            table = to_table(_read(reader, start, stop, arrays, may_map=are_written))
        else:
            table = to_table(_read_past(reader, start, stop))
        if not are_written:
            reader.check_files(start, stop)
        return shard, batch, table

    ahead = ThreadPoolExecutor(1, thread_name_prefix="hf_h5-ahead")
    coming: Future[Numbered] | None = None
    try:
        piece = next(pieces, None)
        coming = ahead.submit(make, *piece) if piece else None
        while coming and piece:
            made = coming.result()
            _, _, start, stop = piece
            size.note(made[2].num_rows, made[2].nbytes)
            # One batch is read while the one before is written.
            piece = next(pieces, None)
            coming = ahead.submit(make, *piece) if piece else None
            yield made
            del made
            if are_written:
                # Until then its numbers may have come from the file itself.
                reader.check_files(start, stop)
    finally:
        ahead.shutdown(wait=False, cancel_futures=True)
        wait([coming] if coming else [], timeout=_LAST_WAIT_S)


def _batch_size(options: Options, table: Table, least: int) -> BatchSize:
    """How many rows batches have; those of varying size are at least ``least`` together.

    The writers of ``datasets`` keep batches of one row in memory until they have a number of rows that is set before.
    """
    varies = any(column.is_ragged or column.dtype.kind == "O" for column in table.columns.values())
    if options.batch_size:
        return BatchSize(max(options.batch_size, least) if varies else options.batch_size)
    rows = max(1, BATCH_BYTES // table.row_bytes)
    if not varies:
        return BatchSize(rows)
    return BatchSize(max(rows, least), least, target_bytes=BATCH_BYTES, row_bytes=_most_row_bytes(table))


def _most_row_bytes(table: Table) -> int | None:
    """What a row of the first file can take on average: strings and lists lie in the file as they are."""
    file = table.files[0] if table.files else ""
    n_rows = sum(part.n_rows for part in table.parts if part.file == file)
    if not n_rows or not os.path.exists(file):
        return None
    return table.row_bytes + os.path.getsize(file) // n_rows


def _read(reader: AnyReader, start: int, stop: int, arrays: BatchArrays, *, may_map: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(reader, TableReader):
        if may_map:
            found |= _mapped(reader, start, stop)
        found |= _packed(reader, start, stop)
    names = [name for name in reader.schema.columns if name not in found]
    if names:
        numbers = [name for name in names if name in arrays.numbers]
        found |= reader.read(range(start, stop), names, out=arrays.make(stop - start, numbers))
    return found


def _mapped(reader: TableReader, start: int, stop: int) -> dict[str, NDArray[Any]]:
    """Columns whose rows lie in the mapped file as Arrow wants them; their pages are brought in here, ahead."""
    found = map_rows(reader, start, stop)
    for rows in found.values():
        rows.reshape(-1).view(np.uint8)[::_PAGE_BYTES].max(initial=0)
    return found


def _packed(reader: TableReader, start: int, stop: int) -> dict[str, pa.Array]:
    """Columns of strings and lists as far as they become Arrow arrays without an object for each value.

    What Arrow refuses lacks, so that it is read value by value, and the error names the row.
    """
    arrays = {
        name: pack_texts(packed.joined, stop - start)
        if isinstance(packed, PackedTexts)
        else pack_lists(packed.items, packed.offsets)
        for name, packed in read_packed(reader, start, stop).items()
    }
    return {name: array for name, array in arrays.items() if array is not None}


def _read_past(reader: AnyReader, start: int, stop: int) -> dict[str, Any]:
    batch, bad = read_past(reader, start, stop)
    for rows in bad:
        which = f"row {rows.start}" if len(rows) == 1 else f"rows {rows.start} to {rows.stop - 1}"
        warn(f"{which} left out: {rows.problem}")
    return batch
