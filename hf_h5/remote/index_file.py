"""The index that lies beside an HDF5 file as ``x.h5.index``: bytes -> `FileIndex` and back. Pure; no I/O.

The format is described in ``docs/reference/index-format.md``. An index may come from anyone: nothing is unpickled,
every size is bounded before memory is taken for it, and every offset is held against the size of the file.
"""

from __future__ import annotations

import json
import struct
import zlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError, LimitError

__all__ = ["ENDING", "MAX_STORED_BYTES", "Chunks", "FileIndex", "Image", "pack_index", "unpack_index"]

ENDING = ".index"
MAX_STORED_BYTES = 128 << 20
"""A larger index is not read: one of ten million chunks has about 30 MB."""

_MAGIC = b"\x89H5IDX\r\n"
_VERSION = 1
_HEAD = struct.Struct("<8sIII")
_MAX_HEADER_BYTES = 64 << 20
_MAX_PLAIN_BYTES = 1 << 30

Numbers = NDArray[np.int64]
Chunks = tuple[Numbers, Numbers, NDArray[np.uint32]]
"""Offsets, sizes and filter masks of the chunks of a dataset, in C order of their grid; offset -1: never written."""


@dataclass(frozen=True)
class Image:
    """Runs of bytes of the file, in ascending order and without overlap: those that say what is in it.

    Attributes
    ----------
    starts, sizes
        Where each run begins in the file, and its length.
    content
        The bytes of all runs, one after the other.
    """

    starts: Numbers
    sizes: Numbers
    content: bytes = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_starts", self.starts.tolist())
        object.__setattr__(self, "_places", np.append(0, np.cumsum(self.sizes)).tolist())

    def read(self, offset: int, size: int) -> memoryview | None:
        """The bytes of a range, or ``None`` if they are not all here."""
        number = bisect_right(self._starts, offset) - 1  # type: ignore[attr-defined]
        if number < 0:
            return None
        places = self._places  # type: ignore[attr-defined]
        at = places[number] + offset - self._starts[number]  # type: ignore[attr-defined]
        return memoryview(self.content)[at : at + size] if at + size <= places[number + 1] else None

    def agrees_with(self, offset: int, content: bytes | memoryview) -> bool:
        """Whether bytes of the file are those that are here, as far as they are here."""
        stop = offset + len(content)
        first = max(0, bisect_right(self._starts, offset) - 1)  # type: ignore[attr-defined]
        last = bisect_right(self._starts, stop)  # type: ignore[attr-defined]
        for start, place, end in zip(
            self._starts[first:last],  # type: ignore[attr-defined]
            self._places[first:last],  # type: ignore[attr-defined]
            self._places[first + 1 : last + 1],  # type: ignore[attr-defined]
            strict=True,
        ):
            begin, until = max(offset, start), min(stop, start + end - place)
            here = self.content[place + begin - start : place + until - start] if begin < until else b""
            if here != bytes(content[begin - offset : max(begin, until) - offset]):
                return False
        return True

    def spans(self, first: int, gap_bytes: int) -> list[tuple[int, int]]:
        """The runs that reach beyond an offset, those with small gaps between them as one: offset and size of each."""
        starts, stops = np.maximum(self.starts, first), self.starts + self.sizes
        starts, stops = starts[stops > first], stops[stops > first]
        if not len(starts):
            return []
        is_far = starts[1:] - stops[:-1] > gap_bytes
        begins, ends = starts[np.append(True, is_far)], stops[np.append(is_far, True)]
        return list(zip(begins.tolist(), (ends - begins).tolist(), strict=True))

    def probes(self, count: int, most_bytes: int) -> list[tuple[int, int]]:
        """Some ranges by which the file can be told from another, spread evenly: offset and size of each."""
        if not len(self.starts):
            return []
        chosen = np.unique(np.linspace(0, len(self.starts) - 1, count).round().astype(int))
        # The end of a run, where the begin of a block of metadata may be the same in any file.
        ends = self.starts[chosen] + self.sizes[chosen]
        sizes = np.minimum(self.sizes[chosen], most_bytes)
        return list(zip((ends - sizes).tolist(), sizes.tolist(), strict=True))


@dataclass(frozen=True)
class FileIndex:
    """What an index file says of its HDF5 file.

    Attributes
    ----------
    size
        Bytes of the file.
    sha256
        Hexadecimal digest of the whole file.
    git_oid
        Name that git gives to the file, of small ones; empty otherwise.
    image
        The bytes that the HDF5 library reads to say what is in the file.
    chunks
        By path of a chunked dataset where its chunks lie.
    contiguous
        By path of a contiguous dataset that was written its offset and size.
    """

    size: int
    sha256: str
    git_oid: str
    image: Image
    chunks: Mapping[str, Chunks]
    contiguous: Mapping[str, tuple[int, int]]

    def belongs_to(self, digest: str) -> bool:
        """Whether a digest that a server names, SHA-256 or git's, is that of the file."""
        return bool(digest) and digest in (self.sha256, self.git_oid)


def pack_index(index: FileIndex, made_by: str) -> bytes:
    """The bytes of an index file."""
    tables = list(index.chunks.values())
    arrays = {
        "image_starts": index.image.starts,
        "image_sizes": index.image.sizes,
        "chunk_counts": np.array([len(table[0]) for table in tables], np.int64),
        "chunk_offsets": _joined([table[0] for table in tables]),
        "chunk_sizes": _joined([table[1] for table in tables]),
        "chunk_masks": _joined([table[2] for table in tables]),
        "block_offsets": np.array([place for place, _ in index.contiguous.values()], np.int64),
        "block_sizes": np.array([size for _, size in index.contiguous.values()], np.int64),
    }
    sections = {name: (zlib.compress(_encode(array), 6), 8 * len(array)) for name, array in arrays.items()}
    sections["image"] = zlib.compress(index.image.content, 6), len(index.image.content)
    header = {
        "made_by": made_by,
        "file": {"size": index.size, "sha256": index.sha256, "git_oid": index.git_oid},
        "chunked": list(index.chunks),
        "contiguous": list(index.contiguous),
        "sections": [[name, len(packed), plain] for name, (packed, plain) in sections.items()],
    }
    packed_header = zlib.compress(json.dumps(header).encode(), 6)
    body = packed_header + b"".join(packed for packed, _ in sections.values())
    return _HEAD.pack(_MAGIC, _VERSION, len(packed_header), zlib.crc32(body)) + body


def unpack_index(content: bytes, name: str) -> FileIndex:
    """Read an index file.

    Parameters
    ----------
    content
        Its bytes.
    name
        For messages.

    Raises
    ------
    DamagedFileError
        If it is no index, of a later version, or contradicts itself.
    LimitError
        If it asks for more memory than an index may.
    """
    if len(content) > MAX_STORED_BYTES:
        raise LimitError(f"the index has {len(content):,} bytes, and more than {MAX_STORED_BYTES:,}", file=name)
    try:
        return _unpack(memoryview(content), name)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, zlib.error, struct.error) as error:
        raise DamagedFileError(f"the index cannot be read: {error}", file=name, hint=_AGAIN) from error
    except (OverflowError, RecursionError) as error:
        raise DamagedFileError(f"the index cannot be read: {type(error).__name__}", file=name, hint=_AGAIN) from error


_AGAIN = "make it again with hf-h5 index; without it the file is read too, with more requests"


def _unpack(content: memoryview, name: str) -> FileIndex:
    magic, version, header_bytes, checksum = _HEAD.unpack_from(content)
    if magic != _MAGIC:
        raise DamagedFileError("this is no index of an HDF5 file", file=name, hint=_AGAIN)
    if version != _VERSION:
        raise DamagedFileError(f"the index is of version {version}, and this package reads {_VERSION}", file=name)
    body = content[_HEAD.size :]
    if zlib.crc32(body) != checksum:
        raise DamagedFileError("the checksum of the index is wrong", file=name, hint=_AGAIN)
    header = json.loads(_inflate(body[:header_bytes], _MAX_HEADER_BYTES, exact=False))
    about = header["file"]
    size = _count(about["size"])
    sections = _sections(body[header_bytes:], header["sections"], name)
    image = _image(sections, size)
    numbers = {key: _decode(value) for key, value in sections.items() if key not in ("image",)}
    chunks = _chunk_tables(_names(header["chunked"]), numbers, size)
    blocks = zip(numbers["block_offsets"].tolist(), numbers["block_sizes"].tolist(), strict=True)
    contiguous = dict(zip(_names(header["contiguous"]), blocks, strict=True))
    if any(not 0 <= place <= place + count <= size for place, count in contiguous.values()):
        raise ValueError("a dataset lies outside the file")
    return FileIndex(size, str(about["sha256"]), str(about["git_oid"]), image, chunks, contiguous)


def _sections(body: memoryview, stated: Sequence[Any], name: str) -> dict[str, bytes]:
    """Unpack the sections, once it is known how much memory that takes."""
    total = sum(_count(plain) for _, _, plain in stated)
    if total > _MAX_PLAIN_BYTES:
        raise LimitError(f"the index unpacks to {total:,} bytes, and more than {_MAX_PLAIN_BYTES:,}", file=name)
    found, at = {}, 0
    for key, stored, plain in stated:
        packed = body[at : at + _count(stored)]
        found[str(key)] = _inflate(packed, plain, exact=True)
        at += stored
    if at != len(body):
        raise ValueError(f"{len(body)} bytes follow the header instead of {at}")
    return found


def _image(sections: Mapping[str, bytes], size: int) -> Image:
    starts, sizes = _decode(sections["image_starts"]), _decode(sections["image_sizes"])
    content = sections["image"]
    if starts.shape != sizes.shape or (sizes <= 0).any() or int(sizes.sum()) != len(content):
        raise ValueError("the runs of its image are not those of its bytes")
    _expect_inside(starts, sizes, size)
    if (starts[1:] < starts[:-1] + sizes[:-1]).any():
        raise ValueError("the runs of its image overlap")
    return Image(starts, sizes, content)


def _chunk_tables(paths: list[str], numbers: Mapping[str, Numbers], size: int) -> dict[str, Chunks]:
    counts = numbers["chunk_counts"]
    offsets, sizes, masks = (numbers[f"chunk_{part}"] for part in ("offsets", "sizes", "masks"))
    if len(counts) != len(paths) or (counts < 0).any() or (counts > len(offsets)).any():
        raise ValueError("its numbers of chunks contradict each other")
    if int(counts.sum()) != len(offsets):
        raise ValueError("its numbers of chunks contradict each other")
    if not offsets.shape == sizes.shape == masks.shape:
        raise ValueError("its chunks have not one offset, size and mask each")
    written = offsets != -1
    _expect_inside(offsets[written], sizes[written], size)
    if (masks < 0).any() or (masks >= 2**32).any():
        raise ValueError("a filter mask has more than 32 bits")
    starts = np.append(0, np.cumsum(counts)).tolist()
    filters = masks.astype(np.uint32)
    return {
        path: (offsets[start:stop], sizes[start:stop], filters[start:stop])
        for path, start, stop in zip(paths, starts[:-1], starts[1:], strict=True)
    }


def _expect_inside(offsets: Numbers, sizes: Numbers, size: int) -> None:
    if (offsets < 0).any() or (sizes < 0).any() or (sizes > size - offsets).any():
        raise ValueError("a range lies outside the file")


def _names(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError("its names are no list of texts")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**62:
        raise TypeError(f"{value!r} is no number of bytes")
    return value


def _inflate(packed: memoryview, most: int, *, exact: bool) -> bytes:
    """Unpack at most so many bytes."""
    unpacking = zlib.decompressobj()
    plain = unpacking.decompress(packed, most + 1)
    if len(plain) > most or not unpacking.eof or (exact and len(plain) != most):
        raise ValueError("a part unpacks to another size than stated")
    return plain


def _joined(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)


def _encode(array: NDArray[Any]) -> bytes:
    """Differences of neighbours, their lowest bytes first, then the next ones: most are few values, and pack well."""
    steps = np.diff(array.astype("<i8"), prepend=np.int64(0))
    return steps.view(np.uint8).reshape(-1, 8).T.tobytes()


def _decode(content: bytes) -> Numbers:
    if len(content) % 8:
        raise ValueError("its numbers have not eight bytes each")
    columns = np.frombuffer(content, np.uint8).reshape(8, -1)
    return np.cumsum(np.ascontiguousarray(columns.T).view("<i8").ravel(), dtype=np.int64)
