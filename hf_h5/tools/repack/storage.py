"""How a dataset is stored, and how it shall be: HDF5's properties from and to a `Layout`."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
from h5py import h5d, h5p, h5t, h5z
from numpy.typing import NDArray

from ...errors import FilterError
from .elements import is_fixed, read_block
from .layout import MANY_CHUNKS, SMALL_BYTES, Layout, Wanted, cut_blocks, suit_chunk
from .objects import lies_in_this_file

__all__ = ["choose_layout", "make_properties", "stored_layout"]

_PACKING = {1: "gzip", 4: "szip", 32000: "lzf", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32015: "zstd"}
# Of no consequence for how fast rows are read.
_NOT_PACKING = (h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32)
_SAMPLE_BYTES = 256 << 10
_N_SAMPLES = 4
# What saves less than this is not worth decoding.
_LEAST_RATIO = 1.1
# On images and embeddings lz4 is decoded two to six times as fast as lzf and gzip; zstd has the fewest bytes to fetch.
_FAST = {"training": "lz4", "streaming": "zstd"}


def stored_layout(dataset: h5d.DatasetID) -> Layout:
    """How a dataset is stored."""
    plist = dataset.get_create_plist()
    if plist.get_layout() != h5d.CHUNKED:
        return Layout(None, "none")
    numbers = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
    packing = [_PACKING.get(number, f"filter {number}") for number in numbers if number not in _NOT_PACKING]
    return Layout(tuple(plist.get_chunk()), "+".join(packing) or "none")


def choose_layout(dataset: h5d.DatasetID, wanted: Wanted) -> Layout | None:
    """Choose how a dataset shall be stored; None to leave it as it is.

    Left are those that are small and not in many chunks, hold nothing yet, are of variable length, or are stored so
    already. For training contiguous ones stay, too: nothing is faster than bytes that only need to be copied.

    Raises
    ------
    OSError, RuntimeError
        If its values cannot be decoded here.
    """
    shape, tid = dataset.shape, dataset.get_type()
    is_here = lies_in_this_file(dataset)
    is_resizable = dataset.get_space().get_simple_extent_dims(True) != shape
    if not is_here and (not is_fixed(tid) or math.prod(shape) * tid.get_size() <= SMALL_BYTES):
        chunk = suit_chunk([max(1, size) for size in shape], tid.get_size(), wanted)
        return Layout(chunk if is_resizable else None, "none")
    plist = dataset.get_create_plist()
    if not shape or not is_fixed(tid) or (math.prod(shape) * tid.get_size() <= SMALL_BYTES and _is_whole(plist, shape)):
        return None
    if is_here and (plist.get_layout() == h5d.VIRTUAL or dataset.get_storage_size() == 0):
        return None
    _check_filters(plist)
    before = stored_layout(dataset)
    if is_here and before.chunk is None and wanted == Wanted("training"):
        return None
    codec = wanted.codec if wanted.codec != "auto" else _measured_codec(dataset, wanted)
    if codec == "none" and wanted.chunk_rows is None and not is_resizable:
        found = Layout(None, "none")
    else:
        found = Layout(suit_chunk(shape, tid.get_size(), wanted), codec)
    return None if found == before and is_here else found


def _is_whole(plist: h5p.PropDCID, shape: tuple[int, ...]) -> bool:
    """Whether rows are not spread over many chunks."""
    if plist.get_layout() != h5d.CHUNKED:
        return True
    counts = (-(-size // step) for size, step in zip(shape, plist.get_chunk(), strict=True))
    return bool(math.prod(counts) < MANY_CHUNKS)


def _check_filters(plist: h5p.PropDCID) -> None:
    for number in (plist.get_filter(number)[0] for number in range(plist.get_nfilters())):
        if not h5z.filter_avail(number):
            raise FilterError(f"filter {number} is not available here")


def _measured_codec(dataset: h5d.DatasetID, wanted: Wanted) -> str:
    """The fast codec of the purpose where values can be packed at all, which a few samples tell."""
    tid, shape = dataset.get_type(), dataset.shape
    chunk = tuple(min(size, 64) for size in shape)
    blocks = cut_blocks(shape, chunk, tid.get_size(), _SAMPLE_BYTES)
    n_blocks = max(1, math.prod(shape) * tid.get_size() // _SAMPLE_BYTES)
    plain = packed = taken = 0
    for number, block in enumerate(blocks):
        if taken < _N_SAMPLES and number >= taken * n_blocks // _N_SAMPLES:
            values = read_block(dataset, block)
            plain, taken = plain + values.nbytes, taken + 1
            packed += len(zlib.compress(_shuffled(values), 1))
        if taken == _N_SAMPLES:
            break
    return _FAST[wanted.purpose] if plain >= _LEAST_RATIO * packed else "none"


def _shuffled(values: NDArray[Any]) -> bytes:
    """First bytes of all values first, as the filter does: https://docs.hdfgroup.org/hdf5/v1_14/group___d_c_p_l.html."""
    raw = np.frombuffer(values.tobytes(), np.uint8)
    return raw.reshape(-1, values.dtype.itemsize).T.tobytes()


def make_properties(dataset: h5d.DatasetID, layout: Layout) -> h5p.PropDCID:
    """HDF5's properties of a new dataset: those of the old one, but for how it is stored."""
    old = dataset.get_create_plist()
    had_checksum = any(old.get_filter(n)[0] == h5z.FILTER_FLETCHER32 for n in range(old.get_nfilters()))
    plist = old if lies_in_this_file(dataset) else _without_sources(dataset, old)
    if plist.get_nfilters():
        plist.remove_filter(h5z.FILTER_ALL)
    if layout.chunk is None:
        plist.set_layout(h5d.CONTIGUOUS)
        plist.set_alloc_time(h5d.ALLOC_TIME_LATE)
        return plist
    plist.set_chunk(layout.chunk)
    plist.set_alloc_time(h5d.ALLOC_TIME_INCR)
    _add_codec(plist, layout.codec, dataset.get_type())
    if had_checksum:
        plist.set_fletcher32()
    return plist


def _without_sources(dataset: h5d.DatasetID, old: h5p.PropDCID) -> h5p.PropDCID:
    """The properties of a dataset whose rows lie in other files, for one whose rows do not."""
    if old.get_layout() == h5d.VIRTUAL:
        old.set_layout(h5d.CONTIGUOUS)
        return old
    # The names of external files do not go from what has them.
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_attr_creation_order(old.get_attr_creation_order())
    plist.set_fill_time(old.get_fill_time())
    if old.fill_value_defined() == h5d.FILL_VALUE_USER_DEFINED and is_fixed(dataset.get_type()):
        fill = np.zeros((), dataset.dtype)
        old.get_fill_value(fill)
        plist.set_fill_value(fill)
    return plist


def _add_codec(plist: h5p.PropDCID, codec: str, tid: h5t.TypeID) -> None:
    if codec == "none":
        return
    element = tid
    while isinstance(element, h5t.TypeArrayID):
        element = element.get_super()
    if element.get_size() > 1 and not isinstance(element, h5t.TypeStringID | h5t.TypeOpaqueID):
        plist.set_shuffle()
    if codec == "gzip":
        plist.set_deflate(4)
    elif codec == "lzf":
        plist.set_filter(h5z.FILTER_LZF, h5z.FLAG_OPTIONAL)
    else:
        import hdf5plugin

        made = {"lz4": hdf5plugin.LZ4, "zstd": hdf5plugin.Zstd}[codec]()
        plist.set_filter(made.filter_id, h5z.FLAG_OPTIONAL, made.filter_options)
