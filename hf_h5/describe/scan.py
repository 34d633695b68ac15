"""An open HDF5 file -> the tree of its groups and datasets, each object once, but for further names that matter.

The C library walks the links and objects (two passes, names and addresses only), so that damage and budgets are
found before anything is opened; then each dataset is opened once for its type, shape and storage.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import h5py
from h5py import h5a, h5d, h5i, h5l, h5o, h5s, h5t

from ..errors import DamagedFileError, H5Error, RefusedError
from .further_names import FurtherNames, Link
from .guard import check_external_link, check_storage, check_target
from .kept_names import NO_NAMES, Asked, drop_further_names
from .limits import Limits
from .opening import open_dataset
from .schema import Note, Storage
from .shared_messages import check_shared_messages
from .tree import DatasetNode, GroupNode, Tree
from .types import Stored, UnreadableTypeError, interpret_type, type_depth
from .values import plain_attrs, plain_value

__all__ = ["scan_tree"]

_FILTERS = {
    1: "gzip",
    2: "shuffle",
    3: "fletcher32",
    4: "szip",
    5: "nbit",
    6: "scaleoffset",
    305: "LZO",
    307: "bzip2",
    32000: "lzf",
    32001: "blosc",
    32002: "MAFISC",
    32003: "Snappy",
    32004: "lz4",
    32008: "bitshuffle",
    32009: "SPDP",
    32012: "JPEG-LS",
    32013: "zfp",
    32014: "fpzip",
    32015: "zstd",
    32017: "SZ",
    32018: "FCIDECOMP",
    32019: "JPEG",
    32022: "BitGroom",
    32023: "GranularBR",
    32024: "SZ3",
    32026: "blosc2",
    32027: "FLAC",
    32028: "SPERR",
}


def scan_tree(
    handle: h5py.File | h5py.Group, file: str, *, limits: Limits, allowed: Sequence[str], asked: Asked = NO_NAMES
) -> Tree:
    """Walk a file (or a group of it) and look at each of its datasets once.

    Parameters
    ----------
    handle
        An open file or group.
    file
        The name to use in messages.
    limits, allowed
        Budgets, and folders from which other files' data may be read.
    asked
        What the user names, which may be a further name of an object.

    Raises
    ------
    RefusedError, LimitError
        If the file points outside itself or exceeds a budget.
    DamagedFileError
        If the library cannot walk it.
    """
    scan = _Scan(limits, allowed)
    root = scan.walk(handle, file, at="", seen=frozenset())
    scan.notes += drop_further_names(root, asked)
    return Tree(
        file,
        root,
        lambda path: _attrs(handle, path, limits),
        lambda node: plain_value(open_dataset(handle, node.path[1:]), node.stored, limits.metadata_bytes),
        tuple(scan.notes),
    )


# Of a type's encoding: two bytes before the message, whose second byte says of what kind values of variable length are.
_KIND_AT = 3


class _Scan:
    """One walk over a file, and over the files that its external links lead to where that is allowed."""

    def __init__(self, limits: Limits, allowed: Sequence[str]) -> None:
        self.notes: list[Note] = []
        self._limits = limits
        self._allowed = allowed
        # Files repeat few types many times, so each encoding is read once.
        self._types: dict[bytes, Stored | str] = {}
        self._n_datasets = 0
        self._started = time.monotonic()

    def walk(self, handle: h5py.Group, file: str, *, at: str, seen: frozenset[tuple[str, str]]) -> GroupNode:
        """Look at what lies below a group; ``at`` is its path in the file that was opened first."""
        links = _walk_links(handle, file, self._limits, self._started)
        kinds = _walk_objects(handle, file, self._limits, self._started)
        root = GroupNode(at or "/", at.rpartition("/")[2])
        groups = {b"": root}
        further = FurtherNames(handle, {links[raw].address: raw for raw in kinds if raw in links}, groups)
        for raw, (kind, address) in sorted(links.items()):
            parent_raw, _, name_raw = raw.rpartition(b"/")
            path, name = f"{at}/{_decode(raw)}", _decode(name_raw)
            parent = groups.get(parent_raw)
            if kind == h5l.TYPE_EXTERNAL:
                self._follow(handle, file, raw, path, parent, seen)
            elif kind == h5l.TYPE_SOFT:
                self._note_dangling(handle, raw, path)
                further.note_soft(raw)
            elif kind != h5l.TYPE_HARD:
                raise RefusedError("user-defined link is refused", file=file, path=path)
            elif parent is None:
                continue
            elif raw not in kinds:
                further.note(raw, address)
            elif kinds[raw] == h5o.TYPE_GROUP:
                groups[raw] = parent.groups[name] = GroupNode(path, name)
            elif kinds[raw] == h5o.TYPE_DATASET:
                parent.datasets[name] = self._look_at(handle, file, raw, path, name)
        self.notes += further.add()
        return root

    def _follow(
        self,
        handle: h5py.Group,
        file: str,
        raw: bytes,
        path: str,
        parent: GroupNode | None,
        seen: frozenset[tuple[str, str]],
    ) -> None:
        """Follow an external link into an allowed folder; links that lead back to where they came from end."""
        target = handle.get(raw, getlink=True)
        check_external_link(file, path, target.filename, self._allowed)
        try:
            kind = h5o.get_info(handle.id, raw).type
        except (KeyError, OSError, RuntimeError, ValueError):
            self.notes.append(Note(path, f"the external link to {target.filename!r} leads nowhere"))
            return
        name = path.rpartition("/")[2]
        if parent is None:
            return
        holder = check_target(file, path, h5o.open(handle.id, raw), self._allowed)
        if kind == h5o.TYPE_DATASET:
            parent.datasets[name] = self._look_at(handle, file, raw, path, name, holder=holder)
            return
        group = h5py.Group(h5o.open(handle.id, raw))
        other = group.file.filename
        key = (os.path.realpath(other), str(group.name))
        if key in seen or os.path.realpath(other) == os.path.realpath(file):
            self.notes.append(Note(path, "the external link leads back"))
            return
        parent.groups[name] = self.walk(group, other, at=path, seen=seen | {key})

    def _note_dangling(self, handle: h5py.Group, raw: bytes, path: str) -> None:
        """A soft link leads to an object that has a hard link too, or nowhere."""
        try:
            h5o.get_info(handle.id, raw)
        except (KeyError, RuntimeError, OSError, ValueError):
            target = handle.get(raw, getlink=True).path
            self.notes.append(Note(path, f"the soft link to {target!r} leads nowhere"))

    def _look_at(
        self, handle: h5py.Group, file: str, raw: bytes, path: str, name: str, *, holder: str | None = None
    ) -> DatasetNode:
        self._n_datasets += 1
        self._limits.check("columns", self._n_datasets, file=file)
        self._limits.check("seconds", time.monotonic() - self._started, file=file, path=path)
        try:
            dataset = h5o.open(handle.id, raw)
            missing: list[str] = []
            layout = check_storage(file, path, dataset, self._allowed, holder=holder, missing=missing)
            plist = dataset.get_create_plist()
            space = dataset.get_space()
            is_null = space.get_simple_extent_type() == h5s.NULL
            shape = None if is_null else tuple(space.get_simple_extent_dims())
            stored = self._interpret(dataset, file, path)
            storage = _storage(dataset, plist, layout)
        except H5Error:
            raise
        except (RuntimeError, OSError, KeyError, ValueError, TypeError) as error:
            raise _damaged("the dataset's header cannot be read", file, error, path) from error
        needed = storage.n_values * dataset.get_type().get_size()
        if layout in ("contiguous", "compact") and 0 < storage.stored_bytes < needed:
            # The library would fill the rest with what its memory held before.
            raise DamagedFileError(
                f"{storage.stored_bytes:,} bytes are stored, and {storage.n_values:,} values need {needed:,}",
                file=file,
                path=path,
                hint="the file is corrupt; copy or make it anew",
            )
        if isinstance(stored, str):
            return DatasetNode(path, name, shape, None, storage, unreadable=stored)
        if missing:
            first, more = missing[0].removeprefix("::"), f" and {len(missing) - 1} more" if missing[1:] else ""
            stored = replace(stored, note=f"rows of {first}{more}, which is not there, are the fill value")
        if layout in ("contiguous", "chunked", "compact"):
            item_bytes, stored_bytes = stored.full_memory.itemsize, min(storage.stored_bytes, _file_bytes(dataset))
            self._limits.check_dataset(shape or (), item_bytes, storage.chunks, stored_bytes, file=file, path=path)
        return DatasetNode(path, name, shape, stored, storage, missing=tuple(missing))

    def _interpret(self, dataset: h5d.DatasetID, file: str, path: str) -> Stored | str:
        """The type of a dataset, or why it has none."""
        tid = dataset.get_type()
        key = tid.encode()
        if key not in self._types:
            self._limits.check("dtype_depth", type_depth(tid, self._limits.dtype_depth), file=file, path=path)
            try:
                self._types[key] = interpret_type(tid)
            except UnreadableTypeError as error:
                self._types[key] = str(error)
            if not _has_readable_names(tid):
                self._types[key] = "fields whose names are no UTF-8"
            elif isinstance(tid, h5t.TypeVlenID) and key[_KIND_AT] & 0x0F:
                # Neither lists nor strings: the library crashes when it reads them.
                self._types[key] = "values of variable length of an unknown kind"
        return self._types[key]


def _walk_links(handle: h5py.Group, file: str, limits: Limits, started: float) -> dict[bytes, Link]:
    links: dict[bytes, Link] = {}

    def visit(raw: bytes, info: Any) -> bool | None:
        links[raw] = Link(info.type, info.u if info.type == h5l.TYPE_HARD else None)
        # Ends the walk; h5py makes a SystemError of what is raised in here.
        is_over = len(links) > limits.objects or raw.count(b"/") > limits.depth
        return True if is_over or time.monotonic() - started > limits.seconds else None

    try:
        handle.id.links.visit(visit, info=True)
    except (RuntimeError, OSError, KeyError, ValueError) as error:
        raise _damaged("the groups cannot be listed", file, error) from error
    last = next(reversed(links), b"")
    limits.check("objects", len(links), file=file)
    limits.check("depth", last.count(b"/"), file=file, path="/" + _decode(last))
    limits.check("seconds", time.monotonic() - started, file=file)
    # Before the library looks at the objects themselves.
    check_shared_messages(handle, file, [link.address for link in links.values() if link.address is not None])
    return links


def _walk_objects(handle: h5py.Group, file: str, limits: Limits, started: float) -> dict[bytes, int]:
    """Kind of each object by the one name under which the library visits it (hard links: each object once)."""
    kinds: dict[bytes, int] = {}

    def visit(raw: bytes, info: Any) -> bool | None:
        kinds[raw] = info.type
        return True if time.monotonic() - started > limits.seconds else None

    try:
        h5o.visit(handle.id, visit, info=True)
    except (RuntimeError, OSError, KeyError, ValueError) as error:
        raise _damaged("the objects cannot be listed", file, error) from error
    limits.check("seconds", time.monotonic() - started, file=file)
    return kinds


def _has_readable_names(tid: h5t.TypeID) -> bool:
    """Whether h5py, which needs a type of numpy to read rows, can make one of the names."""
    if isinstance(tid, h5t.TypeArrayID | h5t.TypeVlenID):
        return _has_readable_names(tid.get_super())
    if not isinstance(tid, h5t.TypeCompoundID):
        return True
    members = range(tid.get_nmembers())
    names = b"".join(tid.get_member_name(number) for number in members)
    return names.decode("utf-8", "ignore").encode() == names and all(
        _has_readable_names(tid.get_member_type(number)) for number in members
    )


def _storage(dataset: h5d.DatasetID, plist: h5py.h5p.PropDCID, layout: str) -> Storage:
    chunks = tuple(plist.get_chunk()) if layout == "chunked" else None
    filters = tuple(_filter(plist.get_filter(number)) for number in range(plist.get_nfilters())) if chunks else ()
    stored_bytes = 0 if layout == "virtual" else dataset.get_storage_size()
    if chunks:
        # The sum of what its chunks claim.
        stored_bytes = min(stored_bytes, _file_bytes(dataset))
    return Storage(layout, chunks, filters, stored_bytes, dataset.get_space().get_simple_extent_npoints())


def _file_bytes(dataset: h5d.DatasetID) -> int:
    return int(h5i.get_file_id(dataset).get_filesize())


def _filter(entry: tuple[int, int, tuple[int, ...], bytes]) -> tuple[int, str]:
    number, _, _, label = entry
    return number, _FILTERS.get(number) or label.decode("ascii", "replace") or "unknown"


def _attrs(handle: h5py.Group, path: str, limits: Limits) -> Mapping[str, Any]:
    raw = path.strip("/").encode("utf-8", "surrogateescape")
    try:
        location = h5o.open(handle.id, raw) if raw else handle.id
        if h5a.get_num_attrs(location) == 0:
            return {}
        return plain_attrs(location, handle, limits.metadata_bytes)
    except (RuntimeError, OSError, KeyError, ValueError) as error:
        raise _damaged("the attributes cannot be listed", handle.file.filename, error, path) from error


def _damaged(problem: str, file: str, error: Exception, path: str | None = None) -> DamagedFileError:
    return DamagedFileError(
        f"{problem}: {error}", file=file, path=path, hint="the file may be truncated or corrupt; copy or make it anew"
    )


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
