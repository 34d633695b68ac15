"""What is refused before anything is read.

Reading an external link, external storage or a virtual dataset returns bytes of *other* files: a file from a stranger
could make a program publish its owner's secrets. So these are refused unless the user names the folders that may be
read. A virtual dataset over its own file is harmless and is read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import h5py
from h5py import h5d, h5f, h5i, h5o

from ..errors import RefusedError

__all__ = ["check_external_link", "check_storage", "check_target", "first_found"]


def check_external_link(file: str, path: str, target: str, allowed: Sequence[str]) -> None:
    """Refuse an external link that names a file outside the allowed folders."""
    if not is_allowed(file, target, allowed):
        raise RefusedError(
            f"external link to {target!r} is refused: it would read another file", file=file, path=path, hint=_HINT
        )


def check_target(file: str, path: str, opened: Any, allowed: Sequence[str]) -> str:
    """Refuse an object that links have led to in a file outside the allowed folders; say which file holds it.

    What a link names does not tell: the library tries other folders where nothing is there, and follows the links
    that it finds on its way.
    """
    real = os.path.abspath(os.fsdecode(h5f.get_name(opened)))
    if not _same_file(file, real) and not is_allowed(file, real, allowed):
        raise RefusedError(
            f"a link that leads to {real!r} is refused: it would read another file", file=file, path=path, hint=_HINT
        )
    return real


def check_storage(
    file: str,
    path: str,
    dataset: h5d.DatasetID,
    allowed: Sequence[str],
    *,
    holder: str | None = None,
    missing: list[str] | None = None,
) -> str:
    """Refuse data that lies in other files; say how the data lies otherwise.

    Parameters
    ----------
    file, path
        Where the user finds it, for messages.
    holder
        The file that holds the dataset, where links have led to another one.
    missing
        To which the sources of a virtual dataset are added that are not there: the library fills their rows.

    Returns
    -------
    str
        ``"contiguous"``, ``"chunked"``, ``"compact"``, ``"virtual"`` or ``"external"``.
    """
    return _Storage(file, path, allowed, [] if missing is None else missing).check(holder or file, dataset)


@dataclass(frozen=True, slots=True)
class _Storage:
    """Follows a dataset to every file that its rows may come from; ``file`` and ``path`` are for messages."""

    file: str
    path: str
    allowed: Sequence[str]
    missing: list[str]
    seen: set[tuple[str, bytes]] = field(default_factory=set)

    def check(self, holder: str, dataset: h5d.DatasetID, *, is_source: bool = False) -> str:
        plist = dataset.get_create_plist()
        layout = plist.get_layout()
        if layout == h5d.VIRTUAL:
            for number in range(plist.get_virtual_count()):
                self._check_source(
                    holder, dataset, plist.get_virtual_filename(number), plist.get_virtual_dsetname(number)
                )
            return "virtual"
        if layout not in _LAYOUTS:
            raise RefusedError(f"unknown storage layout {layout}", file=self.file, path=self.path)
        if layout == h5d.CONTIGUOUS and plist.get_external_count() > 0:
            for number in range(plist.get_external_count()):
                name = os.fsdecode(plist.get_external(number)[0])
                # A dataset is opened so that names are relative to its file; a source of a virtual one is not.
                places = [_beside(holder, name)] + [os.path.abspath(name)] * is_source
                if not all(is_allowed(holder, place, self.allowed) for place in places):
                    self._refuse(f"external storage in {name!r}")
            return "external"
        return _LAYOUTS[layout]

    def _check_source(self, holder: str, dataset: h5d.DatasetID, name: str, inner: str) -> None:
        """Check one source of a virtual dataset, ``inner`` of the file ``name``; ``%b`` in them counts blocks."""
        if "%b" not in name + inner:
            if not self._check_block(holder, dataset, name, inner):
                self.missing.append(f"{'' if name == '.' else name}::/{inner.lstrip('/')}")
            return
        block = 0
        while self._check_block(holder, dataset, _numbered(name, block), _numbered(inner, block)):
            block += 1

    def _check_block(self, holder: str, dataset: h5d.DatasetID, name: str, inner: str) -> bool:
        """Check one block, and say whether there is one."""
        if name == "." or _same_file(holder, name):
            return self._check_inner(holder, h5i.get_file_id(dataset), inner)
        found = first_found(holder, name)
        if not is_allowed(holder, name, self.allowed) or (found and not is_allowed(holder, found, self.allowed)):
            self._refuse(f"virtual dataset over {name!r}")
        if found is None:
            return False
        try:
            handle = h5py.File(found, "r")
        except (OSError, RuntimeError, ValueError):
            return False  # the library finds no rows there either
        with handle:
            return self._check_inner(found, handle.id, inner)

    def _check_inner(self, holder: str, location: Any, inner: str) -> bool:
        raw = inner.encode("utf-8", "surrogateescape")
        if (holder, raw) in self.seen:
            return True
        self.seen.add((holder, raw))
        try:
            opened = h5o.open(location, raw)
        except (KeyError, OSError, RuntimeError, ValueError):
            return False
        # A file without a name, such as one in memory, is known by its object.
        is_same = h5f.get_name(opened) == h5f.get_name(location)
        real = holder if is_same else check_target(holder, self.path, opened, self.allowed)
        if isinstance(opened, h5d.DatasetID):
            self.check(real, opened, is_source=True)
        return True

    def _refuse(self, what: str) -> None:
        raise RefusedError(f"{what} is refused: it would read another file", file=self.file, path=self.path, hint=_HINT)


def _numbered(name: str, block: int) -> str:
    return name.replace("%b", str(block))


def first_found(file: str, name: str) -> str | None:
    """The file that the library opens for a name: beside the file, in the current folder, or there by its last part."""
    last = os.path.basename(name)
    places = (_beside(file, name), os.path.abspath(name), _beside(file, last), os.path.abspath(last))
    return next((place for place in places if os.path.exists(place)), None)


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
