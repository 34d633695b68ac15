"""The folder that is written, on disk or behind a URL: a file has its name only once all of it is there."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import platform
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from ..describe.urls import is_url
from ..errors import MissingFileError, MissingPackageError, OptionError

__all__ = ["Folder", "expect_no_folder", "open_folder", "open_folder_of", "part_name"]

_PART = re.compile(r"\.(?P<name>.+)\.(?P<host>[^.]+)\.(?P<pid>\d+)-\d+\.part")
_COUNTER = itertools.count()
_BEING_WRITTEN: set[str] = set()
"""Half-written files of this process: one with its number may also be left of an earlier process."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG} if hasattr(errno, "EDQUOT") else {errno.ENOSPC})


class Folder(ABC):
    """Names of files are relative to the folder, with ``/`` between.

    Attributes
    ----------
    place
        The path or URL.
    """

    place: str

    @abstractmethod
    def make(self, name: str) -> None:
        """Make the folder that a file is to lie in."""

    @abstractmethod
    def open(self, name: str, mode: str = "rb") -> BinaryIO:
        """Open a file; ``FileNotFoundError`` if it is to be read and not there."""

    @abstractmethod
    def rename(self, name: str, new: str) -> None:
        """Give a file another name, in place of what had it."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def names(self) -> list[str]:
        """The files in the folder and in those just below, sorted."""

    @contextlib.contextmanager
    def writing(self, name: str, *, check: Callable[[], None] = lambda: None) -> Iterator[BinaryIO]:
        """A stream whose content gets the name once all is written, or is removed.

        It is not waited for the disk: what a power cut takes of a shard, its checksum tells when it is looked at again.

        Parameters
        ----------
        check
            Called once all is written; the file does not get its name if it raises.
        """
        part = part_name(name, f"{os.getpid()}-{next(_COUNTER)}")
        self.make(name)
        _BEING_WRITTEN.add(part)
        try:
            with self.open(part, "wb") as stream:
                yield stream
            check()
            self.rename(part, name)
        except BaseException as error:
            self.remove(part)
            if isinstance(error, OSError) and error.errno in _NO_ROOM and not error.filename:
                # A write itself does not say where it was to go.
                error.filename = self.place
            raise
        finally:
            _BEING_WRITTEN.discard(part)

    def read_text(self, name: str) -> str | None:
        """The text of a file, or None if it is not there."""
        try:
            with self.open(name) as stream:
                return stream.read().decode("utf-8")
        except FileNotFoundError:
            return None

    def write_text(self, name: str, text: str) -> None:
        """Write a whole file."""
        with self.writing(name) as stream:
            stream.write(text.encode("utf-8"))

    def being_written(self, wanted: Collection[str]) -> list[str]:
        """Half-written files that are to get one of some names, whose processes run or are of another machine."""
        return [each for each in self.names() if _whole_name(each) in wanted and not _is_left_over(each, False)]

    def sweep(self, *, elsewhere: bool) -> None:
        """Remove half-written files, but those of processes that run on this machine.

        Parameters
        ----------
        elsewhere
            Whether those of other machines are removed as well, of which nobody knows here if they still run.
        """
        for name in self.names():
            if _is_left_over(name, elsewhere):
                self.remove(name)


class _LocalFolder(Folder):
    def __init__(self, place: str) -> None:
        self.place = place
        self._root = Path(place)

    def make(self, name: str) -> None:
        try:
            (self._root / name).parent.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError as error:
            problem = "the folder cannot be made: the file system takes none there"
            raise MissingFileError(problem, file=self.place, hint="name a folder on a disk") from error

    def open(self, name: str, mode: str = "rb") -> BinaryIO:
        return open(self._root / name, mode)  # type: ignore[return-value]

    def rename(self, name: str, new: str) -> None:
        os.replace(self._root / name, self._root / new)

    def remove(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        below = [*self._root.glob("*"), *self._root.glob("*/*")]
        return sorted(each.relative_to(self._root).as_posix() for each in below if each.is_file())


class _RemoteFolder(Folder):
    def __init__(self, url: str) -> None:
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise MissingPackageError("writing to a URL needs fsspec", file=url, hint="pip install fsspec") from error
        self.place = url.rstrip("/")
        self._fs, root = url_to_fs(self.place)
        self._root = root.rstrip("/")

    def make(self, name: str) -> None:
        self._fs.makedirs(f"{self._root}/{name}".rpartition("/")[0], exist_ok=True)

    def open(self, name: str, mode: str = "rb") -> BinaryIO:
        opened: BinaryIO = self._fs.open(f"{self._root}/{name}", mode)
        return opened

    def rename(self, name: str, new: str) -> None:
        self._fs.mv(f"{self._root}/{name}", f"{self._root}/{new}")

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._root}/{name}")

    def names(self) -> list[str]:
        self._fs.invalidate_cache()
        found = self._fs.find(self._root, maxdepth=2)
        return sorted(name.removeprefix(self._root).lstrip("/") for name in found)


def open_folder(place: str | os.PathLike[str]) -> Folder:
    """The folder of a path or URL; it need not be there yet.

    Raises
    ------
    OptionError
        If it is a file, or lies in one, or has no name.
    """
    name = os.fspath(place)
    if not name:
        raise OptionError("the name of the folder is empty", hint=_UNSET)
    if is_url(name):
        return _RemoteFolder(name)
    absolute = os.path.abspath(name)
    there = next(each for each in (Path(absolute), *Path(absolute).parents) if each.exists())
    if not there.is_dir():
        raise OptionError("this is a file, and a folder is needed", file=str(there), hint="name a folder; it is made")
    return _LocalFolder(absolute)


_UNSET = "a variable of the shell may be unset; '.' is the folder that you are in"


def open_folder_of(file: str | os.PathLike[str]) -> tuple[Folder, str]:
    """The folder that a file lies in, and its name there."""
    folder, slash, name = os.fspath(file).rpartition("/")
    if not name:
        raise OptionError("the name of the file is empty", file=file or None, hint=_UNSET)
    return open_folder(folder or slash or "."), name


def expect_no_folder(file: str | os.PathLike[str], problem: str, hint: str) -> None:
    """Raise ``OptionError`` if a file of this machine is a folder."""
    if os.path.isdir(file):
        raise OptionError(f"{problem}, and this is a folder", file=file, hint=hint)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", platform.node()) or "host"


def part_name(name: str, writer: str) -> str:
    """The name of a file while it is written; ``writer`` tells processes and their files apart."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}.{last.lstrip('.')}.{_host()}.{writer}.part"


def _whole_name(part: str) -> str | None:
    """The name that a half-written file is to get; None for any other file."""
    folder, slash, last = part.rpartition("/")
    found = _PART.fullmatch(last)
    return f"{folder}{slash}{found['name']}" if found else None


def _is_left_over(name: str, elsewhere: bool) -> bool:
    """Whether a file is a half-written one whose process is gone."""
    found = _PART.fullmatch(name.rpartition("/")[2])
    if found is None or name in _BEING_WRITTEN:
        return False
    if found["host"] != _host():
        return elsewhere
    pid = int(found["pid"])
    return pid == os.getpid() or not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
