"""An open HDF5 file -> the tree of its groups and datasets, each object once.

The C library walks the links and objects (two passes, names and addresses only), so that damage and budgets are
found before anything is opened; then each dataset is opened once for its type, shape and storage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import h5py
from h5py import h5a, h5d, h5l, h5o, h5s

from ..errors import DamagedFileError, H5Error, RefusedError
from .guard import Limits, check_external_link, check_storage
from .schema import Note, Storage
from .tree import DatasetNode, GroupNode, Tree
from .types import Stored, UnreadableTypeError, interpret_type
from .values import plain_attrs, plain_value

__all__ = ["scan_tree"]

_FILTERS = {
    1: "gzip",
    2: "shuffle",
    3: "fletcher32",
    4: "szip",
    5: "nbit",
    6: "scaleoffset",
    307: "bzip2",
    32000: "lzf",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32013: "zfp",
    32015: "zstd",
    32026: "blosc2",
}


def scan_tree(handle: h5py.File | h5py.Group, file: str, *, limits: Limits, allowed: Sequence[str]) -> Tree:
    """Walk a file (or a group of it) and look at each of its datasets once.

    Parameters
    ----------
    handle
        An open file or group.
    file
        The name to use in messages.
    limits, allowed
        Budgets, and folders from which other files' data may be read.

    Raises
    ------
    RefusedError, LimitError
        If the file points outside itself or exceeds a budget.
    DamagedFileError
        If the library cannot walk it.
    """
    links = _walk_links(handle, file, limits)
    kinds = _walk_objects(handle, file)
    root = GroupNode("/", "")
    groups = {b"": root}
    notes: list[Note] = []
    cache: dict[bytes, Stored | str] = {}
    for raw, kind in sorted(links.items()):
        parent_raw, _, name_raw = raw.rpartition(b"/")
        path, name = "/" + _decode(raw), _decode(name_raw)
        parent = groups.get(parent_raw)
        if kind == h5l.TYPE_EXTERNAL:
            _add_external(handle, file, raw, path, parent, allowed, cache, notes)
        elif kind == h5l.TYPE_SOFT:
            _note_dangling(handle, raw, path, notes)
        elif kind != h5l.TYPE_HARD:
            raise RefusedError("user-defined link is refused", file=file, path=path)
        elif parent is None or raw not in kinds:
            continue
        elif kinds[raw] == h5o.TYPE_GROUP:
            groups[raw] = parent.groups[name] = GroupNode(path, name)
        elif kinds[raw] == h5o.TYPE_DATASET:
            parent.datasets[name] = _look_at(handle.id, file, raw, path, name, allowed, cache)
    return Tree(
        file,
        root,
        lambda path: _attrs(handle, path, limits),
        lambda node: plain_value(handle[node.path[1:]], node.stored, limits.metadata_bytes),
        tuple(notes),
    )


def _walk_links(handle: h5py.Group, file: str, limits: Limits) -> dict[bytes, int]:
    links: dict[bytes, int] = {}

    def visit(raw: bytes, info: Any) -> None:
        links[raw] = info.type
        if len(links) > limits.objects or raw.count(b"/") > limits.depth:
            limits.check("objects", len(links), file=file)
            limits.check("depth", raw.count(b"/"), file=file, path="/" + _decode(raw))

    try:
        handle.id.links.visit(visit, info=True)
    except H5Error:
        raise
    except (RuntimeError, OSError, KeyError, ValueError) as error:
        raise _damaged("the groups cannot be listed", file, error) from error
    return links


def _walk_objects(handle: h5py.Group, file: str) -> dict[bytes, int]:
    """Kind of each object by the one name under which the library visits it (hard links: each object once)."""
    kinds: dict[bytes, int] = {}

    def visit(raw: bytes, info: Any) -> None:
        kinds[raw] = info.type

    try:
        h5o.visit(handle.id, visit, info=True)
    except (RuntimeError, OSError, KeyError, ValueError) as error:
        raise _damaged("the objects cannot be listed", file, error) from error
    return kinds


def _look_at(
    location: Any,
    file: str,
    raw: bytes,
    path: str,
    name: str,
    allowed: Sequence[str],
    cache: dict[bytes, Stored | str],
) -> DatasetNode:
    try:
        dataset = h5o.open(location, raw)
        plist = dataset.get_create_plist()
        layout = check_storage(file, path, plist, allowed)
        space = dataset.get_space()
        shape = None if space.get_simple_extent_type() == h5s.NULL else tuple(space.get_simple_extent_dims())
        stored = _interpret(dataset, cache)
        storage = _storage(dataset, plist, layout)
    except H5Error:
        raise
    except (RuntimeError, OSError, KeyError, ValueError, TypeError) as error:
        raise _damaged("the dataset's header cannot be read", file, error, path) from error
    if isinstance(stored, str):
        return DatasetNode(path, name, shape, None, storage, unreadable=stored)
    return DatasetNode(path, name, shape, stored, storage)


def _interpret(dataset: h5d.DatasetID, cache: dict[bytes, Stored | str]) -> Stored | str:
    """The type of a dataset; files repeat few types many times, so each encoding is read once."""
    tid = dataset.get_type()
    key = tid.encode()
    if key not in cache:
        try:
            cache[key] = interpret_type(tid)
        except UnreadableTypeError as error:
            cache[key] = str(error)
    return cache[key]


def _storage(dataset: h5d.DatasetID, plist: h5py.h5p.PropDCID, layout: str) -> Storage:
    chunks = tuple(plist.get_chunk()) if layout == "chunked" else None
    filters = tuple(_filter(plist.get_filter(number)) for number in range(plist.get_nfilters())) if chunks else ()
    stored_bytes = 0 if layout == "virtual" else dataset.get_storage_size()
    return Storage(layout, chunks, filters, stored_bytes)


def _filter(entry: tuple[int, int, tuple[int, ...], bytes]) -> tuple[int, str]:
    number, _, _, label = entry
    return number, _FILTERS.get(number) or label.decode("ascii", "replace") or "unknown"


def _add_external(
    handle: h5py.Group,
    file: str,
    raw: bytes,
    path: str,
    parent: GroupNode | None,
    allowed: Sequence[str],
    cache: dict[bytes, Stored | str],
    notes: list[Note],
) -> None:
    """Follow an external link into an allowed folder; only to a dataset, which is what sidecar files hold."""
    target = handle.get(raw, getlink=True)
    check_external_link(file, path, target.filename, allowed)
    try:
        kind = h5o.get_info(handle.id, raw).type
    except (KeyError, OSError, RuntimeError):
        notes.append(Note(path, f"the external link to {target.filename!r} leads nowhere"))
        return
    if kind == h5o.TYPE_DATASET and parent is not None:
        name = path.rpartition("/")[2]
        parent.datasets[name] = _look_at(handle.id, file, raw, path, name, allowed, cache)
    else:
        notes.append(Note(path, "external links to groups are not followed", "open the other file itself"))


def _note_dangling(handle: h5py.Group, raw: bytes, path: str, notes: list[Note]) -> None:
    """A soft link leads to an object that has a hard link too, or nowhere."""
    if handle.get(raw, getclass=True, default=None) is None:
        target = handle.get(raw, getlink=True).path
        notes.append(Note(path, f"the soft link to {target!r} leads nowhere"))


def _attrs(handle: h5py.Group, path: str, limits: Limits) -> Mapping[str, Any]:
    raw = path.strip("/").encode("utf-8", "surrogateescape")
    location = h5o.open(handle.id, raw) if raw else handle.id
    if h5a.get_num_attrs(location) == 0:
        return {}
    return plain_attrs(location, handle, limits.metadata_bytes)


def _damaged(problem: str, file: str, error: Exception, path: str | None = None) -> DamagedFileError:
    return DamagedFileError(
        f"{problem}: {error}", file=file, path=path, hint="the file may be truncated or corrupt; copy or make it anew"
    )


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
