"""What is refused before anything is read, and the budgets of a scan.

Reading an external link, external storage or a virtual dataset returns bytes of *other* files: a file from a stranger
could make a program publish its owner's secrets. So these are refused unless the user names the folders that may be
read. A virtual dataset over its own file is harmless and is read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import h5py
from h5py import h5d

from ..errors import LimitError, OptionError, RefusedError

__all__ = ["Limits", "check_external_link", "check_storage", "make_limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Budgets of a scan; each can be raised with ``limits={name: value}``.

    Attributes
    ----------
    objects
        Groups, datasets and links in a file.
    depth
        Groups inside groups.
    dtype_depth
        Types inside types.
    metadata_bytes
        Size of a scalar or attribute that is kept as metadata.
    """

    objects: int = 1_000_000
    depth: int = 64
    dtype_depth: int = 32
    metadata_bytes: int = 1 << 16

    def check(self, name: str, value: int, *, file: str, path: str | None = None) -> None:
        """Raise if ``value`` exceeds the budget called ``name``."""
        allowed = getattr(self, name)
        if value > allowed:
            raise LimitError(
                f"{name.replace('_', ' ')}: more than {allowed:,}",
                file=file,
                path=path,
                hint=f"if you trust the file, raise the budget with limits={{{name!r}: N}}",
            )


def make_limits(given: Limits | Mapping[str, Any] | None) -> Limits:
    """Turn the option ``limits`` into budgets."""
    if given is None:
        return Limits()
    if isinstance(given, Limits):
        return given
    if not isinstance(given, Mapping):
        raise OptionError(f"limits={given!r} is not a mapping of budgets to numbers")
    known = [item.name for item in fields(Limits)]
    for name, value in given.items():
        if name not in known:
            raise OptionError(f"limits has no budget {name!r}", hint=f"the budgets are: {', '.join(known)}")
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise OptionError(f"limits[{name!r}]={value!r} is not a number of things")
    return Limits(**given)


def check_external_link(file: str, path: str, target: str, allowed: Sequence[str]) -> None:
    """Refuse an external link that leaves the allowed folders."""
    if not is_allowed(file, target, allowed):
        raise RefusedError(
            f"external link to {target!r} is refused: it would read another file", file=file, path=path, hint=_HINT
        )


def check_storage(file: str, path: str, plist: h5py.h5p.PropDCID, allowed: Sequence[str]) -> str:
    """Refuse data that lies in other files; say how the data lies otherwise.

    Returns
    -------
    str
        ``"contiguous"``, ``"chunked"``, ``"compact"``, ``"virtual"`` or ``"external"``.
    """
    layout = plist.get_layout()
    if layout == h5d.VIRTUAL:
        for number in range(plist.get_virtual_count()):
            source = plist.get_virtual_filename(number)
            if source != "." and not _same_file(file, source) and not is_allowed(file, source, allowed):
                raise RefusedError(
                    f"virtual dataset over {source!r} is refused: it would read another file",
                    file=file,
                    path=path,
                    hint=_HINT,
                )
        return "virtual"
    if layout not in _LAYOUTS:
        raise RefusedError(f"unknown storage layout {layout}", file=file, path=path)
    if layout == h5d.CONTIGUOUS and plist.get_external_count() > 0:
        for number in range(plist.get_external_count()):
            source = os.fsdecode(plist.get_external(number)[0])
            if not is_allowed(file, source, allowed):
                raise RefusedError(
                    f"external storage in {source!r} is refused: it would read another file",
                    file=file,
                    path=path,
                    hint=_HINT,
                )
        return "external"
    return _LAYOUTS[layout]


def is_allowed(file: str, target: str, allowed: Sequence[str]) -> bool:
    """Whether ``target``, named inside ``file``, lies in one of the allowed folders (links in paths resolved)."""
    real = os.path.realpath(_beside(file, target))
    return any(os.path.commonpath([real, folder]) == folder for folder in map(os.path.realpath, allowed))


def _same_file(file: str, target: str) -> bool:
    return os.path.realpath(_beside(file, target)) == os.path.realpath(file)


def _beside(file: str, target: str) -> str:
    return os.path.join(os.path.dirname(os.path.abspath(file)), target)


_HINT = "allow_external='FOLDER' names the folder(s) that may be read; only do so for files that you trust"
_LAYOUTS = {h5d.CONTIGUOUS: "contiguous", h5d.CHUNKED: "chunked", h5d.COMPACT: "compact"}
