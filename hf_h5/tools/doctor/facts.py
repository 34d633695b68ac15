"""What a diagnosis is made of: facts of the file, what this machine can do, and what follows from both.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["ColumnFacts", "Diagnosis", "Finding", "Primitives", "TableFacts", "Verdict"]


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """How a column is stored, and how long a piece of it took to read here.

    Attributes
    ----------
    name, paths, dtype
        The column, the datasets that hold it, and the type of one stored value.
    n_rows, row_bytes
        Rows, and decoded bytes of one.
    route
        ``"direct"``, or why its values come through the HDF5 library.
    layout
        ``"contiguous"``, ``"chunked"``, ``"compact"``, or ``"made"`` where a row is no run of one dataset's bytes:
        strings, lists, what a convention makes, rows of many small datasets.
    chunk_rows, chunks_per_row, chunk_bytes
        Rows that one chunk spans, how many chunks a row is spread over, and decoded bytes of a chunk.
    n_chunks, n_unallocated
        Chunks, and how many of them were never written.
    filters
        Names of the filters; ``fletcher32`` is the one that shows damage.
    stored_bytes
        Bytes in the file.
    decode_s
        Seconds that one thread takes to decode one chunk.
    repacked_s
        The same for a chunk of the same rows as ``hf-h5 repack --for training`` would store it, per decoded byte.
    read_s
        Seconds for a row of a run of the column alone, where ``layout`` is ``"made"``.
    mapped
        Whether its bytes are an Arrow array as they lie in the file.
    fixed
        Whether its rows are numbers of one shape, which the cached mode keeps as plain bytes.
    """

    name: str
    paths: tuple[str, ...]
    dtype: str
    n_rows: int
    row_bytes: int
    route: str = "direct"
    layout: Literal["contiguous", "chunked", "compact", "made"] = "contiguous"
    chunk_rows: int = 1
    chunks_per_row: int = 1
    chunk_bytes: int = 0
    n_chunks: int = 0
    n_unallocated: int = 0
    filters: tuple[str, ...] = ()
    stored_bytes: int = 0
    decode_s: float = 0.0
    repacked_s: float = 0.0
    read_s: float = 0.0
    mapped: bool = False
    fixed: bool = True


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table and its file.

    Attributes
    ----------
    columns
        Those of the table.
    parts
        Datasets, files or groups that its rows lie in, one after the other.
    cached_s, collated_s
        Seconds for a row of a random batch of the cached mode: of ``dataset[rows]``, and through a ``DataLoader``.
    viewed_s
        The same for ``H5TorchView.from_dataset`` of it.
    made_s, made_random_s
        Seconds for a row of a shuffled epoch, and of random rows, of all columns whose ``layout`` is ``"made"``.
    arrow_row_bytes, parquet_row_bytes
        What a row takes in the cache, and in Parquet.
    widest
        The group with the most links, and how many.
    opening_s
        Seconds to look at the file.
    notes
        What is not loaded, and why, as ``describe`` says it.
    decoders
        Whether the package is there that decodes most filters outside the HDF5 library.
    """

    file: str
    split: str
    n_rows: int
    columns: tuple[ColumnFacts, ...]
    parts: int = 1
    file_bytes: int = 0
    cached_s: float = 0.0
    collated_s: float = 0.0
    viewed_s: float = 0.0
    made_s: float = 0.0
    made_random_s: float = 0.0
    arrow_row_bytes: int = 0
    parquet_row_bytes: int = 0
    widest: tuple[str, int] = ("/", 0)
    opening_s: float = 0.0
    notes: tuple[tuple[str, str], ...] = ()
    decoders: bool = True

    @property
    def row_bytes(self) -> int:
        """Decoded bytes of a row; where lengths differ, those of a sample."""
        known = sum(column.row_bytes for column in self.columns)
        return max(1, known if all(column.fixed for column in self.columns) else max(known, self.arrow_row_bytes))


@dataclass(frozen=True, slots=True)
class Primitives:
    """What this machine can do.

    Attributes
    ----------
    threads
        Threads that decode.
    gain
        How many times as fast all threads decode as one.
    copy_bytes_per_s
        Bytes that one thread copies.
    call_s
        Seconds of a small, fixed piece of work of Python and numpy: how fast the machine interprets.
    """

    threads: int
    gain: float
    copy_bytes_per_s: float
    call_s: float


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that costs time or may go wrong.

    Attributes
    ----------
    kind
        A name for programs.
    weight
        ``"broken"``, ``"slow"``, ``"risk"`` or ``"note"``.
    where
        Columns or paths.
    cost
        What it is, and what it costs here.
    mend
        The command or code that helps.
    """

    kind: str
    weight: Literal["broken", "slow", "risk", "note"]
    where: tuple[str, ...]
    cost: str
    mend: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The mode to take, why, and the code for it."""

    mode: str
    why: str
    code: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that ``hf-h5 doctor`` says of a file.

    Attributes
    ----------
    table
        Facts of the table that would be read; None where the file cannot be read, or has no rows.
    primitives
        What the machine can do.
    predicted
        Rows per second by mode, then by kind of work: ``"shuffled"`` and ``"random"``.
    findings
        The heaviest first.
    verdict
        The mode to take for shuffled epochs; None where ``table`` is.
    random
        The mode to take for rows in any order, which is what ``hf_h5.load`` takes.
    """

    file: str
    table: TableFacts | None
    primitives: Primitives | None
    predicted: Mapping[str, Mapping[str, float]]
    findings: tuple[Finding, ...]
    verdict: Verdict | None
    random: Verdict | None = None

    def __str__(self) -> str:
        from .report import to_text

        return to_text(self)

    def to_dict(self) -> dict[str, Any]:
        """The diagnosis as plain values that ``json`` can write."""
        return asdict(self)
