"""Times of the CF conventions, against cftime, which the netCDF library's Python binding uses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_h5.conventions.netcdf_time import TimeUnit, read_time_unit
from hf_h5.errors import DataError

PER_DAY = {"milliseconds": 86_400_000, "microseconds": 86_400_000_000}
UNITS = ("days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "hrs", "min", "sec", "d", "h", "s")


@pytest.mark.parametrize(
    "reference",
    [
        "2000-01-01",
        "1970-1-1 0:0:0",
        "1992-10-8 15:15:42 -06:00",
        "1992-10-08T15:15:42Z",
        "2001-02-28 23:30 +0130",
        "1900-01-01 00:00:0.0",
        "1600-02-29 12:00:00 UTC",
        "1500-02-28",
        "0001-01-01 00:00:00",
    ],
)
@pytest.mark.parametrize("calendar", ["standard", "gregorian", "proleptic_gregorian"])
@settings(max_examples=30)
@given(value=st.integers(600_000, 650_000), unit=st.sampled_from(UNITS))
def test_moments_are_those_of_cftime(reference: str, calendar: str, value: int, unit: str) -> None:
    cftime = pytest.importorskip("cftime")
    units = f"{unit} since {reference}"
    # So many days after any reference lie in the Gregorian calendar, whose names of days both agree on.
    number = value * PER_DAY.get(unit, {"d": 1, "h": 24, "m": 1440, "s": 86_400}[unit[0]])
    found = read_time_unit(units, calendar)
    assert isinstance(found, TimeUnit)
    expected = cftime.num2date(number, units, calendar)
    for dtype in (np.int64, np.float64) if number < 2**53 else (np.int64,):
        moments = found.moments(np.array([number], dtype), found.dtype(np.dtype(dtype)))
        assert moments.astype("M8[us]")[0].item().strftime("%Y-%m-%d %H:%M:%S.%f") == expected.strftime(
            "%Y-%m-%d %H:%M:%S.%f"
        )


@pytest.mark.parametrize(
    ("units", "dtype"),
    [
        ("days since 2000-01-01", "M8[s]"),
        ("hours since 2000-01-01 00:30", "M8[s]"),
        ("seconds since 2000-01-01 00:00:00.5", "M8[ms]"),
        ("milliseconds since 2000-01-01", "M8[ms]"),
        ("microseconds since 2000-01-01", "M8[us]"),
        ("nanoseconds since 2000-01-01", "M8[ns]"),
    ],
)
def test_whole_numbers_have_the_coarsest_exact_unit(units: str, dtype: str) -> None:
    found = read_time_unit(units, None)
    assert isinstance(found, TimeUnit)
    assert found.dtype(np.dtype("i4")) == np.dtype(dtype)
    assert found.dtype(np.dtype("f8")) == np.dtype("M8[ns]" if units.startswith("nano") else "M8[us]")


@pytest.mark.parametrize("units", ["K", "days", "since 2000", None, 3, "m s-1"])
def test_other_units_are_no_times(units: object) -> None:
    assert read_time_unit(units, None) is None


@pytest.mark.parametrize(
    ("units", "calendar", "why"),
    [
        ("days since 2000-01-01", "360_day", "'360_day'"),
        ("days since 2000-01-01", "noleap", "'noleap'"),
        ("months since 2000-01-01", None, "'months'"),
        ("hour since 0000-01-01 00:00:00", None, "'0000-01-01 00:00:00'"),
        ("days since 2000-02-30", None, "'2000-02-30'"),
        ("days since the flood", None, "'the flood'"),
    ],
)
def test_what_is_no_moment_says_why(units: str, calendar: str | None, why: str) -> None:
    found = read_time_unit(units, calendar)
    assert isinstance(found, str)
    assert why in found
    assert "stay numbers" in found


def test_months_may_have_names() -> None:
    assert read_time_unit("days since Jan 1, 2000", None) == read_time_unit("days since 2000-01-01", None)


def test_not_a_number_is_not_a_time() -> None:
    found = TimeUnit(86_400 * 10**9, 0)
    moments = found.moments(np.array([np.nan, 0.5]), np.dtype("M8[us]"))
    assert moments.astype(str).tolist() == ["NaT", "1970-01-01T12:00:00.000000"]


@pytest.mark.parametrize("value", [np.int64(2**62), np.uint64(2**64 - 1), np.float64(1e300), np.int64(-(2**62))])
def test_what_overflows_is_an_error(value: np.generic) -> None:
    with pytest.raises(DataError, match="outside the years"):
        TimeUnit(86_400 * 10**9, 0).moments(np.array([value]), np.dtype("M8[s]"))
