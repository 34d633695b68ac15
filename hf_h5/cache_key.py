"""What decides the values in a cache: options and files, as one short text.

``datasets`` by itself would count every option, and a local file by the time that any program may set.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from .describe.options import NEUTRAL, Options
from .describe.outside import outside_files
from .describe.urls import name_urls
from .errors import H5Error
from .read.source import fingerprint_of
from .registry import CACHE_VERSION

__all__ = ["cache_key", "lacks_version"]

Facts = tuple[Any, ...]


def cache_key(options: Options, data_files: Mapping[str, Sequence[str]] | None) -> str:
    """Digest the options and the versions of all files that would be read.

    Parameters
    ----------
    options
        Those that equal their default, and neutral ones, do not count; what ``allow_external`` lets in counts by the
        files that are read because of it.
    data_files
        Files by split, as ``datasets`` resolved them: paths or URLs, with their origins beside.

    Returns
    -------
    str
        Sixteen hexadecimal digits; other ones if anything changed.
    """
    default = Options()
    chosen = {
        item.name: _plain(getattr(options, item.name))
        for item in fields(Options)
        if item.name not in NEUTRAL and getattr(options, item.name) != getattr(default, item.name)
    }
    files = {
        str(split): [_facts(str(file), origin, options) for file, origin in _with_origins(names)]
        for split, names in (data_files or {}).items()
    }
    # The order of splits, columns and class names shows in the result, so nothing is sorted.
    text = json.dumps([CACHE_VERSION, chosen, files])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _with_origins(names: Sequence[str]) -> Iterable[tuple[str, Any]]:
    origins = getattr(names, "origin_metadata", None) or [()] * len(names)
    return zip(names, origins, strict=True)


def _facts(file: str, origin: Any, options: Options) -> Facts:
    """The name of a file, which may be a column, and its version, with those of the files that it reads from."""
    if "://" in file:
        # A commit of the Hub, or the ETag of a URL.
        return file, list(origin) or _stated_version(file)
    outside = outside_files(file) if options.allow_external else []
    return file, _version(file), [(name, _version(name)) for name in outside]


def _stated_version(url: str) -> list[str]:
    """Size and date of a file whose server names no version; nothing where only ``datasets`` can reach it."""
    try:
        found = fingerprint_of(name_urls(url)[0])
    except H5Error:
        return []
    return [str(found.size), found.tag]


def lacks_version(data_files: Mapping[str, Sequence[str]]) -> bool:
    """Whether a server names no version of a file: ``datasets`` takes what it downloaded before for what is there."""
    named = (each for names in data_files.values() for each in _with_origins(names))
    return any("://" in str(file) and not origin for file, origin in named)


def _version(file: str) -> Facts:
    try:
        status = os.stat(file)
    except OSError:
        return ()
    # The time of the last change of status too: any program may set the other one back.
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _plain(value: Any) -> Any:
    """A value as JSON has it; the same text in every process."""
    if hasattr(value, "to_dict"):
        return _plain(value.to_dict())
    if isinstance(value, Mapping):
        return [[str(name), _plain(inner)] for name, inner in value.items()]
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool) or value is None else repr(value)
