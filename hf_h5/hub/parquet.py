"""Folders of Parquet shards that were made for a push: where they are made, and what is in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq

from .card_facts import Split

__all__ = ["Shards", "folder_beside_caches", "read_shards"]

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


def read_shards(folder: Path, order: tuple[str, ...]) -> Shards:
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
