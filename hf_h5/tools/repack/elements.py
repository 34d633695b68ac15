"""Values of any HDF5 type from one file to another, bit for bit.

What has a fixed size travels as bytes that nobody interprets; what points elsewhere (variable length, references)
travels as the objects of h5py, and references are made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5o, h5p, h5r, h5s, h5t, h5z
from numpy.typing import NDArray

from ...describe.corners import list_corners
from .layout import Block

__all__ = [
    "References",
    "address_of",
    "has_filling_place",
    "has_filling_reference",
    "has_references",
    "is_fixed",
    "memory_file",
    "open_object",
    "read_attribute",
    "read_block",
    "read_fill",
    "stored_blocks",
    "without_fill",
    "write_attribute",
    "write_block",
]


def is_fixed(tid: h5t.TypeID) -> bool:
    """Whether values of a type are all there is: nothing of variable length, and no references."""
    if isinstance(tid, h5t.TypeCompoundID):
        return all(is_fixed(tid.get_member_type(number)) for number in range(tid.get_nmembers()))
    if isinstance(tid, h5t.TypeArrayID):
        return is_fixed(tid.get_super())
    if isinstance(tid, h5t.TypeStringID):
        return not tid.is_variable_str()
    return not isinstance(tid, h5t.TypeVlenID | h5t.TypeReferenceID)


def _varies(tid: h5t.TypeID) -> bool:
    if isinstance(tid, h5t.TypeCompoundID):
        return any(_varies(tid.get_member_type(number)) for number in range(tid.get_nmembers()))
    if isinstance(tid, h5t.TypeArrayID):
        return _varies(tid.get_super())
    return isinstance(tid, h5t.TypeVlenID) or (isinstance(tid, h5t.TypeStringID) and tid.is_variable_str())


def has_references(tid: h5t.TypeID) -> bool:
    """Whether values of a type point to objects."""
    if isinstance(tid, h5t.TypeCompoundID):
        return any(has_references(tid.get_member_type(number)) for number in range(tid.get_nmembers()))
    if isinstance(tid, h5t.TypeArrayID | h5t.TypeVlenID):
        return has_references(tid.get_super())
    return isinstance(tid, h5t.TypeReferenceID)


def has_filling_place(dataset: h5d.DatasetID) -> bool:
    """Whether a fill value was given that is of variable length, so that the file holds the place of it."""
    kind = dataset.get_create_plist().fill_value_defined()
    return bool(kind == h5d.FILL_VALUE_USER_DEFINED and _varies(dataset.get_type()))


def stored_blocks(dataset: h5d.DatasetID) -> list[Block]:
    """The rows of each chunk that is stored, as far as they are rows."""
    found: list[Block] = []
    plist = dataset.get_create_plist()
    for corner in list_corners(dataset).tolist():
        ends = zip(corner, plist.get_chunk(), dataset.shape, strict=True)
        found.append(tuple(slice(start, min(start + size, whole)) for start, size, whole in ends))
    return found


def has_filling_reference(dataset: h5d.DatasetID, memory: h5py.File) -> bool:
    """Whether a fill value was given that points to an object, as in cell arrays of MATLAB; see `read_fill`."""
    found: list[bool] = []

    def note(reference: h5r.Reference) -> h5r.Reference:
        found.append(bool(reference))
        return reference

    if has_references(dataset.get_type()) and (fill := read_fill(dataset, memory)) is not None:
        _mapped(fill, dataset.dtype, note)
    return any(found)


def without_fill(old: h5p.PropDCID) -> h5p.PropDCID:
    """Properties of a dataset whose rows lie in its file, but for the fill value, which becomes zeros."""
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_attr_creation_order(old.get_attr_creation_order())
    plist.set_obj_track_times(old.get_obj_track_times())
    plist.set_fill_time(old.get_fill_time())
    plist.set_layout(old.get_layout())
    if old.get_layout() == h5d.CHUNKED:
        plist.set_chunk(old.get_chunk())
    plist.set_alloc_time(old.get_alloc_time())
    for number in range(old.get_nfilters()):
        code, flags, values, _ = old.get_filter(number)
        plist.set_filter(code, flags, values)
    return plist


def open_object(location: Any, name: bytes) -> Any:
    """Open a group, dataset or type; rows in external storage are looked for beside the file, as the guard did.

    The library takes such names as relative to the current folder, where another file may lie.
    """
    opened = h5o.open(location, name)
    if not isinstance(opened, h5d.DatasetID) or not opened.get_create_plist().get_external_count():
        return opened
    # Closed first: the library does not open a dataset twice in two ways.
    del opened
    access = h5p.create(h5p.DATASET_ACCESS)
    access.set_efile_prefix(b"${ORIGIN}")
    return h5d.open(location, name, access)


def address_of(opened: Any) -> tuple[int, int]:
    """What tells one object from another: links to the same object give the same."""
    info = h5o.get_info(opened)
    return info.fileno, info.addr


class References:
    """Turns references into one file into references to the same objects of another.

    Attributes
    ----------
    lost
        References that lead nowhere, or to an object without a name, and became null.
    """

    def __init__(self, source: h5py.File, target: h5py.File, paths: dict[tuple[int, int], bytes]) -> None:
        self.lost = 0
        self._source, self._target, self._paths = source, target, paths

    def __call__(self, reference: h5r.Reference) -> h5r.Reference:
        """Return the reference for the other file."""
        null = type(reference)()
        if not reference:
            return null
        path = self.path_of(reference)
        if path is None:
            self.lost += 1
            return null
        if isinstance(reference, h5r.RegionReference):
            region = h5r.get_region(reference, self._source.id)
            return h5r.create(self._target.id, path, h5r.DATASET_REGION, region)
        return h5r.create(self._target.id, path, h5r.OBJECT)

    def path_of(self, reference: h5r.Reference) -> bytes | None:
        """Where a reference leads in the source; None where nobody can say."""
        try:
            return self._paths.get(address_of(h5r.dereference(reference, self._source.id)))
        except (RuntimeError, ValueError, OSError, KeyError):
            return None


def read_block(dataset: h5d.DatasetID, block: Block) -> NDArray[Any]:
    """Read a block; of a type of fixed size as raw bytes, else as h5py's objects."""
    tid, (memory, selected) = dataset.get_type(), _spaces(dataset, block)
    buffer, mtype = _buffer(tid, tuple(part.stop - part.start for part in block))
    dataset.read(memory, selected, buffer, mtype)
    return buffer


def write_block(
    dataset: h5d.DatasetID, block: Block, values: NDArray[Any], references: References | None = None
) -> None:
    """Write what `read_block` read."""
    memory, selected = _spaces(dataset, block)
    _, mtype = _buffer(dataset.get_type(), ())
    if references is not None:
        values = _mapped(values, dataset.dtype, references)
    dataset.write(memory, selected, values, mtype)


def memory_file() -> h5py.File:
    """A new file that is nowhere on a disk, to be closed."""
    return h5py.File("memory", "w", driver="core", backing_store=False)


def read_fill(dataset: h5d.DatasetID, memory: h5py.File) -> NDArray[Any] | None:
    """The fill value that was given for a dataset, ``(1,)`` as `read_block` reads; None if there was none.

    Parameters
    ----------
    memory
        A `memory_file`; numpy has not all types, but the library fills what was never written of any.
    """
    plist, tid = dataset.get_create_plist(), dataset.get_type()
    if plist.fill_value_defined() != h5d.FILL_VALUE_USER_DEFINED:
        return None
    if plist.get_external_count():
        value = np.zeros((1,), tid.dtype)
        plist.get_fill_value(value)
        return value
    if plist.get_nfilters():
        plist.remove_filter(h5z.FILTER_ALL)
    plist.set_layout(h5d.CONTIGUOUS)
    plist.set_alloc_time(h5d.ALLOC_TIME_LATE)
    plist.set_fill_time(h5d.FILL_TIME_IFSET)
    unnamed = h5d.create(memory.id, None, tid.copy() if tid.committed() else tid, h5s.create_simple((1,)), plist)
    return read_block(unnamed, (slice(0, 1),))


def read_attribute(attribute: Any) -> NDArray[Any] | None:
    """Read an attribute; None where it has no values."""
    space = attribute.get_space()
    if space.get_simple_extent_type() == h5s.NULL:
        return None
    buffer, mtype = _buffer(attribute.get_type(), space.get_simple_extent_dims())
    if buffer.size:
        attribute.read(buffer, mtype)
    return buffer


def write_attribute(attribute: Any, values: NDArray[Any] | None, references: References) -> None:
    """Write what `read_attribute` read."""
    if values is None or not values.size:
        return
    tid = attribute.get_type()
    _, mtype = _buffer(tid, ())
    if has_references(tid):
        values = _mapped(values, attribute.dtype, references)
    attribute.write(values, mtype)


def _spaces(dataset: h5d.DatasetID, block: Block) -> tuple[Any, Any]:
    if not block:
        return h5s.ALL, h5s.ALL
    start, count = tuple(part.start for part in block), tuple(part.stop - part.start for part in block)
    selected = dataset.get_space()
    selected.select_hyperslab(start, count)
    return h5s.create_simple(count), selected


def _buffer(tid: h5t.TypeID, shape: tuple[int, ...]) -> tuple[NDArray[Any], h5t.TypeID]:
    """A buffer for values, and the type that the library shall fill it with."""
    if is_fixed(tid):
        # A type that is stored in a file is no type of memory.
        return np.zeros(shape, f"V{tid.get_size()}"), tid.copy() if tid.committed() else tid
    dtype = tid.dtype
    return np.zeros(shape, dtype), h5t.py_create(dtype)


def _mapped(values: NDArray[Any], dtype: np.dtype[Any], references: Callable[[Any], Any]) -> NDArray[Any]:
    """A copy of values in which each reference is another."""
    if dtype.subdtype is not None:
        return _mapped(values, dtype.subdtype[0], references)
    mapped = values.copy()
    if dtype.names:
        for name in dtype.names:
            if _points(dtype[name]):
                mapped[name] = _mapped(values[name], dtype[name], references)
    elif h5t.check_ref_dtype(dtype) is not None:
        for number, reference in enumerate(values.flat):
            mapped.flat[number] = references(reference)
    elif (inner := h5t.check_vlen_dtype(dtype)) is not None and _points(inner):
        for number, items in enumerate(values.flat):
            mapped.flat[number] = _mapped(np.asarray(items), inner, references)
    return mapped


def _points(dtype: np.dtype[Any]) -> bool:
    if dtype.subdtype is not None:
        return _points(dtype.subdtype[0])
    if dtype.names:
        return any(_points(dtype[name]) for name in dtype.names)
    inner = h5t.check_vlen_dtype(dtype)
    return h5t.check_ref_dtype(dtype) is not None or (isinstance(inner, np.dtype) and _points(inner))
