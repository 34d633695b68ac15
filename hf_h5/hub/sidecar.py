"""An HDF5 file -> the index that lies beside it, with which it is read from afar in few requests."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..describe.opening import check_file, open_dataset, open_hdf5
from ..describe.options import Options, make_options
from ..errors import DamagedFileError, FileChangedError, FilterError, H5Warning
from ..read.fingerprint import Fingerprint
from ..read.index import build_index, why_not_direct
from ..remote.index_file import ENDING, Chunks, FileIndex, Image, pack_index
from ..resolve.tables import describe_handle
from ..version import installed_version
from ..whole_file import write_whole

__all__ = ["write_index"]

# The library reads the beginning of an object before it knows how long it is; versions of it differ in how much.
_ALIGNED_BYTES = 512
# Larger reads are values and not what says where they lie.
_LARGEST_READ = 4 << 20
_MAX_IMAGE_BYTES = 256 << 20
# Lists of names and the like, which options may ask for.
_SMALL_VALUE_BYTES = 16 << 10
_SMALL_VALUES_BYTES = 1 << 20
# Git names files up to this size on the Hub; larger ones go by SHA-256.
_GIT_BYTES = 10 << 20


def write_index(
    file: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    limits: Mapping[str, int] | None = None,
) -> Path:
    """Write the index of an HDF5 file, in place of an older one.

    Parameters
    ----------
    file
        A local file; nobody may write to it meanwhile.
    target
        Where the index goes; by default beside the file, with ``.index`` behind its name, where it is looked for.
    limits
        Budgets to raise; see the reference page of the options.

    Returns
    -------
    Path
        The index.

    Raises
    ------
    H5Error
        If the file cannot be read, or changed meanwhile.
    """
    name = os.fspath(file)
    check_file(name)
    before = Fingerprint.of_file(name)
    with open_hdf5(name) as handle:
        chunks, contiguous = _find_storage(handle, name, before)
    image = _take_image(name, before.size, make_options(limits=limits))
    sha256, git_oid = _digests(name, before.size)
    if Fingerprint.of_file(name) != before:
        raise FileChangedError("the file changed while its index was made", file=name, hint="close it and try again")
    index = FileIndex(before.size, sha256, git_oid, image, chunks, contiguous)
    place = Path(target) if target is not None else Path(name + ENDING)
    write_whole(place, pack_index(index, f"hf_h5 {installed_version()}"))
    return place


def _find_storage(
    handle: h5py.File, file: str, fingerprint: Fingerprint
) -> tuple[dict[str, Chunks], dict[str, tuple[int, int]]]:
    """Where the bytes of all datasets lie that are read without the library."""
    chunks: dict[str, Chunks] = {}
    contiguous: dict[str, tuple[int, int]] = {}
    for path, dataset in _datasets(handle):
        if not dataset.shape or dataset.is_virtual or dataset.external is not None or why_not_direct(dataset):
            continue
        try:
            found = build_index(dataset)
        except FilterError:
            continue
        if found.kind == "chunked":
            chunks[path] = found.offsets, found.sizes, found.masks
        elif found.kind == "contiguous":
            contiguous[path] = int(found.offsets[0]), int(found.sizes[0])
        beyond = (found.offsets >= 0) & (found.sizes > fingerprint.size - found.offsets)
        if found.kind in ("chunked", "contiguous") and beyond.any():
            raise DamagedFileError("rows are stored beyond the end of the file", file=file, path=path)
    return chunks, contiguous


def _datasets(handle: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """All datasets of the file itself, each object once; links out of it are not followed."""
    names: list[bytes] = []
    kinds: list[int] = []

    def note(name: bytes, info: Any) -> None:
        names.append(name)
        kinds.append(info.type)

    h5py.h5o.visit(handle.id, note, info=True)
    for raw, kind in zip(names, kinds, strict=True):
        if kind == h5py.h5o.TYPE_DATASET:
            path = "/" + raw.decode("utf-8", "surrogateescape")
            yield path, open_dataset(handle, path)


class _Recorder(io.RawIOBase):
    """A file of which it is noted what is read."""

    def __init__(self, file: str) -> None:
        self._file = open(file, "rb", buffering=0)  # noqa: SIM115  closed below
        self.noted: dict[int, int] = {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, out: Any) -> int:
        place = self._file.tell()
        count = self._file.readinto(out) or 0
        if count <= _LARGEST_READ:
            self.noted[place] = max(count, self.noted.get(place, 0))
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def _recorded(file: str) -> Iterator[tuple[_Recorder, h5py.File]]:
    recorder = _Recorder(file)
    handle = h5py.File(recorder, "r")
    try:
        yield recorder, handle
    finally:
        handle.close()
        recorder.close()


def _take_image(file: str, size: int, options: Options) -> Image:
    """The bytes that the library reads to say what is in the file."""
    with _recorded(file) as (recorder, handle), warnings.catch_warnings():
        warnings.simplefilter("ignore", H5Warning)
        describe_handle(handle, file, options)
        _look_at_all(handle)
        noted = recorder.noted
    begins = np.array(sorted(noted), np.int64)
    ends = begins + np.array([noted[place] for place in begins.tolist()], np.int64)
    starts = begins // _ALIGNED_BYTES * _ALIGNED_BYTES
    stops = np.minimum(-(-ends // _ALIGNED_BYTES) * _ALIGNED_BYTES, size)
    reach = np.maximum.accumulate(stops)
    firsts = np.flatnonzero(np.append(True, starts[1:] > reach[:-1])) if len(starts) else np.empty(0, np.int64)
    starts = starts[firsts]
    sizes = np.append(reach[firsts[1:] - 1], reach[-1:]) - starts
    fits = np.cumsum(sizes) <= _MAX_IMAGE_BYTES
    starts, sizes = starts[fits], sizes[fits]
    with open(file, "rb") as stream:
        parts = []
        for start, count in zip(starts.tolist(), sizes.tolist(), strict=True):
            stream.seek(start)
            parts.append(stream.read(count))
    return Image(starts, sizes, b"".join(parts))


def _look_at_all(handle: h5py.File) -> None:
    """Read what any option may ask for: all attributes, where chunks lie, and small values."""
    small = 0
    for _, dataset in _datasets(handle):
        _read_attributes(dataset)
        if dataset.shape is None or dataset.is_virtual or dataset.external is not None:
            continue
        stored = dataset.id.get_storage_size()
        if dataset.chunks and stored:
            dataset.id.get_chunk_info(0)
        if stored and stored <= _SMALL_VALUE_BYTES and small + stored <= _SMALL_VALUES_BYTES:
            small += stored
            _read_values(dataset)
    handle.visititems(lambda _, item: _read_attributes(item) if isinstance(item, h5py.Group) else None)
    _read_attributes(handle)


def _read_attributes(item: h5py.HLObject) -> None:
    for name in item.attrs:
        try:
            item.attrs[name]
        except (OSError, RuntimeError, TypeError, ValueError, KeyError):
            continue  # of a type that is not read; it is left out of what the file says too


def _read_values(dataset: h5py.Dataset) -> None:
    try:
        dataset[()]
    except (OSError, RuntimeError, TypeError, ValueError, KeyError):
        return  # a filter that is not here; who asks for its values needs it


def _digests(file: str, size: int) -> tuple[str, str]:
    """SHA-256 of a file, and what git calls it."""
    sha256 = hashlib.sha256()
    git = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False) if size <= _GIT_BYTES else None
    with open(file, "rb") as stream:
        while piece := stream.read(1 << 20):
            sha256.update(piece)
            if git is not None:
                git.update(piece)
    return sha256.hexdigest(), "" if git is None else git.hexdigest()
