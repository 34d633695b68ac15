"""Files behind any other URL that `fsspec` knows: object stores, archives, memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ..errors import AccessError, FileChangedError, H5Error, MissingFileError, MissingPackageError, TransferError
from .http import Facts
from .patience import Patience

__all__ = ["StoredFile", "expand_pattern"]

# What file systems call the version of a file, or its date; a member of a zip archive has a checksum beside its date.
_TAGS = (
    "ETag",
    "etag",
    "e_tag",
    "md5",
    "blob_id",
    "Content-MD5",
    "CRC",
    "mtime",
    "LastModified",
    "last_modified",
    "Last-Modified",
    "modified",
    "created",
    "commit_hash",
    "date_time",
)
_ACCESS_HINT = "check the credentials that this machine has for the store"


class StoredFile:
    """One file of a file system of `fsspec`; used by many threads.

    Parameters
    ----------
    name
        What stands for the URL in messages.
    url
        Where it is; chained URLs are understood.
    """

    has_versions = False
    location: str | None = None
    modified_s: float | None = None
    beside_modified_s: float | None = None

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url
        self._system, self._path = open_system(url, name)

    def look(self, head_bytes: int) -> tuple[Facts, bytes]:
        """Ask what the file is; its first bytes are not sent along."""
        self._system.invalidate_cache(self._path)
        info = self._asked(lambda: self._system.info(self._path))
        if info.get("size") is None:
            raise TransferError(
                "the server does not say how large the file is, so that parts of it cannot be asked for",
                file=self.name,
                hint="download it first",
            )
        tags = [_tag(info), *self._outer_tags()]
        return Facts(int(info["size"]), " in ".join(tag for tag in tags if tag)), b""

    def _outer_tags(self) -> Iterator[str]:
        """The version of each archive that the file lies in: those of its members may stay as they are."""
        url = self._url
        while "::" in url:
            url = url.partition("::")[2]
            system, path = open_system(url, self.name)
            system.invalidate_cache(path)
            yield _tag(self._asked(partial(system.info, path)))

    def fetch(self, offset: int, out: memoryview, facts: Facts) -> None:
        """Fill ``out`` with the bytes from ``offset`` on."""
        patience, done = Patience(self.name), 0
        while done < len(out):
            found = self._asked(lambda at=offset + done: self._system.cat_file(self._path, at, offset + len(out)))
            if len(found) > len(out) - done:
                raise TransferError(
                    f"the server sent {len(found)} bytes from byte {offset + done} on instead of {len(out) - done}",
                    file=self.name,
                )
            out[done : done + len(found)] = found
            done += len(found)
            if done < len(out):
                if offset + done >= self.look(0)[0].size:
                    raise FileChangedError("the file is shorter by now", file=self.name, hint="open it again")
                patience.wait(f"the server sent fewer bytes from byte {offset} on than were asked for")

    def fetch_beside(self, ending: str, most_bytes: int) -> bytes | None:
        """The file of the same name with an ending, as a whole, or ``None`` if there is none that can be had."""
        if "::" in self._url:
            return None
        try:
            found: bytes = self._system.cat_file(self._path + ending, 0, most_bytes + 1)
        except (OSError, ValueError, NotImplementedError):
            return None
        return found

    def _asked(self, work: Any) -> Any:
        """What a file system answers, asked again where that may help."""
        patience = Patience(self.name)
        while True:
            try:
                return work()
            except H5Error:
                raise
            except FileNotFoundError as error:
                raise MissingFileError("no such file", file=self.name, hint="check the URL") from error
            except PermissionError as error:
                raise AccessError("the store refuses", file=self.name, hint=_ACCESS_HINT) from error
            except OSError as error:
                problem = f"the store does not answer: {type(error).__name__}"
            patience.wait(problem)


def _tag(info: Mapping[str, Any]) -> str:
    """The version of a file, or an empty text where its file system names none."""
    tag = next((str(info[key]) for key in _TAGS if info.get(key)), "")
    return f"{tag} {info['date_time']}" if "CRC" in info else tag


def open_system(url: str, name: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises
    ------
    MissingPackageError, MissingFileError, TransferError
        If it needs a package that is not installed, is of no known kind, or its server cannot be reached.
    """
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(url)
    except ImportError as error:
        hint = "install that package beside this one; for s3:// it is s3fs, for gs:// gcsfs"
        raise MissingPackageError(f"reading this URL needs a package: {error}", file=name, hint=hint) from error
    except ValueError as error:
        raise MissingFileError("the URL cannot be opened", file=name, hint="check its scheme") from error
    except OSError as error:
        hint = "check the name of the server, and the network"
        raise TransferError(f"the store cannot be reached: {error}", file=name, hint=hint) from error
    return system, str(path)


def expand_pattern(url: str, name: str) -> list[str]:
    """The URLs that a pattern matches, in order; the URL itself if a file has that very name."""
    system, path = open_system(url, name)
    if system.isfile(path):
        return [url]
    # Of a chain the path is in the first link that has one; caches before it and archives behind it stay.
    links = url.split("::")
    place = next((number for number, link in enumerate(links) if "://" in link), len(links) - 1)
    found = (system.unstrip_protocol(each) for each in sorted(system.glob(path)))
    return ["::".join([*links[:place], each, *links[place + 1 :]]) for each in found]
