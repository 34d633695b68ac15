"""What a dataset card tells, before it is text.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..describe.options import NEUTRAL
from ..describe.schema import Column

__all__ = ["CardFacts", "Config", "Source", "Split"]

# "arrays" is about features, which the card has itself.
_UNTOLD = NEUTRAL | {"arrays"}


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of a split, and their bytes once they are loaded."""

    n_rows: int
    n_bytes: int


@dataclass(frozen=True)
class Config:
    """One table: what ``load_dataset(repo, name)`` loads.

    Attributes
    ----------
    name
        ``"default"`` for the table that is loaded without a name.
    columns
        The columns as the HDF5 files have them, with their attributes.
    splits
        By name, in order.
    data_files
        Patterns of the files of each split; HDF5 as it is lies under ``train``, whatever splits the files hold.
    features
        ``datasets.Features`` of the rows; None for HDF5 as it is, whose features readers find themselves.
    download_bytes
        Bytes of the files.
    options
        Options of this package with which the files are read.
    """

    name: str
    columns: Mapping[str, Column]
    splits: Mapping[str, Split]
    data_files: Mapping[str, Sequence[str]]
    features: Any = None
    download_bytes: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        return sum(split.n_rows for split in self.splits.values())

    @property
    def told_options(self) -> dict[str, Any]:
        """The options without those that are about the machine that converted, and change no values."""
        return {name: value for name, value in self.options.items() if name not in _UNTOLD}


@dataclass(frozen=True, slots=True)
class Source:
    """An HDF5 file; ``sha256`` is None for one behind a URL."""

    name: str
    n_bytes: int | None
    sha256: str | None


@dataclass(frozen=True)
class CardFacts:
    """All that a card tells.

    Attributes
    ----------
    attrs
        Attributes of the first file's root, and of its scalars and side data, as plain values.
    command
        How it was made.
    version
        The version of this package.
    """

    repo_id: str
    configs: Sequence[Config]
    sources: Sequence[Source]
    attrs: Mapping[str, Any]
    command: str
    version: str

    @property
    def is_hdf5(self) -> bool:
        """Whether the repository holds the HDF5 files as they are."""
        return all(config.features is None for config in self.configs)

    @property
    def n_rows(self) -> int:
        return sum(config.n_rows for config in self.configs)

    @property
    def rows(self) -> dict[str, dict[str, int]]:
        """Rows by configuration and split."""
        return {config.name: {name: split.n_rows for name, split in config.splits.items()} for config in self.configs}
