"""Checksums by which the Hub knows large files."""

from __future__ import annotations

import hashlib
import os

__all__ = ["sha256_of"]


def sha256_of(file: str | os.PathLike[str]) -> str:
    """SHA-256 of a local file, in hexadecimal."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
