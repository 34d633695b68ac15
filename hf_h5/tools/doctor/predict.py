"""Rows per second that each mode would give, from facts of the file and what the machine can do.

Pure; no I/O. A row costs the decoding of its share of chunks, some copies, and its share of what a batch costs. The
constants are in calls of ``Primitives.call_s``, so that they hold on slower machines too; they were found by measuring
the files of ``tests/benchmarks/bench_doctor.py`` that are named for it, and are checked on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .facts import ColumnFacts, Primitives, TableFacts

__all__ = ["BATCH_ROWS", "amplification", "predict", "predicted_direct"]

BATCH_ROWS = 256

# In calls: a batch of the loader, each column of it, a chunk that is read, and a batch by row numbers.
_LOADER_BATCH, _LOADER_COLUMN, _CHUNK, _RANDOM_BATCH, _RANDOM_COLUMN = 105.0, 85.0, 40.0, 60.0, 85.0
# Times that the bytes of a row are copied on their way into a batch of the loader, and of row numbers.
_LOADER_COPIES, _RANDOM_COPIES = 2.0, 1.5
# A decoded chunk that repack makes for training.
_REPACKED_BYTES = 64 << 10


def predict(table: TableFacts, machine: Primitives) -> dict[str, dict[str, float]]:
    """Predict rows per second by mode and kind of work.

    Returns
    -------
    dict
        ``"direct"``, ``"repacked"`` (the direct mode on the file that ``hf-h5 repack --for training`` writes),
        ``"cached"`` (a ``datasets.Dataset``), ``"cached view"`` (``H5TorchView.from_dataset`` of that), and
        ``"mapped"`` where ``open_dataset`` maps all columns; each with ``"shuffled"`` and ``"random"``.
    """
    repacked = replace(table, columns=tuple(map(_repacked, table.columns)))
    cached = {"shuffled": _rate(table.collated_s), "random": _rate(table.cached_s)}
    modes = {
        "direct": predicted_direct(table, machine),
        "repacked": predicted_direct(repacked, machine),
        "cached": cached,
        "cached view": _predicted_view(table, machine),
    }
    if all(column.mapped for column in table.columns):
        modes["mapped"] = cached
    return modes


def _predicted_view(table: TableFacts, machine: Primitives) -> dict[str, float]:
    """Predict the view of a cached set: numbers of one shape are plain bytes, the rest is as slow as a sample."""
    plain = tuple(
        replace(column, layout="contiguous", paths=(column.name,)) for column in table.columns if column.fixed
    )
    rates = predicted_direct(replace(table, columns=plain, made_s=0.0, made_random_s=0.0), machine)
    others_s = table.viewed_s if len(plain) < len(table.columns) else 0.0
    return {work: _rate(1 / rate + others_s) for work, rate in rates.items()}


def predicted_direct(table: TableFacts, machine: Primitives) -> dict[str, float]:
    """Predict the loader, shuffled, and batches of uniformly random rows, of a view that keeps no chunks."""
    batch = min(BATCH_ROWS, max(1, table.n_rows))
    columns = table.columns
    n_datasets = len({column.paths for column in columns})
    loader = (_LOADER_BATCH + _LOADER_COLUMN * len(columns)) * machine.call_s / batch
    random = (_RANDOM_BATCH + _RANDOM_COLUMN * n_datasets) * machine.call_s / batch
    copied = sum(column.row_bytes for column in columns) / machine.copy_bytes_per_s
    loader += table.made_s + _LOADER_COPIES * copied + sum(_shuffled_s(each, machine) for each in _by_dataset(columns))
    random += table.made_random_s + _RANDOM_COPIES * copied
    random += sum(_random_s(each, machine, batch) for each in _by_dataset(columns))
    return {"shuffled": _rate(loader), "random": _rate(random)}


def amplification(column: ColumnFacts) -> float:
    """Bytes that are decoded for a single row, for each byte of it."""
    if column.layout != "chunked" or not column.row_bytes:
        return 1.0
    return column.chunk_bytes * column.chunks_per_row / column.row_bytes


def _by_dataset(columns: Sequence[ColumnFacts]) -> list[ColumnFacts]:
    """One column for each dataset: the fields of a compound are decoded together."""
    return list({column.paths: column for column in columns}.values())


def _chunk_s(column: ColumnFacts, machine: Primitives) -> float:
    """Seconds to read and decode one chunk, all threads at work; of plain bytes only the wanted ones are copied."""
    if not column.filters:
        return _CHUNK / 8 * machine.call_s
    stored = column.stored_bytes / max(1, column.n_chunks - column.n_unallocated)
    return (column.decode_s + stored / machine.copy_bytes_per_s) / machine.gain + _CHUNK * machine.call_s


def _shuffled_s(column: ColumnFacts, machine: Primitives) -> float:
    """Seconds for a row's share of the chunks, each of which is decoded once."""
    if column.layout != "chunked":
        return 0.0
    return _chunk_s(column, machine) * column.chunks_per_row / min(column.chunk_rows, column.n_rows)


def _random_s(column: ColumnFacts, machine: Primitives, batch: int) -> float:
    """Seconds for a row of a batch of uniformly random ones: rows that share a chunk are rare in long tables."""
    if column.layout != "chunked":
        return 0.0
    places = max(1, -(-column.n_rows // column.chunk_rows))
    touched = places * (1 - (1 - 1 / places) ** batch)
    return _chunk_s(column, machine) * column.chunks_per_row * touched / batch


def _repacked(column: ColumnFacts) -> ColumnFacts:
    """The column as ``hf-h5 repack --for training`` stores it."""
    if column.layout != "chunked":
        return column
    rows = max(1, min(column.n_rows, _REPACKED_BYTES // max(1, column.row_bytes)))
    chunk_bytes = rows * column.row_bytes
    return replace(
        column,
        chunk_rows=rows,
        chunks_per_row=1,
        chunk_bytes=chunk_bytes,
        n_chunks=-(-column.n_rows // rows),
        n_unallocated=0,
        decode_s=column.repacked_s * chunk_bytes,
    )


def _rate(seconds: float) -> float:
    return 1 / seconds if seconds > 0 else 0.0
