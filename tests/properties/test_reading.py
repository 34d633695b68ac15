"""``open_table`` gives h5py's values to the last bit, whatever a file holds and however it is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hf_h5
from tests.properties.strategies import FilePlan, file_plans, row_numbers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("properties")


def assert_column(found: Any, expected: np.ndarray[Any, Any], name: str) -> None:
    """Compare shape, dtype and bits; strings, bytes and lists one by one."""
    assert found.shape == expected.shape, name
    assert found.dtype == expected.dtype, name
    if expected.dtype.kind != "O":
        assert found.tobytes() == expected.tobytes(), name
        return
    for one, other in zip(found.ravel(), expected.ravel(), strict=True):
        assert type(one) is type(other), name
        if isinstance(other, np.ndarray):
            assert one.dtype == other.dtype, name
            assert one.tobytes() == other.tobytes(), name
        else:
            assert one == other, name


@settings(max_examples=150)
@given(plan=file_plans(), data=st.data())
def test_any_rows_are_what_h5py_reads(folder: Path, plan: FilePlan, data: st.DataObject) -> None:
    file = plan.write(folder / "a.h5")
    expected = plan.expected(file)
    rows = data.draw(row_numbers(plan.n_rows), label="rows")
    route = data.draw(st.sampled_from(["auto", "auto", "h5py"]), label="route")

    with hf_h5.open_table(file, route=route) as reader:
        assert len(reader) == plan.n_rows
        assert set(reader.schema.columns) == set(expected)
        whole = reader.read(slice(None))
        picked = reader.read(rows)

    for name, values in expected.items():
        assert_column(whole[name], values, name)
        assert_column(picked[name], values[np.array(rows, np.int64)], name)


@settings(max_examples=60)
@given(plan=file_plans(), data=st.data())
def test_the_callers_arrays_are_filled_and_columns_are_chosen(
    folder: Path, plan: FilePlan, data: st.DataObject
) -> None:
    file = plan.write(folder / "out.h5")
    expected = plan.expected(file)
    rows = np.array(data.draw(row_numbers(plan.n_rows), label="rows"), np.int64)
    names = data.draw(st.lists(st.sampled_from(sorted(expected)), min_size=1, unique=True), label="columns")
    out = {name: np.full((len(rows), *expected[name].shape[1:]), 77).astype(expected[name].dtype) for name in names}

    with hf_h5.open_table(file, columns=names) as reader:
        found = reader.read(rows, out=out)

    assert list(found) == names
    for name in names:
        assert found[name] is out[name]
        assert_column(out[name], expected[name][rows], name)


@settings(max_examples=60)
@given(plan=file_plans(), data=st.data())
def test_a_group_of_an_open_file_reads_as_the_file_does(folder: Path, plan: FilePlan, data: st.DataObject) -> None:
    file = plan.write(folder / "open.h5")
    expected = plan.expected(file)
    rows = data.draw(row_numbers(plan.n_rows), label="rows")

    with h5py.File(file) as handle, hf_h5.open_table(handle) as reader:
        found = reader.read(rows)

    for name, values in expected.items():
        assert_column(found[name], values[np.array(rows, np.int64)], name)


@settings(max_examples=40)
@given(plans=st.lists(file_plans(max_rows=4), min_size=2, max_size=2), data=st.data())
def test_rows_of_several_files_come_in_the_files_order(
    folder: Path, plans: list[FilePlan], data: st.DataObject
) -> None:
    # The first plan, written with other values, other lengths and other storage each time.
    files, parts = [], []
    for number, plan in enumerate(plans):
        same = FilePlan(plan.n_rows, tuple(reseeded(each, number, plan.n_rows) for each in plans[0].datasets))
        files.append(same.write(folder / f"part{number}.h5"))
        parts.append(same.expected(files[-1]))
    n_rows = sum(plan.n_rows for plan in plans)
    rows = np.array(data.draw(row_numbers(n_rows), label="rows"), np.int64)

    with hf_h5.open_table(files) as reader:
        assert len(reader) == n_rows
        found = reader.read(rows)

    for name in parts[0]:
        assert_column(found[name], np.concatenate([part[name] for part in parts])[rows], name)


def reseeded(plan: Any, number: int, n_rows: int) -> Any:
    changes = {"seed": plan.seed + number, "storage": plan.storage if number == 0 and plan.storage else {}}
    return type(plan)(plan.path, plan.kind, plan.dtype, plan.row_shape, **changes)
