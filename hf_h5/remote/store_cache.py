"""Bytes of remote files kept on disk, bounded together: what was fetched once is not fetched again.

Each process appends what it fetched to logs of its own, so that none waits for another and a killed one leaves whole
records behind; all processes read all logs. A record is checked by its CRC before it is used first. Whole logs are
removed when there is too much: one that was not used for an hour, else any, as epochs that go round over more than
fits would find nothing in a cache that drops what was used longest ago.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import struct
import tempfile
import threading
import time
import zlib
from bisect import bisect_right, insort
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..cache_home import cache_home

__all__ = ["DEFAULT_BYTES", "FileCache", "cache_folder", "set_cache_bytes"]

DEFAULT_BYTES = 4_000_000_000

_HEAD = struct.Struct("<IIqqI")
_MAGIC = 0x35483FBB
_LOG_BYTES = 64 << 20
_OLD_S = 3600.0
_RESCAN_S = 1.0
_ENDING = ".log"


@dataclass
class _Bound:
    """How many bytes may be kept, and how many this process has written since it looked."""

    most_bytes: int = DEFAULT_BYTES
    written: int = 0


_BOUND = _Bound()


def set_cache_bytes(most_bytes: int) -> None:
    """Bound what is kept on disk of all remote files together; 0: nothing is."""
    _BOUND.most_bytes = most_bytes


def cache_folder() -> Path:
    """Where bytes are kept: ``hf_h5/blocks`` in the home of Hugging Face, or a temporary folder if it is read-only."""
    home = cache_home()
    there = next((folder for folder in (home, *home.parents) if folder.exists()), home)
    if os.access(there, os.W_OK):
        return home / "blocks"
    return Path(tempfile.gettempdir()) / f"hf_h5-blocks-{os.getuid() if hasattr(os, 'getuid') else 0}"


class _Record(NamedTuple):
    """Bytes ``[start, stop)`` of the file, at ``place`` of a log."""

    start: int
    stop: int
    place: int
    checksum: int
    log: str


class FileCache:
    """What is kept of one version of one file; used by many threads.

    Parameters
    ----------
    identity
        Name and version of the file.
    """

    def __init__(self, identity: str) -> None:
        self._folder = cache_folder() / hashlib.sha256(identity.encode()).hexdigest()[:32]
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._records: list[_Record] = []
        self._longest = 0
        self._checked: set[tuple[str, int]] = set()
        self._read_up_to: dict[str, int] = {}
        self._scanned_s = -_RESCAN_S
        self._own: Path | None = None
        self._own_bytes = 0

    def fill(self, offset: int, out: memoryview) -> list[tuple[int, int]]:
        """Copy what is kept of a range into ``out``, and return the ranges ``[start, stop)`` that are missing."""
        if not _BOUND.most_bytes:
            return [(offset, offset + len(out))]
        stop, missing, at = offset + len(out), [], offset
        for record in self._find(offset, stop):
            if record.stop <= at:
                continue
            start = max(record.start, at)
            end = min(record.stop, stop)
            if start >= end or not self._copy(record, start, out[start - offset : end - offset]):
                continue
            if start > at:
                missing.append((at, start))
            at = end
        if at < stop:
            missing.append((at, stop))
        return missing

    def keep(self, offset: int, content: bytes | bytearray | memoryview) -> None:
        """Keep bytes of the file; where the folder cannot be written to, or the disk is full, nothing is kept."""
        if not 0 < len(content) <= _BOUND.most_bytes // 4:
            return
        if self._process != os.getpid():
            self._start()
        checksum = zlib.crc32(content)
        head = _HEAD.pack(_MAGIC, 0, offset, len(content), checksum)
        with self._lock:
            try:
                place = self._append(head + struct.pack("<I", zlib.crc32(head)), content)
            except OSError:
                # What was written in part is no record, and would hide those after it.
                self._own = None
                return
            record = _Record(offset, offset + len(content), place, checksum, str(self._own))
            self._add(record)
            self._checked.add((record.log, place))
            self._read_up_to[record.log] = self._own_bytes
            _BOUND.written += len(content)
        if _BOUND.written > _BOUND.most_bytes // 16:
            _BOUND.written = 0
            drop_surplus(_BOUND.most_bytes)

    def _append(self, head: bytes, content: bytes | bytearray | memoryview) -> int:
        """Write a record, and return where its bytes begin."""
        if self._own is None or self._own_bytes > min(_LOG_BYTES, _BOUND.most_bytes // 16) or not self._own.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(_ENDING, f"{os.getpid()}-", self._folder)
            os.close(descriptor)
            self._own, self._own_bytes = Path(name), 0
        with open(self._own, "ab", buffering=0) as log:
            for part in (head, content):
                view = memoryview(part)
                while view:
                    view = view[log.write(view) :]
        place = self._own_bytes + len(head)
        self._own_bytes = place + len(content)
        return place

    def _find(self, start: int, stop: int) -> list[_Record]:
        """The records that a range touches, in order; logs are read again now and then for those of others."""
        if self._process != os.getpid():
            self._start()
        with self._lock:
            found = self._touching(start, stop)
            covered = found and found[0].start <= start and max(each.stop for each in found) >= stop
            if not covered and time.monotonic() - self._scanned_s >= _RESCAN_S:
                self._scan()
                self._scanned_s = time.monotonic()
                found = self._touching(start, stop)
        return found

    def _touching(self, start: int, stop: int) -> list[_Record]:
        first = bisect_right(self._records, start - self._longest, key=lambda record: record.start)
        last = bisect_right(self._records, stop, key=lambda record: record.start)
        return [record for record in self._records[first:last] if record.stop > start and record.start < stop]

    def _add(self, record: _Record) -> None:
        insort(self._records, record)
        self._longest = max(self._longest, record.stop - record.start)

    def _scan(self) -> None:
        """Read the headers that were written since the last time, and forget logs that are gone."""
        try:
            sizes = {
                entry.path: entry.stat().st_size for entry in os.scandir(self._folder) if entry.name.endswith(_ENDING)
            }
        except OSError:
            sizes = {}
        gone = self._read_up_to.keys() - sizes.keys()
        if gone:
            self._forget(gone)
        for log, size in sizes.items():
            at = self._read_up_to.get(log, 0)
            if size > at:
                with contextlib.suppress(OSError):
                    self._read_headers(log, at, size)

    def _forget(self, logs: set[str]) -> None:
        self._records = [record for record in self._records if record.log not in logs]
        for log in logs:
            self._read_up_to.pop(log, None)

    def _read_headers(self, log: str, at: int, size: int) -> None:
        length = _HEAD.size + 4
        with open(log, "rb", buffering=0) as stream:
            os.utime(log)
            while at + length <= size:
                stream.seek(at)
                head = stream.read(length)
                magic, _, offset, count, checksum = _HEAD.unpack_from(head)
                is_whole = len(head) == length and zlib.crc32(head[:-4]) == int.from_bytes(head[-4:], "little")
                if not is_whole or magic != _MAGIC or count <= 0 or at + length + count > size:
                    return  # it is being written, or its writer was killed
                self._add(_Record(offset, offset + count, at + length, checksum, log))
                at += length + count
                self._read_up_to[log] = at

    def _copy(self, record: _Record, start: int, out: memoryview) -> bool:
        """Copy a part of a record; whether it was there and whole."""
        try:
            with open(record.log, "rb", buffering=0) as log:
                if (record.log, record.place) not in self._checked:
                    log.seek(record.place)
                    if zlib.crc32(_read_all(log, record.stop - record.start)) != record.checksum:
                        return False
                    self._checked.add((record.log, record.place))
                log.seek(record.place + start - record.start)
                done = 0
                while done < len(out) and (count := log.readinto(out[done:])):
                    done += count
                return done == len(out)
        except OSError:
            with self._lock:
                self._forget({record.log})
            return False


def _read_all(log: object, size: int) -> bytes:
    content = bytearray(size)
    view, done = memoryview(content), 0
    while done < size and (count := log.readinto(view[done:])):  # type: ignore[attr-defined]
        done += count
    return bytes(content[:done])


def drop_surplus(most_bytes: int) -> None:
    """Remove logs until what is kept of all files has at most fifteen sixteenths of so many bytes."""
    try:
        logs = [Path(entry) for folder in cache_folder().iterdir() for entry in folder.glob(f"*{_ENDING}")]
        known = [(log.stat(), log) for log in logs]
    except OSError:
        return
    total = sum(status.st_size for status, _ in known)
    long_ago = time.time() - _OLD_S
    # The old ones first, by age; then the others in any order.
    known.sort(key=lambda each: each[0].st_mtime if each[0].st_mtime < long_ago else time.time() + random.random())
    for status, log in known:
        if total <= most_bytes * 15 // 16:
            return
        with contextlib.suppress(OSError):
            log.unlink()
            total -= status.st_size
