"""``load``: files -> rows, in the mode that suits them or that was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import h5py

from ..describe.options import Options, make_options
from ..describe.urls import is_url
from ..errors import H5Error, OptionError
from ..isolate.choose import resolve
from ..loading import is_converted, load_dataset
from ..mapped.opening import open_mapped
from ..resolve.tables import Resolved
from .choose import MODES, Choice, choose_mode
from .measure import find_facts

__all__ = ["choose_for", "load"]


def load(
    files: Any,
    mode: str = "auto",
    *,
    split: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    num_proc: int | None = None,
    **options: Any,
) -> Any:
    """Load HDF5 files mapped, cached or direct: whichever suits them, or as asked for.

    One line on stderr says what was chosen, and why.

    Parameters
    ----------
    files
        A local path, a pattern, a list of them, or a mapping of them by split; URLs, unless ``mode="mapped"``; an open
        ``h5py.File`` or group, which only the direct mode reads.
    mode
        ``"mapped"`` is ``open_dataset``, ``"cached"`` is ``load_dataset``, ``"direct"`` is ``H5TorchView``; ``"auto"``
        takes what suits rows in any order: it looks at how the columns lie in the files, at the free disk, and at how
        long a few chunks take to decode.
    split
        The name of a split, or as in ``datasets`` a part of one, such as ``"train[:10%]"``; all if None.
    cache_dir, num_proc
        For the cached mode, as for ``load_dataset``.
    **options
        See the reference page of the options.

    Returns
    -------
    datasets.Dataset or H5TorchView
        With the same columns, rows and values in the same formats; in Python objects until ``with_format`` is called.
        A dict of them by split where there are several and none was named.

    Raises
    ------
    OptionError
        If there is no such mode, or the files cannot be read in it.
    H5Error
        If the files cannot be read or do not form one table.
    """
    if mode not in MODES:
        raise OptionError(f"mode={mode!r} is not one of {', '.join(map(repr, MODES))}")
    chosen = make_options(**options)
    folder = None if cache_dir is None else os.fspath(cache_dir)
    choice = choose_for(files, chosen, options, cache_dir=folder) if mode == "auto" else None
    if choice is not None:
        sys.stderr.write(f"hf_h5.load: {choice.mode}, as {choice.reason}; {_another(choice)}\n")
        mode = choice.mode
    if mode == "mapped":
        found = open_mapped(files, split, options, tells=choice is None)
    elif mode == "cached":
        found = load_dataset(files, split=split, cache_dir=folder, num_proc=num_proc, **options)
    else:
        found = _open_views(files, split, chosen, options)
    # The same in every mode, whichever is chosen tomorrow.
    is_one = isinstance(found, dict) and len(found) == 1 and not isinstance(files, Mapping)
    return next(iter(found.values())) if is_one else found


def choose_for(
    files: Any,
    chosen: Options,
    options: Mapping[str, Any],
    *,
    cache_dir: str | None = None,
    resolved: Resolved | None = None,
) -> Choice:
    """Choose the mode for rows in any order, and say why.

    Parameters
    ----------
    chosen, options
        The same options, checked and as they were given.
    resolved
        The tables of the files, if they were looked at already.

    Raises
    ------
    H5Error
        If the files cannot be read or do not form one table.
    """
    if isinstance(files, h5py.Group):
        return Choice("direct", "the file is open already")
    names_folder = isinstance(files, str | os.PathLike) and os.path.isdir(files)
    if names_folder or (isinstance(files, str) and files.endswith(".py")):
        return Choice("cached", "a folder or a loading script is read so")
    resolved = resolved or resolve(files, chosen)
    is_cached, no_cache = _look_into_cache(files, options, cache_dir)
    if no_cache is not None:
        return Choice("direct", no_cache)
    facts = find_facts(
        resolved.splits,
        chosen,
        is_cached=is_cached,
        may_map=_why_not_mapped(resolved, chosen),
        cache_dir=cache_dir,
    )
    return choose_mode(facts)


def _look_into_cache(files: Any, options: Mapping[str, Any], cache_dir: str | None) -> tuple[bool, str | None]:
    """Whether the files were converted before, and why nothing can be kept there, if so."""
    try:
        return is_converted(files, cache_dir=cache_dir, **options), None
    except H5Error:
        raise
    except OSError as error:
        # No home, or one that may not be written: `datasets` makes its folder before it looks into it.
        return False, f"the cache of datasets cannot be written ({error})"


def _another(choice: Choice) -> str:
    """How to decide otherwise; that epochs need no conversion is what one should know before it is made."""
    if choice.mode == "cached" and "once" in choice.reason:
        return "mode= chooses another: 'direct', whose loader() shuffles whole epochs, needs no copy"
    return "mode= chooses another"


def _why_not_mapped(resolved: Resolved, chosen: Options) -> str | None:
    """Why no column of these files can be mapped, whatever it holds."""
    if chosen.nested:
        return "nested features need a conversion"
    if chosen.isolate:
        return "rows are read in another process"
    if any(is_url(file) for table in resolved.splits.values() for file in table.files):
        return "the files are remote"
    return None


def _open_views(files: Any, split: str | None, chosen: Options, options: dict[str, Any]) -> Any:
    from ..view import H5TorchView

    if split is not None or isinstance(files, h5py.Group):
        return H5TorchView(files, split=split, **options).with_format(None)
    names = list(resolve(files, chosen).splits)
    return {name: H5TorchView(files, split=name, **options).with_format(None) for name in names}
