"""Are two HDF5 files the same to h5py: object by object, with nothing of the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np


def assert_same(first: Path, second: Path) -> None:
    with h5py.File(first, "r") as one, h5py.File(second, "r") as two:
        assert one.userblock_size == two.userblock_size
        assert first.read_bytes()[: one.userblock_size] == second.read_bytes()[: two.userblock_size]
        compare_groups(one, two, {})


def compare_groups(one: h5py.Group, two: h5py.Group, seen: dict[Any, Any]) -> None:
    seen[h5py.h5o.get_info(one.id).addr] = two
    compare_attributes(one, two)
    assert list(one) == list(two)
    for name in one:
        links = one.get(name, getlink=True), two.get(name, getlink=True)
        assert type(links[0]) is type(links[1])
        assert getattr(links[0], "path", None) == getattr(links[1], "path", None)
        assert getattr(links[0], "filename", None) == getattr(links[1], "filename", None)
        if isinstance(links[0], h5py.HardLink):
            compare_objects(one[name], two[name], seen)


def compare_objects(one: Any, two: Any, seen: dict[Any, Any]) -> None:
    address = h5py.h5o.get_info(one.id).addr
    if address in seen:
        assert seen[address] == two
        return
    seen[address] = two
    assert type(one) is type(two)
    if isinstance(one, h5py.Group):
        compare_groups(one, two, seen)
    elif isinstance(one, h5py.Dataset):
        compare_attributes(one, two)
        compare_datasets(one, two)
    else:
        compare_attributes(one, two)
        assert one.id.equal(two.id)


def compare_datasets(one: h5py.Dataset, two: h5py.Dataset) -> None:
    assert (one.shape, one.maxshape) == (two.shape, two.maxshape)
    assert one.id.get_type().equal(two.id.get_type())
    assert one.id.get_type().committed() == two.id.get_type().committed()
    if one.shape is None:
        return
    try:
        values = one[()]
    except (OSError, TypeError):
        return  # what h5py cannot read is compared by the command as it is stored
    assert_equal(values, two[()], one, two)
    if one.chunks is not None and two.chunks is not None and one.id.get_num_chunks() == 0:
        assert two.id.get_num_chunks() == 0
    if one.dtype.hasobject:
        return  # h5py shows fill values of pointers as what its memory held
    try:
        fills = one.fillvalue, two.fillvalue
    except (RuntimeError, TypeError, ValueError):
        return
    assert_equal(*fills, one, two)


def compare_attributes(one: Any, two: Any) -> None:
    assert list(one.attrs) == list(two.attrs)
    for name in one.attrs:
        ids = one.attrs.get_id(name), two.attrs.get_id(name)
        assert ids[0].get_type().equal(ids[1].get_type())
        assert ids[0].shape == ids[1].shape
        assert_equal(one.attrs[name], two.attrs[name], one, two)


def assert_equal(first: Any, second: Any, one: Any, two: Any) -> None:
    assert type(first) is type(second)
    if isinstance(first, h5py.Empty):
        assert first.dtype == second.dtype
    elif isinstance(first, h5py.RegionReference) and first:
        assert one.file[first].name == two.file[second].name
        assert_equal(one.file[first][first], two.file[second][second], one, two)
    elif isinstance(first, h5py.Reference):
        assert place(one, first) == place(two, second)
    elif isinstance(first, np.ndarray | np.generic) and first.dtype.names:
        for name in first.dtype.names:
            assert_equal(first[name], second[name], one, two)
    elif isinstance(first, np.ndarray) and first.dtype.kind == "O":
        assert first.shape == second.shape
        for pair in zip(first.flat, second.flat, strict=True):
            assert_equal(*pair, one, two)
    elif isinstance(first, np.ndarray | np.generic):
        assert (first.dtype, first.shape) == (second.dtype, second.shape)
        assert first.tobytes() == second.tobytes()
    else:
        assert first == second


def place(holder: Any, reference: h5py.Reference) -> str | None:
    try:
        return str(holder.file[reference].name) if reference else None
    except (KeyError, ValueError):
        return None
