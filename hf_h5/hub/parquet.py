"""Folders of Parquet shards that are pushed: where they are made, what is in them, and how they get there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq

from ..describe.schema import Table
from .card_facts import CardFacts, Config, Split
from .cards import make_card
from .push import push_files
from .repository import Repository

__all__ = ["PushedTable", "folder_beside_caches", "look_at_table", "push_tables"]

_NAME = re.compile(r"(?P<split>.+)-\d{5,}-of-\d{5,}\.parquet")


@dataclass(frozen=True)
class Shards:
    """The shards of one table: files and rows by split, and their features."""

    files: Mapping[str, tuple[Path, ...]]
    splits: Mapping[str, Split]
    features: Any

    @property
    def n_bytes(self) -> int:
        return sum(file.stat().st_size for files in self.files.values() for file in files)


@dataclass(frozen=True)
class PushedTable:
    """One table on its way: its shards, what the card tells of it, and the folder of the repository it goes to."""

    config: Config
    shards: Shards
    place: str

    def files(self) -> dict[str, Path]:
        """The shards by their path in the repository."""
        return {f"{self.place}/{file.name}": file for files in self.shards.files.values() for file in files}

    def replaces(self, path: str) -> bool:
        """Whether a file of the repository is a shard of an earlier push of this table, whichever splits it had.

        Nothing else is: what lies in folders of the folder, or has another name, was put there by somebody.
        """
        folder, _, name = path.rpartition("/")
        return folder == self.place and _NAME.fullmatch(name) is not None


def look_at_table(
    folder: Path, tables: Mapping[str, Table], options: Mapping[str, Any], *, name: str = "default", place: str = "data"
) -> PushedTable:
    """What is pushed of a folder of shards.

    Parameters
    ----------
    tables
        What the shards were made of, by split.
    options
        Options of the package with which they were read.
    name, place
        Of the configuration, and of its folder in the repository.
    """
    shards = _read_shards(folder, tuple(tables))
    first = next(iter(tables.values()))
    patterns = {split: [f"{place}/{split}-*"] for split in tables}
    config = Config(name, first.columns, shards.splits, patterns, shards.features, shards.n_bytes, options)
    return PushedTable(config, shards, place)


def push_tables(
    repository: Repository, tables: Sequence[PushedTable], facts: CardFacts, say: Callable[[str], None]
) -> None:
    """Upload the shards that are not there yet, and make all of them and the card visible by one commit.

    Raises
    ------
    HubError
        If the Hub refuses; what is uploaded is not uploaded again by the next try.
    """
    push_files(
        repository,
        {path: file for each in tables for path, file in each.files().items()},
        lambda before: make_card(facts, before),
        is_replaced=lambda path: any(each.replaces(path) for each in tables),
        message="Push HDF5 as Parquet with hf-h5",
        say=say,
    )


def _read_shards(folder: Path, order: tuple[str, ...]) -> Shards:
    """Look at the ends of the shards in a folder; splits come in the given order."""
    files: dict[str, list[Path]] = {split: [] for split in order}
    for file in sorted(folder.glob("*.parquet")):
        found = _NAME.fullmatch(file.name)
        if found and found["split"] in files:
            files[found["split"]].append(file)
    counted = {split: _count(shards) for split, shards in files.items()}
    first = next(shards[0] for shards in files.values() if shards)
    features = datasets.Features.from_arrow_schema(pq.read_schema(first))
    return Shards({split: tuple(shards) for split, shards in files.items()}, counted, features)


def _count(files: list[Path]) -> Split:
    metadata = [pq.read_metadata(file) for file in files]
    groups = [each.row_group(number) for each in metadata for number in range(each.num_row_groups)]
    return Split(sum(each.num_rows for each in metadata), sum(group.total_byte_size for group in groups))


def folder_beside_caches(*facts: object) -> Path:
    """A folder for the same facts, where ``datasets`` keeps its caches: there is room there, if anywhere."""
    name = hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
    return Path(datasets.config.HF_DATASETS_CACHE) / "hf_h5_pushes" / name
