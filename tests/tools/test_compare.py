"""The comparison finds any one wrong value, and nothing where all are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pyarrow as pa
import pytest

import hf_h5
from hf_h5.tools.compare import Comparison, compare_values, first_unequal_row
from tests.conformance.case import Case
from tests.conformance.zoo import CASES

N_ROWS = 40
LOADING = [case for case in CASES if case.error is None and case.data_files is None and not case.data_dir]


def write(file: Path) -> None:
    """Write a column of every kind."""
    generator = np.random.default_rng(1)
    with h5py.File(file, "w") as handle:
        handle["u1"] = generator.integers(0, 255, (N_ROWS, 4, 3), dtype=np.uint8)
        handle["f8"] = generator.normal(size=N_ROWS)
        handle["big"] = generator.normal(size=(N_ROWS, 2)).astype(">f4")
        handle["nan"] = np.full(N_ROWS, np.nan)
        handle["flag"] = np.arange(N_ROWS) % 3 == 0
        handle["text"] = np.array([f"row {row}" for row in range(N_ROWS)], dtype=object).astype(h5py.string_dtype())
        handle["fixed"] = np.array([f"r{row}".encode() for row in range(N_ROWS)])
        kinds = h5py.enum_dtype({"b": 5, "a": 2}, basetype="i2")
        handle.create_dataset("kind", data=np.array([5, 2] * (N_ROWS // 2), "i2"), dtype=kinds)
        handle["pair"] = np.rec.fromarrays([np.arange(N_ROWS), np.arange(N_ROWS) / 7], names="x,y")
        handle["z"] = np.arange(N_ROWS) * (1 + 2j)
        lists = handle.create_dataset("lists", (N_ROWS,), h5py.vlen_dtype(np.int32))
        lists[:] = np.array([np.arange(row % 5) for row in range(N_ROWS)], dtype=object)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write(tmp_path / "x.h5")
    return tmp_path / "x.h5"


def compared(cached_from: Path, direct_from: Path, h5py_from: Path | None = None, **options: Any) -> Comparison:
    """Compare modes that may read different files; h5py reads the one of the view."""
    scratch = str(cached_from.parent / "cache")
    files = str(cached_from)
    cached = datasets.load_dataset("hf_h5", data_files=files, split="train", cache_dir=scratch, **options)
    source = str(h5py_from or direct_from)
    with hf_h5.H5TorchView(direct_from, **options) as view, hf_h5.open_table(source, **options) as reader:
        return compare_values(cached, view, reader.schema)


def test_all_kinds_of_columns_are_the_same_and_compared_with_h5py(file: Path) -> None:
    found = compared(file, file)
    assert found.difference is None
    assert found.without_h5py == {}
    assert found.n_values == N_ROWS * (4 * 3 + 1 + 2 + 1 + 1 + 1 + 1 + 1 + 2 + 2) + sum(
        row % 5 for row in range(N_ROWS)
    )


@pytest.mark.parametrize(
    ("column", "index", "value"),
    [
        ("u1", (17, 2, 1), None),
        ("f8", 39, None),
        ("f8", 0, -0.0),
        ("big", (5, 1), None),
        ("nan", 30, 1.0),
        ("flag", 7, True),
        ("text", 12, "row 12 "),
        ("fixed", 3, b"r4"),
        ("kind", 21, 5),
        ("lists", 13, np.array([0, 1, 3], np.int32)),
        ("lists", 10, np.array([0], np.int32)),
    ],
)
def test_one_changed_value_is_named_by_column_and_row(file: Path, column: str, index: Any, value: Any) -> None:
    other = file.with_name("y.h5")
    write(other)
    with h5py.File(file, "r+") as one, h5py.File(other, "r+") as two:
        if index == 0:
            one[column][0] = two[column][0] = 0.0
        two[column][index] = two[column][index] + 1 if value is None else value
    row = index[0] if isinstance(index, tuple) else index
    by_mode = compared(file, other).difference
    by_h5py = compared(file, file, other).difference
    assert by_mode is not None
    assert by_h5py is not None
    assert (by_mode.column, by_mode.row, list(by_mode.values)) == (column, row, ["cached", "direct"])
    assert (by_h5py.column, by_h5py.row, list(by_h5py.values)) == (column, row, ["cached", "direct", "h5py"])
    assert f"column {column!r}, row {row}: cached: " in str(by_mode)


def test_any_byte_but_0_is_the_same_truth_value(tmp_path: Path) -> None:
    file = tmp_path / "x.h5"
    with h5py.File(file, "w") as handle:
        handle["flag"] = np.arange(6, dtype=np.uint8).view("?")
    assert h5py.File(file)["flag"][:].view(np.uint8).tolist() == list(range(6))
    assert compared(file, file).difference is None


@pytest.mark.parametrize("field", ["x", "y"])
def test_one_changed_field_of_a_compound_is_named(file: Path, field: str) -> None:
    other = file.with_name("y.h5")
    write(other)
    with h5py.File(other, "r+") as handle:
        pairs = handle["pair"][:]
        pairs[9][field] += 1
        handle["pair"][:] = pairs
    difference = compared(file, file, other).difference
    assert difference is not None
    assert (difference.column, difference.row) == (f"pair/{field}", 9)


def test_rows_of_later_parts_are_counted_from_the_start(tmp_path: Path) -> None:
    for name in ("x.h5", "y.h5"):
        with h5py.File(tmp_path / name, "w") as handle:
            for number in range(4):
                handle[f"demo_{number}/a"] = np.arange(10.0 + number)
    with h5py.File(tmp_path / "y.h5", "r+") as handle:
        handle["demo_2/a"][4] = -1
    steps = compared(tmp_path / "x.h5", tmp_path / "y.h5", layout="steps").difference
    episodes = compared(tmp_path / "x.h5", tmp_path / "x.h5", tmp_path / "y.h5").difference
    assert steps is not None
    assert episodes is not None
    assert (steps.column, steps.row) == ("a", 10 + 11 + 4)
    assert (episodes.column, episodes.row) == ("a", 2)


def test_columns_that_no_dataset_holds_are_compared_between_modes_and_said_so(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        for number in range(3):
            handle[f"demo_{number}/a"] = np.arange(3.0 + number)
    found = compared(tmp_path / "x.h5", tmp_path / "x.h5")
    assert (found.difference, found.without_h5py) == (None, {"episode_id": "no dataset holds it"})


@pytest.mark.parametrize(
    ("one", "other", "row"),
    [
        (pa.array([1.0, float("nan")]), pa.array([1.0, float("nan")]), None),
        (pa.array([0.0, 0.0]), pa.array([0.0, -0.0]), 1),
        (pa.array([1, None, 3]), pa.array([1, None, 3]), None),
        (pa.array([1, None, 3]), pa.array([1, 0, 3]), 1),
        (pa.array([[1], [2, 3], []]), pa.array([[1], [2], [3]]), 1),
        (pa.array([[1], None]), pa.array([[1], []]), 1),
        (pa.array([[{"x": 1.0}], [{"x": 2.0}]]), pa.array([[{"x": 1.0}], [{"x": 3.0}]]), 1),
        (pa.array(["a", "b"]), pa.array(["a", "b", "c"]), 2),
        (pa.array([1, 2], pa.int32()), pa.array([1, 2], pa.int64()), 0),
        (pa.chunked_array([[1, 2], [3]]), pa.chunked_array([[1], [2, 4]]), 2),
        (pa.chunked_array([], pa.int8()), pa.chunked_array([], pa.int8()), None),
        (pa.array([1, 2, 3, 4])[1:], pa.array([2, 3, 5]), 2),
    ],
)
def test_the_first_unequal_row_is_found_in_any_type(one: Any, other: Any, row: int | None) -> None:
    assert first_unequal_row(one, other) == row


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", LOADING, ids=lambda case: case.name)
def test_no_difference_is_found_where_there_is_none(case: Case, tmp_path: Path) -> None:
    if not case.available():
        pytest.skip(f"{case.name} cannot be written here")
    files = [str(file) for file in case.write(tmp_path)]
    options = {name: value for name, value in case.options_for(tmp_path).items() if name != "split"}
    loaded = datasets.load_dataset("hf_h5", data_files=files, cache_dir=str(tmp_path / "cache"), **options)
    for split, cached in loaded.items():
        with (
            hf_h5.H5TorchView(files, split=split, **options) as view,
            hf_h5.open_table(files, split=split, **options) as reader,
        ):
            assert compare_values(cached, view, reader.schema).difference is None
