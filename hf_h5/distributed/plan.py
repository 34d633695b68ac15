"""What a conversion is made of: files of known versions, options, features, and shards as ranges of rows.

Pure; no I/O. A plan is JSON that a person can read and any engine can run: each shard stands for itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

from ..describe.options import NEUTRAL
from ..describe.wording import count_text
from ..errors import OptionError

__all__ = ["FORMATS", "FileVersion", "Plan", "PlannedShard", "expect_plan", "parse_plan"]

FORMATS = ("parquet", "arrow")
"""Parquet files in one folder, or what ``datasets.load_from_disk`` reads."""

_FORMAT = "hf_h5 plan 1"
_ONE_PER_LINE = ("files", "shards")


@dataclass(frozen=True, slots=True)
class FileVersion:
    """A file as it was when the plan was made.

    Attributes
    ----------
    size, mtime_ns, tag
        Bytes; time of the last change of a local file; ETag (or what stands for it) of a URL.
    read_by
        The file that reads from this one by a link, where it was not named itself.
    """

    file: str
    size: int
    mtime_ns: int = 0
    tag: str = ""
    read_by: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """One file to write: half-open rows ``start`` to ``stop`` of a split.

    Attributes
    ----------
    name
        Its path below the folder that is written.
    ranges
        The same rows as ``(file, start, stop)``, counted among the rows that the split has from that file.
    stored_bytes, decoded_bytes
        What the rows take in the HDF5 files and in memory, as far as it is known before they are read.
    """

    name: str
    split: str
    start: int
    stop: int
    stored_bytes: int
    decoded_bytes: int
    ranges: tuple[tuple[str, int, int], ...]

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Plan:
    """A conversion before it runs.

    Attributes
    ----------
    format
        One of ``FORMATS``.
    version
        The version of this package that made the plan.
    options
        Those that differ from their defaults, as JSON has them.
    features
        The features of every split, as ``datasets.Features.to_dict`` writes them.
    named
        The files by split, as they were named.
    skipped
        Files that give no rows, with ``on_bad_files="skip"`` or ``"warn"``, or because they are empty.
    tables
        Where the rows of each split lie, so that no file is looked at again for what is in it; None where that is
        no JSON, and the files are looked at again by every process.
    """

    format: str
    version: str
    target_shard_bytes: int
    options: Mapping[str, Any]
    features: Mapping[str, Any]
    named: Mapping[str, tuple[str, ...]]
    skipped: tuple[str, ...]
    files: tuple[FileVersion, ...]
    shards: tuple[PlannedShard, ...]
    tables: Mapping[str, Any] | None

    @cached_property
    def id(self) -> str:
        """Sixteen hexadecimal digits; other ones if anything differs that decides what is written."""
        return _digest(self._plain)

    @property
    def num_rows(self) -> dict[str, int]:
        """Rows by split."""
        counts: dict[str, int] = {}
        for shard in self.shards:
            counts[shard.split] = counts.get(shard.split, 0) + len(shard)
        return counts

    @cached_property
    def _plain(self) -> dict[str, Any]:
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        plain["files"] = [_short(version) for version in self.files]
        plain["shards"] = [asdict(shard) for shard in self.shards]
        return plain

    def to_json(self) -> str:
        """The plan as text: a line for each file and each shard."""
        plain = {"plan": _FORMAT, "id": self.id} | self._plain
        return (
            "{\n" + ",\n".join(f"{json.dumps(name)}: {_lines(name, value)}" for name, value in plain.items()) + "\n}\n"
        )

    def __str__(self) -> str:
        rows = ", ".join(f"{split}: {count_text(count, 'row')}" for split, count in self.num_rows.items())
        return f"plan {self.id}: {count_text(len(self.files), 'file')}, {count_text(len(self.shards), 'shard')}, {rows}"


def parse_plan(text: str, *, source: str, version: str) -> Plan:
    """Read a plan back.

    Parameters
    ----------
    source
        Where the text is from, for messages.
    version
        The version of this package: another one may read other rows.

    Raises
    ------
    OptionError
        If it is no plan or not a whole one, of another version, or was changed by hand.
    """
    try:
        plain = json.loads(text)
    except ValueError as error:
        raise OptionError(f"this is no plan: {error}", file=source, hint=_HINT) from error
    if not isinstance(plain, dict) or plain.get("plan") != _FORMAT:
        raise OptionError(f"this is no plan of the format {_FORMAT!r}", file=source, hint=_HINT)
    if plain.get("version") != version:
        raise OptionError(
            f"the plan was made by hf-h5 {plain.get('version')}, and this is {version}",
            file=source,
            hint="make the plan again, or run it with the version that made it",
        )
    missing = [each.name for each in fields(Plan) if each.name not in plain]
    if missing or not isinstance(plain["options"], dict):
        what = f"{missing[0]!r} is missing" if missing else "'options' are none"
        raise OptionError(f"the plan is not whole: {what}", file=source, hint=_HINT)
    del plain["plan"]
    if plain.pop("id", None) != _digest(plain):
        raise OptionError("the plan was changed after it was made", file=source, hint=_HINT)
    return _restored(plain)


_HINT = "hf-h5 plan FILES -o plan.json makes one"


def expect_plan(plan: object) -> None:
    """Raise ``OptionError`` for what is no plan, such as the name of its file."""
    if not isinstance(plan, Plan):
        raise OptionError(f"{plan!r} is no plan", hint="make_plan(files) makes one, load_plan(file) reads one")


def _restored(plain: dict[str, Any]) -> Plan:
    shards = tuple(
        PlannedShard(**{**shard, "ranges": tuple((file, start, stop) for file, start, stop in shard["ranges"])})
        for shard in plain["shards"]
    )
    return Plan(
        **{
            **plain,
            "named": {split: tuple(files) for split, files in plain["named"].items()},
            "skipped": tuple(plain["skipped"]),
            "files": tuple(FileVersion(**version) for version in plain["files"]),
            "shards": shards,
        }
    )


def _short(version: FileVersion) -> dict[str, Any]:
    return {name: value for name, value in asdict(version).items() if name in ("file", "size") or value}


def _lines(name: str, value: Any) -> str:
    if name not in _ONE_PER_LINE or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(f"  {json.dumps(each)}" for each in value) + "\n]"


def _digest(plain: Mapping[str, Any]) -> str:
    deciding = {name: value for name, value in plain["options"].items() if name not in NEUTRAL}
    plain = {**plain, "options": deciding}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
