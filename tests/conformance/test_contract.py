"""What the contract promises beyond features and rows: descriptions, warnings, the formats' own limits."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import FormatError
from tests.conformance.case import Case
from tests.conformance.doors import said
from tests.conformance.zoo import CASES

CHOOSING = {"columns", "table", "features"}
"""Options that choose among what is there; ``describe`` shows the whole file."""


def is_described(case: Case) -> bool:
    options = {} if callable(case.options) else case.options
    return isinstance(case.rows, list) and not (case.data_files or case.data_dir or CHOOSING & options.keys())


ONE_TABLE = [case for case in CASES if is_described(case)]


@pytest.mark.parametrize("case", ONE_TABLE, ids=lambda case: case.name)
def test_describe_promises_what_loads(case: Case, tmp_path: Path) -> None:
    """Of the first file: as many rows as it has, the columns of all; as text, as HTML and as JSON."""
    if not case.available():
        pytest.skip(f"{case.name} cannot be written here")
    files = case.write(tmp_path)
    options = case.options_for(tmp_path)
    with said([]):
        schema = hf_h5.describe(str(files[0]), **options)
    assert schema.table is not None
    assert all(table.rule for table in schema.tables.values())
    assert str(files[0]) in str(schema)
    assert schema._repr_html_()
    assert json.loads(json.dumps(schema.to_dict()))
    if len(files) == 1:
        assert schema.table.num_rows == len(case.rows)
    if case.rows and len(files) == 1 and not options.get("nested") and case.name != "scalars_alone":
        assert set(schema.table.columns) == set(case.rows[0])


def write_dates(target: Path) -> str:
    with h5py.File(target, "w") as file:
        times = np.array(["2024-01-01", "2024-01-02"], "M8[s]")
        file.create_dataset("when", data=times.astype(h5py.opaque_dtype(times.dtype)))
        file["x"] = [1, 2]
    return str(target)


def test_torch_refuses_dates_and_names_the_way_out(tmp_path: Path) -> None:
    with hf_h5.H5TorchView(write_dates(tmp_path / "a.h5")) as view:
        with pytest.raises(FormatError, match="when") as raised:
            view[0]
        assert "select_columns" in str(raised.value)
        assert view.select_columns(["x"])[1]["x"].item() == 2


def test_view_gives_complex_tensors(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["z"] = np.array([1 + 2j, complex(0, -1)], "c8")
    with hf_h5.H5TorchView(str(tmp_path / "a.h5"), complex=True) as view:
        assert view[:]["z"].tolist() == [1 + 2j, complex(0, -1)]


def test_uint64_above_int64_warns_once_and_names_the_column(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["big_ids"] = np.array([2**63, 5], "u8")
    messages: list[str] = []
    with hf_h5.H5TorchView(str(tmp_path / "a.h5")) as view, said(messages):
        view[0], view[:], view[[1, 0]]
    assert len([message for message in messages if "big_ids" in message]) == 1


def test_description_of_the_builder_is_a_readable_summary(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["speed"] = [1.0, 2.0]
        file["speed"].attrs["units"] = "m/s"
        file.attrs["title"] = "a drive"
    files = [str(tmp_path / "a.h5")]
    loaded = datasets.load_dataset("hf_h5", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert all(part in loaded.info.description for part in ("speed", "m/s", "a drive"))
