"""Stores that pandas writes, in both formats: the tables are the frames that pandas reads."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

import hf_h5
from hf_h5.errors import H5Warning
from tests.conventions.pandas_examples import FORMATS, FRAMES, TABLE_FRAMES, days, numbers, write
from tests.conventions.pandas_frames import read_cached, read_rows
from tests.conventions.pandas_oracle import read_with_pandas

REAL = Path(__file__).parents[3] / "shared" / "realh5"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.h5"


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("kind", FORMATS)
def test_a_stored_frame_has_the_columns_and_values_that_pandas_reads(file: Path, name: str, kind: str) -> None:
    write(file, FRAMES[name], format=kind)
    expected = read_with_pandas(file, "frame")
    found = read_rows(file, "/frame")
    assert found == expected
    assert list(found) == list(expected)
    assert read_cached(file, "/frame") == expected


@pytest.mark.parametrize("name", [name for name in TABLE_FRAMES if name != "halves"])
def test_what_only_tables_hold_is_what_pandas_reads(file: Path, name: str) -> None:
    frame, options = TABLE_FRAMES[name]
    write(file, frame, format="table", **options)
    assert read_rows(file, "/frame") == read_with_pandas(file, "frame") == read_cached(file, "/frame")


@pytest.mark.parametrize("kind", FORMATS)
def test_complex_numbers_are_two_columns_as_elsewhere(file: Path, kind: str) -> None:
    write(file, TABLE_FRAMES["halves"][0], format=kind)
    found = read_rows(file, "/frame")
    assert (found["z/real"], found["z/imag"]) == ([1.0, 0.0], [2.0, 3.0])


@pytest.mark.parametrize("options", [{}, {"complevel": 9, "complib": "zlib"}, {"complevel": 1, "complib": "blosc:lz4"}])
def test_many_columns_of_one_block_are_read_in_any_order(file: Path, options: dict[str, Any]) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(1000, 50)), columns=[f"c{n}" for n in range(50)])
    write(file, frame, **options)
    assert read_rows(file, "/frame") == read_with_pandas(file, "frame")


def test_features_are_those_of_the_frame(file: Path) -> None:
    frame = TABLE_FRAMES["categories"][0].assign(at=days(3, tz="Asia/Tokyo"), s=["a", "b", None], ok=True)
    write(file, frame, format="table")
    columns = hf_h5.describe(file).tables["/frame"].columns
    assert {name: column.feature_text for name, column in columns.items()} == {
        "index": "Value('int64')",
        "c": "ClassLabel(names=['b', 'a', 'c'])",
        "n": "Value('int64')",
        "at": "Value('timestamp[us, tz=Asia/Tokyo]')",
        "s": "Value('string')",
        "ok": "Value('bool')",
    }


def test_each_key_is_a_table_and_the_largest_is_the_default(file: Path) -> None:
    write(file, numbers(), key="a")
    write(file, pd.concat([numbers()] * 9), key="b/c", format="table")
    write(file, pd.Series([1]), key="a/inner")
    schema = hf_h5.describe(file)
    assert schema.convention == "pandas, PyTables 2.1"
    assert (schema.default, set(schema.tables)) == ("/b/c", {"/a", "/b/c", "/a/inner"})
    assert not schema.metadata
    assert not schema.notes


def test_pickled_columns_are_refused_by_name_and_the_rest_loads(file: Path) -> None:
    write(file, numbers(s=["a", "b", "c"], t=["d", None, "f"]))
    with pytest.warns(H5Warning, match=r"column 's': Python pickles, which are never loaded.*format='table'"):
        rows = hf_h5.load_dataset(str(file), split="train")
    assert rows.column_names == ["index", "x", "n"]


def test_a_pickled_index_is_refused_and_the_columns_load(file: Path) -> None:
    write(file, numbers().set_index(pd.Index([1, "a", datetime.date(2020, 1, 1)], dtype=object)))
    schema = hf_h5.describe(file)
    assert [note.path for note in schema.notes] == ["/frame/axis1"]
    assert read_rows(file, "/frame")["n"] == [1, 2, 3]


def test_labels_of_several_kinds_are_parsed_and_never_unpickled(file: Path) -> None:
    frame = pd.DataFrame([[1, 2.5, True]], columns=pd.Index(["a", 1, ("b", "c")], dtype=object, tupleize_cols=False))
    write(file, frame)
    assert read_rows(file, "/frame") == {"index": [0], "a": [1], "1": [2.5], "b/c": [True]}


def test_labels_that_are_not_understood_are_numbered_with_a_note(file: Path) -> None:
    write(file, pd.DataFrame([[1, 2]], columns=pd.Index([datetime.date(2020, 1, 1), "a"], dtype=object)))
    schema = hf_h5.describe(file)
    assert list(schema.tables["/frame"].columns) == ["index", "block0_values/0", "block0_values/1"]
    assert ["are not understood" in note.why for note in schema.notes] == [True]


def test_labels_that_read_alike_get_names_of_their_own(file: Path) -> None:
    write(file, pd.DataFrame([[1, 2]], columns=pd.Index([1, "1"], dtype=object)))
    columns = hf_h5.describe(file).tables["/frame"].columns
    assert list(columns) == ["index", "1", "1.2"]
    assert columns["1.2"].note == "another column is called '1'"


def test_levels_of_labels_are_nested_features(file: Path) -> None:
    write(file, FRAMES["wide"])
    with hf_h5.H5TorchView(file, nested=True) as view:
        assert view.with_format(None)[1] == {"index": 1, "nose": {"x": 3, "y": 4.0}}


def test_what_the_file_does_not_say_is_noted(file: Path) -> None:
    write(file, numbers(), format="table", data_columns=["n"])
    with h5py.File(file, "r+") as store:
        attrs = store["frame/table"].attrs
        del attrs["n_dtype"]
        # pandas 0.10 called blocks so.
        for name in ("kind", "dtype"):
            attrs[f"values_0_{name}"] = attrs[f"values_block_0_{name}"]
            del attrs[f"values_block_0_{name}"]
        store["frame"].attrs["info"] = np.bytes_(b"no pickle")
    columns = hf_h5.describe(file).tables["/frame"].columns
    assert list(columns) == ["index", "x", "n"]
    assert "may be points in time" in str(columns["n"].note)


def test_a_time_zone_that_may_be_stated_is_not_left_out(file: Path) -> None:
    write(file, numbers().set_index(days(3, tz="Asia/Tokyo")), format="table")
    with h5py.File(file, "r+") as store:
        store["frame"].attrs["info"] = np.bytes_(b"no pickle")
    column = next(iter(hf_h5.describe(file).tables["/frame"].columns.values()))
    assert (column.feature_text, column.note is None) == ("Value('timestamp[us, tz=UTC]')", False)


@pytest.mark.parametrize("kind", FORMATS)
def test_days_of_an_index_are_days(file: Path, kind: str) -> None:
    # pandas itself reads the ordinals of a table's days as integers.
    dates = [datetime.date(1969, 12, 31), datetime.date(2020, 2, 29)]
    write(file, pd.DataFrame({"x": [1, 2]}, index=pd.Index(dates, dtype=object)), format=kind)
    assert read_rows(file, "/frame") == {"index": dates, "x": [1, 2]}


@pytest.mark.parametrize("kind", FORMATS)
def test_periods_are_their_ordinals_with_a_note(file: Path, kind: str) -> None:
    frame = pd.DataFrame({"x": [1, 2]}, index=pd.period_range("2020-01", periods=2, freq="M"))
    write(file, frame, format=kind)
    assert read_rows(file, "/frame") == read_with_pandas(file, "frame")
    assert "periods" in str(hf_h5.describe(file).tables["/frame"].columns["index"].note)


@pytest.mark.parametrize("frame", [numbers().iloc[:0], pd.DataFrame(index=[1, 2, 3]), pd.Series([], dtype="f4")])
def test_empty_frames_have_their_columns_and_rows(file: Path, frame: Any) -> None:
    write(file, frame)
    assert read_rows(file, "/frame") == read_with_pandas(file, "frame")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("zone", ["US/Eastern", "Europe/Berlin", "UTC", "+05:30"])
def test_a_time_zone_of_the_index_is_kept(file: Path, zone: str, kind: str) -> None:
    write(file, numbers().set_index(days(3, tz=zone)), format=kind)
    found = read_rows(file, "/frame")["index"]
    assert [each.utcoffset() for each in found] == [each.utcoffset() for each in days(3, tz=zone)]


def test_a_time_zone_that_is_not_understood_is_shown_in_utc(file: Path) -> None:
    write(file, numbers(at=days(3, tz="Europe/Berlin")))
    with h5py.File(file, "r+") as store:
        for node in store["frame"].values():
            if "tz" in node.attrs:
                node.attrs["tz"] = "Middle/Earth"
    column = hf_h5.describe(file).tables["/frame"].columns["at"]
    assert column.feature_text == "Value('timestamp[us, tz=UTC]')"
    assert column.note is not None
    assert read_rows(file, "/frame")["at"] == FRAMES["times"]["zoned"].tolist()


@pytest.mark.parametrize("kind", ["wide", "sparse_frame", "wide_table", "unheard_of", "frame_table"])
def test_types_that_pandas_has_no_more_are_refused_by_name(file: Path, kind: str) -> None:
    write(file, numbers(), key="kept")
    write(file, numbers())
    with h5py.File(file, "r+") as store:
        store["frame"].attrs["pandas_type"] = np.bytes_(kind)
    schema = hf_h5.describe(file)
    assert (list(schema.tables), [note.path for note in schema.notes]) == (["/kept"], ["/frame"])


def test_raw_gives_the_datasets_as_they_are(file: Path) -> None:
    write(file, numbers())
    assert "frame/block0_values" in hf_h5.describe(file, layout="raw").tables["/frame"].columns


def test_a_damaged_store_loads_what_agrees(file: Path) -> None:
    write(file, numbers(at=days(3)))
    with h5py.File(file, "r+") as store:
        del store["frame/block0_values"], store["frame/block1_items"]
        del store["frame/block2_values"]
        store["frame/block2_values"] = np.arange(4)
    schema = hf_h5.describe(file)
    assert len(schema.notes) == 3
    assert "index" in schema.tables["/frame"].columns


def test_strings_that_are_not_as_encoded_say_what_to_do(file: Path) -> None:
    write(file, pd.DataFrame({"s": ["é"]}), format="table", encoding="latin-1")
    with h5py.File(file, "r+") as store:
        store["frame"].attrs["encoding"] = np.bytes_("utf-16")
    with pytest.raises(hf_h5.errors.DataError, match="no utf-16"):
        read_rows(file, "/frame")


def test_several_files_follow_each_other(tmp_path: Path) -> None:
    files = [tmp_path / "a.h5", tmp_path / "b.h5"]
    write(files[0], pd.DataFrame({"c": pd.Categorical(["a", "b"]), "s": ["x", None]}), format="table")
    write(files[1], pd.DataFrame({"c": pd.Categorical(["z", "a"]), "s": [None, "longer"]}), format="table")
    with hf_h5.open_table(files) as table:
        rows = table.read([3, 0, 2])
    assert (rows["c"].tolist(), rows["s"].tolist()) == ([0, 0, 2], ["longer", "x", None])


@pytest.mark.skipif(not REAL.exists(), reason="no real files beside the repository")
@pytest.mark.parametrize("name", ["pandas_store.h5", "pandas_fixed_traffic.h5"])
def test_real_stores_are_what_pandas_reads(name: str) -> None:
    assert read_rows(REAL / name, "/df") == read_with_pandas(REAL / name, "df") == read_cached(REAL / name, "/df")


DEEP = b"N" + b"\x85" * 60_000 + b"."
HOSTILE: dict[str, bytes | int] = {
    "nblocks": 1 << 60,
    "axis0_nlevels": 1 << 60,
    "encoding": b"no such encoding\x00",
    "name": DEEP,
    "levels": b"(lN" + b"\x85" * 60_000 + b"a.",
    "non_index_axes": b"(lI1\n(lN" + b"\x85" * 60_000 + b"a\x86a.",
    "info": b"(dN" + b"\x85" * 60_000 + b"I1\ns.",
    "index_cols": b"(l(I0\nVindex\n" + b"t" + b"a.",
    "values_cols": b"(lVtable\na.",
    "data_col_nan_rep": b"cos\nsystem\n(Vexit\ntR.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_attributes_that_attack_the_reader_leave_columns_out_at_worst(file: Path, name: str) -> None:
    write(file, numbers(), key="kept")
    write(file, numbers(), format="fixed" if name in ("nblocks", "axis0_nlevels", "encoding", "name") else "table")
    value = HOSTILE[name]
    with h5py.File(file, "r+") as store:
        for node in [store["frame"], *store["frame"].values()]:
            if name in node.attrs or node.name == "/frame":
                node.attrs[name] = value if isinstance(value, int) else np.bytes_(value)
    schema = hf_h5.describe(file)
    assert "/kept" in schema.tables
    if "/frame" in schema.tables:
        read_rows(file, "/frame")


def test_the_index_does_not_take_the_name_of_a_column_that_is_not_read(file: Path) -> None:
    frame = pd.DataFrame({"index": pd.Series(["a", "b"], dtype=object), "x": [1, 2]}, index=[7, 8])
    write(file, frame, format="fixed")
    with pytest.warns(H5Warning, match="index"):
        view = hf_h5.H5TorchView(file)
    assert view.column_names == ["index.2", "x"]
    assert view["index.2"][:].tolist() == [7, 8]
