"""Content that clients hand over through ``hf_xet``, into folders that stand for its servers.

``hf_xet`` takes ``local://FOLDER`` for the address of a server. The process that opens such a folder locks it: each
token is for a folder of its own, and it is copied before it is read here.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import struct
import time
from pathlib import Path

__all__ = ["XetFolders"]

_RECORD = 48
_END = b"\xff" * 32


class XetFolders:
    """Folders of content, one for each token that was handed out."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self._root, self._scratch = root, scratch
        root.mkdir(parents=True, exist_ok=True)

    @staticmethod
    def is_possible() -> bool:
        return importlib.util.find_spec("hf_xet") is not None

    def new_url(self) -> str:
        folder = self._root / secrets.token_hex(6)
        folder.mkdir()
        return f"local://{folder}"

    def fetch(self, sha256: str, target: Path) -> bool:
        """Bring content that a client put into one of the folders to ``target``; return whether there was some."""
        for shard in self._root.glob("*/xet/xorbs/shards/*.mdb"):
            found = files_of_shard(shard.read_bytes()).get(sha256)
            if found is not None:
                self._download(shard.parents[1], found, target)
                return True
        return False

    def _download(self, xorbs: Path, found: tuple[str, int], target: Path) -> None:
        import hf_xet

        copy = self._scratch / secrets.token_hex(8)
        shutil.copytree(xorbs, copy / "xet" / "xorbs", copy_function=_link_or_copy)
        part = copy / "content"
        expires = int(time.time()) + 3600
        session = hf_xet.XetSession()
        with session.new_file_download_group(
            endpoint=f"local://{copy}", token="local", token_expiry_unix_secs=expires
        ) as group:
            group.start_download_file(hf_xet.XetFileInfo(*found), str(part))
        part.replace(target)
        shutil.rmtree(copy, ignore_errors=True)


def _link_or_copy(source: str, target: str) -> None:
    """Copy data bases, which are written to while they are read; link what never changes."""
    (shutil.copy if source.endswith(".redb") else os.link)(source, target)


def files_of_shard(shard: bytes) -> dict[str, tuple[str, int]]:
    """Read a metadata shard of xet: SHA-256 -> (xet hash, size) of each file.

    48-byte records follow a 48-byte header. A file is a record with its hash, flags and number of segments, one record
    for each segment with its size, one more for each if bit 31 of the flags is set, and one with its SHA-256 if bit 30.
    """
    found, at = {}, _RECORD
    while at + _RECORD <= len(shard) and shard[at : at + 32] != _END:
        xet_hash = _hash_text(shard, at)
        flags, n_segments = struct.unpack_from("<II", shard, at + 32)
        sizes = [struct.unpack_from("<I", shard, at + _RECORD * (n + 1) + 36)[0] for n in range(n_segments)]
        at += _RECORD * (1 + n_segments * (2 if flags >> 31 else 1))
        if flags >> 30 & 1:
            found[_hash_text(shard, at)] = (xet_hash, sum(sizes))
            at += _RECORD
    return found


def _hash_text(shard: bytes, at: int) -> str:
    return "".join(f"{word:016x}" for word in struct.unpack_from("<4Q", shard, at))
