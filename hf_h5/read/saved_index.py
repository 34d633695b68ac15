"""Chunk tables kept beside the cache of Hugging Face, so that a file with a million chunks opens at once next time.

A table is used only for the very version of the file that it was made from; anything that is wrong with a kept one
makes it be made again. It is never unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
import zlib
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..cache_home import cache_home
from ..remote.secrets import kept_as
from ..whole_file import write_whole
from .fingerprint import Fingerprint

__all__ = [
    "MIN_SAVED_CHUNKS",
    "ChunkTable",
    "TableVersion",
    "find_version",
    "load_chunks",
    "save_chunks",
]

ChunkTable = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint32]]
"""Offsets, sizes and filter masks of all chunks in C order of the grid."""

MIN_SAVED_CHUNKS = 4096
"""Fewer chunks are indexed in about 10 ms."""

MAX_FOLDER_BYTES = 1 << 30
"""The tables used last are kept up to this many bytes together."""

_FORMAT = "hf_h5 chunk table 2"
_SETTLED_NS = 2_000_000_000
_BYTES_A_CHUNK = 8 + 8 + 4


@dataclass(frozen=True, slots=True)
class TableVersion:
    """Which table of which version of a file: ``place`` names it, ``facts`` must be equal."""

    place: str
    facts: str
    grid: tuple[int, ...]


def find_version(
    file: str | None, fingerprint: Fingerprint | None, path: str, grid: tuple[int, ...]
) -> TableVersion | None:
    """Describe the table of a dataset, or return ``None`` if its version cannot be told for sure.

    A local file must have rested for two seconds: a file system counts time in steps of some milliseconds, and a file
    written twice within one looks unchanged. The time of its last change of status, which no program can set, counts
    too. A URL must have an ETag or its like.
    """
    if file is None or fingerprint is None or not (fingerprint.inode or fingerprint.tag):
        return None
    changed_ns = 0
    if not fingerprint.inode:
        file = kept_as(file)
    else:
        file = os.path.realpath(file)
        try:
            changed_ns = os.stat(file).st_ctime_ns
        except OSError:
            return None
        if time.time_ns() - max(changed_ns, fingerprint.mtime_ns) < _SETTLED_NS:
            return None
    facts = json.dumps([_FORMAT, file, path, *astuple(fingerprint), changed_ns, *grid])
    return TableVersion(hashlib.sha256(f"{file}\0{path}".encode()).hexdigest()[:40], facts, grid)


def load_chunks(version: TableVersion, folder: Path | None = None) -> ChunkTable | None:
    """Return a kept table, or ``None`` if there is none of this version in good order."""
    file = (folder or cache_home() / "index") / version.place
    try:
        content = file.read_bytes()
    except OSError:
        return None
    header, _, body = content.partition(b"\n")
    count = math.prod(version.grid)
    expected = json.dumps([version.facts, zlib.crc32(body)]).encode()
    if header != expected or len(body) != count * _BYTES_A_CHUNK:
        return None
    sizes = np.frombuffer(body, np.int64, count, 8 * count)
    return np.frombuffer(body, np.int64, count), sizes, np.frombuffer(body, np.uint32, count, 16 * count)


def save_chunks(version: TableVersion, table: ChunkTable, folder: Path | None = None) -> None:
    """Keep a table for the next time; if the folder cannot be written to, nothing is kept."""
    folder = folder or cache_home() / "index"
    body = b"".join(column.tobytes() for column in table)
    header = json.dumps([version.facts, zlib.crc32(body)]).encode()
    try:
        write_whole(folder / version.place, header + b"\n" + body)
        _drop_oldest(folder)
    except OSError:
        return


def _drop_oldest(folder: Path) -> None:
    """Remove the tables written first once all together are too large."""
    known = [(entry.stat(), entry.path) for entry in os.scandir(folder)]
    total = 0
    for status, path in sorted(known, key=lambda each: -each[0].st_mtime_ns):
        total += status.st_size
        if total > MAX_FOLDER_BYTES:
            os.remove(path)
