"""Whether what came out of a front door is what a case expects, types included. Pure; no I/O."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tests.conformance.case import ABSENT, ANY_LENGTH, Either, Holding, Picture

__all__ = ["differences", "dtype_differences", "feature_differences", "find_error", "leaf_dtypes", "plain", "rows_of"]

DATES = (datetime.date, datetime.timedelta, np.datetime64, np.timedelta64)


def rows_of(columns: Mapping[str, Any], n_rows: int) -> list[dict[str, Any]]:
    """Turn a batch into rows, every column of it having ``n_rows`` cells."""
    for name, cells in columns.items():
        if len(cells) != n_rows:
            raise AssertionError(f"column {name!r} has {len(cells)} cells for {n_rows} rows")
    return [{name: plain(cells[row]) for name, cells in columns.items()} for row in range(n_rows)]


def plain(cell: Any) -> Any:
    """Turn numpy values into Python's, structured arrays into dicts, what is masked into None; dates stay numpy's."""
    if isinstance(cell, np.ma.MaskedArray) and cell.mask.all():
        return None
    if isinstance(cell, np.ndarray):
        return plain(cell[()]) if cell.ndim == 0 else [plain(item) for item in cell]
    if isinstance(cell, np.void) and cell.dtype.names:
        return {name: plain(cell[name]) for name in cell.dtype.names}
    if isinstance(cell, np.datetime64 | np.timedelta64):
        return None if np.isnat(cell) else cell
    if isinstance(cell, np.str_ | np.bytes_ | np.generic):
        return cell.item()
    if isinstance(cell, Mapping):
        return {name: plain(item) for name, item in cell.items()}
    if isinstance(cell, list | tuple):
        return [plain(item) for item in cell]
    return cell


def leaf_dtypes(cells: Any) -> set[str]:
    """Return the names of the dtypes of the numbers in an array, looking into the arrays that it may hold."""
    if not isinstance(cells, np.ndarray):
        return set()
    if cells.dtype.names:
        return {name for field in cells.dtype.names for name in leaf_dtypes(cells[field])}
    if cells.dtype == object:
        return {name for cell in cells.ravel() for name in leaf_dtypes(cell)}
    return {cells.dtype.name} if cells.dtype.isnative else {f"swapped {cells.dtype.name}"}


def dtype_differences(features: Mapping[str, Any], dtypes: Mapping[str, set[str]]) -> list[str]:
    """List the columns whose numbers come in another dtype than their feature's; any will do for text and bytes."""
    found = []
    for name, feature in features.items():
        allowed = set().union(*(leaf_names(option) for option in leaf_features(feature)))
        if allowed and not dtypes.get(name, set()) <= allowed:
            found.append(f"{name!r}: expected arrays of {sorted(allowed)}, got {sorted(dtypes[name])}")
    return found


def leaf_features(feature: Any) -> list[Any]:
    """Return the features of the values inside an expected feature."""
    if isinstance(feature, Either):
        return [leaf for option in feature.options for leaf in leaf_features(option)]
    if isinstance(feature, Mapping):
        return [leaf for option in feature.values() for leaf in leaf_features(option)]
    return leaf_features(feature[1]) if isinstance(feature, tuple) else [feature]


def leaf_names(feature: Any) -> set[str]:
    """Return the names of the numpy dtypes of a feature's values: none for text, bytes and pictures."""
    if type(feature).__name__ == "ClassLabel":
        return {"int64"}
    name = getattr(feature, "dtype", None) or ""
    if name.startswith(("timestamp", "duration")):
        return {name.replace("timestamp", "datetime64").replace("duration", "timedelta64")}
    if name == "date32":
        return {"datetime64[D]"}
    return {name} if name.startswith(("int", "uint", "float", "bool")) else set()


def differences(expected: Any, actual: Any, where: str = "") -> list[str]:
    """List what differs, each with its place; empty if nothing does."""
    if isinstance(expected, Either):
        found = [differences(option, actual, where) for option in expected.options]
        return [] if [] in found else found[0]
    if isinstance(expected, Holding):
        missing = [part for part in expected.parts if not (isinstance(actual, str) and part in actual)]
        return [f"{where}: {actual!r} lacks {missing}"] if missing else []
    if isinstance(expected, Picture):
        return differences([expected.mode, expected.pixels], picture_facts(actual), where)
    if isinstance(expected, Mapping):
        return mapping_differences(expected, actual, where)
    if isinstance(expected, list):
        return list_differences(expected, actual, where)
    return [] if same_scalar(expected, actual) else [f"{where}: expected {expected!r}, got {actual!r}"]


def mapping_differences(expected: Mapping[str, Any], actual: Any, where: str) -> list[str]:
    if not isinstance(actual, Mapping):
        return [f"{where}: expected a dict, got {actual!r}"]
    wanted = {name for name, item in expected.items() if not may_be_absent(item)}
    found = [f"{where}: no column {name!r} in {sorted(actual)}" for name in sorted(wanted - actual.keys())]
    found += [f"{where}: unexpected column {name!r}" for name in sorted(actual.keys() - expected.keys())]
    for name in expected.keys() & actual.keys():
        found += differences(expected[name], actual[name], f"{where}[{name!r}]")
    return found


def may_be_absent(expected: Any) -> bool:
    return expected is ABSENT or (isinstance(expected, Either) and ABSENT in expected.options)


def list_differences(expected: list[Any], actual: Any, where: str) -> list[str]:
    if not isinstance(actual, list | tuple):
        return [f"{where}: expected a list, got {actual!r}"]
    if len(expected) != len(actual):
        return [f"{where}: expected {len(expected)} items, got {len(actual)}: {actual!r:.200}"]
    pairs = enumerate(zip(expected, actual, strict=True))
    return [line for place, (one, other) in pairs for line in differences(one, other, f"{where}[{place}]")]


def same_scalar(expected: Any, actual: Any) -> bool:
    """Compare type, value, sign of zero; NaN equals NaN, dates are equal in any class of dates."""
    if expected is ABSENT:
        return actual is None
    if expected is None or isinstance(expected, bool | str | bytes):
        return type(actual) is type(expected) and actual == expected
    if isinstance(expected, float):
        if not isinstance(actual, float):
            return False
        if math.isnan(expected) or math.isnan(actual):
            return math.isnan(expected) and math.isnan(actual)
        return actual == expected and math.copysign(1, actual) == math.copysign(1, expected)
    if isinstance(expected, int):
        return isinstance(actual, int) and not isinstance(actual, bool) and actual == expected
    if isinstance(expected, np.datetime64 | np.timedelta64):
        return isinstance(actual, DATES) and numpy_date(actual) == expected
    raise TypeError(f"a case expects {expected!r}, which is no plain value")


def numpy_date(value: Any) -> Any:
    """Turn any date into numpy's, exactly: pandas' classes hold nanoseconds that Python's lack."""
    for exact in ("to_datetime64", "to_timedelta64"):
        if hasattr(value, exact):
            return getattr(value, exact)()
    if isinstance(value, datetime.timedelta):
        return np.timedelta64(value)
    return np.datetime64(value) if isinstance(value, datetime.date) else value


def picture_facts(image: Any) -> Any:
    """Return the mode and the pixels, as nested lists, of a PIL image."""
    return [image.mode, np.asarray(image).tolist()] if hasattr(image, "getpixel") else image


def feature_differences(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[str]:
    """List the columns whose feature is not the expected one."""
    found = [f"no column {name!r} in {sorted(actual)}" for name in expected if name not in actual]
    found += [f"unexpected column {name!r}" for name in actual if name not in expected]
    for name in expected.keys() & actual.keys():
        if not same_feature(expected[name], actual[name]):
            found.append(f"{name!r}: expected {expected[name]}, got {actual[name]}")
    return found


def same_feature(expected: Any, actual: Any) -> bool:
    if isinstance(expected, Either):
        return any(same_feature(option, actual) for option in expected.options)
    if isinstance(expected, Mapping):
        return isinstance(actual, Mapping) and not feature_differences(expected, actual)
    if isinstance(expected, tuple):
        item, length = list_item(actual)
        return item is not None and expected[2] in (ANY_LENGTH, length) and same_feature(expected[1], item)
    if hasattr(expected, "shape"):
        return type(actual) is type(expected) and feature_facts(actual) == feature_facts(expected)
    return type(actual) is type(expected) and actual == expected


def feature_facts(feature: Any) -> tuple[Any, ...]:
    return tuple(feature.shape), feature.dtype


def list_item(feature: Any) -> tuple[Any, int]:
    """Return a list feature's item and length, whichever class of lists the version has."""
    if isinstance(feature, list):
        return feature[0], -1
    if type(feature).__name__ in ("List", "Sequence"):
        return feature.feature, feature.length
    return None, -1


def chain(error: BaseException) -> Iterable[BaseException]:
    """Yield an error and what it was raised from, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def find_error(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    """Return the first error of a class in the chain: ``datasets`` wraps what its builders raise."""
    return next((link for link in chain(error) if isinstance(link, kind)), None)
