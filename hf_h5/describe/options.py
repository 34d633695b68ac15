"""The options that have one meaning everywhere: builder, view, describe, open_table, command line.

Pure; no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from os import PathLike, fspath
from typing import Any

from ..errors import OptionError, closest_names
from .axes import check_axis
from .elements import FeatureSpec
from .limits import Limits, make_limits

__all__ = ["CHOICES", "NEUTRAL", "Options", "count_bytes", "make_options", "plain_spec"]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
CHOICES = {
    "layout": ("auto", "table", "episodes", "steps", "raw"),
    "join": ("rows", "columns"),
    "route": ("auto", "direct", "h5py"),
    "splits": ("auto", False),
    "on_bad_files": ("error", "warn", "skip"),
    "on_bad_rows": ("error", "skip"),
    "arrays": ("array", "list"),
}
"""The values that an option may have; ``splits`` may be a mapping, too."""

NEUTRAL = frozenset({"allow_external", "batch_size", "isolate", "limits", "remote_cache_bytes", "route", "threads"})
"""Options that change how rows come, or whether, but not which values they hold."""

_KINDS: dict[str, tuple[type, str]] = {
    "table": (str, "a path inside the file"),
    "nested": (bool, "True or False"),
    "rows": (str, "the name of a dimension"),
    "dense": (bool, "True or False"),
    "decode": (bool, "True or False"),
    "isolate": (bool, "True or False"),
    "class_labels": (Mapping, "a mapping of columns to their names"),
}


@dataclass(frozen=True)
class Options:
    """What the user asked for; see the reference page of the options for their meaning."""

    columns: tuple[str, ...] | None = None
    table: str | None = None
    layout: str = "auto"
    nested: bool = False
    splits: str | bool | Mapping[str, str] = "auto"
    join: str = "rows"
    class_labels: Mapping[str, Sequence[str] | str] | None = None
    features: Any = None
    allow_external: tuple[str, ...] = ()
    route: str = "auto"
    threads: int | None = None
    isolate: bool | None = None
    limits: Limits = field(default_factory=Limits)
    batch_size: int | None = None
    on_bad_files: str = "error"
    on_bad_rows: str = "error"
    arrays: str = "array"
    remote_cache_bytes: int = 4_000_000_000
    rows: str | None = None
    dense: bool = False
    decode: bool = False
    axis: int | Mapping[str, int] | None = None

    @property
    def feature_specs(self) -> dict[str, FeatureSpec] | None:
        """``features`` as plain dicts by column, without importing ``datasets``."""
        if self.features is None:
            return None
        return {name: plain_spec(feature) for name, feature in self.features.to_dict().items()}


def count_bytes(size: int | str, name: str, *, least: int = 0) -> int:
    """Read a number of bytes, given as such or with a unit; ``name`` is the argument's, for the message.

    Raises
    ------
    OptionError
        If it is no number of bytes, or fewer than ``least``.

    Examples
    --------
    >>> count_bytes("256MB", "cache_bytes"), count_bytes("1.5 GiB", "cache_bytes"), count_bytes(0, "cache_bytes")
    (256000000, 1610612736, 0)
    """
    count = size if isinstance(size, int) and not isinstance(size, bool) else _count_of_text(size)
    if count is None or count < least:
        what = "no number of bytes" + (f" from {least} on" if count is not None and count >= 0 else "")
        raise OptionError(f"{name}={size!r} is {what}", hint=f'write {name}="256MB" or {name}=256_000_000')
    return count


def _count_of_text(size: Any) -> int | None:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", size.lower()) if isinstance(size, str) else None
    if found is None or (found[3] and not found[2]):
        return None
    return int(float(found[1]) * (_BINARY_UNITS[found[2]] if found[3] else _UNITS[found[2]]))


def make_options(**given: Any) -> Options:
    """Check options and bring them into one form.

    Raises
    ------
    OptionError
        If an option is unknown (with the closest names) or its value makes no sense.
    """
    known = {item.name for item in fields(Options)}
    for name in given:
        if name not in known:
            raise OptionError(f"there is no option {name!r}", hint=closest_names(name, sorted(known)))
    _check_values(given)
    values = dict(given)
    for name in ("columns", "allow_external"):
        if values.get(name) is not None:
            values[name] = _strings(name, values[name])
        elif name == "allow_external":
            values.pop(name, None)
    if "remote_cache_bytes" in given:
        values["remote_cache_bytes"] = count_bytes(given["remote_cache_bytes"], "remote_cache_bytes")
    values["limits"] = make_limits(values.get("limits"))
    check_axis(values.get("axis"))
    if values.get("rows") is not None and (values.get("axis") is not None or values.get("layout", "auto") != "auto"):
        raise OptionError(
            f"rows={values['rows']!r} goes by the dimensions that a convention names, and axis= and layout= do without",
            hint="pass only one of them",
        )
    features = values.get("features")
    if features is not None and not hasattr(features, "to_dict"):
        raise OptionError(f"features={features!r} is not a datasets.Features")
    return Options(**values)


def _check_values(given: Mapping[str, Any]) -> None:
    for name, choices in CHOICES.items():
        if name == "splits" and isinstance(given.get(name), Mapping):
            _check_named_splits(given[name])
        elif name in given and given[name] not in choices:
            listed = ", ".join(map(repr, choices))
            raise OptionError(f"{name}={given[name]!r} is not one of {listed}")
    for name in ("threads", "batch_size"):
        value = given.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise OptionError(f"{name}={value!r} is not a positive integer")
    for name, (kinds, words) in _KINDS.items():
        if given.get(name) is not None and not isinstance(given[name], kinds):
            raise OptionError(f"{name}={given[name]!r} is not {words}")
    for column, names in (given.get("class_labels") or {}).items():
        if not isinstance(names, str | Iterable):
            raise OptionError(f"class_labels[{column!r}]={names!r} is neither a list of names nor the path of one")


def _check_named_splits(splits: Mapping[Any, Any]) -> None:
    for split, place in splits.items():
        if not (isinstance(split, str) and isinstance(place, str) and place):
            raise OptionError(
                f"splits={{{split!r}: {place!r}}} does not give a split the path of a list of episodes",
                hint="for example splits={'train': '/mask/train'}",
            )
    if not splits:
        raise OptionError("splits={} names no split", hint="splits=False is for none")


def _strings(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str | PathLike):
        value = (value,)
    items = tuple(value) if isinstance(value, Iterable) else (None,)
    if not all(isinstance(item, str | PathLike) for item in items):
        raise OptionError(f"{name}={value!r} is not a string or a list of strings")
    if name == "columns" and not items:
        raise OptionError("columns=[] names no column", hint="leave columns= out for all of them")
    return tuple(fspath(item) for item in items)


def plain_spec(feature: Any) -> Any:
    """``Features.to_dict`` leaves lists for lists of one feature in old versions; give them their class name."""
    if isinstance(feature, list):
        return {"feature": plain_spec(feature[0]), "length": -1, "_type": "List"}
    if isinstance(feature, Mapping):
        plain = {
            name: plain_spec(inner) if isinstance(inner, Mapping | list) and name != "names" else inner
            for name, inner in feature.items()
        }
        if plain.get("_type") in ("Sequence", "LargeList") and "feature" in plain:
            plain["_type"] = "List"
        return plain
    return feature
