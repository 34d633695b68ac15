"""CF times: numbers that count units since a date, and the moments that they mean.

Pure; no I/O. CF conventions 1.11, section 4.4 "Time Coordinate".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

__all__ = ["TimeUnit", "read_time_unit"]

_SECOND = 1_000_000_000
# Nanoseconds of each unit; UDUNITS takes plurals and abbreviations.
_UNITS = {
    **dict.fromkeys(("day", "days", "d"), 86_400 * _SECOND),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), 3_600 * _SECOND),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), 60 * _SECOND),
    **dict.fromkeys(("second", "seconds", "sec", "secs", "s"), _SECOND),
    **dict.fromkeys(("millisecond", "milliseconds", "millisec", "millisecs", "msec", "msecs", "ms"), 1_000_000),
    **dict.fromkeys(("microsecond", "microseconds", "microsec", "microsecs", "us"), 1_000),
    **dict.fromkeys(("nanosecond", "nanoseconds", "nsec", "nsecs", "ns"), 1),
}
_STEPS = {"s": _SECOND, "ms": 1_000_000, "us": 1_000, "ns": 1}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SINCE = re.compile(r"\s*([A-Za-z_]+)\s+since\s+(.+?)\s*", re.IGNORECASE)
_CLOCK = r"(?:[T\s]+(\d{1,2})(?::(\d{1,2})(?::(\d{1,2}(?:\.\d*)?))?)?)?"
_ZONE = r"\s*(Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)?"
_DATE = re.compile(rf"(-?\d{{1,5}})-(\d{{1,2}})-(\d{{1,2}}){_CLOCK}{_ZONE}", re.IGNORECASE)
_NAMED_DATE = re.compile(rf"([A-Za-z]{{3}})[a-z]*\.?\s+(\d{{1,2}}),?\s+(\d{{4}}){_CLOCK}{_ZONE}", re.IGNORECASE)
# The first day of the Gregorian calendar; the default calendar of CF counts dates before as Julian ones.
_GREGORIAN = np.datetime64("1582-10-15", "D")
# datetime.datetime ends there, and with it what Python shows of a timestamp.
_FIRST, _END = np.datetime64("0001-01-01", "D"), np.datetime64("10000-01-01", "D")


@dataclass(frozen=True)
class TimeUnit:
    """Numbers of ``step_ns`` nanoseconds since a moment, which lies ``epoch_ns`` after 1970 began."""

    step_ns: int
    epoch_ns: int

    def dtype(self, stored: np.dtype[Any]) -> np.dtype[Any]:
        """The coarsest unit of Arrow that holds every whole number; fractions are rounded to microseconds."""
        if stored.kind == "f":
            return np.dtype("M8[us]" if self.step_ns > 1 else "M8[ns]")
        names = ("s", "ms", "us", "ns")
        name = next(each for each in names if not self.step_ns % _STEPS[each] and not self.epoch_ns % _STEPS[each])
        return np.dtype(f"M8[{name}]")

    def moments(self, values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Timestamps of numbers; not-a-number is not-a-time.

        Raises
        ------
        DataError
            If a date lies outside the years 1 to 9999.
        """
        unit = _STEPS[np.datetime_data(dtype)[0]]
        steps = self.step_ns / unit if values.dtype.kind == "f" else self.step_ns // unit
        epoch = self.epoch_ns // unit
        absent = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        low, high = (int(each.astype(dtype).astype(np.int64)) for each in _limits(dtype))
        known = np.where(absent, 0, values)
        # In Python's integers and in floats nothing overflows before it is compared.
        outside = ~absent & ((known < (low - epoch) / steps) | (known >= (high - epoch) / steps))
        if outside.any():
            raise DataError(
                f"a time of {values[outside].flat[0]} lies outside the years 1 to 9999",
                hint="leave decode= out to get the stored numbers",
            )
        scaled = (
            np.rint(known.astype(np.float64) * steps) if values.dtype.kind == "f" else known.astype(np.int64) * steps
        )
        return np.where(absent, np.datetime64("NaT"), (scaled.astype(np.int64) + epoch).astype(dtype))


def _limits(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    if np.datetime_data(dtype)[0] != "ns":
        return _FIRST, _END
    return np.datetime64("1677-09-22", "D"), np.datetime64("2262-04-11", "D")


def read_time_unit(units: Any, calendar: Any) -> TimeUnit | str | None:
    """Understand ``days since 2000-01-01 12:00`` and its calendar.

    Returns
    -------
    TimeUnit, str or None
        The reason where it is a time that stays a number; None where it is none.

    Examples
    --------
    >>> read_time_unit("hours since 1970-01-02", None)
    TimeUnit(step_ns=3600000000000, epoch_ns=86400000000000)
    >>> read_time_unit("days since 2000-01-01", "360_day")
    "times of the calendar '360_day' stay numbers"
    """
    match = _SINCE.fullmatch(units) if isinstance(units, str) else None
    if match is None:
        return None
    kind = str(calendar or "standard").lower()
    if kind not in ("standard", "gregorian", "proleptic_gregorian"):
        return f"times of the calendar {kind!r} stay numbers"
    step = _UNITS.get(match[1].lower())
    if step is None:
        return f"times in {match[1]!r} stay numbers: their length differs"
    epoch = _read_epoch(match[2], is_mixed=kind != "proleptic_gregorian")
    return TimeUnit(step, epoch) if epoch is not None else f"times since {match[2]!r} stay numbers"


def _read_epoch(text: str, *, is_mixed: bool) -> int | None:
    """Nanoseconds from 1970 to a date; None if it is none."""
    if match := _DATE.fullmatch(text):
        year, month, day = int(match[1]), int(match[2]), int(match[3])
    elif (match := _NAMED_DATE.fullmatch(text)) and match[1].lower() in _MONTHS:
        year, month, day = int(match[3]), _MONTHS.index(match[1].lower()) + 1, int(match[2])
    else:
        return None
    days = _days(year, month, day, is_mixed=is_mixed)
    hours, minutes, seconds = int(match[4] or 0), int(match[5] or 0), match[6] or "0"
    if days is None or hours > 24 or minutes > 59:
        return None
    whole, _, fraction = seconds.partition(".")
    clock = (hours * 60 + minutes) * 60 + int(whole) - _zone_seconds(match[7])
    return (days * 86_400 + clock) * _SECOND + int(f"{fraction:0<9}"[:9])


def _days(year: int, month: int, day: int, *, is_mixed: bool) -> int | None:
    """Days from 1970 to a date; the default calendar has no year 0 and counts Julian dates before October 1582."""
    try:
        date = np.datetime64(f"{year:04d}-{month:02d}-{day:02d}", "D")
    except ValueError:
        return None
    if not is_mixed or date >= _GREGORIAN:
        return int(date.astype(np.int64))
    if year <= 0:
        return None
    # The number of a Julian date as in the Explanatory Supplement to the Astronomical Almanac; 1970 began on 2440588.
    shift = (14 - month) // 12
    years, months = year + 4800 - shift, month + 12 * shift - 3
    return day + (153 * months + 2) // 5 + 365 * years + years // 4 - 32_083 - 2_440_588


def _zone_seconds(zone: str | None) -> int:
    if not zone or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    return (int(hours) * 60 + int(minutes)) * (-60 if zone[0] == "-" else 60)
