"""Values as JSON holds them, equal for equal values; both the writers and the readers use it. Pure; no I/O."""

from __future__ import annotations

import datetime
import math
from typing import Any

__all__ = ["encode"]


def encode(value: Any) -> Any:
    """A value, or lists and mappings of them; missing ones, of whatever kind, are None."""
    if isinstance(value, dict):
        return {str(name): encode(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encode(inner) for inner in value]
    if hasattr(value, "isoformat"):
        # Timestamps of pandas and of Python differ in how many digits they print of a second.
        return _instant(value)
    if isinstance(value, datetime.timedelta):
        return f"{value.total_seconds():.9f} s"
    if isinstance(value, complex):
        return [value.real, value.imag]
    if isinstance(value, float):
        return None if math.isnan(value) else repr(value)
    return value if value is None or isinstance(value, bool | int | str) else repr(value)


def _instant(value: Any) -> str:
    if isinstance(value, datetime.timedelta):
        return f"{value.total_seconds():.9f} s"
    if not isinstance(value, datetime.datetime):
        return str(value.isoformat())
    nanoseconds = getattr(value, "nanosecond", 0)
    utc = value if value.tzinfo is None else value.astimezone(datetime.UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{value.microsecond:06d}{nanoseconds:03d} {value.utcoffset()}"
