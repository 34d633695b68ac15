"""``hf-h5 index``: HDF5 files -> an index beside each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..describe.opening import expand_files
from ..describe.urls import is_url
from ..describe.wording import bytes_text
from ..errors import OptionError, shown
from ..hub.sidecar import write_index
from .console import Console

__all__ = ["run_index"]


def run_index(files: Sequence[str], *, limits: Mapping[str, int] | None = None, console: Console | None = None) -> int:
    """Write the indices of files, and say where they are.

    Parameters
    ----------
    files
        Files or patterns.
    limits
        Budgets to raise; see the reference page of the options.
    console
        Where words go.

    Returns
    -------
    int
        The exit code, 0.

    Raises
    ------
    H5Error
        If a file cannot be read.
    """
    told = console or Console()
    urls = [file for file in files if is_url(file)]
    if urls:
        raise OptionError("only files of this machine get an index", file=urls[0], hint="download it first")
    for file in expand_files(list(files)):
        place = write_index(file, limits=limits)
        sizes = place.stat().st_size, Path(file).stat().st_size
        text = f"{shown(str(place))}: {bytes_text(sizes[0])} for {bytes_text(sizes[1])}"
        told.result(text, {"file": file, "index": str(place), "bytes": sizes[0]}, brief=str(place))
    return 0
