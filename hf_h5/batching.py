"""Row ranges of a reader -> Arrow tables of bounded size, one read while the one before is used.

What the builder, conversions and engines make their data of.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from .assemble.arrow_packed import pack_lists, pack_texts
from .describe.options import Options
from .describe.schema import Table
from .errors import H5Warning
from .isolate.choose import AnyReader
from .read.packed import PackedTexts
from .read.packed_rows import read_packed
from .read.reader import TableReader
from .read.skipping import read_past
from .sharding import BatchSize, plan_batches

__all__ = ["BATCH_BYTES", "CACHE_BYTES", "arrow_batches"]

BATCH_BYTES = 16 << 20
"""Large enough that a call costs nothing beside it, small enough that three of them are little memory."""

CACHE_BYTES = 32 << 20
"""Chunks that lie across two batches are kept this long; a batch rarely needs more of them."""

Numbered = tuple[int, int, pa.Table]


def arrow_batches(
    reader: AnyReader,
    ranges: Sequence[tuple[int, int]],
    options: Options,
    to_table: Callable[[dict[str, Any]], pa.Table],
) -> Generator[Numbered, None, None]:
    """Read ranges batch by batch.

    Parameters
    ----------
    ranges
        Half-open, of the reader's rows.
    options
        ``batch_size`` and ``on_bad_rows`` are used here.
    to_table
        Makes an Arrow table of the columns of a batch.

    Yields
    ------
    tuple
        Number of the range, number of the batch in it, and the batch. With ``on_bad_rows="skip"`` rows may lack,
        each with a warning.
    """
    size = _batch_size(options, reader.schema)
    pieces = plan_batches(ranges, size, reader.row_groups())
    with ThreadPoolExecutor(1, thread_name_prefix="hf_h5-ahead") as ahead:

        def make(shard: int, batch: int, start: int, stop: int) -> Numbered:
            return shard, batch, to_table(_read(reader, start, stop, options))

        piece = next(pieces, None)
        coming: Future[Numbered] | None = ahead.submit(make, *piece) if piece else None
        try:
            while coming:
                made = coming.result()
                size.note(made[2].num_rows, made[2].nbytes)
                # One batch is read while the one before is written.
                piece = next(pieces, None)
                coming = ahead.submit(make, *piece) if piece else None
                yield made
                del made
        finally:
            if coming:
                coming.cancel()


def _batch_size(options: Options, table: Table) -> BatchSize:
    if options.batch_size:
        return BatchSize(options.batch_size)
    varies = any(column.is_ragged or column.dtype.kind == "O" for column in table.columns.values())
    return BatchSize(max(1, BATCH_BYTES // table.row_bytes), target_bytes=BATCH_BYTES if varies else None)


def _read(reader: AnyReader, start: int, stop: int, options: Options) -> dict[str, Any]:
    if options.on_bad_rows == "error":
        packed = _read_packed(reader, start, stop)
        return packed | reader.read(range(start, stop), [name for name in reader.schema.columns if name not in packed])
    batch, bad = read_past(reader, start, stop)
    for rows in bad:
        which = f"row {rows.start}" if len(rows) == 1 else f"rows {rows.start} to {rows.stop - 1}"
        warnings.warn(f"{which} left out: {rows.problem}", H5Warning, stacklevel=2)
    return batch


def _read_packed(reader: AnyReader, start: int, stop: int) -> dict[str, pa.Array]:
    """Columns of strings and lists as far as they become Arrow arrays without an object for each value.

    What Arrow refuses lacks, so that it is read value by value, and the error names the row.
    """
    found = read_packed(reader, start, stop) if isinstance(reader, TableReader) else {}
    arrays = {
        name: pack_texts(packed.joined, stop - start)
        if isinstance(packed, PackedTexts)
        else pack_lists(packed.items, packed.offsets)
        for name, packed in found.items()
    }
    return {name: array for name, array in arrays.items() if array is not None}
