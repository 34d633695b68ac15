"""The one place that touches private tables of ``datasets``, and the differences between its versions.

``datasets`` finds builders by name in a dictionary of packaged modules; adding an entry makes
``load_dataset("hf_h5", ...)`` work, in this process and in every worker that unpickles such a builder. Which builder a
folder or a repository of the Hub comes to, it decides by the extensions of the files, in further tables.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable
from typing import Any

import datasets
import multiprocess
from datasets import data_files, load, packaged_modules

from .errors import OptionError

__all__ = [
    "BUILDER_NAME",
    "CACHE_VERSION",
    "EXTENSIONS",
    "make_key",
    "make_list",
    "parent_of_worker",
    "parse_split",
    "patterns_of_folder",
    "register",
    "register_builder",
    "sweep",
    "unregister",
]

BUILDER_NAME = "hf_h5"
_MODULE = "hf_h5.hf_h5"
# Raise it when the same file and options give other Arrow bytes: old caches are then left aside.
_CACHE_FORMAT = 3

CACHE_VERSION = f"{BUILDER_NAME}:{_CACHE_FORMAT}:{'List' if hasattr(datasets, 'List') else 'Sequence'}"
"""What the name of every cache depends on: ``datasets`` before 4.0 cannot read the features that later ones write."""

EXTENSIONS = (".h5ad", ".he5", ".mat", ".nc", ".nc4", ".nwb")
"""Extensions of HDF5 files that no builder of ``datasets`` claims."""

_taken: dict[str, Any] = {}
"""Per extension that this builder has now, what ``datasets`` had for it; None if nothing."""


def register_builder() -> None:
    """Make the builder known to ``datasets`` by its name; calling it twice changes nothing."""
    # The value's second part names the last folder of the cache path: it must not change with the source text.
    digest = hashlib.sha256(CACHE_VERSION.encode()).hexdigest()
    packaged_modules._PACKAGED_DATASETS_MODULES[BUILDER_NAME] = (_MODULE, digest)


def register(extensions: Iterable[str] = EXTENSIONS) -> None:
    """Let folders and repositories of the Hub whose files have these extensions come to this builder.

    ``load_dataset("FOLDER")`` then reads them as ``load_dataset("hf_h5", data_dir="FOLDER")`` would. It holds for this
    process, until ``unregister()``; calls add up.

    Parameters
    ----------
    extensions
        With or without the leading dot, in any case. ``.h5`` and ``.hdf5`` belong to the packaged builder, where
        ``datasets`` has one; naming them takes them over.

    Raises
    ------
    OptionError
        If an extension is none.
    """
    if isinstance(extensions, str):
        extensions = (extensions,)
    for name in [_checked(extension) for extension in extensions]:
        # Tables are looked up by the lower-case extension, but files are then filtered by the very letters.
        for extension in (name, name.upper()):
            _take(extension)


def unregister() -> None:
    """Give the extensions back to whom ``register`` took them from; the builder's name stays known."""
    modules = packaged_modules._EXTENSION_TO_MODULE
    for extension, before in _taken.items():
        if before is None:
            _allowed_extensions().remove(extension)
        # Another package may have taken it since.
        if modules.get(extension) == (BUILDER_NAME, {}):
            modules.pop(extension)
            modules.update({} if before is None else {extension: before})
    _taken.clear()
    for table in _tables_by_module():
        table.pop(BUILDER_NAME, None)


def _checked(extension: object) -> str:
    if not isinstance(extension, str) or not extension.strip(". ") or "/" in extension:
        raise OptionError(f"{extension!r} is not an extension of files", hint="for example register(['.h5ad', '.nc'])")
    name = "." + extension.strip().lstrip(".").lower()
    if "." in name[1:]:
        raise OptionError(
            f"{extension!r} is two extensions, and datasets looks at each by itself",
            hint=f"try .{name.rpartition('.')[2]}",
        )
    return name


def _take(extension: str) -> None:
    modules = packaged_modules._EXTENSION_TO_MODULE
    before = modules.get(extension)
    if extension in _taken:
        return
    _taken[extension] = before
    # datasets' own modules hold the same dictionaries and lists: changed in place, never replaced.
    modules[extension] = (BUILDER_NAME, {})
    if before is None:
        _allowed_extensions().append(extension)
    extensions, *others = _tables_by_module()
    extensions.setdefault(BUILDER_NAME, []).append(extension)
    for table in others:
        table.setdefault(BUILDER_NAME, [])


def _tables_by_module() -> list[dict[str, list[str]]]:
    """The tables by module: extensions first, then names and (from 4.8 on) extensions of metadata files."""
    tables = [packaged_modules._MODULE_TO_EXTENSIONS, packaged_modules._MODULE_TO_METADATA_FILE_NAMES]
    if hasattr(packaged_modules, "_MODULE_TO_METADATA_EXTENSIONS"):
        tables.append(packaged_modules._MODULE_TO_METADATA_EXTENSIONS)
    return tables


def _allowed_extensions() -> list[str]:
    """Files of folders and repositories with other extensions are not looked at."""
    if hasattr(packaged_modules, "_ALL_ALLOWED_EXTENSIONS"):
        return packaged_modules._ALL_ALLOWED_EXTENSIONS  # type: ignore[no-any-return]
    return load.ALL_ALLOWED_EXTENSIONS  # type: ignore[no-any-return]


def patterns_of_folder(url: str, token: Any = None, storage_options: Any = None) -> dict[str, list[str]]:
    """Patterns of the files of a remote folder by split, which their names choose as everywhere in ``datasets``."""
    given = datasets.DownloadConfig(token=token, storage_options=storage_options or {})
    found = data_files.get_data_patterns(url.rstrip("/"), download_config=given)
    return {str(split): [f"{url.rstrip('/')}/{each}" for each in patterns] for split, patterns in found.items()}


def files_of_folder(folder: str) -> tuple[set[str], set[str]]:
    """The files of a local folder that the names of files and folders choose for splits, and all files there."""
    place = glob.escape(os.path.abspath(folder))

    def matches(pattern: str) -> list[str]:
        try:
            return list(data_files.resolve_pattern(pattern, place))
        except FileNotFoundError:
            return []  # one of several patterns of a split

    there = set(matches("**"))
    patterns = data_files.get_data_patterns(place) if there else {}
    return {name for each in patterns.values() for pattern in each for name in matches(pattern)}, there


def parent_of_worker() -> int | None:
    """The process that this one works for, if it is a worker of ``num_proc``; the number changes when that one dies."""
    return os.getppid() if multiprocess.parent_process() is not None else None


def make_list(feature: Any, length: int = -1) -> Any:
    """``List(feature, length)``, under the name that the installed version has for it."""
    if hasattr(datasets, "List"):
        return datasets.List(feature, length=length)
    if isinstance(feature, dict) and length == -1:
        # Before 4.0 a Sequence of a dict was a dict of lists; a list of dicts was written as a Python list.
        return [feature]
    return datasets.Sequence(feature, length=length)


def make_key(shard: int, batch: int) -> Any:
    """The key of a batch: a ``Key`` from 4.5 on, a string before."""
    from datasets import builder

    return builder.Key(shard, batch) if hasattr(builder, "Key") else f"{shard}_{batch}"


def parse_split(text: str, lengths: dict[str, int]) -> list[tuple[str, int, int]]:
    """Read a split such as ``"train[:10%]+test"`` as ``datasets`` does: ``(split, start, stop)`` in order."""
    if text == "all" and text not in lengths:
        return [(name, 0, length) for name, length in lengths.items()]
    instructions = datasets.ReadInstruction.from_spec(text).to_absolute(lengths)
    return [
        (each.splitname, each.from_ or 0, lengths[each.splitname] if each.to is None else each.to)
        for each in instructions
    ]


def sweep(folder: str) -> None:
    """Remove what a killed conversion left: ``datasets`` would move it into the cache along with the new files.

    While it converts, and only then, it writes into a folder with this ending, under a lock.
    """
    if folder and folder.endswith(".incomplete") and os.path.isdir(folder):
        for entry in os.scandir(folder):
            if entry.is_file():
                os.unlink(entry.path)
