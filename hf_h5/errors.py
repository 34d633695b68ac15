"""Which things can go wrong, and what the user should do next.

The tree (each class also inherits the built-in that a caller would catch)::

    H5Error
    ├── MissingFileError      (FileNotFoundError)  nothing there, or a pattern that matches nothing
    ├── NotHDF5Error          (OSError)            there, but no HDF5 signature
    ├── DamagedFileError      (OSError)            HDF5, but truncated or corrupt
    ├── FileChangedError      (OSError)            replaced or rewritten while open
    ├── FilterError           (OSError)            stored with a filter that is not available
    ├── HubError              (OSError)            the Hub said no, or did not answer
    ├── ClosedError           (ValueError)         used after close()
    ├── AccessError           (PermissionError)    the server wants a token, or other rights
    ├── TransferError         (ConnectionError)    the server does not answer, or not as it should
    ├── RefusedError          (PermissionError)    reading it would reach outside the file
    │   └── LimitError        (PermissionError)    larger or deeper than a budget allows
    ├── LayoutError           (ValueError)         the file's datasets do not form the asked-for table
    │   └── MismatchError     (ValueError)         two files do not form one table
    ├── DataError             (ValueError)         a stored value does not fit its column
    ├── OptionError           (ValueError)         an option's value makes no sense here
    ├── ColumnError           (KeyError)           no such column
    ├── TableError            (KeyError)           no such table or split
    ├── RowError              (IndexError)         no such row
    ├── FormatError           (TypeError)          the output format has no such type
    └── MissingPackageError   (ImportError)        an optional package is needed
"""

from __future__ import annotations

import difflib
import inspect
import os
import warnings
from collections.abc import Iterable

__all__ = [
    "AccessError",
    "ClosedError",
    "ColumnError",
    "DamagedFileError",
    "DataError",
    "FileChangedError",
    "FilterError",
    "FormatError",
    "H5Error",
    "H5Warning",
    "HubError",
    "LayoutError",
    "LimitError",
    "MismatchError",
    "MissingFileError",
    "MissingPackageError",
    "NotHDF5Error",
    "OptionError",
    "RefusedError",
    "RowError",
    "TableError",
    "TransferError",
    "closest_names",
    "shown",
    "warn",
]


class H5Error(Exception):
    """Base of all errors of this package: a problem, its place, and the next step.

    Parameters
    ----------
    problem
        What is wrong, in one sentence without a full stop.
    file
        The file on disk or the URL.
    path
        The place inside the HDF5 file, starting with ``/``.
    hint
        What the user can do next.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | os.PathLike[str] | None = None,
        path: str | None = None,
        hint: str | None = None,
    ) -> None:
        # First, because ImportError has a path of its own, which this sets to None.
        super().__init__(problem)
        self.problem = problem
        self.file = None if file is None else os.fspath(file)
        self.path = path
        self.hint = hint

    @property
    def place(self) -> str:
        """``file::/path``, ``file`` or an empty string."""
        if self.file is None:
            return self.path or ""
        return f"{self.file}::{self.path}" if self.path else self.file

    def __str__(self) -> str:
        text = shown(self.problem)
        if self.place:
            text += f" [{shown(self.place)}]"
        if self.hint:
            text += f"\n  hint: {self.hint}"
        return text

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.problem, self.file, self.path, self.hint))


def _rebuild(kind: type[H5Error], problem: str, file: str | None, path: str | None, hint: str | None) -> H5Error:
    """Unpickle an error: exceptions with keyword arguments do not pickle by themselves."""
    return kind(problem, file=file, path=path, hint=hint)


class MissingFileError(H5Error, FileNotFoundError):
    """There is no such file, or a pattern matches none."""


class NotHDF5Error(H5Error, OSError):
    """The file has no HDF5 signature."""


class DamagedFileError(H5Error, OSError):
    """The file starts as HDF5 but is truncated or corrupt."""


class FileChangedError(H5Error, OSError):
    """The file was replaced or rewritten while it was open."""


class FilterError(H5Error, OSError):
    """Chunks are stored with a filter that cannot be undone here."""


class HubError(H5Error, OSError):
    """The Hub refused, has no room, or could not be reached."""


class ClosedError(H5Error, ValueError):
    """A view or reader was used after ``close()``."""


class AccessError(H5Error, PermissionError):
    """The server refuses to hand out the file: a token is missing, or has not the rights."""


class TransferError(H5Error, ConnectionError):
    """The server does not answer, or not as it should; waiting and asking again did not help."""


class RefusedError(H5Error, PermissionError):
    """Reading would reach outside the file, and that was not allowed."""


class LimitError(RefusedError):
    """The file asks for more than a budget allows."""


class LayoutError(H5Error, ValueError):
    """The datasets of the file do not form the table that was asked for."""


class MismatchError(LayoutError):
    """Two files (or two splits) do not form one table."""


class DataError(H5Error, ValueError):
    """A stored value does not fit the feature of its column."""


class OptionError(H5Error, ValueError):
    """An option has a value that makes no sense, here or at all."""


class ColumnError(H5Error, KeyError):
    """There is no column of that name."""


class TableError(H5Error, KeyError):
    """There is no table or split of that name."""


class RowError(H5Error, IndexError):
    """A row number lies outside the table."""


class FormatError(H5Error, TypeError):
    """The output format has no counterpart of the column's type."""


class MissingPackageError(H5Error, ImportError):
    """An optional package is needed and not installed."""


class H5Warning(UserWarning):
    """Something of a file is not among the rows, or not as exact as stored; the message says how to get it."""


# Whose lines say nothing to those who are warned.
_INNER = ("hf_h5", "datasets")


def warn(message: str) -> None:
    """Warn with an ``H5Warning`` that points to the user's line, outside of this package and of ``datasets``."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _INNER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, H5Warning, stacklevel=level if frame is not None else 2)


def closest_names(name: str, known: Iterable[str], *, count: int = 3) -> str:
    """Say which known names come closest, as the tail of a message.

    >>> closest_names("imags", ["images", "labels"])
    "did you mean 'images'? there are: 'images', 'labels'"
    """
    names = list(known)
    matches = difflib.get_close_matches(name, names, n=count, cutoff=0.5)
    meant = f"did you mean {' or '.join(map(repr, matches))}? " if matches else ""
    listed = ", ".join(map(repr, names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return f"{meant}there are: {listed}" if names else f"{meant}there are none"


def shown(text: str) -> str:
    """Escape control and direction-override characters, so that names from a file cannot disguise a message.

    >>> shown("a\\u202eb")
    'a\\\\u202eb'
    """
    return "".join(char if char.isprintable() or char in "\n " else repr(char)[1:-1] for char in text)
