"""Groups, links, types, attributes and small datasets from one file to another, each object once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import h5py
from h5py import h5, h5d, h5g, h5l, h5o, h5p, h5t

from ...errors import DamagedFileError, DataError
from .attributes import copy_attributes
from .elements import (
    References,
    address_of,
    has_filling_place,
    has_filling_reference,
    has_references,
    memory_file,
    open_object,
    read_block,
    stored_blocks,
    without_fill,
    write_block,
)
from .layout import Block, cut_blocks

__all__ = ["Copied", "copy_objects", "lies_in_this_file", "link_names"]

_BLOCK_BYTES = 16 << 20


@dataclass(slots=True)
class Copied:
    """What has come over.

    Attributes
    ----------
    paths
        Per object of the source, the first path that leads to it.
    deferred
        Paths of datasets that were created without their rows, which somebody else writes.
    n_kept
        Datasets that are stored as they were.
    n_lost_references
        How many led nowhere, and are null now.
    n_unmarked_names
        Names of attributes that are no longer marked as UTF-8.
    n_null_fills
        Datasets that may grow, and whose new rows would have been references to some object; they will be null.
    """

    paths: dict[tuple[int, int], bytes] = field(default_factory=dict)
    deferred: list[bytes] = field(default_factory=list)
    n_kept: int = 0
    n_lost_references: int = 0
    n_unmarked_names: int = 0
    n_null_fills: int = 0


def copy_objects(
    source: h5py.File,
    target: h5py.File,
    new_properties: Callable[[bytes, h5d.DatasetID], h5p.PropDCID | None],
) -> Copied:
    """Copy everything but the rows of some datasets into a file that is empty.

    Parameters
    ----------
    new_properties
        Is asked for each dataset, by path, how it shall be stored; None to keep it as it is.
    """
    copying = _Copying(source, target, new_properties)
    copying.copy_root()
    return copying.copied


def lies_in_this_file(dataset: h5d.DatasetID) -> bool:
    """Whether the rows of a virtual dataset, or of one in external storage, are all in its own file."""
    plist = dataset.get_create_plist()
    if plist.get_layout() == h5d.VIRTUAL:
        return all(plist.get_virtual_filename(number) == "." for number in range(plist.get_virtual_count()))
    return not (plist.get_layout() == h5d.CONTIGUOUS and plist.get_external_count())


class _Copying:
    """One copy; references and attributes come last, when all objects are there."""

    def __init__(
        self,
        source: h5py.File,
        target: h5py.File,
        new_properties: Callable[[bytes, h5d.DatasetID], h5p.PropDCID | None],
    ) -> None:
        self.copied = Copied()
        self._source, self._target, self._new_properties = source, target, new_properties
        self._references = References(source, target, self.copied.paths)
        self._pending: list[bytes] = []
        self._types = _Types(source, target)

    def copy_root(self) -> None:
        source, target = open_object(self._source.id, b"/"), open_object(self._target.id, b"/")
        self.copied.paths[address_of(source)] = b"/"
        self._copy_links(source, target, b"")
        self._types.forget()
        for path in self._pending:
            self._copy_rows(path)
        for path in self.copied.paths.values():
            pair = open_object(self._source.id, path), open_object(self._target.id, path)
            self.copied.n_unmarked_names += copy_attributes(*pair, path, self._types.of, self._references)
            comment = source.get_comment(path)
            if comment != target.get_comment(path):
                target.set_comment(path, comment)
        self.copied.n_lost_references = self._references.lost

    def _copy_links(self, source: h5g.GroupID, target: h5g.GroupID, at: bytes) -> None:
        for name in link_names(source):
            info = source.links.get_info(name)
            access = h5p.create(h5p.LINK_CREATE)
            access.set_char_encoding(info.cset)
            if info.type == h5l.TYPE_SOFT:
                target.links.create_soft(name, source.links.get_val(name), access)
            elif info.type == h5l.TYPE_EXTERNAL:
                target.links.create_external(name, *source.links.get_val(name), access)
            else:
                self._copy_hard(source, target, name, at + b"/" + name, access)

    def _copy_hard(
        self, source: h5g.GroupID, target: h5g.GroupID, name: bytes, path: bytes, access: h5p.PropLCID
    ) -> None:
        opened = open_object(source, name)
        known = self.copied.paths.setdefault(address_of(opened), path)
        if known != path:
            target.links.create_hard(name, self._target.id, known, access)
        elif isinstance(opened, h5g.GroupID):
            created = h5g.create(target, name, access, opened.get_create_plist())
            self._copy_links(opened, created, path)
        elif isinstance(opened, h5d.DatasetID):
            self._create_dataset(opened, source, target, name, path, access)
        else:
            self._types.of(opened)
            target.links.create_hard(name, self._target.id, self._types.path_of(opened), access)

    def _create_dataset(
        self,
        dataset: h5d.DatasetID,
        source: h5g.GroupID,
        target: h5g.GroupID,
        name: bytes,
        path: bytes,
        access: h5p.PropLCID,
    ) -> None:
        properties, tid = self._new_properties(path, dataset), dataset.get_type()
        if properties is not None:
            self.copied.deferred.append(path)
        else:
            self.copied.n_kept += 1
            properties = dataset.get_create_plist()
            is_virtual = properties.get_layout() == h5d.VIRTUAL
            # Of a fill value of variable length the library copies the place in the old file.
            has_place = has_filling_place(dataset)
            if not (tid.committed() or has_references(tid) or is_virtual or has_place):
                _forget_chunks(dataset)
                _copy_as_stored(source, target, name, name, access)
                return
            if self._points_when_filled(dataset):
                if has_place or is_virtual:
                    raise DataError(
                        "its fill value is a reference among values of variable length, or of a virtual dataset, "
                        "which nothing here makes anew",
                        file=self._source.filename,
                        path=path.decode("utf-8", "surrogateescape"),
                    )
                properties = without_fill(properties)
                self.copied.n_null_fills += dataset.get_space().get_simple_extent_dims(True) != dataset.shape
            if not is_virtual:
                self._pending.append(path)
        h5d.create(target, name, self._types.of(tid), dataset.get_space(), properties, access)

    def _points_when_filled(self, dataset: h5d.DatasetID) -> bool:
        if not has_references(dataset.get_type()):
            return False
        with memory_file() as memory:
            return has_filling_reference(dataset, memory)

    def _copy_rows(self, path: bytes) -> None:
        source, target = open_object(self._source.id, path), open_object(self._target.id, path)
        # A reference that fills rows cannot be given before there is what it points to: it is written into the rows.
        is_filled = self._points_when_filled(source)
        if (source.get_storage_size() == 0 and not is_filled) or source.get_space().get_simple_extent_npoints() == 0:
            return
        shape, tid = source.shape, source.get_type()
        chunk = source.get_create_plist().get_chunk() if _is_chunked(source) else (1,) * len(shape)
        references = self._references if has_references(tid) else None
        blocks: Iterable[Block] = cut_blocks(shape, chunk, tid.get_size(), _BLOCK_BYTES) if shape else [()]
        if has_filling_place(source) and _is_chunked(source):
            # The library does not read rows of a text that fills them where a file may not be written.
            blocks = stored_blocks(source)
        for block in blocks:
            try:
                values = read_block(source, block)
            except (OSError, RuntimeError, TypeError) as error:
                raise DamagedFileError(
                    f"its values cannot be read: {error}",
                    file=self._source.filename,
                    path=path.decode("utf-8", "surrogateescape"),
                ) from error
            write_block(target, block, values, references)


class _Types:
    """Types with a name of their own; the first that needs one makes it, under a name that nobody sees later."""

    def __init__(self, source: h5py.File, target: h5py.File) -> None:
        self._source, self._target = source, target
        self._made: dict[tuple[int, int], bytes] = {}
        self._folder: bytes | None = None
        self._opened: dict[tuple[int, int], h5t.TypeID] = {}

    def of(self, tid: h5t.TypeID) -> h5t.TypeID:
        """The type in the target: itself, unless it has a name."""
        if not tid.committed():
            return tid
        address = address_of(tid)
        if address not in self._opened:
            path = self._new_path()
            _copy_as_stored(tid, open_object(self._target.id, b"/"), b".", path)
            self._made[address], self._opened[address] = path, h5t.open(self._target.id, path)
        return self._opened[address]

    def path_of(self, tid: h5t.TypeID) -> bytes:
        return self._made[address_of(tid)]

    def forget(self) -> None:
        """Remove the names; what is linked or used elsewhere stays."""
        if self._folder is not None:
            del self._target[self._folder]

    def _new_path(self) -> bytes:
        if self._folder is None:
            self._folder = b"types of hf-h5 repack"
            while self._folder in self._source:
                self._folder += b"_"
            h5g.create(self._target.id, self._folder)
        return self._folder + b"/" + str(len(self._made)).encode()


def _copy_as_stored(
    source: Any, target: h5g.GroupID, name: bytes, new: bytes, access: h5p.PropLCID | None = None
) -> None:
    """Copy a dataset with its chunks as they are, or a type; attributes come later, since references would be lost."""
    how = h5p.create(h5p.OBJECT_COPY)
    how.set_copy_object(h5o.COPY_WITHOUT_ATTR_FLAG)
    h5o.copy(source, name, target, new, how, access)


def _forget_chunks(dataset: h5d.DatasetID) -> None:
    """Empty the library's cache of a dataset's chunks, in which those are that a codec was chosen by.

    Where filtered chunks are in it, the library copies these and filters them anew, and up to HDF5 2.0 that writes
    beyond the memory it has for it: https://github.com/HDFGroup/hdf5/pull/6184.
    """
    if _is_chunked(dataset):
        dataset.refresh()


def link_names(group: h5g.GroupID) -> Iterator[bytes]:
    """Names in a group, in the order in which they were made where that is known."""
    names: list[bytes] = []
    is_tracked = group.get_create_plist().get_link_creation_order() & h5p.CRT_ORDER_TRACKED
    group.links.iterate(names.append, idx_type=h5.INDEX_CRT_ORDER if is_tracked else h5.INDEX_NAME)
    yield from names


def _is_chunked(dataset: h5d.DatasetID) -> bool:
    return bool(dataset.get_create_plist().get_layout() == h5d.CHUNKED)
