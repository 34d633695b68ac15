"""Whether real files read alike by every way: h5py itself, ``open_table``, the cached dataset and the view."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np

import hf_h5
from hf_h5.errors import H5Warning
from tests.exact import assert_exact

__all__ = ["FORMATS", "assert_modes_agree", "assert_reads_as_h5py", "h5py_values", "quiet", "sample"]

FORMATS: list[tuple[str | None, dict[str, Any]]] = [
    (None, {}),
    ("numpy", {}),
    ("torch", {}),
    ("torch", {"dtype": None}),
]
# Rows of a table are compared up to so many values, as Python objects are slow.
MAX_VALUES = 300_000


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Collect what is said of values that are not among the rows; every other warning is an error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", H5Warning)
        said: list[str] = []
        yield said
        said += [str(warning.message) for warning in caught]


def h5py_values(handle: h5py.File, path: str, fields: tuple[str, ...] = ()) -> Any:
    """Return what h5py reads at a path: numbers in native order, strings as ``str``, lists as objects, labels by name.

    None where h5py cannot read, or leaves something to interpret: padding of fixed strings, references, opaque bytes,
    and big-endian lists, which it hands out unswapped.
    """
    dataset = handle[path]
    try:
        kind = dataset.dtype
    except (TypeError, ValueError):
        return None
    if h5py.check_string_dtype(kind) is not None:
        return dataset.asstr()[()] if h5py.check_string_dtype(kind).length is None else None
    names = h5py.check_enum_dtype(kind)
    if names is not None:
        order = {code: place for place, code in enumerate(sorted(names.values()))}
        return np.vectorize(order.__getitem__, otypes=[np.int64])(dataset[()])
    item = h5py.check_vlen_dtype(kind)
    if item is not None:
        return dataset[()] if item.kind in "biuf" and item.byteorder != ">" else None
    values = dataset[()]
    for name in fields:
        values = getattr(values, name) if values.dtype.kind == "c" else values[name]
    if values.dtype.kind not in "biuf" or h5py.check_enum_dtype(values.dtype) is not None:
        return None
    return values.astype(values.dtype.newbyteorder("="))


def assert_reads_as_h5py(file: Path, **options: Any) -> int:
    """Compare every column that holds numbers or variable strings; return how many there were."""
    compared = 0
    with hf_h5.open_table(file, **options) as reader, h5py.File(file) as handle:
        found = reader.read(slice(None))
        part = reader.schema.parts[0]
        for name, column in part.columns.items():
            if column.take != "rows" or len(reader.schema.parts) > 1:
                continue
            expected = h5py_values(handle, part.path_of(column), column.fields)
            if expected is None:
                continue
            expected = np.ascontiguousarray(np.moveaxis(expected, column.axis, 0))
            if not column.row_shape:
                expected = expected.reshape(-1)  # a vector's axes of size 1 are none of its rows'
            assert found[name].shape == expected.shape, name
            if expected.dtype.kind == "O":
                pairs = zip(found[name].ravel(), expected.ravel(), strict=True)
                assert all(np.array_equal(one, other) for one, other in pairs), name
            elif found[name].dtype == expected.dtype:
                assert found[name].tobytes() == expected.tobytes(), name
            else:
                # Converted by the library: odd widths, long doubles.
                np.testing.assert_array_equal(found[name], expected.astype(found[name].dtype), name)
            compared += 1
    return compared


def sample(n_rows: int, row_values: int) -> list[int]:
    """Return first, last and some rows between, few enough for Python objects."""
    count = max(1, min(n_rows, 40, MAX_VALUES // max(1, row_values)))
    if not n_rows:
        return []
    return sorted({0, n_rows - 1, *np.random.default_rng(0).integers(0, n_rows, count).tolist()})[-count - 1 :]


def assert_modes_agree(file: Path, cache: Path, **options: Any) -> list[str]:
    """Compare the cached dataset and the view in several formats, in each split; return the splits' names."""
    loaded = datasets.load_dataset("hf_h5", data_files=str(file), cache_dir=str(cache), **options)
    for split, cached in loaded.items():
        chosen = {"split": split} if len(loaded) > 1 else {}
        with hf_h5.H5TorchView(file, **chosen, **options) as view:
            assert view.features == cached.features
            assert view.shape == cached.shape
            values = row_values(view)
            rows = sample(len(view), values)
            # As Python objects, a row of many pictures takes seconds.
            # Of dates torch has no type, in the cached mode neither.
            formats = [each for each in FORMATS if each[0] != "torch" or not has_dates(view.features)]
            for kind, kwargs in formats if values < MAX_VALUES else formats[1:]:
                expected, found = cached.with_format(kind, **kwargs), view.with_format(kind, **kwargs)
                assert_exact(found[rows], expected[rows], f"{split} {kind} {kwargs}")
                if rows:
                    assert_exact(found[rows[-1]], expected[rows[-1]], f"{split} {kind} {kwargs} row {rows[-1]}")
    return list(loaded)


def has_dates(features: datasets.Features) -> bool:
    """Say whether a column holds points in time or durations."""
    kinds = ("timestamp", "duration", "date")
    return any(str(getattr(each, "dtype", "")).startswith(kinds) for each in features.values())


def row_values(view: Any) -> int:
    """Return about how many values the largest row holds."""
    first = view.with_format("numpy")[:1]
    return max((sum(np.size(item) for item in column) for column in first.values()), default=1)
