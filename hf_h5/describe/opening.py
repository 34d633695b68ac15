"""Opening HDF5 files: what is no file, no HDF5, or broken is said so, with the file's name.

Also where an argument ``files`` becomes a list of files.
"""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Iterable, Mapping
from typing import Any

import h5py

from ..errors import DamagedFileError, FilterError, MissingFileError, NotHDF5Error, OptionError, warn
from .damage import check_for_damage
from .schema import Column, Storage
from .urls import expand_url, is_url, open_url, starts_as_hdf5
from .wording import count_text

__all__ = [
    "check_file",
    "check_filters",
    "expand_files",
    "expect_names",
    "has_filters",
    "has_signature",
    "open_hdf5",
    "skip_others",
    "skip_others_by_split",
]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_INDEX = ".index"
_NEXT_STEP = "hf-h5 reads HDF5 files (.h5, .hdf5, .h5ad, .nc, .mat ...); check the path and how the file was written"
# A user block may precede the signature: at 0, or at a power of two from 512 on (HDF5 file format, section II.A).
_LARGEST_USER_BLOCK = 1 << 26


def open_hdf5(file: str) -> h5py.File:
    """Open a file for reading.

    Raises
    ------
    MissingFileError, NotHDF5Error, DamagedFileError
        Each with the file's name and the next step.
    """
    if is_url(file):
        return open_url(file)
    check_file(file)
    if not os.path.getsize(file):
        raise NotHDF5Error(
            "the file is empty (0 bytes)", file=file, hint="it may still be written, or a download failed"
        )
    if not has_signature(file):
        raise NotHDF5Error("the file is not HDF5: its signature is missing", file=file, hint=_NEXT_STEP)
    check_for_damage(file)
    try:
        return _open_locked(file)
    except PermissionError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        is_locked = "unable to lock file" in str(error)
        raise DamagedFileError(
            f"the HDF5 library cannot open the file: {error}",
            file=file,
            hint="another program has it open for writing; wait until it closes the file, or read a copy; if none has, "
            "and its lock was left behind, set HDF5_USE_FILE_LOCKING=FALSE before Python starts"
            if is_locked
            else "it may be truncated, or still be written",
        ) from error


def _open_locked(file: str) -> h5py.File:
    """Open with a lock, which tells of a program that writes; without where the file system has none, as NFS often."""
    try:
        return h5py.File(file, "r")
    except OSError as error:
        if "unable to lock file" not in str(error) or f"errno = {errno.EAGAIN}," in str(error):
            raise
        return h5py.File(file, "r", locking=False)


def check_file(file: str) -> None:
    """Raise where a local path leads to no file."""
    if not os.path.exists(file):
        raise MissingFileError(
            "there is no such file", file=file, hint="check the path; relative paths start at the current folder"
        )
    if os.path.isdir(file):
        raise NotHDF5Error(
            "this is a folder, not a file", file=file, hint=f"name its files: {os.path.join(file, '*.h5')!r}"
        )


def open_dataset(handle: h5py.Group, path: str) -> h5py.Dataset:
    """Open a dataset; the names of its external storage are relative to its file, as the guard checked them.

    The library takes them as relative to the current folder.
    """
    raw = path.encode("utf-8", "surrogateescape")
    dataset = handle[raw]
    if not isinstance(dataset, h5py.Dataset) or dataset.external is None:
        return dataset
    # Closed first: the library does not open a dataset twice in two ways.
    del dataset
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_efile_prefix(b"${ORIGIN}")
    return h5py.Dataset(h5py.h5d.open(handle.id, raw, access))


def has_signature(file: str) -> bool:
    """Whether a file starts as HDF5, after a user block or not."""
    with open(file, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        offset = 0
        while offset < min(size, _LARGEST_USER_BLOCK):
            stream.seek(offset)
            if stream.read(len(_SIGNATURE)) == _SIGNATURE:
                return True
            offset = 512 if offset == 0 else offset * 2
    return False


def expect_names(files: Any) -> None:
    """Check that files are no open one, whose names of datasets would be taken for files.

    Raises
    ------
    OptionError
        If they are.
    """
    if isinstance(files, h5py.Group):
        raise OptionError(
            "this is an open HDF5 file, and its path is needed",
            file=files.file.filename if files else None,
            hint="pass the path; H5TorchView, open_table and describe take open files",
        )


def expand_files(files: Any) -> list[str]:
    """Turn a file, a pattern or a list of them into files, sorted within a pattern.

    Files that a pattern finds and that are no HDF5 are left out by their signature; named ones are errors when opened.

    Raises
    ------
    MissingFileError
        If a pattern matches nothing, or nothing was named.
    OptionError
        If they are something else; open files and splits, which are mappings, too.
    """
    expect_names(files)
    if isinstance(files, str | os.PathLike):
        files = [files]
    if isinstance(files, Mapping):
        raise OptionError("files by split are not taken here", hint="pass those of one split, as a list")
    if isinstance(files, bytes) or not isinstance(files, Iterable):
        raise OptionError(f"files={files!r} is not a path, a pattern, a list of them, or an open HDF5 file")
    found: list[str] = []
    for item in files:
        if not isinstance(item, str | os.PathLike):
            is_dataset = hasattr(files, "features") and hasattr(files, "select")
            hint = "H5TorchView.from_dataset takes a datasets.Dataset" if is_dataset else None
            raise OptionError(f"{type(files).__name__ if is_dataset else repr(item)} is not a path", hint=hint)
        name = os.fspath(item)
        if is_url(name):
            found += expand_url(name)
            continue
        found += _matches(name) if glob.has_magic(name) and not os.path.exists(name) else [name]
    if not found:
        raise MissingFileError(
            "no file was named", hint="pass a path, a pattern such as 'data/*.h5', or a list of them"
        )
    return found


def skip_others(names: list[str], place: str) -> list[str]:
    """Leave out the files that are no HDF5 by their signature, and say how many.

    Raises
    ------
    NotHDF5Error
        If none is left.
    """
    matches = [name for name in names if (starts_as_hdf5(name) if is_url(name) else has_signature(name))]
    if not matches:
        problem = "the only file found is not HDF5" if len(names) == 1 else f"none of {len(names):,} files is HDF5"
        raise NotHDF5Error(problem, file=place, hint=_NEXT_STEP)
    found = set(matches)
    # `hf-h5 index` puts them beside the files that they are of.
    others = [name for name in names if name not in found and name.removesuffix(_INDEX) not in found]
    if others:
        skipped = count_text(len(others), "file")
        warn(f"skipped {skipped} of {place}, as no HDF5: {others[0]}")
    return matches


def skip_others_by_split(files: Mapping[str, list[str]], place: str) -> dict[str, list[str]]:
    """Leave out the files of all splits that are no HDF5, said once, and the splits that hold no other."""
    kept = set(skip_others([name for names in files.values() for name in names], place))
    left = {split: [name for name in names if name in kept] for split, names in files.items()}
    return {split: names for split, names in left.items() if names}


def _matches(pattern: str) -> list[str]:
    # The order of datasets, so that both modes have the same rows: part-10 comes before part-2.
    names = sorted(filter(os.path.isfile, glob.glob(pattern, recursive=True)))
    if not names:
        raise MissingFileError("no file matches the pattern", file=pattern, hint="check the folder and the extension")
    return skip_others(names, pattern)


def check_filters(file: str, columns: Iterable[Column]) -> None:
    """Raise where a column's chunks cannot be decoded here."""
    for column in columns:
        for number, name in column.storage.filter_ids if column.storage else ():
            if not _filter_available(number):
                raise FilterError(
                    f"the chunks are stored with filter {number} ({name}), which is not available here",
                    file=file,
                    path=column.path,
                    hint="pip install -U hdf5plugin; for other filters set HDF5_PLUGIN_PATH to the plugin's folder",
                )


def has_filters(storage: Storage) -> bool:
    """Whether the chunks of a dataset can be decoded here; before the library reads one that may be packed."""
    return all(_filter_available(number) for number, _ in storage.filter_ids)


def _filter_available(number: int) -> bool:
    if h5py.h5z.filter_avail(number):
        return True
    # Importing it registers its filters with the library; only files that need them pay for it.
    import hdf5plugin  # noqa: F401

    return bool(h5py.h5z.filter_avail(number))
