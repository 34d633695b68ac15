"""What became of shards and of conversions, as values. Pure; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from ..describe.wording import count_text

__all__ = ["Finished", "ShardReport"]


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What became of a shard.

    Attributes
    ----------
    number, name
        Its place among the shards of the plan, and the name of its file.
    rows, rows_left_out
        How many it holds, and how many could not be read (with ``on_bad_rows="skip"``).
    n_bytes, arrow_bytes
        Size of the file, and of its rows in memory.
    checksum
        XXH3 of the rows as they are written.
    was_there
        Whether the file was there and whole, so that nothing was written.
    seconds
        How long it took.
    """

    number: int
    name: str
    rows: int
    rows_left_out: int
    n_bytes: int
    arrow_bytes: int
    checksum: str
    was_there: bool
    seconds: float


@dataclass(frozen=True)
class Finished:
    """A conversion that is whole.

    Attributes
    ----------
    place
        The folder.
    rows
        Rows by split.
    n_bytes
        Bytes of all shards.
    rows_left_out
        Rows that could not be read, with ``on_bad_rows="skip"``.
    skipped
        Files that gave no rows, by ``on_bad_files``.
    retries
        How often a shard was begun anew, as its process had died or its files could not be reached.
    url
        Of the repository that it was pushed to.
    """

    place: str
    shards: tuple[ShardReport, ...]
    rows: dict[str, int]
    n_bytes: int
    rows_left_out: int
    skipped: tuple[str, ...]
    retries: int = 0
    url: str | None = None

    def __str__(self) -> str:
        facts = [count_text(len(self.shards), "shard")]
        facts += [f"{split}: {count_text(count, 'row')}" for split, count in self.rows.items()]
        facts += [f"begun anew {count_text(self.retries, 'time')}"] if self.retries else []
        facts += [f"{count_text(self.rows_left_out, 'row')} left out"] if self.rows_left_out else []
        facts += [f"{count_text(len(self.skipped), 'file')} skipped"] if self.skipped else []
        return f"{self.place}: {', '.join(facts)}"
