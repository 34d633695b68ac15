"""What the numbers and strings that pandas stores mean: points in time, days, strings with their missing ones.

Pure; no I/O. Rules: pandas/io/pytables.py (``DataCol.convert``, ``IndexCol.convert``, ``_unconvert_index``).
"""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.derived import Fetch
from ..describe.elements import Binary, Element, Number, Text
from ..describe.schema import Column
from ..errors import DataError
from .derivations import made_rows, picked_column, plain_sources
from .pickles import Foreign

__all__ = ["Meaning", "Seconds", "decoded_label", "dtype_element", "label_parts", "label_text", "meant_column"]

_TIME = re.compile(r"(datetime|timedelta)64(?:\[(s|ms|us|ns)\])?$")
# date.fromordinal counts days from the year 1, numpy from 1970.
_EPOCH_ORDINAL = 719_163


@dataclass(frozen=True)
class Meaning:
    """How pandas would read stored values.

    Attributes
    ----------
    kind
        pandas' name of the dtype or of the kind of index: ``"datetime64[ns]"``, ``"date"``, ``"string"``.
    timezone
        As its attribute says: a name, or what a pickle would make.
    encoding, missing
        Of strings; and the string that stands for a missing one, if any does.
    """

    kind: str = ""
    timezone: Any = None
    encoding: str = "UTF-8"
    missing: str | None = None

    @property
    def is_utf8(self) -> bool:
        """Whether strings are read as they are stored."""
        return self.encoding.lower().replace("_", "-") in ("utf-8", "utf8", "ascii", "us-ascii")


def meant_column(column: Column, meaning: Meaning, position: int | None = None) -> Column:
    """A column of stored numbers or strings as one of what they mean.

    Parameters
    ----------
    column
        Plain; its rows are values, or blocks of them where ``position`` says which value of a block is wanted.
    """
    column = _retyped(column, meaning)
    if position is not None and column.fields and column.row_shape == (1,):
        column = replace(column, row_shape=())  # read with the other fields of the table
    elif position is not None:
        column = picked_column(column, position)
    if isinstance(column.element, Text | Binary) and (meaning.missing is not None or not meaning.is_utf8):
        texts = FixedTexts(column, meaning.encoding, meaning.missing)
        return replace(column, take="derived", element=Text(), derived=texts)
    if meaning.kind == "date":
        return replace(column, take="derived", element=Number(np.dtype("M8[D]")), derived=Days(column))
    return column


def _retyped(column: Column, meaning: Meaning) -> Column:
    """The same stored values, read as what they are."""
    if isinstance(column.element, Text):
        return replace(column, element=Text("null_padded") if meaning.is_utf8 else Binary())
    if not isinstance(column.element, Number):
        return column
    time = _TIME.match(meaning.kind)
    if time is not None and column.element.dtype == np.int64:
        zone, note = _zone(meaning.timezone if time[1] == "datetime" else None)
        return replace(column, element=Number(_time_dtype(time), zone), note=note)
    if meaning.kind.startswith("bool"):
        return replace(column, element=Number(np.dtype(bool)))
    if meaning.kind.startswith("period"):
        return replace(column, note=f"periods ({meaning.kind}), as the numbers that pandas stores for them")
    return column


def _time_dtype(time: re.Match[str]) -> np.dtype[Any]:
    # Files of before pandas stored units are in nanoseconds.
    return np.dtype(f"{'M' if time[1] == 'datetime' else 'm'}8[{time[2] or 'ns'}]")


def dtype_element(name: str) -> Element:
    """The element of an empty column, from pandas' name of its dtype; strings for what has none."""
    time = _TIME.match(name)
    if time is not None:
        return Number(_time_dtype(time))
    try:
        dtype = np.dtype(name)
    except TypeError:
        return Text()
    return Number(dtype) if dtype.kind in "biuf" else Text()


def _zone(value: Any) -> tuple[str | None, str | None]:
    """The name of a time zone as Arrow knows it, and a note where it is not known."""
    if value is None:
        return None, None
    name = _foreign_zone(value) if isinstance(value, Foreign) else value
    if isinstance(name, str):
        name = name.rpartition("zoneinfo/")[2] if name.startswith("dateutil/") else name
        if name == "UTC" or re.fullmatch(r"[+-]\d\d:\d\d", name) or _is_zone(name):
            return name, None
    return "UTC", "instants, shown in UTC: the time zone that the file states is not understood"


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _foreign_zone(zone: Foreign) -> str | None:
    """The zone that a pickle would make: those of the standard library, pytz and dateutil."""
    arguments = zone.arguments or ()
    match zone.name.split(" "), arguments:
        case [
            ["datetime", "timezone"],
            (Foreign(name="datetime timedelta", arguments=(int(days), int(seconds), _)), *_),
        ]:
            return _offset((days * 86_400 + seconds) // 60)
        case [[_, "_UTC" | "tzutc"], _]:
            return "UTC"
        case [["pytz", "_p"] | ["zoneinfo", "ZoneInfo._unpickle"], (str(name), *_)]:
            return name
        case [["pytz", "_FixedOffset"], (int(minutes), *_)]:
            return _offset(minutes)
    return None


def _offset(minutes: int) -> str:
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def decoded_label(raw: bytes, encoding: str) -> str:
    """A stored label as text, with escapes for what is not as encoded.

    >>> decoded_label(b"caf\\xe9", "latin-1"), decoded_label(b"caf\\xe9", "no encoding")
    ('café', 'caf\\\\xe9')
    """
    try:
        return raw.decode(encoding, "backslashreplace")
    except (UnicodeError, LookupError, ValueError):
        return raw.decode("utf-8", "backslashreplace")


def label_parts(label: Any) -> tuple[str, ...]:
    """The levels of a label as texts, without empty ones at the end.

    >>> label_parts(("power", "active")), label_parts(("voltage", "")), label_parts("a/b")
    (('power', 'active'), ('voltage',), ('a/b',))
    """
    if not isinstance(label, tuple):
        return (label_text(label),)
    parts = [label_text(each) for each in label]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return tuple(parts)


def label_text(label: Any) -> str:
    """A label of an axis as a column's name; the labels of several levels as a path.

    >>> label_text(3), label_text(("nose", "x")), label_text(np.datetime64("2020-01-01", "ns"))
    ('3', 'nose/x', '2020-01-01 00:00:00')
    """
    if isinstance(label, tuple):
        return "/".join(label_parts(label))
    if isinstance(label, np.datetime64) and not np.isnat(label):
        return str(label.astype("M8[us]").item())
    if isinstance(label, bytes):
        return label.decode("utf-8", "backslashreplace")
    return str(label.item() if isinstance(label, np.generic) and label.dtype.kind in "biuf" else label)


@dataclass(frozen=True)
class FixedTexts:
    """Strings of fixed length: NUL bytes at the end are padding, and one string may stand for a missing one."""

    values: Column
    encoding: str
    missing: str | None

    @property
    def sources(self) -> tuple[Column, ...]:
        """The stored bytes."""
        return plain_sources(self.values)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """Strings in an object array, None where missing."""
        values = made_rows(self.values, rows, fetch)
        out = np.empty(values.size, object)
        out[:] = list(map(self._text, values.ravel().tolist()))
        if self.missing is not None:
            out[out == self.missing] = None
        return out.reshape(values.shape)

    def _text(self, value: Any) -> str | None:
        if not isinstance(value, bytes):
            return value  # type: ignore[no-any-return]  # UTF-8 was decoded where it was read
        try:
            return value.rstrip(b"\0").decode(self.encoding)
        except (UnicodeError, LookupError, ValueError) as error:
            raise DataError(
                f"a string is no {self.encoding}: {value[:20]!r}", hint="layout='raw' reads the file's own datasets"
            ) from error

    def __str__(self) -> str:
        return f"strings in {self.encoding}" + (f", missing where {self.missing!r}" if self.missing else "")


@dataclass(frozen=True)
class Days:
    """Days of the calendar, stored as their ordinals."""

    values: Column

    @property
    def sources(self) -> tuple[Column, ...]:
        """The ordinals."""
        return plain_sources(self.values)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """``M8[D]``."""
        ordinals = made_rows(self.values, rows, fetch).astype(np.int64)
        return (ordinals - _EPOCH_ORDINAL).astype("M8[D]")

    def __str__(self) -> str:
        return "days by their ordinals"


@dataclass(frozen=True)
class Seconds:
    """Points in time of PyTables, in seconds: whole ones in the upper half of 64 bits, microseconds in the lower."""

    values: Column

    @property
    def sources(self) -> tuple[Column, ...]:
        """The stored halves."""
        return (self.values,)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """float64, as PyTables reads them."""
        halves = fetch.rows(self.values, rows)
        return 1e-6 * halves.astype(np.int32) + (halves >> 32)

    def __str__(self) -> str:
        return "seconds since 1970"
