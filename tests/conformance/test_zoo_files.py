"""The zoo itself, held against plain h5py: what its files claim to hold, they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.conformance.case import Case
from tests.conformance.compare import differences
from tests.conformance.zoo import CASES

UNREADABLE_BY_H5PY = {
    "filter_unknown_but_registered",
    "filter_unknown",
    "filter_fletcher32_of_other_bytes",
    "opaque_with_a_tag",
}
"""Nothing can read the first three; h5py knows opaque types only without a tag."""


def write(case: Case, folder: Path) -> list[Path]:
    if not case.available():
        pytest.skip(f"{case.name} cannot be written here")
    return [file for file in case.write(folder) if h5py.is_hdf5(file)]


def has_numpy_type(dataset: h5py.Dataset) -> bool:
    """Say whether h5py has a dtype for the dataset; integers of 24 bits have none."""
    try:
        return dataset.dtype is not None
    except TypeError:
        return False


def datasets_of(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return the datasets by name, each once, of those that h5py has a dtype for."""
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and has_numpy_type(item):
            found[name] = item

    file.visititems(visit)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_zoo_files_can_be_read_by_h5py(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write(case, tmp_path)
    monkeypatch.chdir(tmp_path)
    for target in files:
        with h5py.File(target, "r") as file:
            found = datasets_of(file)
            readable = {name: item[()] for name, item in found.items() if is_readable(case, name)}
            assert set(readable) or case.name in UNREADABLE_BY_H5PY or not found


def is_readable(case: Case, name: str) -> bool:
    return case.name not in UNREADABLE_BY_H5PY and not (case.name.startswith("filter_unknown") and name == "x")


def numeric_columns(case: Case) -> list[str]:
    """Return the columns whose literals h5py gives as they are: plain numbers by a dataset's own path."""
    return [name for name in (case.features or {}) if "episode" not in name]


IN_ONE_TABLE = [
    case
    for case in CASES
    if isinstance(case.rows, list) and case.rows and case.options == {} and not case.data_files and not case.data_dir
]


@pytest.mark.parametrize("case", IN_ONE_TABLE, ids=lambda case: case.name)
def test_zoo_files_hold_what_they_claim(case: Case, tmp_path: Path) -> None:
    """Literals against h5py, wherever a column is a numeric dataset of one length with the rows."""
    cells: dict[str, list[Any]] = {}
    for target in write(case, tmp_path):
        with h5py.File(target, "r") as file:
            for name, item in datasets_of(file).items():
                if item.shape and item.dtype.kind in "iufb" and not isinstance(item.id.get_type(), h5py.h5t.TypeEnumID):
                    cells.setdefault(name, []).extend(item[()].astype(item.dtype.newbyteorder("=")).tolist())
    for name, column in cells.items():
        expected = [row.get(name) for row in case.rows]
        if name in case.rows[0] and len(column) == len(expected) and item_is_number(case, name):
            assert not differences(expected, column, name)


def item_is_number(case: Case, name: str) -> bool:
    return name in numeric_columns(case) and not case.name.startswith(("float_long_double", "files_of_one_sample"))


def test_big_endian_vlen_lies_swapped_in_its_file(tmp_path: Path) -> None:
    """h5py does not read it right, so the bytes speak: 1 and 258, most significant byte first."""
    case = next(case for case in CASES if case.name == "vlen_big_endian")
    assert np.array([1, 258], ">i4").tobytes() in case.write(tmp_path)[0].read_bytes()
