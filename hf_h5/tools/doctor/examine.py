"""Look at a table: how each column is stored, and how long samples of it take to read and decode here."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import datasets
import h5py
import hdf5plugin
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ...assemble.arrow import table_features, to_arrow_table
from ...describe.opening import open_hdf5
from ...describe.schema import Schema, Table
from ...describe.wording import stored_type
from ...errors import FormatError
from ...read.codecs import Decoder, why_not_decodable
from ...read.direct import DirectDataset
from ...read.mapping import map_column
from ...read.reader import TableReader
from ...read.storage import UNALLOCATED, StorageIndex
from .facts import ColumnFacts, TableFacts
from .machine import best_s

__all__ = ["examine_table", "widest_group"]

_SAMPLED_CHUNKS = 3
_SAMPLE_BYTES = 4 << 20
_RUN_ROWS, _BATCH_ROWS, _COPIES, _ROUNDS = 8192, 256, 64, 8
_REPACKED_BYTES = 64 << 10
_LZ4 = 32004


def examine_table(table: Table, split: str, schema: Schema, reader: TableReader, view: Any) -> TableFacts:
    """Gather the facts of a table with rows.

    Parameters
    ----------
    reader
        Of the table, without a cache, so that what is read twice is decoded twice.
    view
        An ``H5TorchView`` of the same; None without torch.
    """
    reader.read(range(1))
    routes = reader.routes()
    columns = tuple(_column(table, name, reader, routes.get(name, "direct")) for name in table.columns)
    made = _made_speeds(reader, view, [column.name for column in columns if column.layout == "made"])
    sample = _Sample(table, reader)
    cached_s, collated_s = sample.cached_s()
    return TableFacts(
        file=table.files[0],
        split=split,
        n_rows=table.num_rows,
        columns=columns,
        parts=len(table.parts),
        file_bytes=sum(os.path.getsize(file) for file in table.files if os.path.exists(file)),
        cached_s=cached_s,
        collated_s=collated_s,
        viewed_s=sample.viewed_s(),
        made_s=made[0],
        made_random_s=made[1],
        arrow_row_bytes=sample.arrow_row_bytes,
        parquet_row_bytes=sample.parquet_row_bytes,
        notes=tuple((note.path, note.why) for note in schema.notes),
        decoders=why_not_decodable(((32015, 0, ()),), 1) is None,
    )


def widest_group(file: str) -> tuple[str, int]:
    """The group with the most links, and how many it has."""
    counts: Counter[bytes] = Counter()
    with open_hdf5(file) as handle:
        handle.id.links.visit(lambda raw: counts.update([raw.rpartition(b"/")[0]]))
    raw, count = max(counts.items(), key=lambda each: each[1], default=(b"", 0))
    return "/" + raw.decode("utf-8", "surrogateescape"), count


def _column(table: Table, name: str, reader: TableReader, route: str) -> ColumnFacts:
    part = table.parts[0]
    column = part.columns.get(name, table.columns[name])
    sources = column.derived.sources if column.derived is not None else (column,)
    facts: dict[str, Any] = {
        "name": name,
        "paths": tuple(part.path_of(source) for source in sources),
        "dtype": stored_type(column),
        "n_rows": table.num_rows,
        "row_bytes": table.columns[name].row_bytes,
        "fixed": table.columns[name].dtype.kind != "O" and not table.columns[name].is_ragged,
        "route": route,
        "filters": column.storage.filters if column.storage is not None else (),
        "stored_bytes": column.storage.stored_bytes if column.storage is not None else 0,
    }
    found = reader.find_dataset(part, column) if column.take in ("rows", "whole") else "no dataset holds it"
    if isinstance(found, DirectDataset):
        facts |= _stored(found.index)
    is_plain = len(table.parts) == 1 and column.take == "rows" and isinstance(found, DirectDataset)
    if not is_plain or column.axis or not isinstance(found, DirectDataset):
        # What is no run of one dataset's bytes is not computed but read.
        if column.take not in ("constant", "counter", "missing"):
            run = range(min(_BATCH_ROWS, table.num_rows))
            facts["read_s"] = best_s(lambda: reader.read(run, [name]), 2) / len(run)
        return ColumnFacts(**facts | {"layout": "made"})
    return ColumnFacts(**facts | _decoding(found), mapped=isinstance(map_column(reader, name), list))


def _stored(index: StorageIndex) -> dict[str, Any]:
    if index.kind != "chunked":
        return {"layout": "compact" if index.kind == "compact" else "contiguous"}
    return {
        "layout": "chunked",
        "chunk_rows": index.chunk_rows,
        "chunks_per_row": index.chunks_per_row,
        "chunk_bytes": index.chunk_nbytes,
        "n_chunks": len(index.offsets),
        "n_unallocated": int((index.offsets == UNALLOCATED).sum()),
    }


def _made_speeds(reader: TableReader, view: Any, names: list[str]) -> tuple[float, float]:
    """Seconds for a row of a shuffled epoch, and of random rows, of columns together; as tensors if there is a view."""
    if not names:
        return 0.0, 0.0
    table = reader.schema
    stored = sum(os.path.getsize(file) for file in table.files if os.path.exists(file)) // table.num_rows
    run = range(max(1, min(table.num_rows, _RUN_ROWS, _SAMPLE_BYTES // max(1, stored))))
    rows = np.random.default_rng(0).permutation(table.num_rows)[:_BATCH_ROWS]
    shown = [name for name in names if view is not None and _is_shown(view, name)]
    if not shown:
        run_s, random_s = best_s(lambda: reader.read(run, names)), best_s(lambda: reader.read(rows, names))
        return run_s / len(run), random_s / len(rows)
    chosen = view.select_columns(shown)
    loader = chosen.select(run).loader(_BATCH_ROWS, shuffle=True)
    return best_s(lambda: list(loader), 3) / len(run), best_s(lambda: chosen[rows], _ROUNDS) / len(rows)


def _is_shown(view: Any, name: str) -> bool:
    """Whether the format has such a type; that of torch has no dates."""
    try:
        view.select_columns([name])[:1]
    except FormatError:
        return False
    return True


def _decoding(dataset: DirectDataset) -> dict[str, float]:
    """Seconds to decode a chunk, and each byte of one that is stored for training."""
    index = dataset.index
    numbers = np.flatnonzero(index.offsets != UNALLOCATED) if index.kind == "chunked" else np.empty(0, np.int64)
    if not len(numbers):
        return {}
    decoder, out = Decoder(index.filters, index.chunk_nbytes), np.empty(index.chunk_nbytes, np.uint8)
    taken = []
    for number in numbers[np.linspace(0, len(numbers) - 1, _SAMPLED_CHUNKS).astype(int)].tolist():
        raw = dataset.source.read_ranges([int(index.offsets[number])], [int(index.sizes[number])])[0]
        mask = int(index.masks[number])
        taken.append(best_s(lambda raw=raw, mask=mask: decoder.decode(raw, mask, out), 2))  # type: ignore[misc]
    return {"decode_s": sum(taken) / len(taken), "repacked_s": _repacked_s(out.view(index.dtype))}


def _repacked_s(values: NDArray[Any]) -> float:
    """Seconds to decode a byte of a chunk that ``hf-h5 repack --for training`` would write of these values."""
    if values.dtype.hasobject or values.dtype.kind not in "biufc" or why_not_decodable(((_LZ4, 0, ()),), 1):
        return 0.0
    values = values[: max(1, _REPACKED_BYTES // values.dtype.itemsize)]
    with h5py.File(io.BytesIO(), "w") as memory:
        dataset = memory.create_dataset("x", data=values, chunks=values.shape, shuffle=True, **hdf5plugin.LZ4())
        memory.flush()
        mask, raw = dataset.id.read_direct_chunk((0,))
        filters = dataset.id.get_create_plist()
        steps = tuple(filters.get_filter(number)[:3] for number in range(filters.get_nfilters()))
    decoder, out = Decoder(steps, values.nbytes), np.empty(values.nbytes, np.uint8)
    stored = memoryview(raw)
    return best_s(lambda: decoder.decode(stored, mask, out)) / values.nbytes


class _Sample:
    """Some rows in Arrow: how large they are, and how fast a ``Dataset`` gives them."""

    def __init__(self, table: Table, reader: TableReader) -> None:
        row_bytes = max(1, sum(column.row_bytes for column in table.columns.values()))
        count = max(1, min(table.num_rows, _BATCH_ROWS, _SAMPLE_BYTES // row_bytes))
        arrow = to_arrow_table(reader.read(range(count)), table, table_features(table))
        # The same rows again and again take no memory, and as many batches as a large set has.
        many = pa.concat_tables([arrow] * min(_COPIES, -(-table.num_rows // count)))
        info = datasets.DatasetInfo(features=table_features(table))
        self._dataset = datasets.Dataset(datasets.table.InMemoryTable(many), info=info)
        self.arrow_row_bytes = max(1, int(arrow.nbytes) // count)
        stream = io.BytesIO()
        pq.write_table(arrow, stream)
        self.parquet_row_bytes = max(1, stream.tell() // count)

    def cached_s(self) -> tuple[float, float]:
        """Seconds for a row of a random batch, and of one that a DataLoader stacks row by row."""
        n_rows = len(self._dataset)
        rows = np.random.default_rng(0).permutation(n_rows)[:_BATCH_ROWS].tolist()
        for shown in self._formats():
            try:
                shown[rows]
                taken_s = best_s(lambda shown=shown: shown[rows], 3)  # type: ignore[misc]
                stacked_s = best_s(lambda shown=shown: _stack(shown.__getitems__(rows)), 3)  # type: ignore[misc]
                return taken_s / len(rows), stacked_s / len(rows)
            except (TypeError, ValueError):
                continue  # the torch format refuses dates, and old versions of it other types
        return 0.0, 0.0

    def viewed_s(self) -> float:
        """Seconds for a row of a random batch of a view of it."""
        if not datasets.config.TORCH_AVAILABLE:
            return 0.0
        from ...view import H5TorchView

        view = H5TorchView.from_dataset(self._dataset)
        names = [name for name in view.column_names if _is_shown(view, name)]
        rows = np.random.default_rng(0).permutation(len(view))[:_BATCH_ROWS]
        chosen = view.select_columns(names)
        return best_s(lambda: chosen[rows], 3) / len(rows) if names else 0.0

    def _formats(self) -> Iterator[Any]:
        if datasets.config.TORCH_AVAILABLE:
            yield self._dataset.with_format("torch", dtype=None)
        yield self._dataset.with_format("numpy")
        yield self._dataset.with_format("arrow")


def _stack(rows: Sequence[Any]) -> Any:
    if not datasets.config.TORCH_AVAILABLE:
        return rows
    from torch.utils.data import default_collate

    try:
        return default_collate(list(rows))
    except (TypeError, RuntimeError):
        return rows
