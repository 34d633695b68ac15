"""Where the bytes of an HDF5 dataset lie, asked of the HDF5 library once; and whether they may be read without it."""

from __future__ import annotations

import math
from array import array
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s
from numpy.typing import NDArray

from ..describe.corners import is_found, straighten
from ..errors import DamagedFileError, FilterError
from ..remote.known import index_of
from .codecs import Decoder, why_not_decodable
from .fingerprint import Fingerprint
from .saved_index import MIN_SAVED_CHUNKS, ChunkTable, find_version, load_chunks, save_chunks
from .storage import REFERENCE, UNALLOCATED, FilterStep, Kind, StorageIndex
from .stored_types import is_variable, split_array_type, why_not_as_stored

__all__ = ["StorageIndex", "build_index", "why_not_direct"]

MAX_CHUNKS = 1 << 24
"""Largest chunk grid that is indexed (20 bytes a chunk): a file may claim any number without storing one of them."""

_ALL_FILTERS_SKIPPED = np.uint32(0xFFFFFFFF)
_DRIVERS_WITH_OFFSETS = frozenset({"sec2", "stdio", "direct", "fileobj", "ros3", "windows"})
_MAX_EDGE_PROBES = 8
_MAX_SEARCHES = 1024
_LARGEST_OFFSET = np.uint64(2**63 - 1)
_KINDS: dict[int, Kind] = {h5d.COMPACT: "compact", h5d.CONTIGUOUS: "contiguous", h5d.CHUNKED: "chunked"}


def why_not_direct(dataset: h5py.Dataset) -> str | None:
    """Return why the rows of a dataset must be read by the HDF5 library, or ``None`` if they need not.

    Nothing but headers is read.

    >>> with h5py.File.in_memory() as file:
    ...     why_not_direct(file.create_dataset("words", (3,), h5py.string_dtype()))
    'the file is open for writing'
    """
    return _file_reason(dataset) or _space_reason(dataset) or why_not_as_stored(dataset) or _layout_reason(dataset)


def _file_reason(dataset: h5py.Dataset) -> str | None:
    if dataset.file.mode != "r":
        return "the file is open for writing"
    driver = dataset.file.driver
    return None if driver in _DRIVERS_WITH_OFFSETS else f"the file is open with the driver {driver!r}"


def _space_reason(dataset: h5py.Dataset) -> str | None:
    if not dataset.shape:
        return "it has no rows" if dataset.shape is None else "it is a scalar"
    return None


def _layout_reason(dataset: h5py.Dataset) -> str | None:
    properties = dataset.id.get_create_plist()
    layout = properties.get_layout()
    if layout == h5d.VIRTUAL:
        return "it is a virtual dataset"
    if properties.get_external_count():
        return "its bytes are in other files"
    if dataset.dtype.subdtype and properties.fill_value_defined() == h5d.FILL_VALUE_USER_DEFINED:
        return "its array type has a fill value"
    if layout == h5d.CONTIGUOUS and dataset.id.get_storage_size() not in (0, _nbytes(dataset)):
        return "it is stored only in part"
    if layout != h5d.CHUNKED:
        return None
    n_chunks = math.prod(_find_grid(dataset.shape, dataset.chunks))
    if n_chunks > MAX_CHUNKS:
        return f"it is divided into {n_chunks} chunks"
    return why_not_decodable(_list_filters(properties), math.prod(dataset.chunks) * _itemsize(dataset))


def build_index(
    dataset: h5py.Dataset, *, file: str | None = None, fingerprint: Fingerprint | None = None
) -> StorageIndex:
    """Ask the HDF5 library where the bytes of a dataset lie.

    Parameters
    ----------
    dataset
        Open for reading; `why_not_direct` must have found nothing against it.
    file, fingerprint
        Path or URL and version of the file. If given, the index of a dataset of many chunks is kept beside the cache
        of Hugging Face: going through 100,000 chunks takes 0.2 s, reading the kept index some milliseconds.

    Raises
    ------
    DamagedFileError
        If the library does not know where the bytes are.
    FilterError
        If nothing tells which chunks are filtered.
    """
    properties = dataset.id.get_create_plist()
    layout = properties.get_layout()
    dtype, element_shape = _stored_type(dataset)
    shape = (*dataset.shape, *element_shape)
    inline, table, kind = b"", _one_block(UNALLOCATED, 0), _KINDS[layout]
    chunk, grid = shape, (1,) * len(shape)
    if layout == h5d.COMPACT:
        inline = _read_stored(dataset, h5s.ALL, h5s.ALL, np.empty(shape, dtype)).tobytes()
    elif layout == h5d.CONTIGUOUS and not dataset.id.get_storage_size():
        kind = "unallocated"
    elif layout == h5d.CONTIGUOUS:
        table = _one_block(_find_offset(dataset), _nbytes(dataset))
    else:
        chunk = (*dataset.chunks, *element_shape)
        grid = (*_find_grid(dataset.shape, dataset.chunks), *(1 for _ in element_shape))
        table = _find_chunks(dataset, file, fingerprint)
    filters = _list_filters(properties)
    fill = _find_fill(dataset, properties)
    return StorageIndex(kind, shape, dtype, chunk, grid, *table, filters=filters, fill=fill, inline=inline)


def _nbytes(dataset: h5py.Dataset) -> int:
    return int(math.prod(dataset.shape) * _itemsize(dataset))


def _stored_type(dataset: h5py.Dataset) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the type of one stored value, and the dimensions that array types add to it."""
    return (REFERENCE, ()) if is_variable(dataset) else split_array_type(dataset.dtype)


def _itemsize(dataset: h5py.Dataset) -> int:
    return REFERENCE.itemsize if is_variable(dataset) else int(dataset.dtype.itemsize)


def _list_filters(properties: h5p.PropDCID) -> tuple[FilterStep, ...]:
    steps = (properties.get_filter(i) for i in range(properties.get_nfilters()))
    return tuple((code, flags, tuple(values)) for code, flags, values, _ in steps)


def _find_fill(dataset: h5py.Dataset, properties: h5p.PropDCID) -> bytes:
    """Return the bytes of one value that was never written."""
    is_undefined = properties.fill_value_defined() == h5d.FILL_VALUE_UNDEFINED
    if dataset.dtype.subdtype or is_undefined or is_variable(dataset):
        return bytes(_stored_type(dataset)[0].itemsize)
    fill = np.zeros((), dataset.dtype)
    properties.get_fill_value(fill)
    return fill.tobytes()


def _find_grid(shape: tuple[int, ...], chunk: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-(-size // step) for size, step in zip(shape, chunk, strict=True))


def _one_block(offset: int, size: int) -> ChunkTable:
    return np.array([offset], np.int64), np.array([size], np.int64), np.zeros(1, np.uint32)


def _find_offset(dataset: h5py.Dataset) -> int:
    offset = dataset.id.get_offset()
    if offset is None:
        raise DamagedFileError("its bytes have no place in the file", file=dataset.file.filename, path=dataset.name)
    return int(offset)


def _find_chunks(dataset: h5py.Dataset, file: str | None, fingerprint: Fingerprint | None) -> ChunkTable:
    grid = _find_grid(dataset.shape, dataset.chunks)
    index = None if file is None else index_of(file)
    listed = None if index is None else index.chunks.get(dataset.name)
    if listed is not None and len(listed[0]) == math.prod(grid):
        return listed
    is_kept = file is not None and fingerprint is not None and math.prod(grid) >= MIN_SAVED_CHUNKS
    version = find_version(file, fingerprint, dataset.name, grid) if is_kept else None
    known = None if version is None else load_chunks(version)
    if known is not None:
        return known
    table = _iterate_chunks(dataset, grid)
    _skip_filters_at_edges(dataset, grid, table)
    if version is not None:
        save_chunks(version, table)
    return table


def _iterate_chunks(dataset: h5py.Dataset, grid: tuple[int, ...]) -> ChunkTable:
    """Return offsets, sizes and filter masks of all chunks, in C order of the grid."""
    corners, stored = array("Q"), array("Q")

    def note(info: h5d.StoreInfo) -> None:
        corners.extend(info.chunk_offset)
        stored.extend((info.byte_offset, info.size, info.filter_mask))

    if hasattr(dataset.id, "chunk_iter"):
        dataset.id.chunk_iter(note)
    else:
        for i in range(dataset.id.get_num_chunks()):
            note(dataset.id.get_chunk_info(i))
    places = straighten(dataset.id, np.frombuffer(corners, np.int64).reshape(-1, len(grid))) // dataset.chunks
    # A damaged file may say anything; what does not fit 63 bits lies behind the end of every file.
    values = np.minimum(np.frombuffer(stored, np.uint64).reshape(-1, 3), _LARGEST_OFFSET).astype(np.int64)
    # The library does not find chunks behind the end either, nor those of damaged files before the beginning.
    inside = ((places >= 0) & (places < grid)).all(axis=1)
    numbers = np.ravel_multi_index(tuple(places[inside].T), grid) if inside.any() else np.empty(0, np.int64)
    _check_listed(dataset, places[inside] * np.array(dataset.chunks), numbers)
    n_chunks = math.prod(grid)
    offsets, sizes = np.full(n_chunks, UNALLOCATED, np.int64), np.zeros(n_chunks, np.int64)
    masks = np.zeros(n_chunks, np.uint32)
    offsets[numbers], sizes[numbers], masks[numbers] = values[inside].T
    # A damaged file claims any size, and the library makes room for it before it looks.
    is_possible = sizes <= dataset.file.id.get_filesize()
    offsets[numbers] += _user_block_shift(dataset, np.where(is_possible, offsets, UNALLOCATED))
    return offsets, sizes, masks


def _check_listed(dataset: h5py.Dataset, corners: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
    """Raise where a damaged index lists a chunk that a search in it does not find: the library reads fill values there.

    A search takes 3 microseconds, so of many chunks some are looked for; nothing of them is read.
    """
    some = np.unique(np.linspace(0, len(numbers) - 1, _MAX_SEARCHES).astype(np.int64)) if len(numbers) else numbers
    lost = next((corner for corner in corners[some].tolist() if not is_found(dataset.id, corner)), None)
    if lost is not None or len(np.unique(numbers)) < len(numbers):
        raise DamagedFileError(
            "its index of chunks is damaged: "
            + ("it lists a chunk twice" if lost is None else f"the chunk at {lost} is listed and not found"),
            file=dataset.file.filename,
            path=dataset.name,
            hint="the file is corrupt; copy or make it anew",
        )


def _user_block_shift(dataset: h5py.Dataset, offsets: NDArray[np.int64]) -> int:
    """Return what is missing from chunk offsets: HDF5 before 1.14 leaves the user block out of some of them.

    Told by the bytes of the first chunk, as the versions differ by layout.
    """
    user_block = int(dataset.file.userblock_size)
    numbers = np.flatnonzero(offsets >= 0)
    if not user_block or not len(numbers) or dataset.file.driver == "fileobj":
        return 0
    grid = _find_grid(dataset.shape, dataset.chunks)
    _, stored = _read_chunk(dataset, grid, int(numbers[0]))
    offset = int(offsets[numbers[0]])
    with open(dataset.file.filename, "rb") as file:
        for shift in (0, user_block):
            file.seek(offset + shift)
            if file.read(len(stored)) == stored:
                return shift
    raise DamagedFileError("its chunks are not where the file says", file=dataset.file.filename, path=dataset.name)


def _read_chunk(dataset: h5py.Dataset, grid: tuple[int, ...], number: int) -> tuple[tuple[slice, ...], bytes]:
    """Return the region of a chunk, clipped to the dataset, and its bytes as stored."""
    corner = [int(i) * step for i, step in zip(np.unravel_index(number, grid), dataset.chunks, strict=True)]
    region = tuple(
        slice(start, min(start + step, size))
        for start, step, size in zip(corner, dataset.chunks, dataset.shape, strict=True)
    )
    return region, bytes(dataset.id.read_direct_chunk(tuple(corner))[1])


def _read_stored(dataset: h5py.Dataset, memory: Any, selected: Any, out: NDArray[Any]) -> NDArray[Any]:
    """Read values as they are stored: with the file's type as that of memory the library converts nothing."""
    dataset.id.read(memory, selected, out, dataset.id.get_type())
    return out


def _skip_filters_at_edges(dataset: h5py.Dataset, grid: tuple[int, ...], table: ChunkTable) -> None:
    """Mark the chunks at the edges as unfiltered where the file leaves them so.

    The option H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS is neither in their filter masks nor visible through h5py. It can
    only be on if all of them are stored in full size; then some are read through the library too, and compared.
    """
    filters = _list_filters(dataset.id.get_create_plist())
    dtype, element_shape = _stored_type(dataset)
    chunk_nbytes = math.prod(dataset.chunks) * _itemsize(dataset)
    offsets, sizes, masks = table
    partial = (offsets >= 0) & (masks == 0) & _find_partial(dataset, grid)
    if not filters or not partial.any() or (sizes[partial] != chunk_nbytes).any():
        return
    decoder = Decoder(filters, chunk_nbytes)
    for number in np.flatnonzero(partial)[:_MAX_EDGE_PROBES].tolist():
        region, stored = _read_chunk(dataset, grid, number)
        unpacked = _unpack_or_none(decoder, stored)
        if unpacked == stored:
            continue
        if is_variable(dataset):
            # The library hands out no references to compare with; what unpacks to its own size may be either.
            if unpacked is not None:
                raise FilterError("whether its last chunks are filtered cannot be told")
            masks[partial] = _ALL_FILTERS_SKIPPED
            return
        clip = tuple(slice(side.stop - side.start) for side in region)
        chunk = np.frombuffer(stored, dtype).reshape(*dataset.chunks, *element_shape)[clip]
        if _read_region(dataset, region, chunk.shape, dtype).tobytes() == chunk.tobytes():
            masks[partial] = _ALL_FILTERS_SKIPPED
        return


def _unpack_or_none(decoder: Decoder, stored: bytes) -> bytes | None:
    unpacked = np.empty(decoder.chunk_nbytes, np.uint8)
    try:
        decoder.decode(memoryview(stored), 0, unpacked)
    except (DamagedFileError, FilterError):
        return None
    return unpacked.tobytes()


def _find_partial(dataset: h5py.Dataset, grid: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which chunks reach beyond the dataset, in C order."""
    partial = np.zeros(grid, np.bool_)
    for axis, (size, step) in enumerate(zip(dataset.shape, dataset.chunks, strict=True)):
        if size % step:
            partial[(slice(None),) * axis + (-1,)] = True
    return partial.ravel()


def _read_region(
    dataset: h5py.Dataset, region: tuple[slice, ...], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    selected = dataset.id.get_space()
    count = tuple(side.stop - side.start for side in region)
    selected.select_hyperslab(tuple(side.start for side in region), count)
    return _read_stored(dataset, h5s.create_simple(count), selected, np.empty(shape, dtype))
