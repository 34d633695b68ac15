"""Real files of other tools: in both modes the rows are those that the tool's own package reads.

The files of AnnData are compared in ``tests/conventions``; those of no convention, with h5py, beside this module.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pytest

import hf_h5

Columns = dict[str, Any]


@pytest.fixture(params=["cached", "direct"])
def columns_of(request: pytest.FixtureRequest, realh5: Path, tmp_path: Path) -> Iterator[Any]:
    """Read all rows of a table of a file in one of the modes, as Python objects by column."""

    def read(name: str, table: str, **options: Any) -> Columns:
        if request.param == "direct":
            with hf_h5.H5TorchView(realh5 / name, table=table, **options) as view:
                found: Columns = view.with_format(None)[:]
                return found
        loaded = datasets.load_dataset(
            "hf_h5", data_files=str(realh5 / name), table=table, split="train", cache_dir=str(tmp_path), **options
        )
        cached: Columns = loaded.with_format(None)[:]
        return cached

    return read


@pytest.mark.parametrize("name", ["pandas_store.h5", "pandas_fixed_traffic.h5"])
def test_frames_are_those_of_pandas(columns_of: Any, realh5: Path, name: str) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an index whose frequency an old version wrote
        frame = pandas.read_hdf(realh5 / name, "df")
    found = columns_of(name, "/df")
    assert list(found) == [frame.index.name or "index", *frame.columns]
    assert list(map(pandas.Timestamp, found.pop(frame.index.name or "index"))) == frame.index.tolist()
    for column, values in found.items():
        np.testing.assert_array_equal(np.array(values), frame[column].to_numpy())


NETCDF = ["cloud_top_height.nc", "soil_moisture.nc", "weather_feb.nc4", "weather_jan.nc4"]


@pytest.mark.parametrize("name", NETCDF)
def test_variables_are_those_of_netcdf(columns_of: Any, realh5: Path, name: str) -> None:
    netcdf = pytest.importorskip("netCDF4")
    found = columns_of(name, "/")
    with netcdf.Dataset(realh5 / name) as handle:
        handle.set_auto_maskandscale(False)
        for column, values in found.items():
            np.testing.assert_array_equal(np.array(values), handle[column][...], column)


@pytest.mark.parametrize("name", NETCDF)
def test_decoded_variables_are_those_of_netcdf(columns_of: Any, realh5: Path, name: str) -> None:
    netcdf = pytest.importorskip("netCDF4")
    found = columns_of(name, "/", decode=True)
    with netcdf.Dataset(realh5 / name) as handle:
        for column, values in found.items():
            variable = handle[column]
            if column == "time":
                assert variable.units == "days since Jan 1, 2000"  # which cftime does not read
                assert values == [datetime(2000, 1, 1) + timedelta(days=int(days)) for days in variable[...]]
            else:
                stored = variable[...].astype(np.float64 if variable[...].dtype.kind in "iu" else variable[...].dtype)
                np.testing.assert_array_equal(np.array(values, stored.dtype), stored.filled(np.nan), column)


def test_matlab_numbers_are_those_of_mat73(columns_of: Any, realh5: Path) -> None:
    mat73 = pytest.importorskip("mat73")
    expected = mat73.loadmat(realh5 / "matlab_simple.mat")
    found = columns_of("matlab_simple.mat", "/")
    assert set(found) == set(expected)
    assert {name: values[0] for name, values in found.items()} == {
        name: np.asarray(expected[name]).item() for name in found
    }


def test_matlab_texts_are_those_of_mat73(columns_of: Any, realh5: Path) -> None:
    mat73 = pytest.importorskip("mat73")
    expected = mat73.loadmat(realh5 / "matlab_string.mat")
    found = columns_of("matlab_string.mat", "/")
    assert found["cell_strings"] == expected["cell_strings"]
    metadata = hf_h5.describe(realh5 / "matlab_string.mat").metadata
    assert metadata["/simple_string"] == expected["simple_string"]
    assert metadata["/accented_string"] == expected["accented_string"]


def test_the_session_is_that_of_pynwb(columns_of: Any, realh5: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    found = columns_of("nwb_2_2.nwb", "/")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its cached namespaces
        with pynwb.NWBHDF5IO(realh5 / "nwb_2_2.nwb", "r") as io:
            session = io.read()
            assert found["identifier"] == [session.identifier]
            assert found["session_description"] == [session.session_description]
            assert found["session_start_time"] == [session.session_start_time.isoformat()]
            assert found["file_create_date"] == [[each.isoformat() for each in session.file_create_date]]
            for field in ("age", "description", "subject_id"):
                assert found[f"general/subject/{field}"] == [getattr(session.subject, field)]


def test_poses_are_those_of_h5py_frame_by_frame(columns_of: Any, realh5: Path) -> None:
    found = columns_of("sleap_analysis.h5", "/")
    with h5py.File(realh5 / "sleap_analysis.h5") as handle:
        np.testing.assert_array_equal(np.array(found["tracks"]), np.moveaxis(handle["tracks"][()], 3, 0))
        np.testing.assert_array_equal(np.array(found["track_occupancy"]), handle["track_occupancy"][()])


def test_counts_are_those_of_scipy(columns_of: Any, realh5: Path) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    with h5py.File(realh5 / "tenx_v3_matrix.h5") as handle:
        data, indices, indptr, shape, barcodes, genes = (
            handle["matrix"][name][()] for name in ("data", "indices", "indptr", "shape", "barcodes", "features/name")
        )
    found = columns_of("tenx_v3_matrix.h5", "/matrix")
    expected = sparse.csc_matrix((data, indices, indptr), shape=shape)
    assert found["barcodes"] == [each.decode() for each in barcodes]
    for cell, (places, values) in enumerate(zip(found["X/indices"], found["X/values"], strict=True)):
        column = np.zeros(shape[0], data.dtype)
        column[places] = values
        np.testing.assert_array_equal(column, expected[:, [cell]].toarray().ravel())
    assert columns_of("tenx_v3_matrix.h5", "/matrix/features")["name"] == [each.decode() for each in genes]
