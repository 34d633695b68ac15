"""How a shard lies on disk: Parquet or an Arrow stream, with a mark at its end that says what the file must be.

The mark is the last thing that is written and in the file itself, so that nothing beside the file must be kept.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

__all__ = ["MARK", "CountedStream", "ShardWriter", "open_writer", "read_mark"]

MARK = b"hf_h5"
"""The key of the mark in the metadata of a Parquet file, or of the last, empty batch of an Arrow stream."""

# Arrow copies what it hands to a stream of Python's: small pieces stay in the processor's caches, and large ones take
# memory from the system each time, which doubles the time of a shard.
_RECORD_BYTES = 1 << 20
# A length that is damaged asks for more memory than there is.
_DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, EOFError, MemoryError)
_FLOATS = ("FLOAT", "DOUBLE", "FIXED_LEN_BYTE_ARRAY")


class CountedStream:
    """Hands bytes on to a stream, and knows how many there were and their checksum.

    XXH3, as it takes a sixth of the time of a CRC; it is told from accidents, not from malice.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.n_bytes = 0
        self._hash = xxhash.xxh3_64()
        self._end: list[bytes] | None = None
        self.closed = False

    def write(self, block: Any) -> int:
        """Write all of a block."""
        if self._end is not None:
            self._end.append(bytes(block))
            return len(self._end[-1])
        self._stream.write(block)
        size = memoryview(block).nbytes
        self.n_bytes += size
        self._hash.update(block)
        return size

    @property
    def checksum(self) -> str:
        """Sixteen hexadecimal digits."""
        return self._hash.hexdigest()

    def hold_end(self) -> None:
        """Keep what is written from now on until `seal_end`: the end of the file, with the mark in it."""
        self._end = []

    def seal_end(self) -> str:
        """Write the end with its own checksum in the place that the mark has for it; returns that."""
        end = b"".join(self._end or [])
        found = _sealed(end, _UNSEALED)
        self._stream.write(end.replace(_seal(_UNSEALED), _seal(found)))
        return found

    def flush(self) -> None:
        """Leave it to whoever opened the stream."""

    def close(self) -> None:
        """Leave it to whoever opened the stream."""
        self.closed = True


_UNSEALED = "0" * 16


def _seal(checksum: str) -> bytes:
    """What the mark has of a checksum of the end, which the mark is a part of."""
    return b'"end_xxh3": "' + checksum.encode() + b'"'


def _sealed(end: bytes, seal: str) -> str:
    """The checksum of the end of a file, as it is without that checksum."""
    return xxhash.xxh3_64(end.replace(_seal(seal), _seal(_UNSEALED))).hexdigest()


class ShardWriter(Protocol):
    """Writes the tables of one shard; at least one, be it without rows."""

    def write(self, table: pa.Table) -> None:
        """Write rows."""

    def finish(self, mark: Mapping[str, Any]) -> dict[str, Any]:
        """Write the mark, with size and checksum of what is before it, and the end of the file; returns the mark."""

    def close(self) -> None:
        """Let go of the stream, also in the middle, while it is open."""


class _ParquetShard:
    def __init__(self, stream: CountedStream, schema: pa.Schema) -> None:
        self._stream = stream
        self._writer = pq.ParquetWriter(stream, schema, use_dictionary=_with_dictionary(schema))

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def finish(self, mark: Mapping[str, Any]) -> dict[str, Any]:
        whole = _whole_mark(self._stream, mark)
        self._stream.hold_end()
        self._writer.add_key_value_metadata({MARK: json.dumps(whole)})
        self.close()
        return {**whole, "end_xxh3": self._stream.seal_end()}

    def close(self) -> None:
        # Else it writes the end of the file when it is collected, where the stream is closed.
        self._writer.close()


class _ArrowShard:
    def __init__(self, stream: CountedStream, schema: pa.Schema) -> None:
        self._stream = stream
        self._empty: pa.RecordBatch | None = None
        self._writer = pa.ipc.new_stream(stream, schema)

    def write(self, table: pa.Table) -> None:
        if self._empty is None:
            # Not made of the schema, of which Arrow makes no nested extension types.
            firsts = [column.chunk(0).slice(0, 0) for column in table.columns]
            self._empty = pa.RecordBatch.from_arrays(firsts, schema=table.schema)
        rows = max(1, _RECORD_BYTES * table.num_rows // max(1, table.nbytes))
        for batch in table.to_batches(max_chunksize=rows):
            self._writer.write_batch(batch)

    def finish(self, mark: Mapping[str, Any]) -> dict[str, Any]:
        whole = _whole_mark(self._stream, mark)
        self._stream.hold_end()
        # Readers pass over a batch without rows.
        self._writer.write_batch(self._empty, custom_metadata={MARK: json.dumps(whole)})
        self.close()
        return {**whole, "end_xxh3": self._stream.seal_end()}

    def close(self) -> None:
        self._writer.close()


def open_writer(stream: CountedStream, schema: pa.Schema, format: str) -> ShardWriter:
    """A writer of one of the formats of a plan."""
    return _ParquetShard(stream, schema) if format == "parquet" else _ArrowShard(stream, schema)


def _whole_mark(stream: CountedStream, mark: Mapping[str, Any]) -> dict[str, Any]:
    return {**mark, "data_bytes": stream.n_bytes, "xxh3": stream.checksum, "end_xxh3": _UNSEALED}


def _with_dictionary(schema: pa.Schema) -> list[str] | bool:
    """The columns that repeat values; of floats a dictionary takes ten times the time and saves nothing."""
    empty = io.BytesIO()
    pq.ParquetWriter(empty, schema).close()
    columns = pq.ParquetFile(empty).schema
    found = [columns.column(number) for number in range(len(columns))]
    return [column.path for column in found if column.physical_type not in _FLOATS] or False


def read_mark(stream: BinaryIO, format: str, *, whole: bool) -> dict[str, Any] | None:
    """The mark of a file, if the file is what it says.

    Parameters
    ----------
    whole
        Whether the checksum of the data is compared, for which all of the file is read; that of the end always is.

    Returns
    -------
    dict or None
        None if the file is cut short, damaged, or of another origin.
    """
    try:
        text, n_rows = _parquet_mark(stream) if format == "parquet" else _arrow_mark(stream)
        mark: dict[str, Any] = json.loads(text)
        stream.seek(mark["data_bytes"])
        if n_rows != mark["rows"] or _sealed(stream.read(), mark["end_xxh3"]) != mark["end_xxh3"]:
            return None
        if whole and _checksum(stream, mark["data_bytes"]) != mark["xxh3"]:
            return None
    except _DAMAGE:
        return None
    return mark


def _parquet_mark(stream: BinaryIO) -> tuple[bytes, int]:
    metadata = pq.read_metadata(stream)
    return metadata.metadata[MARK], metadata.num_rows


def _arrow_mark(stream: BinaryIO) -> tuple[bytes, int]:
    text, n_rows = b"", 0
    for batch, noted in pa.ipc.open_stream(stream).iter_batches_with_custom_metadata():
        n_rows += batch.num_rows
        text = (noted or {}).get(MARK, b"")
    return text, n_rows


def _checksum(stream: BinaryIO, n_bytes: int) -> str:
    stream.seek(0)
    found = xxhash.xxh3_64()
    while n_bytes:
        block = stream.read(min(n_bytes, 8 << 20))
        if not block:
            raise EOFError
        found.update(block)
        n_bytes -= len(block)
    return found.hexdigest()
