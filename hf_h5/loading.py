"""``hf_h5.load_dataset``: a file, files, a folder or a loading script, in one argument."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from typing import Any

import datasets

from .describe.opening import check_file, expand_files, expect_names, has_signature
from .describe.urls import is_url
from .errors import MissingFileError, OptionError, warn
from .recipes import load_recipe
from .registry import BUILDER_NAME, files_of_folder, patterns_of_folder

__all__ = ["is_converted", "load_dataset"]


def load_dataset(
    files: Any, *, split: Any = None, streaming: bool = False, num_proc: int | None = None, **options: Any
) -> Any:
    """Load HDF5 files, or what a loading script makes of them, through the cache of ``datasets``.

    Parameters
    ----------
    files
        A file, a pattern or a list of them; a mapping of them by split; a folder, whose other files are skipped and
        counted, and whose files' names choose the splits as everywhere in ``datasets``; a URL (``hf://``, ``https://``
        and others that ``fsspec`` knows); or a local loading script (``.py``), which takes its files from
        ``data_files=`` or ``data_dir=``.
    split, streaming, num_proc, **options
        As for ``datasets.load_dataset``; and the options of this package.

    Returns
    -------
    datasets.Dataset, datasets.DatasetDict, datasets.IterableDataset or datasets.IterableDatasetDict
        What ``datasets.load_dataset`` returns.

    Raises
    ------
    H5Error
        If the files cannot be read or do not form one table.

    Examples
    --------
    >>> import h5py
    >>> with h5py.File("x.h5", "w") as file:
    ...     file["x"] = [1, 2, 3]
    >>> load_dataset("x.h5", split="train")["x"][:]
    [1, 2, 3]
    """
    return datasets.load_dataset(
        BUILDER_NAME, split=split, streaming=streaming, num_proc=num_proc, **_arguments(files, options)
    )


def is_converted(files: Any, *, cache_dir: str | None = None, **options: Any) -> bool:
    """Whether ``load_dataset`` would find the files in the cache."""
    made = datasets.load_dataset_builder(BUILDER_NAME, cache_dir=cache_dir, **_arguments(files, options))
    return os.path.isdir(made.cache_dir)


def _arguments(files: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """What ``datasets.load_dataset`` is called with: a script's options first, then the caller's."""
    if isinstance(files, str | os.PathLike) and os.fspath(files).endswith(".py"):
        recipe = load_recipe(files)
        return {"description": recipe.description, **recipe.options, **options, **_named_for_script(options)}
    for name in ("data_files", "data_dir"):
        if options.get(name) is not None:
            raise OptionError(f"{name}={options[name]!r} names files beside {files!r}", hint="name them once")
    return {**_sources(files, options), **options}


def _named_for_script(options: Mapping[str, Any]) -> dict[str, Any]:
    """The files that a call gives to a loading script."""
    for name in ("data_files", "data_dir"):
        if options.get(name) is not None:
            return _sources(options[name], options)
    raise OptionError("a loading script needs files", hint="pass data_files= or data_dir=")


def _sources(files: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    expect_names(files)
    if isinstance(files, Mapping):
        return {"data_files": {split: _expanded(each) for split, each in files.items()}}
    if isinstance(files, str | os.PathLike):
        name = os.path.expanduser(os.fspath(files))
        if is_url(name) and _is_remote_folder(name):
            patterns = patterns_of_folder(name, options.get("token"), options.get("storage_options"))
            return {"data_files": patterns, "data_dir": name}
        if os.path.isdir(name):
            return _folder(name)
    return {"data_files": _expanded(files)}


def _folder(name: str) -> dict[str, Any]:
    """A local folder, whose files' names choose the splits; of these names those of HDF5 files alone count."""
    place = glob.escape(name)
    chosen, there = files_of_folder(name)
    left_out = sorted(file for file in there - chosen if has_signature(file))
    if not left_out:
        return {"data_dir": place}
    if not any(map(has_signature, chosen)):
        # Names of other files look like splits, such as a script train.py.
        return {"data_files": {"train": "**"}, "data_dir": place}
    first, more = os.path.relpath(left_out[0], name), f" and {len(left_out) - 1} more are" if left_out[1:] else " is"
    warn(
        f"of the folder {name} {first!r}{more} left out, as the names of other files there say splits and these none; "
        "name the files, as a list or by split, to load all of them"
    )
    return {"data_dir": place}


def _expanded(files: Any) -> list[str]:
    """The local files themselves, under names that mean nothing else to ``datasets``; URLs as they are.

    ``datasets`` knows how to find what the pattern of a URL matches, with the caller's token.
    """
    if not isinstance(files, list | tuple):
        files = [files]
    if not files:
        raise MissingFileError("no file was named", hint="pass a path, a pattern, a folder, or a list of files")
    found: list[str] = []
    for each in files:
        if isinstance(each, str) and is_url(each):
            found.append(each)
        else:
            name = os.path.expanduser(each) if isinstance(each, str | os.PathLike) else each
            names = expand_files(name)
            for file in names:
                check_file(file)
            found += [glob.escape(os.path.abspath(file)) for file in names]
    return found


def _is_remote_folder(url: str) -> bool:
    """A URL whose last part has no ending and no pattern: ``hf://datasets/user/name``."""
    last = url.partition("://")[2].rstrip("/").rpartition("/")[2]
    return url.endswith("/") or not re.search(r"[.*?\[]", last)
