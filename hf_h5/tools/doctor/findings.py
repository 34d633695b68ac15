"""What is wrong or slow with a file, from its facts: each with what it costs here, and what mends it.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ...describe.wording import bytes_text, count_text
from .facts import ColumnFacts, Finding, Primitives, TableFacts
from .predict import amplification

__all__ = ["find_all", "of_error"]

# What is said of an intact file of groups and attributes; where something could not be read, it is said after this.
_NO_ROWS = "the file holds no rows"
_WEIGHTS = ("broken", "slow", "risk", "note")

# Decoded bytes for each byte of a single row, from which it is worth a word.
_AMPLIFIED = 16
# Bytes that a thread decodes in a second; slower codecs are found.
_SLOW_BYTES_PER_S = 1e9
_TINY_CHUNK_BYTES, _MANY_CHUNKS = 4096, 10_000
_WIDE_GROUP = 10_000
_SLOW_OPENING_S = 2.0
_NO_CHECKSUM = "fletcher32"

_Finder = Callable[[TableFacts, Primitives], Iterator[Finding]]


def find_all(table: TableFacts, machine: Primitives) -> list[Finding]:
    """Return what there is to say, the heaviest first."""
    found = [finding for find in _FINDERS for finding in find(table, machine)]
    return sorted(found, key=lambda finding: _WEIGHTS.index(finding.weight))


def _repack(table: TableFacts) -> str:
    return f"hf-h5 repack {table.file} repacked.h5 --for training"


def _names(columns: Iterable[ColumnFacts]) -> tuple[str, ...]:
    return tuple(column.name for column in columns)


def _amplified(table: TableFacts, machine: Primitives) -> Iterator[Finding]:
    columns = [column for column in table.columns if amplification(column) >= _AMPLIFIED]
    if not columns:
        return
    worst = max(columns, key=lambda column: amplification(column) * column.row_bytes)
    times, n_bytes = amplification(worst), worst.chunk_bytes * worst.chunks_per_row
    single_s = worst.decode_s * worst.chunks_per_row
    cost = (
        f"a single row of {worst.name} is {bytes_text(worst.row_bytes)}, and {bytes_text(n_bytes)} are decoded for it "
        f"({times:,.0f} times), which takes {_seconds(single_s)}"
    )
    mend = f"shuffle by the loader, which decodes each chunk once: view.loader(256, shuffle=True); or {_repack(table)}"
    yield Finding("read-amplification", "slow", _names(columns), cost, mend)


def _split_rows(table: TableFacts, machine: Primitives) -> Iterator[Finding]:
    columns = [column for column in table.columns if column.layout == "chunked" and column.chunks_per_row > 1]
    if columns:
        worst = max(columns, key=lambda column: column.chunks_per_row)
        cost = f"a row of {worst.name} lies in {worst.chunks_per_row:,} chunks, all of which are read for it"
        yield Finding("split-rows", "slow", _names(columns), cost, _repack(table))


def _slow_filters(table: TableFacts, machine: Primitives) -> Iterator[Finding]:
    slow = [column for column in table.columns if 0 < _decoded_per_s(column) < _SLOW_BYTES_PER_S]
    for filters in dict.fromkeys(column.filters for column in slow):
        columns = [column for column in slow if column.filters == filters]
        total = sum(column.row_bytes * column.n_rows for column in columns)
        epoch_s = sum(column.decode_s * column.n_chunks for column in columns) / machine.gain
        speed = total / machine.gain / epoch_s if epoch_s else 0.0
        repacked = [column.repacked_s for column in columns if column.repacked_s]
        other = f"; as lz4 {bytes_text(round(len(repacked) / sum(repacked)))}/s" if repacked else ""
        cost = (
            f"{'+'.join(filters)} is decoded at {bytes_text(round(speed))}/s by one thread{other}; "
            f"an epoch takes {_seconds(epoch_s)} of decoding on {count_text(machine.threads, 'thread')}"
        )
        yield Finding("slow-filter", "slow", _names(columns), cost, _repack(table))


def _decoded_per_s(column: ColumnFacts) -> float:
    return column.chunk_bytes / column.decode_s if column.filters and column.decode_s else 0.0


def _by_library(table: TableFacts, machine: Primitives) -> Iterator[Finding]:
    columns = [column for column in table.columns if column.route != "direct" and column.read_s]
    for why in dict.fromkeys(column.route for column in columns):
        of_why = [column for column in columns if column.route == why]
        read_s = sum(column.read_s for column in of_why)
        cost = f"{why}: read through the HDF5 library, one thread at a time, {_seconds(read_s)} a row"
        needs_wheel = "needs the package imagecodecs" in why
        mend = 'pip install "hf-h5[fast]"' if needs_wheel else f"convert it once: hf-h5 convert {table.file} -o FOLDER"
        yield Finding("through-the-library", "slow", _names(of_why), cost, mend)


def _tiny_chunks(table: TableFacts, machine: Primitives) -> Iterator[Finding]:
    columns = [
        column for column in table.columns if column.n_chunks > _MANY_CHUNKS and column.chunk_bytes < _TINY_CHUNK_BYTES
    ]
    if columns:
        worst = max(columns, key=lambda column: column.n_chunks)
        cost = f"{worst.name} has {worst.n_chunks:,} chunks of {bytes_text(worst.chunk_bytes)}: each costs a look-up"
        yield Finding("tiny-chunks", "slow", _names(columns), cost, _repack(table))


def _wide_groups(table: TableFacts, machine: Primitives) -> Iterator[Finding]:
    path, count = table.widest
    if count >= _WIDE_GROUP or table.opening_s > _SLOW_OPENING_S:
        cost = f"{path} has {count:,} links; looking at the file took {_seconds(table.opening_s)}"
        mend = f"convert it once: hf-h5 convert {table.file} -o FOLDER"
        yield Finding("wide-group", "slow", (path,), cost, mend)


def _many_parts(table: TableFacts, machine: Primitives) -> Iterator[Finding]:
    if table.parts > 1 and table.n_rows:
        read_s = sum(column.read_s for column in table.columns)
        cost = f"rows lie in {table.parts:,} groups or files: a row takes {_seconds(read_s)} to collect"
        yield Finding("many-parts", "note", (), cost, f"where that is too slow: hf-h5 convert {table.file} -o FOLDER")


def _unallocated(table: TableFacts, machine: Primitives) -> Iterator[Finding]:
    columns = [column for column in table.columns if column.n_unallocated]
    if columns:
        worst = max(columns, key=lambda column: column.n_unallocated / column.n_chunks)
        cost = (
            f"{worst.n_unallocated:,} of {worst.n_chunks:,} chunks of {worst.name} were never written: there the rows "
            "are the fill value"
        )
        yield Finding("never-written", "risk", _names(columns), cost, "check that whoever wrote the file had finished")


def _no_checksums(table: TableFacts, machine: Primitives) -> Iterator[Finding]:
    held = [column for column in table.columns if column.paths and column.stored_bytes]
    columns = [column for column in held if _NO_CHECKSUM not in column.filters]
    if columns:
        cost = (
            f"{len(columns)} of {len(held)} columns have no checksum: bits that flip in {bytes_text(table.file_bytes)} "
            "are not noticed"
        )
        mend = f"note the checksum that hf-h5 verify {table.file} prints, and compare it later"
        yield Finding("no-checksum", "risk", _names(columns), cost, mend)


def _types(table: TableFacts, machine: Primitives) -> Iterator[Finding]:
    columns = [column for column in table.columns if "big-endian" in column.dtype]
    if columns:
        moved_s = sum(column.row_bytes * column.n_rows for column in columns) / machine.copy_bytes_per_s
        cost = f"stored big-endian: bytes are swapped when read, {_seconds(moved_s)} an epoch, and cannot be mapped"
        yield Finding(
            "byte-order", "note", _names(columns), cost, f"convert it once: hf-h5 convert {table.file} -o FOLDER"
        )


def _left_out(table: TableFacts, machine: Primitives) -> Iterator[Finding]:
    outside = [(path, why) for path, why in table.notes if "external" in why or "leads nowhere" in why]
    if outside:
        path, why = outside[0]
        more = f", and {len(outside) - 1} more" if len(outside) > 1 else ""
        cost = f"{path}: {why}{more}"
        mend = "--allow-external FOLDER lets links lead there; nothing is lost if the file does without"
        yield Finding("outside", "risk", tuple(path for path, _ in outside), cost, mend)


def _sizes(table: TableFacts, machine: Primitives) -> Iterator[Finding]:
    arrow, parquet = table.n_rows * table.arrow_row_bytes, table.n_rows * table.parquet_row_bytes
    cost = (
        f"{bytes_text(table.file_bytes)} of HDF5, {bytes_text(table.n_rows * table.row_bytes)} decoded, about "
        f"{bytes_text(arrow)} in the cache (Arrow) and {bytes_text(parquet)} in Parquet"
    )
    yield Finding("sizes", "note", (), cost, f"hf-h5 convert {table.file} -o FOLDER")


_FINDERS: tuple[_Finder, ...] = (
    _amplified,
    _split_rows,
    _slow_filters,
    _by_library,
    _tiny_chunks,
    _wide_groups,
    _many_parts,
    _unallocated,
    _no_checksums,
    _left_out,
    _types,
    _sizes,
)


def of_error(problem: str, hint: str | None, path: str | None) -> Finding:
    """The finding of a file that cannot be read, or has nothing to read."""
    if problem == _NO_ROWS:
        mend = hint or "hf-h5 describe FILE shows what it holds"
        return Finding("no-rows", "note", (), "it can be read, and no dataset in it has rows", mend)
    kinds: Sequence[tuple[str, str]] = (
        ("filter", "missing-filter"),
        ("unable to lock", "locked"),
        ("external", "outside"),
        ("virtual", "outside"),
    )
    kind = next((name for word, name in kinds if word in problem), "unreadable")
    return Finding(kind, "broken", (path,) if path else (), problem, hint or "hf-h5 describe FILE shows what it holds")


def _seconds(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 0.95 or unit == "µs":
            return f"{seconds * factor:.3g} {unit}"
    raise AssertionError("the smallest unit fits always")
