"""Any frame that pandas can store, in either format: the rows are what pandas reads."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.conventions.pandas_frames import read_rows
from tests.conventions.pandas_oracle import read_with_pandas

ZONES = [None, "UTC", "Europe/Berlin", "US/Eastern", "+05:30"]
UNITS = ["s", "ms", "us", "ns"]
TEXTS = st.sampled_from(["", "a", "nan", "NaN", "é", "None", "longer text", "x/y", "_nan_"])
KINDS = ["u1", "i2", "i8", "u8", "f2", "f4", "f8", "?", "M8", "m8"]
PACKINGS: list[dict[str, Any]] = [{}, {"complevel": 3, "complib": "zlib"}, {"complevel": 1, "complib": "blosc:lz4"}]


@st.composite
def columns(draw: st.DrawFn, count: int, *, texts: bool) -> Any:
    """Values of one column."""
    kind = draw(st.sampled_from([*KINDS, *(["text", "category", "numbered"] if texts else [])]))
    if kind == "text":
        return draw(st.lists(TEXTS | st.none(), min_size=count, max_size=count))
    if kind in ("category", "numbered"):
        names = ["b", "a", "nan"] if kind == "category" else [3, 1]
        codes = draw(st.lists(st.integers(-1, len(names) - 1), min_size=count, max_size=count))
        return pd.Categorical.from_codes(codes, names)
    if kind in ("M8", "m8"):
        return draw(times(kind, count))
    dtype = np.dtype(kind)
    values = draw(st.lists(st.integers(0, 120), min_size=count, max_size=count))
    found = np.array(values).astype(dtype)
    if dtype.kind == "f" and draw(st.booleans()):
        found[draw(st.integers(0, count - 1))] = np.nan
    return found


@st.composite
def times(draw: st.DrawFn, kind: str, count: int, *, missing: bool = True) -> Any:
    unit = draw(st.sampled_from(UNITS))
    stored = draw(st.lists(st.integers(-(10**9), 10**9), min_size=count, max_size=count))
    found = np.array(stored, "i8").astype(f"{kind}[{unit}]")
    if missing and draw(st.booleans()):
        found[0] = "NaT"
    zone = draw(st.sampled_from(ZONES)) if kind == "M8" else None
    return found if zone is None else pd.Series(found).dt.tz_localize("UTC").dt.tz_convert(zone).array


@st.composite
def indexes(draw: st.DrawFn, count: int, *, in_levels: bool = False) -> Any:
    """An index, of one level or of several."""
    kinds = ["range", "numbers", "floats", "texts", "times"] + ([] if in_levels else ["levels"])
    name = draw(st.sampled_from([None, "row", "é"]))
    match draw(st.sampled_from(kinds)):
        case "range":
            return pd.RangeIndex(count, name=name)
        case "numbers":
            return pd.Index(draw(st.lists(st.integers(-9, 9), min_size=count, max_size=count)), dtype="i8", name=name)
        case "floats":
            return pd.Index(np.array(draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))) / 2, name=name)
        case "texts":
            return pd.Index(draw(st.lists(TEXTS, min_size=count, max_size=count)), dtype="str", name=name)
        case "times":
            return pd.DatetimeIndex(draw(times("M8", count, missing=False)), name=name)
    first, second = (draw(indexes(count, in_levels=True)) for _ in range(2))
    return pd.MultiIndex.from_arrays([first, second], names=["p", draw(st.sampled_from([None, "q"]))])


@st.composite
def frames(draw: st.DrawFn, *, texts: bool) -> pd.DataFrame:
    count, width = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    labels = draw(st.sampled_from([[f"c{n}" for n in range(width)], list(range(width)), list("edcba"[:width])]))
    values = {label: draw(columns(count, texts=texts)) for label in labels}
    return pd.DataFrame(values).set_axis(draw(indexes(count)))


def check(frame: pd.DataFrame, **options: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "any.h5"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                frame.to_hdf(file, key="any", **options)
            expected = read_with_pandas(file, "any")
        except (TypeError, ValueError, NotImplementedError):
            assume(False)  # pandas cannot store it
        found = read_rows(file, "/any")
        assert list(found) == list(expected)
        for name, values in expected.items():
            assert found[name] == values, name


QUICK = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(frames(texts=False), st.sampled_from(PACKINGS))
def test_any_frame_in_fixed_format_is_what_pandas_reads(frame: pd.DataFrame, packing: dict[str, Any]) -> None:
    check(frame, format="fixed", **packing)


@QUICK
@given(frames(texts=True), st.sampled_from(PACKINGS), st.booleans(), st.sampled_from([None, "a", "missing"]))
def test_any_frame_in_table_format_is_what_pandas_reads(
    frame: pd.DataFrame, packing: dict[str, Any], as_columns: bool, sign: str | None
) -> None:
    check(frame, format="table", data_columns=as_columns, nan_rep=sign, **packing)
