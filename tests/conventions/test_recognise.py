"""A convention's tables take the place of the general rules, and its derived columns read like any others."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

import hf_h5
from hf_h5.conventions import recognise
from hf_h5.conventions.found import Found
from hf_h5.describe.columns import dataset_columns
from hf_h5.describe.derived import Fetch
from hf_h5.describe.elements import Number
from hf_h5.describe.layout import Layout
from hf_h5.describe.schema import Column, Part, Table
from hf_h5.errors import DamagedFileError, DataError, OptionError


@dataclass(frozen=True)
class Looked:
    """``values[codes]``, nothing for a negative code: a planted convention."""

    codes: Column
    values: Column

    @property
    def sources(self) -> tuple[Column, ...]:
        return self.codes, self.values

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        codes = fetch.rows(self.codes, rows).astype(np.int64)
        found = fetch.rows(self.values, np.maximum(codes, 0))
        return np.ma.MaskedArray(found, codes < 0)

    def __str__(self) -> str:
        return "looked up"


def looked_up(tree, handle, options) -> Found | None:
    if "looked_up" not in handle.attrs:
        return None
    codes, values = (dataset_columns(tree.root.datasets[name], name, f"/{name}")[0] for name in ("codes", "values"))
    column = Column("x", "", "derived", Number(np.dtype("f4")), (), derived=Looked(codes, values))
    n_rows = tree.root.datasets["codes"].length
    layout = Layout()
    layout.add(Table("/", {"x": column}, (Part(tree.file, "", n_rows, {"x": column}),), "looked up"), 1)
    return Found("Lookups 1.0", layout)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recognise, "_CONVENTIONS", (looked_up,))
    return write(tmp_path / "a.h5", [2, 0, -1, 1])


def write(path: Path, codes: Sequence[int]) -> Path:
    with h5py.File(path, "w") as out:
        out["codes"] = np.array(codes, "i2")
        out.create_dataset("values", data=np.array([5, 6, 7], "f4"), chunks=(2,), compression="gzip")
        out.attrs["looked_up"] = True
    return path


def test_rows_of_derived_columns_come_in_any_order(file: Path) -> None:
    with hf_h5.open_table(file) as table:
        assert table.read([3, 0, 0, 2])["x"].tolist() == [6.0, 7.0, 7.0, None]
        assert table.routes() == {"x": "direct"}
        again = pickle.loads(pickle.dumps(table))
        assert again.read(slice(1, 3))["x"].tolist() == [5.0, None]
        again.close()


def test_all_doors_have_the_same_values(file: Path) -> None:
    expected = [7.0, 5.0, None, 6.0]
    with hf_h5.H5TorchView(file) as view:
        assert view.with_format(None)["x"][:] == expected
        assert view.to_dataset().with_format(None)["x"][:] == expected
    assert hf_h5.load_dataset(file, split="train")["x"][:] == expected


def test_several_files_follow_each_other(file: Path) -> None:
    other = write(file.parent / "b.h5", [1, 1])
    with hf_h5.open_table([file, other]) as table:
        assert table.read([5, 0])["x"].tolist() == [6.0, 7.0]


def test_describe_names_the_convention(file: Path) -> None:
    schema = hf_h5.describe(file)
    assert schema.convention == "Lookups 1.0"
    assert "Lookups 1.0" in str(schema)
    assert "looked up" in str(schema)
    assert schema.to_dict()["convention"] == "Lookups 1.0"


def test_raw_turns_conventions_off(file: Path) -> None:
    schema = hf_h5.describe(file, layout="raw")
    assert schema.convention is None
    assert [list(table.columns) for table in schema.tables.values()] == [["values"], ["codes"]]


def test_what_leads_out_of_a_dataset_is_an_error_with_its_place(file: Path) -> None:
    write(file, [0, 3])
    with hf_h5.open_table(file) as table, pytest.raises(DataError, match=r"rows 0 to 3 .* has 3 .*a\.h5::/values"):
        table.read([0, 1])


def test_rows_need_dimensions_with_names(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["x"] = np.arange(3)
    with pytest.raises(OptionError, match="names no dimensions"):
        hf_h5.describe(tmp_path / "a.h5", rows="time")


def test_what_the_library_cannot_read_is_damage(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(tree, handle, options) -> Found | None:
        raise RuntimeError("bad version number")

    monkeypatch.setattr(recognise, "_CONVENTIONS", (broken,))
    with pytest.raises(DamagedFileError, match=r"bad version number.*a\.h5"):
        hf_h5.describe(file)


def test_rows_by_name_are_not_ignored_where_dimensions_have_none(file: Path) -> None:
    with pytest.raises(OptionError, match=r"rows='time': the dimensions of Lookups 1\.0 files have no names"):
        hf_h5.open_table(file, rows="time")


@dataclass(frozen=True)
class Both:
    """One dataset's rows as they are, and along its other axis or as truth values: planted."""

    sources: tuple[Column, ...]

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        first, second = (fetch.rows(source, rows) for source in self.sources)
        return np.asarray(10 * first.reshape(len(rows), -1)[:, 0] + second.reshape(len(rows), -1)[:, -1], "f4")

    def __str__(self) -> str:
        return "both"


@pytest.mark.parametrize("kind", ["axis", "element"])
def test_what_is_kept_for_a_request_is_the_very_same_thing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    values = np.arange(9, dtype="i1").reshape(3, 3)

    def find(tree, handle, options) -> Found:
        plain = dataset_columns(tree.root.datasets["x"], "x", "/x")[0]
        other = replace(plain, axis=1) if kind == "axis" else replace(plain, element=Number(np.dtype(bool)))
        column = Column("y", "", "derived", Number(np.dtype("f4")), (), derived=Both((plain, other)))
        layout = Layout()
        layout.add(Table("/", {"y": column}, (Part(tree.file, "", 3, {"y": column}),), "both"), 1)
        return Found("Both", layout)

    monkeypatch.setattr(recognise, "_CONVENTIONS", (find,))
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["x"] = values
    second = values.T[:, -1] if kind == "axis" else (values != 0)[:, -1]
    with hf_h5.open_table(tmp_path / "a.h5") as table:
        assert table.read(slice(None))["y"].tolist() == (10.0 * values[:, 0] + second).tolist()


@dataclass(frozen=True)
class Run:
    """The sum of a run of one dataset that begins where the file says: planted."""

    sources: tuple[Column, ...]
    first: int

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        starts, stops = np.full(len(rows), self.first), np.full(len(rows), 20)
        return fetch.spans(self.sources[0], starts, stops).reshape(len(rows), -1).sum(axis=1).astype("f4")

    def __str__(self) -> str:
        return "run"


@pytest.mark.parametrize("chunks", [None, (8,)])
@pytest.mark.parametrize("first", [-1, -9, 1, 50])
def test_runs_that_begin_outside_of_a_dataset_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, chunks: tuple[int] | None
) -> None:
    def find(tree, handle, options) -> Found:
        source = dataset_columns(tree.root.datasets["x"], "x", "/x")[0]
        column = Column("y", "", "derived", Number(np.dtype("f4")), (), derived=Run((source,), first))
        layout = Layout()
        layout.add(Table("/", {"y": column}, (Part(tree.file, "", 3, {"y": column}),), "run"), 1)
        return Found("Run", layout)

    monkeypatch.setattr(recognise, "_CONVENTIONS", (find,))
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["before"] = np.full(100, 7.0)
        out.create_dataset("x", data=np.arange(40.0), chunks=chunks)
    with hf_h5.open_table(tmp_path / "a.h5") as table:
        if first == 1:
            assert table.read([0])["y"].tolist() == [np.arange(1.0, 20.0).sum()]
        else:
            with pytest.raises(DataError, match=r"a\.h5::/x|ends before it begins"):
                table.read([0, 2])
