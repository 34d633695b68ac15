"""The remote files of this process: named once, looked at together, and handed on to the process that scans them."""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from os import PathLike, fspath, register_at_fork
from typing import Any

from ..errors import H5Error, MissingFileError, warn
from .file import RemoteFile, Transport
from .http import Facts, HttpFile
from .hub_files import HubFile, HubPlace, list_hub, matches, parse_hub, pin_hub
from .index_file import ENDING, MAX_STORED_BYTES, FileIndex, unpack_index
from .requests import CONCURRENT, at_once, submit
from .secrets import conceal, learn, reveal
from .store_cache import set_cache_bytes
from .stores import StoredFile, expand_pattern

__all__ = ["expand", "hand_over", "index_of", "is_url", "name_files", "open_file", "take_over"]

HEAD_BYTES = 64 << 10
# Of many files less is kept in memory.
_FEW_FILES, _SHORT_HEAD_BYTES = 256, 8 << 10
_MOST_KNOWN = 10_000
# What an index says of a file is compared with the file: all of it where that is little, and else so many ranges.
_MOST_COMPARED, _MOST_COMPARED_BYTES = 4 * CONCURRENT, 4 << 20
_PROBES, _PROBE_BYTES = CONCURRENT, 4096
_PATTERN_SIGNS = ("*", "?", "[")


@dataclass(frozen=True)
class _Handed:
    """What another process is told of a file."""

    name: str
    facts: Facts
    index_content: bytes
    location: str | None
    pages: Mapping[int, bytes]


class _Known:
    """Files by name, those used last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.files: OrderedDict[str, RemoteFile] = OrderedDict()

    def get(self, name: str) -> RemoteFile | None:
        with self.lock:
            return self.files.get(name)

    def put(self, file: RemoteFile) -> RemoteFile:
        """Know a file; what is known of the very same version stays, where the server names one."""
        with self.lock:
            before = self.files.get(file.name)
            is_same = before is not None and before.facts == file.facts and bool(file.facts.tag)
            if before is not None and is_same and (before.index or not file.index):
                return before
            self.files[file.name] = file
            while len(self.files) > _MOST_KNOWN:
                self.files.popitem(last=False)
        return file


_KNOWN = _Known()


def _renew_after_fork() -> None:
    _KNOWN.lock = threading.Lock()


register_at_fork(after_in_child=_renew_after_fork)


def is_url(file: str) -> bool:
    """Whether a name is a URL (``https://``, ``hf://``, ``memory://``, chained ones too) and not a path.

    >>> is_url("hf://datasets/me/x/a.h5"), is_url("data/a.h5"), is_url("C:\\\\data\\\\a.h5")
    (True, False, False)
    """
    return "://" in file or "::" in file


def name_files(files: Any) -> Any:
    """Files as they are named in the package, with patterns of URLs expanded; the remote ones are looked at together.

    Secrets are taken out of the names, and revisions of the Hub become the commits that they mean now. What is no URL
    stays as it is.

    Raises
    ------
    MissingFileError
        If there is no such file, or a pattern matches none.
    AccessError, TransferError
    """
    if isinstance(files, str | PathLike):
        files = [fspath(files)] if is_url(fspath(files)) else files
    named = _named(files, {})
    _look_at([name for name in _all_names(named) if is_url(name)])
    return named


def expand(url: str) -> list[str]:
    """The names of the files that a URL, or a pattern of them, stands for, in order; they are looked at together."""
    if _KNOWN.get(url) is not None:
        return [url]  # a front door looked at it
    names = _names_of(url, {})
    _look_at(names)
    return names


def open_file(name: str, *, as_now: bool = False) -> RemoteFile:
    """The remote file of a name, as it was looked at last, or is now.

    Raises
    ------
    MissingFileError, AccessError, TransferError
    """
    name = conceal(name)
    known = None if as_now else _KNOWN.get(name)
    if known is None:
        named = _names_of(name, {}, literal=True)[0]
        _look_at([named])
        known = _KNOWN.get(named)
    if known is None:
        raise MissingFileError("no such file", file=name)
    return known


def index_of(name: str) -> FileIndex | None:
    """The index that lies beside a file that was looked at."""
    file = _KNOWN.get(name) if is_url(name) else None
    return None if file is None else file.index


def hand_over(names: Iterable[str]) -> bytes:
    """What this process knows of files, for a process of its own."""
    names = [name for name in names if is_url(name)]
    handed = [
        _Handed(file.name, file.facts, file.index_content, file.transport.location, file.pages)
        for name in names
        if (file := _KNOWN.get(name)) is not None
    ]
    # Of files that were not looked at here too: a worker knows but the URLs.
    return pickle.dumps(({name: reveal(name) for name in names if reveal(name) != name}, handed))


def take_over(handed: bytes, cache_bytes: int | None = None) -> None:
    """Know what another process of ours knows of files."""
    if cache_bytes is not None:
        set_cache_bytes(cache_bytes)
    urls, files = pickle.loads(handed)
    learn(urls)
    for each in files:
        known = _KNOWN.get(each.name)
        if known is None or known.facts != each.facts or not each.facts.tag:
            transport = _transport(each.name)
            transport.location = each.location
            index = unpack_index(each.index_content, each.name + ENDING) if each.index_content else None
            known = _KNOWN.put(RemoteFile(transport, each.facts, index=index, index_content=each.index_content))
        known.pages.update(each.pages)


def _named(files: Any, pinned: dict[tuple[str, str, str | None], HubPlace]) -> Any:
    if isinstance(files, Mapping):
        return {key: _named(inner, pinned) for key, inner in files.items()}
    if isinstance(files, list | tuple):
        found: list[Any] = []
        for inner in files:
            named = _named(inner, pinned)
            found += named if isinstance(inner, str | PathLike) and isinstance(named, list) else [named]
        return found
    if isinstance(files, str | PathLike) and is_url(fspath(files)):
        return _names_of(fspath(files), pinned)
    return files


def _all_names(files: Any) -> Iterable[str]:
    if isinstance(files, Mapping):
        files = list(files.values())
    if isinstance(files, list):
        for inner in files:
            yield from _all_names(inner)
    elif isinstance(files, str):
        yield files


def _names_of(url: str, pinned: dict[tuple[str, str, str | None], HubPlace], *, literal: bool = False) -> list[str]:
    """The names that a URL stands for; ``literal``: it is no pattern."""
    name = conceal(url)
    place = parse_hub(url)
    is_pattern = not literal and any(sign in url for sign in _PATTERN_SIGNS[:: 2 if place is None else 1])
    if place is None:
        if not is_pattern or url.startswith(("http://", "https://")):
            return [name]
        found = [conceal(each) for each in expand_pattern(reveal(name), name)]
    else:
        key = place.kind, place.repo, place.revision
        if key not in pinned:
            pinned[key] = pin_hub(place, name)
        fixed = HubPlace(place.kind, place.repo, pinned[key].revision, place.path)
        if not is_pattern:
            return [fixed.url]
        listed = list_hub(fixed, name)
        paths = [fixed.path] if fixed.path in listed else matches(fixed.path, listed)
        found = [listed[path][0].url for path in paths]
    if not found:
        raise MissingFileError("no file matches the pattern", file=name, hint="check the URL and your access to it")
    return found


def _is_fixed(name: str) -> bool:
    """Whether what is behind a name never changes."""
    place = parse_hub(name)
    return place is not None and place.is_pinned


def _transport(name: str) -> Transport:
    place, url = parse_hub(name), reveal(name)
    if place is not None:
        return HubFile(name, place)
    if url.startswith(("http://", "https://")) and "::" not in url:
        return HttpFile(name, url)
    return StoredFile(name, url)


def _look_at(names: list[str]) -> None:
    """Look at files, all at once: what they are, their first bytes, and the index beside each."""
    transports = [_transport(name) for name in dict.fromkeys(names) if not (_KNOWN.get(name) and _is_fixed(name))]
    if not transports:
        return
    beside = [submit(transport.fetch_beside, ENDING, MAX_STORED_BYTES) for transport in transports]
    head_bytes = HEAD_BYTES if len(transports) <= _FEW_FILES else _SHORT_HEAD_BYTES
    looked = at_once([partial(transport.look, head_bytes) for transport in transports])
    for transport, (facts, head), content in zip(transports, looked, beside, strict=True):
        _know(transport, facts, head, content)


def _know(transport: Transport, facts: Facts, head: bytes, beside: Future[bytes | None]) -> None:
    content = beside.result()
    bare = RemoteFile(transport, facts, head=head)
    index = _index_of(bare, content, head) if content is not None else None
    if index is None or content is None:
        _KNOWN.put(bare)
    else:
        _KNOWN.put(RemoteFile(transport, facts, index=index, index_content=content))


def _index_of(file: RemoteFile, content: bytes, head: bytes) -> FileIndex | None:
    """The index beside a file, if it is one and belongs to this version; if not, that is said."""
    try:
        index = unpack_index(content, file.name + ENDING)
        problem = _why_not_of(index, file, head)
    except H5Error as error:
        problem = error.problem
    if problem is None:
        return index
    warn(f"the index {file.name}{ENDING} is not used: {problem}; hf-h5 index makes it anew")
    return None


def _why_not_of(index: FileIndex, file: RemoteFile, head: bytes) -> str | None:
    """Why an index is not of this version of a file."""
    if index.size != file.facts.size:
        return f"it is of a file of {index.size:,} bytes, and this one has {file.facts.size:,}"
    if file.facts.digest and len(file.facts.digest) in (40, 64):
        return None if index.belongs_to(file.facts.digest) else "the file was replaced since it was made"
    modified_s, made_s = file.transport.modified_s, file.transport.beside_modified_s
    if modified_s is not None and made_s is not None and made_s < modified_s:
        return "by their dates the file was written after it"
    ranges = index.image.spans(len(head), _PROBE_BYTES)
    if len(ranges) > _MOST_COMPARED or sum(size for _, size in ranges) > _MOST_COMPARED_BYTES:
        ranges = index.image.probes(_PROBES, _PROBE_BYTES)
    found = file.read_ranges([offset for offset, _ in ranges], [size for _, size in ranges])
    parts = [(0, memoryview(head)), *((offset, part) for (offset, _), part in zip(ranges, found, strict=True))]
    is_same = all(index.image.agrees_with(offset, part) for offset, part in parts)
    return None if is_same else "the file was rewritten since it was made"
