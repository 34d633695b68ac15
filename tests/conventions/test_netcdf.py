"""netCDF-4 files as the netCDF library, h5netcdf and xarray write them: tables along dimensions, with their values."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hf_h5
from hf_h5.errors import DataError, H5Warning, OptionError
from tests.exact import assert_exact

netCDF4 = pytest.importorskip("netCDF4")
xarray = pytest.importorskip("xarray")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.nc"


def read(file: Path, **options: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", H5Warning)
        with hf_h5.open_table(file, **options) as reader:
            found: dict[str, Any] = reader.read(slice(None))
            return found


def letters(texts: list[str], size: int, encoding: str = "utf-8") -> Any:
    """Texts as netCDF's arrays of characters."""
    return np.array([text.encode(encoding) for text in texts], f"S{size}").view("S1").reshape(len(texts), size)


def write_weather(file: Path) -> None:
    with netCDF4.Dataset(file, "w") as out:
        for name, size in {"time": None, "lat": 3, "lon": 4, "name_len": 8}.items():
            out.createDimension(name, size)
        out.createVariable("time", "i4", ("time",))[:] = [0, 24, 48, 60, 96]
        out["time"].units = "hours since 2020-02-27"
        out.createVariable("lat", "f4", ("lat",))[:] = [10, 20, 30]
        out["lat"].units = "degrees_north"
        out.createVariable("lon", "f4", ("lon",))[:] = [1, 2, 3, 4]
        packed = out.createVariable("t2m", "i2", ("time", "lat", "lon"), fill_value=-999)
        packed.setncatts({"scale_factor": np.float32(0.01), "add_offset": np.float32(273.15), "units": "K"})
        packed[:] = np.ma.masked_greater(np.arange(60.0).reshape(5, 3, 4) + 250, 305)
        out.createVariable("mask", "i1", ("lat", "lon"))[:] = np.arange(12).reshape(3, 4)
        out.createVariable("by_lat", "f8", ("lat", "time"))[:] = np.arange(15).reshape(3, 5)
        count = out.createVariable("count", "i4", ("time",), fill_value=-1)
        count[:] = np.ma.MaskedArray([1, 2, 3, 4, 5], [0, 1, 0, 0, 1])
        names = out.createVariable("station", "S1", ("time", "name_len"))
        names[:] = letters(["Ærø", "b", "", "delta", "12345678"], 8)
        out.createVariable("height", "f8", ())[...] = 2.0
        title = out.createVariable("title", "S1", ("name_len",))
        title[:] = letters(["stations"], 8)[0]
        out.Conventions = "CF-1.8"


@pytest.fixture
def weather(path: Path) -> Path:
    write_weather(path)
    return path


def test_rows_lie_along_the_unlimited_dimension(weather: Path) -> None:
    schema = hf_h5.describe(weather)
    assert schema.convention == "netCDF-4 (CF-1.8)"
    assert schema.default_reason == "the main table of netCDF-4 (CF-1.8)"
    assert list(schema.tables) == ["/", "/lat"]
    assert sorted(schema.tables["/lat"].columns) == ["lat", "mask"]
    assert sorted(schema.table.columns) == ["by_lat", "count", "station", "t2m", "time"]
    assert schema.table.num_rows == 5
    assert "rows along the unlimited dimension time (5); others: lat (3), lon (4)" in str(schema)
    assert schema.table.columns["t2m"].attrs["dimensions"] == "time (5), lat (3), lon (4)"


def test_stored_values_are_those_of_the_library(weather: Path) -> None:
    found = read(weather)
    with netCDF4.Dataset(weather) as expected:
        expected.set_auto_maskandscale(False)
        for name in ("time", "t2m", "count"):
            np.testing.assert_array_equal(found[name], expected[name][:])
            assert found[name].dtype == expected[name].dtype
        np.testing.assert_array_equal(found["by_lat"], expected["by_lat"][:].T)
        assert found["station"].tolist() == ["Ærø", "b", "", "delta", "12345678"]


def test_coordinates_and_scalars_are_metadata(weather: Path) -> None:
    metadata = hf_h5.describe(weather).metadata
    assert metadata == {
        "/height": 2.0,
        "/lat": [10, 20, 30],
        "/lon": [1, 2, 3, 4],
        "/title": "stations",
    }


def test_what_has_not_the_rows_dimension_is_another_table(weather: Path) -> None:
    assert read(weather, table="/mask")["mask"].tolist() == np.arange(12).reshape(3, 4).tolist()
    with pytest.warns(H5Warning, match="mask .*table='/lat'"), hf_h5.open_table(weather):
        pass


def test_rows_may_lie_along_another_dimension(weather: Path) -> None:
    found = read(weather, rows="lat")
    with netCDF4.Dataset(weather) as expected:
        expected.set_auto_maskandscale(False)
        np.testing.assert_array_equal(found["t2m"], np.moveaxis(expected["t2m"][:], 1, 0))
        np.testing.assert_array_equal(found["by_lat"], expected["by_lat"][:])
        assert found["lat"].tolist() == [10, 20, 30]
        assert set(found) == {"t2m", "by_lat", "lat", "mask"}


def test_an_unknown_dimension_is_an_error_that_lists_them(weather: Path) -> None:
    with pytest.raises(OptionError, match=r"lat \(3\), time \(5\), lon \(4\)"):
        hf_h5.describe(weather, rows="depth")


def test_decoded_values_are_those_of_the_library(weather: Path) -> None:
    found = read(weather, decode=True)
    with netCDF4.Dataset(weather) as expected:
        packed = expected["t2m"][:]
        assert found["t2m"].dtype == packed.dtype == np.float32
        np.testing.assert_array_equal(np.isnan(found["t2m"]), np.ma.getmaskarray(packed))
        np.testing.assert_array_equal(np.ma.MaskedArray(found["t2m"], packed.mask), packed)
        assert found["count"].tolist() == [1, None, 3, 4, None]
        assert found["count"].dtype == np.int32
        dates = netCDF4.num2date(expected["time"][:], expected["time"].units)
        assert [str(date) for date in found["time"].tolist()] == [str(date) for date in dates]
        assert found["time"].dtype == np.dtype("M8[s]")


def test_decoded_values_are_those_of_xarray(weather: Path) -> None:
    found = read(weather, decode=True)
    with xarray.open_dataset(weather, engine="netcdf4", mask_and_scale=True) as expected:
        np.testing.assert_allclose(found["t2m"], expected["t2m"], rtol=1e-6)
        np.testing.assert_array_equal(found["time"].astype("M8[ns]"), expected["time"])
        np.testing.assert_array_equal(found["count"].astype("f8").filled(np.nan), expected["count"])


def test_all_doors_agree(weather: Path, tmp_path: Path) -> None:
    torch_data = pytest.importorskip("torch.utils.data")
    for options in ({}, {"decode": True}, {"rows": "lat"}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", H5Warning)
            cached = hf_h5.load_dataset(weather, split="train", cache_dir=str(tmp_path / "cache"), **options)
            view = hf_h5.H5TorchView(weather, **options)
        with view:
            assert view.features == cached.features
            assert_exact(view.with_format(None)[:], cached.with_format(None)[:])
            if not options:
                loader = torch_data.DataLoader(view.select_columns(["t2m"]), num_workers=2, batch_size=2)
                batches = [batch["t2m"].numpy() for batch in loader]
                np.testing.assert_array_equal(np.concatenate(batches), cached.with_format("numpy")["t2m"][:])


def test_raw_turns_the_convention_off(weather: Path) -> None:
    schema = hf_h5.describe(weather, layout="raw")
    assert schema.convention is None
    assert "lat" in {name for table in schema.tables.values() for name in table.columns}


def test_columns_that_are_asked_for_may_be_coordinates(weather: Path) -> None:
    assert read(weather, columns=["lat"])["lat"].tolist() == [10, 20, 30]


def test_several_files_follow_each_other(tmp_path: Path) -> None:
    for name in ("a.nc", "b.nc"):
        write_weather(tmp_path / name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", H5Warning)
        with hf_h5.open_table([tmp_path / "a.nc", tmp_path / "b.nc"], columns=["t2m", "time"]) as reader:
            assert reader.read([6, 1])["time"].tolist() == [24, 24]


def test_what_was_not_written_at_all_is_the_fill_value_along_any_dimension(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as out:
        for name, size in {"time": None, "lat": 2}.items():
            out.createDimension(name, size)
        out.createVariable("known", "i4", ("time", "lat"))[:3] = 1
        out.createVariable("never", "i2", ("time", "lat"), fill_value=7)
    assert read(path, rows="lat")["never"].tolist() == [[7, 7, 7]] * 2
    assert read(path, rows="time")["never"].tolist() == [[7, 7]] * 3


def test_what_was_not_written_is_the_fill_value(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as out:
        out.createDimension("time", None)
        out.createDimension("station", None)
        out.createVariable("x", "f4", ("time",))[:] = [1, 2, 3]
        out.createVariable("behind", "i4", ("time",))[:2] = [1, 2]
        out.createVariable("never", "i8", ("time",), fill_value=-5)
        out.createVariable("wide", "f8", ("time", "station"))[0, :4] = [1, 2, 3, 4]
        out.createVariable("narrow", "i2", ("time", "station"))[:2, :2] = [[1, 2], [3, 4]]
        out.createVariable("named", str, ("time",))[0] = "a"
    found = read(path)
    with netCDF4.Dataset(path) as expected:
        expected.set_auto_maskandscale(False)
        assert set(found) == set(expected.variables)
        # Where two dimensions are unlimited, libnetcdf 4.9 mixes up rows and reads memory that nothing was written to.
        for name in found.keys() - {"narrow", "wide"}:
            np.testing.assert_array_equal(found[name], expected[name][:], err_msg=name)
    assert found["wide"].tolist() == [[1, 2, 3, 4], *[[9.969209968386869e36] * 4] * 2]
    assert found["narrow"].tolist() == [[1, 2, -32767, -32767], [3, 4, -32767, -32767], [-32767] * 4]
    with hf_h5.open_table(path, columns=["narrow"]) as reader:
        assert reader.read([2, 0, 2])["narrow"][1].tolist() == [1, 2, -32767, -32767]


def test_groups_see_the_dimensions_of_their_parents(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as out:
        out.createDimension("time", None)
        out.createVariable("time", "f8", ("time",))[:] = [1, 2, 3]
        inner = out.createGroup("model").createGroup("run")
        inner.createVariable("x", "f4", ("time",))[:] = [4, 5, 6]
        inner.createDimension("level", 2)
        inner.createVariable("pressure", "f4", ("level",))[:] = [7, 8]
    assert read(path)["model/run/x"].tolist() == [4, 5, 6]
    assert read(path)["time"].tolist() == [1, 2, 3]
    assert read(path, table="/model/run")["model/run/pressure"].tolist() == [7, 8]
    with h5py.File(path) as handle:
        assert hf_h5.describe(handle["model"]).tables["/run"].columns["run/x"].attrs["dimensions"] == "time (3)"
        with hf_h5.open_table(handle["model"], columns=["run/x"]) as reader:
            assert reader.read([1])["run/x"].tolist() == [5]


def test_bounds_are_counted_in_the_units_of_their_times(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as out:
        out.createDimension("time", None)
        out.createDimension("bound", 2)
        time = out.createVariable("time", "f8", ("time",))
        time.setncatts({"units": "days since 2000-01-01", "bounds": "time_bounds"})
        time[:] = [0.5, 1.5]
        out.createVariable("time_bounds", "f8", ("time", "bound"))[:] = [[0, 1], [1, 2]]
    found = read(path, decode=True)
    assert found["time_bounds"].astype("M8[D]").astype(str).tolist() == [
        ["2000-01-01", "2000-01-02"],
        ["2000-01-02", "2000-01-03"],
    ]
    assert (
        hf_h5.load_dataset(path, split="train", decode=True)[0]["time_bounds"][1].isoformat() == "2000-01-02T00:00:00"
    )


def test_other_calendars_stay_numbers_with_one_warning(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as out:
        out.createDimension("time", None)
        time = out.createVariable("time", "f8", ("time",))
        time.setncatts({"units": "days since 2000-02-30", "calendar": "360_day"})
        time[:] = [0, 1]
    with pytest.warns(H5Warning, match="360_day.* stay numbers") as said, hf_h5.open_table(path, decode=True) as reader:
        assert reader.read([1])["time"].tolist() == [1.0]
    assert len(said) == 1


def test_a_date_out_of_range_is_an_error(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as out:
        out.createDimension("time", None)
        time = out.createVariable("time", "f8", ("time",))
        time.units = "days since 2000-01-01"
        time[:] = [0, 1e30]
    with hf_h5.open_table(path, decode=True) as reader, pytest.raises(DataError, match="outside the years 1 to 9999"):
        reader.read([1])


def test_bytes_without_a_sign(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as out:
        out.createDimension("x", 3)
        for name, fill in {"plain": None, "filled": np.int8(-1)}.items():
            variable = out.createVariable(name, "i1", ("x",), fill_value=fill)
            variable.set_auto_maskandscale(False)
            variable[:] = [-1, -2, 3]
            variable.setncattr("_Unsigned", "true")
    found = read(path, decode=True)
    assert found["plain"].dtype == np.uint8
    assert found["plain"].tolist() == [255, 254, 3]
    assert found["filled"].tolist() == [None, 254, 3]
    assert read(path)["plain"].tolist() == [-1, -2, 3]


def test_letters_that_are_no_strings(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as out:
        out.createDimension("x", 3)
        out.createVariable("flag", "S1", ("x",))[:] = [b"a", b"b", b"c"]
        out.createVariable("value", "f4", ("x",))[:] = [1, 2, 3]
        out.createDimension("length", 4)
        latin = out.createVariable("latin", "S1", ("x", "length"))
        latin[:] = letters(["Ærøb", "a", "æøå "], 4, "latin-1")
        latin._Encoding = "latin-1"
    assert read(path)["flag"].tolist() == ["a", "b", "c"]
    assert read(path)["latin"].tolist() == ["Ærøb", "a", "æøå "]


def test_text_that_is_none_is_an_error_that_says_so(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as out:
        out.createDimension("x", 2)
        out.createDimension("length", 2)
        out.createVariable("x", "f4", ("x",))[:] = [1, 2]
        out.createVariable("name", "S1", ("x", "length"))[:] = letters(["\xff\xfe", "ok"], 2, "latin-1")
    with pytest.raises(DataError, match="no valid utf-8"):
        hf_h5.open_table(path)


def test_a_variable_named_like_a_dimension_keeps_its_name(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as out:
        out.createDimension("x", 2)
        out.createDimension("y", 3)
        out.createVariable("y", "f4", ("x",))[:] = [1, 2]
    assert read(path)["y"].tolist() == [1, 2]


def test_files_of_h5netcdf_and_xarray(tmp_path: Path) -> None:
    pytest.importorskip("h5netcdf")
    frame = xarray.Dataset(
        {"x": (("time", "space"), np.arange(6.0).reshape(3, 2)), "flag": ("time", [True, False, True])},
        coords={"time": np.array(["2001-01-01", "2001-01-02", "2001-01-04"], "M8[ns]"), "space": ["a", "b"]},
    )
    file = tmp_path / "x.nc"
    frame.to_netcdf(file, engine="h5netcdf", unlimited_dims=["time"])
    found = read(file, decode=True)
    np.testing.assert_array_equal(found["x"], frame["x"])
    np.testing.assert_array_equal(found["time"].astype("M8[ns]"), frame["time"])
    assert found["flag"].tolist() == [1, 0, 1]
    assert hf_h5.describe(file).metadata["/space"] == ["a", "b"]


def test_plain_hdf5_with_dimension_scales(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        out["image"], out["row"], out["column"] = np.arange(12).reshape(3, 4), np.arange(3.0), np.arange(4.0)
        out["row"].make_scale("row")
        out["column"].make_scale("column")
        out["image"].dims[0].attach_scale(out["row"])
        out["image"].dims[1].attach_scale(out["column"])
    schema = hf_h5.describe(file)
    assert schema.convention == "HDF5 with dimension scales"
    assert list(schema.table.columns) == ["image", "row"]
    assert read(file, rows="column")["image"].tolist() == np.arange(12).reshape(3, 4).T.tolist()
    with h5py.File(file, "a") as out:
        out["label"] = np.arange(3)
    assert hf_h5.describe(file).convention is None
    assert set(hf_h5.describe(file).table.columns) == {"image", "row", "label"}


def test_only_scalars_are_one_row(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as out:
        out.createVariable("a", "f8", ())[...] = 1
        out.createVariable("b", "i4", ())[...] = 2
    assert hf_h5.load_dataset(path, split="train")[:] == {"a": [1.0], "b": [2]}


_DTYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")


@st.composite
def variables(draw: st.DrawFn) -> Iterator[dict[str, Any]]:
    """A variable of some dimensions, with attributes of packing."""
    dtype = np.dtype(draw(st.sampled_from(_DTYPES)))
    small = st.integers(0, 100)
    attrs = {}
    if draw(st.booleans()):
        attrs["scale_factor"] = draw(st.sampled_from([np.float32(0.5), np.float64(0.1), np.float64(2)]))
    if draw(st.booleans()):
        attrs["add_offset"] = draw(st.sampled_from([np.float32(-3), np.float64(0.25)]))
    dims = draw(st.sampled_from([("t",), ("t", "x"), ("x", "t"), ("t", "x", "y"), ("y", "x"), ()]))
    count = int(np.prod([{"t": 4, "x": 3, "y": 2}[dim] for dim in dims], dtype=int))
    return {  # type: ignore[return-value]  # composite's own type is that of the strategy
        "dtype": dtype,
        "dims": dims,
        "fill": draw(st.none() | small),
        "missing": draw(st.none() | small),
        "attrs": attrs,
        "values": draw(st.lists(small, min_size=count, max_size=count)),
    }


@settings(max_examples=25)
@given(given_variables=st.lists(variables(), min_size=1, max_size=4), unlimited=st.booleans())
def test_any_variables_read_as_xarray_reads_them(
    tmp_path_factory: pytest.TempPathFactory, given_variables: list[dict[str, Any]], unlimited: bool
) -> None:
    file = tmp_path_factory.mktemp("any") / "a.nc"
    with netCDF4.Dataset(file, "w") as out:
        for name, size in {"t": None if unlimited else 4, "x": 3, "y": 2}.items():
            out.createDimension(name, size)
        out.createVariable("t", "i4", ("t",))[:] = range(4)
        for number, each in enumerate(given_variables):
            variable = out.createVariable(f"v{number}", each["dtype"], each["dims"], fill_value=each["fill"])
            variable.set_auto_maskandscale(False)
            variable[...] = np.array(each["values"], each["dtype"]).reshape(variable.shape)
            variable.setncatts(each["attrs"])
            if each["missing"] is not None:
                variable.missing_value = each["dtype"].type(each["missing"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw, decoded = (xarray.open_dataset(file, decode_cf=flag, engine="netcdf4").load() for flag in (False, True))
        for flag, expected in ((False, raw), (True, decoded)):
            for name, table in hf_h5.describe(file, decode=flag).tables.items():
                assert_equal(read(file, table=name, decode=flag), expected, table.rule, flag)


def assert_equal(found: dict[str, Any], expected: Any, rule: str, decode: bool) -> None:
    dimension = rule.split("dimension ")[1][0]
    for name, values in found.items():
        wanted = expected[name]
        moved = np.moveaxis(wanted.values, wanted.dims.index(dimension), 0)
        if not decode:
            assert values.dtype == moved.dtype
            np.testing.assert_array_equal(values, moved)
            continue
        if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and values.ndim > 1 and moved.dtype.kind == "f":
            continue  # integers of 64 bits keep their fill values
        floats = np.ma.MaskedArray(values.astype(np.float64)).filled(np.nan)
        np.testing.assert_allclose(floats, moved.astype(np.float64), rtol=1e-6)


def test_files_that_count_in_other_units_are_joined_with_a_warning(tmp_path: Path) -> None:
    files = [tmp_path / f"{month}.nc" for month in (1, 2)]
    for month, file in enumerate(files, 1):
        with netCDF4.Dataset(file, "w") as out:
            out.createDimension("time", None)
            out.createVariable("time", "i4", ("time",))[:] = [0, 1]
            out["time"].units = f"days since 2000-0{month}-01"
    with pytest.warns(H5Warning, match=r"'time' .* 'days since 2000-01-01' in .*decode=True"), hf_h5.open_table(files):
        pass
    with hf_h5.open_table(files, decode=True) as reader:
        assert reader.read([0, 2])["time"].astype("M8[D]").astype(str).tolist() == ["2000-01-01", "2000-02-01"]
