"""NWB files as pynwb writes them: each series and each dynamic table has the rows that pynwb reads."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import DataError, H5Warning

pynwb = pytest.importorskip("pynwb")

from tests.conventions.nwb_session import START, write_session  # noqa: E402  # after the skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nwb") / "session.nwb"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pynwb's own: some of its types are experimental
        write_session(path)
    return path


@pytest.fixture(scope="module")
def session(file: Path) -> Any:
    with pynwb.NWBHDF5IO(file, "r") as io:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = io.read()
        yield read


def read(file: Path, table: str, **options: Any) -> dict[str, Any]:
    with hf_h5.open_table(file, table=table, **options) as reader:
        found: dict[str, Any] = reader.read(slice(None))
        return found


def test_every_series_has_the_data_and_times_of_pynwb(file: Path, session: Any) -> None:
    series = [found for found in session.all_children() if isinstance(found, pynwb.TimeSeries) and found.name != "film"]
    tables = hf_h5.describe(file).tables
    assert len(series) == 8
    for each in series:
        path = each.data.parent.name if each.name != "same_data" else "/acquisition/same_data"
        found = read(file, path)
        np.testing.assert_array_equal(found["data"], each.data[:])
        assert found["data"].dtype == each.data.dtype
        np.testing.assert_array_equal(found["timestamps"], each.get_timestamps()[:])
        assert tables[path].columns["data"].attrs["unit"] == each.unit or each.name == "same_data"


def test_the_series_with_most_bytes_is_the_default_table(file: Path) -> None:
    schema = hf_h5.describe(file)
    assert schema.convention == f"NWB {schema.attrs['nwb_version']}"
    assert schema.default == "/acquisition/regular"
    with pytest.warns(H5Warning, match="acquisition/linked"), hf_h5.open_table(file) as reader:
        assert len(reader) == 4000


def test_values_are_scaled_only_where_asked(file: Path, session: Any) -> None:
    regular, voltage = session.acquisition["regular"], session.acquisition["voltage"]
    assert read(file, "/acquisition/regular")["data"].dtype == np.int16
    decoded = read(file, "/acquisition/regular", decode=True)["data"]
    np.testing.assert_array_equal(decoded, regular.get_data_in_units())
    decoded = read(file, "/acquisition/voltage", decode=True)["data"]
    np.testing.assert_allclose(decoded, voltage.get_data_in_units(), rtol=1e-15)
    attrs = hf_h5.describe(file).tables["/acquisition/regular"].columns["data"].attrs
    assert (attrs["conversion"], attrs["offset"], attrs["description"]) == (2.0, 1.0, "counts at a rate")


def test_control_is_a_column_and_what_belongs_to_the_series_is_none(file: Path) -> None:
    tables = hf_h5.describe(file).tables
    assert list(tables["/acquisition/marked"].columns) == ["timestamps", "data", "control"]
    cells = next(table for name, table in tables.items() if name.endswith("/cells"))
    assert list(cells.columns) == ["timestamps", "data"]


def test_units_have_ragged_columns(file: Path, session: Any) -> None:
    found, frame = read(file, "/units"), session.units.to_dataframe()
    assert list(found) == ["id", *session.units.colnames]
    assert found["id"].tolist() == frame.index.tolist()
    assert found["quality"].tolist() == frame["quality"].tolist()
    for name in ("spike_times", "obs_intervals"):
        for mine, theirs in zip(found[name], frame[name], strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert [each.tolist() for each in found["electrodes"]] == [[0, 1, 2], [], [0]]
    for mine, theirs in zip(found["waveforms"], frame["waveforms"], strict=True):
        assert [each.tolist() for each in mine] == [np.asarray(each).tolist() for each in theirs]


def test_units_are_alike_in_both_modes(file: Path) -> None:
    for table in ("/units", "/intervals/trials"):
        cached = hf_h5.load_dataset(file, table=table, split="train")
        with hf_h5.H5TorchView(file, table=table) as view:
            assert view.features == cached.features
            assert view.with_format(None)[:] == cached.with_format(None)[:]


def test_trials_have_labels_and_references(file: Path, session: Any) -> None:
    found, frame = read(file, "/intervals/trials"), session.trials.to_dataframe()
    columns = hf_h5.describe(file).tables["/intervals/trials"].columns
    assert found["start_time"].tolist() == frame["start_time"].tolist()
    assert found["choice"].tolist() == frame["choice"].tolist()
    assert columns["state"].spec == {"names": ["wake", "sleep"], "_type": "ClassLabel"}
    assert found["state"].tolist() == [0, 1, 1]
    assert [each.tolist() for each in found["timeseries/timeseries"]] == [["/acquisition/first"]] * 3
    starts = [[reference.idx_start for reference in row] for row in frame["timeseries"]]
    assert [each.tolist() for each in found["timeseries/idx_start"]] == starts


def test_electrodes_name_their_group_by_path(file: Path) -> None:
    found = read(file, "/general/extracellular_ephys/electrodes")
    assert found["group"].tolist() == ["/general/extracellular_ephys/shank"] * 4
    assert found["x"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_masks_of_cells(file: Path, session: Any) -> None:
    segments = session.processing["ophys"]["ImageSegmentation"]
    base = "/processing/ophys/ImageSegmentation"
    masks, pixels = read(file, f"{base}/masks"), read(file, f"{base}/pixels")
    np.testing.assert_array_equal(masks["image_mask"], segments["masks"]["image_mask"][:])
    expected = [segments["pixels"]["pixel_mask"][row] for row in range(2)]
    for field in ("x", "y", "weight"):
        assert [each.tolist() for each in pixels[f"pixel_mask/{field}"]] == [
            [pixel[field] for pixel in np.asarray(row)] for row in expected
        ]


def test_the_session_is_metadata(file: Path) -> None:
    metadata = hf_h5.describe(file).metadata
    assert metadata["/session_description"] == "a session"
    assert metadata["/general/subject/subject_id"] == "RAT1"
    assert metadata["/general/experimenter"] == ["A", "B"]
    assert not any(path.startswith("/specifications") for path in metadata)


def test_frames_in_other_files_are_noted(file: Path) -> None:
    schema = hf_h5.describe(file)
    notes = {note.path: note.why for note in schema.notes}
    assert notes["/acquisition/film"] == "its frames lie in other files: a.avi"
    assert "/acquisition/film" not in schema.tables
    assert schema.metadata["/acquisition/film/external_file"] == ["a.avi"]


def test_raw_reads_the_datasets_as_they_are(file: Path) -> None:
    schema = hf_h5.describe(file, layout="raw")
    assert schema.convention is None
    names = {column.path for table in schema.tables.values() for column in table.columns.values()}
    assert "/units/spike_times_index" in names


def test_a_session_without_series_is_one_row(tmp_path: Path) -> None:
    with pynwb.NWBHDF5IO(tmp_path / "a.nwb", "w") as io:
        io.write(pynwb.NWBFile(session_description="nothing yet", identifier="id-2", session_start_time=START))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", H5Warning)
        row = hf_h5.load_dataset(tmp_path / "a.nwb", split="train")[0]
    assert row["session_description"] == "nothing yet"


def test_folders_of_sessions_load_by_their_extension(file: Path, tmp_path: Path) -> None:
    import datasets

    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "a.nwb").write_bytes(file.read_bytes())
    (tmp_path / "sessions" / "b.nwb").write_bytes(file.read_bytes())
    hf_h5.register(extensions=(".nwb",))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", H5Warning)
            loaded = datasets.load_dataset(
                str(tmp_path / "sessions"), split="train", cache_dir=str(tmp_path / "cache"), table="/units"
            )
    finally:
        hf_h5.unregister()
    assert loaded["quality"][:] == ["good", "bad", "good"] * 2


# Files that contradict themselves, and old ones, written with h5py.


def series(group: h5py.Group, name: str, data: Any, **attrs: Any) -> h5py.Group:
    made = group.create_group(name)
    made.attrs.update({"neurodata_type": "TimeSeries", **attrs})
    made["data"] = data
    return made


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "odd.nwb", "w") as out:
        out.attrs.update({"nwb_version": "2.6.0", "neurodata_type": "NWBFile"})
        short = series(out, "short", np.arange(10.0))
        short["timestamps"] = np.arange(9.0)
        stopped = series(out, "stopped", np.arange(4.0))
        stopped["starting_time"] = 0.0
        stopped["starting_time"].attrs["rate"] = 0.0
        table = out.create_group("table")
        table.attrs.update({"neurodata_type": "Extension", "colnames": ["a", "gone", "odd", "b"]})
        table["id"] = [0, 1]
        table["a"] = [1.0, 2.0, 3.0]
        table["a_index"] = [2, 3]
        table["odd"] = [1, 2, 3]
        table["b"] = ["x", "y"]
    return tmp_path / "odd.nwb"


def test_contradictions_are_noted_and_the_rest_loads(odd: Path) -> None:
    schema = hf_h5.describe(odd)
    notes = {note.path: note.why for note in schema.notes}
    assert notes["/short"] == "9 timestamps for 10 rows of data"
    assert "rate 0.0" in notes["/stopped/starting_time"]
    assert notes["/table/gone"] == "a column that is named and not there"
    assert notes["/table/odd"] == "3 rows in a table of 2"
    assert list(schema.tables["/short"].columns) == ["data"]
    assert list(schema.tables["/stopped"].columns) == ["data"]
    assert list(schema.tables["/table"].columns) == ["id", "a", "b"]


def test_an_index_that_leads_too_far_is_noted_or_an_error_with_its_place(odd: Path) -> None:
    with h5py.File(odd, "r+") as out:
        out["table/a_index"][:] = [9, 3]
    with hf_h5.open_table(odd, table="/table") as reader, pytest.raises(DataError, match=r"/table/a"):
        reader.read([0], ["a"])
    with h5py.File(odd, "r+") as out:
        out["table/a_index"][:] = [2, 9]
    schema = hf_h5.describe(odd)
    assert list(schema.tables["/table"].columns) == ["id", "b"]
    assert {note.path: note.why for note in schema.notes}["/table/a"] == "its index ends at row 9, and there are 3"


def test_transposed_data_has_its_rows_where_the_timestamps_are(tmp_path: Path) -> None:
    data = np.arange(30.0).reshape(3, 10)
    with h5py.File(tmp_path / "a.nwb", "w") as out:
        out.attrs["nwb_version"] = "2.6.0"
        series(out, "lfp", data)["timestamps"] = np.arange(10.0)
    (note,) = hf_h5.describe(tmp_path / "a.nwb").notes
    assert note.why == "the data is transposed: its rows are taken along axis 1"
    found = read(tmp_path / "a.nwb", "/lfp")
    assert found["data"].tolist() == data.T.tolist()


def test_attributes_that_matlab_wrote_are_lists_of_one(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nwb", "w") as out:
        out.attrs["nwb_version"] = ["2.6.0"]
        lfp = series(out, "lfp", np.arange(4, dtype="i2"))
        lfp["data"].attrs["conversion"] = [0.5]
        lfp["starting_time"] = [1.0]
        lfp["starting_time"].attrs["rate"] = [2.0]
        table = out.create_group("trials")
        table.attrs["colnames"] = ["id   ", "start", "kept", "kept_index"]
        table["id"], table["start"], table["kept"] = [0, 1], [0.5, 1.5], [1, 2, 3]
        table["kept_index"] = np.array([1, 3], "u1")
    schema = hf_h5.describe(tmp_path / "a.nwb")
    assert schema.convention == "NWB 2.6.0"
    assert read(tmp_path / "a.nwb", "/lfp")["timestamps"].tolist() == [1.0, 1.5, 2.0, 2.5]
    assert read(tmp_path / "a.nwb", "/lfp", decode=True)["data"].tolist() == [0.0, 0.5, 1.0, 1.5]
    trials = read(tmp_path / "a.nwb", "/trials")
    assert list(trials) == ["id", "start", "kept"]
    assert [each.tolist() for each in trials["kept"]] == [[1], [2, 3]]


def test_an_index_of_references_is_noted(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nwb", "w") as out:
        out.attrs["nwb_version"] = "2.0b"
        table = out.create_group("units")
        table.attrs["colnames"] = ["times"]
        table["id"], table["times"] = [0, 1], [1.0, 2.0, 3.0]
        regions = [table["times"].regionref[:1], table["times"].regionref[1:]]
        table.create_dataset("times_index", data=regions, dtype=h5py.regionref_dtype)
    schema = hf_h5.describe(tmp_path / "a.nwb")
    assert [note.why for note in schema.notes] == ["an index that holds no row numbers"]
    assert list(schema.tables["/units"].columns) == ["id"]


def test_files_before_version_2_are_recognised_by_a_dataset(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "old.nwb", "w") as out:
        out["nwb_version"] = "NWB-1.0.6"
        old = series(out, "acquisition/timeseries/patch", np.arange(600.0), ancestry=["TimeSeries", "PatchClampSeries"])
        old["starting_time"] = 2.0
        old["starting_time"].attrs["rate"] = 4.0
        old["num_samples"] = 600
    schema = hf_h5.describe(tmp_path / "old.nwb")
    assert schema.convention == "NWB NWB-1.0.6"
    found = read(tmp_path / "old.nwb", "/acquisition/timeseries/patch")
    assert found["timestamps"][:2].tolist() == [2.0, 2.25]
