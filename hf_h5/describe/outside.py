"""Which other files a file reads from: targets of external links, sources of virtual datasets, external storage.

Their versions belong to the version of what is read. No data is read here, and a file that cannot be opened has no
others: opening it for its rows says what is wrong with it.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator

import h5py
from h5py import h5d, h5l, h5o

from ..errors import H5Error
from .guard import first_found
from .opening import open_hdf5

__all__ = ["outside_files"]

_DAMAGE = (H5Error, OSError, RuntimeError, KeyError, ValueError)


def outside_files(file: str) -> list[str]:
    """List the files that reading a local file may lead to, also by way of each other; each once, sorted.

    They are listed whether or not they exist.
    """
    found: set[str] = set()
    waiting = [file]
    while waiting:
        beside = waiting.pop()
        for target in _named_files(beside):
            for name in _found(beside, target):
                if name not in found and name != os.path.realpath(file):
                    found.add(name)
                    waiting.append(name)
    return sorted(found)


def _found(file: str, target: str) -> list[str]:
    """The file of a name, and that which the library takes where it is not there.

    ``%b`` in a name stands for the number of a block, so for as many files as there are.
    """
    name = os.path.join(os.path.dirname(os.path.abspath(file)), target)
    if "%b" in name:
        names = glob.glob(glob.escape(name).replace("%b", "*"))
    else:
        names = [name, first_found(file, target) or name]
    return [os.path.realpath(each) for each in names]


def _named_files(file: str) -> list[str]:
    try:
        with open_hdf5(file) as handle:
            links: dict[bytes, int] = {}
            handle.id.links.visit(lambda raw, info: links.__setitem__(raw, info.type), info=True)
            named = [str(handle.get(raw, getlink=True).filename) for raw in _of_kind(links, h5l.TYPE_EXTERNAL)]
            kinds: dict[bytes, int] = {}
            h5o.visit(handle.id, lambda raw, info: kinds.__setitem__(raw, info.type), info=True)
            for raw in _of_kind(kinds, h5o.TYPE_DATASET):
                named += _sources(h5o.open(handle.id, raw).get_create_plist())
            return named
    except _DAMAGE:
        return []


def _of_kind(kinds: dict[bytes, int], kind: int) -> list[bytes]:
    return [raw for raw, found in kinds.items() if found == kind]


def _sources(plist: h5py.h5p.PropDCID) -> Iterator[str]:
    layout = plist.get_layout()
    if layout == h5d.VIRTUAL:
        for number in range(plist.get_virtual_count()):
            source = plist.get_virtual_filename(number)
            if source != ".":
                yield source
    elif layout == h5d.CONTIGUOUS:
        for number in range(plist.get_external_count()):
            yield os.fsdecode(plist.get_external(number)[0])
