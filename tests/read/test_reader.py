"""The reader over parts: which part holds a row, missing values, counters, constants, the caller's arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hf_h5
from hf_h5.errors import DamagedFileError, DataError, H5Warning, MismatchError
from hf_h5.read.rows import RowSource
from tests.written import write_digits, write_h5

LENGTHS = (3, 0, 5, 1)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of different lengths and storage; row ``i`` of all holds ``i``."""
    folder = tmp_path_factory.mktemp("parts")
    files, start = [], 0
    for number, length in enumerate(LENGTHS):
        options = {"chunks": (2,), "compression": "gzip"} if number == 2 else {}
        values = np.arange(start, start + length)
        files.append(write_h5(folder / f"{number}.h5", {"x": values}, **options))
        with h5py.File(files[-1], "a") as handle:
            handle["text"] = np.array([f"row {value}" for value in values], object).astype(h5py.string_dtype())
        start += length
    return files


@settings(max_examples=60)
@given(rows=st.lists(st.integers(0, sum(LENGTHS) - 1), max_size=15))
def test_rows_come_from_their_parts_in_the_order_asked_for(parts: list[Path], rows: list[int]) -> None:
    with hf_h5.open_table(parts) as reader:
        found = reader.read(rows)
    assert found["x"].tolist() == rows
    assert found["text"].tolist() == [f"row {row}" for row in rows]


@given(start=st.integers(0, sum(LENGTHS)), count=st.integers(0, sum(LENGTHS)), step=st.integers(1, 3))
def test_slices_and_ranges_cross_the_parts(parts: list[Path], start: int, count: int, step: int) -> None:
    expected = list(range(sum(LENGTHS)))[start : start + count : step]
    with hf_h5.open_table(parts) as reader:
        assert reader.read(slice(start, start + count, step))["x"].tolist() == expected
        assert reader.read(np.array(expected, np.uint8))["x"].tolist() == expected


def test_a_reader_is_a_source_of_rows(parts: list[Path]) -> None:
    with hf_h5.open_table(parts) as reader:
        source: RowSource = reader
        assert len(source) == 9
        assert source.schema.num_rows == 9
        assert source.fingerprint
        groups = source.row_groups()
    assert (groups[0], groups[-1]) == (0, 9)
    assert (np.diff(groups) > 0).all()


def test_groups_of_rows_are_chunks_and_end_with_their_part(tmp_path: Path) -> None:
    files = [write_h5(tmp_path / f"{n}.h5", {"x": np.zeros((10, 2))}, chunks=(4, 2)) for n in range(2)]
    with hf_h5.open_table(files) as reader:
        assert reader.row_groups().tolist() == [0, 4, 8, 10, 14, 18, 20]


def test_the_fingerprint_changes_with_the_file_and_with_the_columns(tmp_path: Path) -> None:
    file = write_digits(tmp_path / "a.h5")

    def print_of(**options: Any) -> str:
        with hf_h5.open_table(file, **options) as reader:
            return reader.fingerprint

    first = print_of()
    assert print_of() == first
    assert print_of(columns=["labels"]) != first
    write_digits(file, seed=1)
    assert print_of() != first


def test_numbers_are_read_into_the_callers_array(tmp_path: Path) -> None:
    file = write_digits(tmp_path / "a.h5", chunks=True, compression="gzip")
    out = {"images": np.full((3, 4, 5), 9, np.uint8)}
    with hf_h5.open_table(file) as reader:
        expected = reader.read([7, 0, 7])
        found = reader.read([7, 0, 7], ["images"], out=out)
    assert found["images"] is out["images"]
    assert out["images"].tolist() == expected["images"].tolist()


def test_an_array_may_be_filled_over_several_parts(parts: list[Path]) -> None:
    out = {"x": np.full(4, -1)}
    with hf_h5.open_table(parts) as reader:
        assert reader.read([8, 0, 5, 0], ["x"], out=out)["x"] is out["x"]
    assert out["x"].tolist() == [8, 0, 5, 0]


def test_what_comes_back_is_not_kept(tmp_path: Path) -> None:
    file = write_digits(tmp_path / "a.h5", chunks=True, compression="gzip")
    with hf_h5.open_table(file) as reader:
        reader.read([1, 2])["images"][:] = 0
        reader.read(slice(None))["images"][:] = 0
        with h5py.File(file) as handle:
            assert (reader.read(slice(None))["images"] == handle["images"][()]).all()


def episodes(file: Path) -> Path:
    with h5py.File(file, "w") as handle:
        for number, length in enumerate([4, 2, 3]):
            group = handle.create_group(f"data/demo_{number}")
            group["obs"] = np.arange(length * 2).reshape(length, 2) + 100 * number
            group.attrs["success"] = bool(number % 2)
            if number != 1:
                group["extra"] = np.float32(number)
    return file


def test_episodes_are_rows_of_different_lengths_with_constants_and_gaps(tmp_path: Path) -> None:
    with hf_h5.open_table(episodes(tmp_path / "a.h5")) as reader:
        found = reader.read([2, 1, 0])
    assert found["episode_id"].tolist() == ["demo_2", "demo_1", "demo_0"]
    assert found["success"].tolist() == [False, True, False]
    assert [row.tolist() for row in found["obs"]] == [
        [[200, 201], [202, 203], [204, 205]],
        [[100, 101], [102, 103]],
        [[0, 1], [2, 3], [4, 5], [6, 7]],
    ]
    assert isinstance(found["extra"], np.ma.MaskedArray)
    assert found["extra"].mask.tolist() == [False, True, False]
    assert found["extra"].compressed().tolist() == [2, 0]


def test_steps_count_inside_their_episode(tmp_path: Path) -> None:
    with (
        pytest.warns(H5Warning, match="extra"),
        hf_h5.open_table(episodes(tmp_path / "a.h5"), layout="steps") as reader,
    ):
        found = reader.read([8, 0, 4, 5])
    assert found["episode_id"].tolist() == ["demo_2", "demo_0", "demo_1", "demo_1"]
    assert found["episode_index"].tolist() == [2, 0, 1, 1]
    assert found["step_index"].tolist() == [2, 0, 0, 1]
    assert found["obs"].tolist() == [[204, 205], [0, 1], [100, 101], [102, 103]]


def test_labels_of_different_files_are_matched_by_name(tmp_path: Path) -> None:
    for number, codes in enumerate([{"cat": 0, "owl": 1}, {"dog": 0, "cat": 1}]):
        with h5py.File(tmp_path / f"{number}.h5", "w") as handle:
            handle.create_dataset("y", data=[0, 1, 1], dtype=h5py.enum_dtype(codes))
    with hf_h5.open_table(f"{tmp_path}/*.h5") as reader:
        names = reader.schema.columns["y"].spec["names"]
        found = reader.read(slice(None))["y"]
    assert names == ["cat", "owl", "dog"]
    assert [names[position] for position in found] == ["cat", "owl", "owl", "dog", "cat", "cat"]


def test_narrower_floats_of_a_later_file_widen(tmp_path: Path) -> None:
    values = np.array([1 / 3, 2 / 3])
    write_h5(tmp_path / "a.h5", {"x": values.astype("f4")})
    write_h5(tmp_path / "b.h5", {"x": values.astype(">f8")})
    with hf_h5.open_table(f"{tmp_path}/*.h5") as reader:
        found = reader.read([3, 0])["x"]
    assert found.dtype == np.float64
    assert found.tolist() == [values[1], float(np.float32(values[0]))]


def test_different_integers_are_an_error_that_features_settle(tmp_path: Path) -> None:
    import datasets

    files = [write_h5(tmp_path / f"{kind}.h5", {"x": np.array([1, 2], kind)}) for kind in ("i4", "i8")]
    with pytest.raises(MismatchError, match=r"int32.*int64|int64.*int32"):
        hf_h5.open_table(files)
    with hf_h5.open_table(files, features=datasets.Features({"x": datasets.Value("int64")})) as reader:
        assert reader.read(slice(None))["x"].tolist() == [1, 2, 1, 2]


def test_an_error_in_a_value_names_its_row_in_the_table_and_in_the_file(tmp_path: Path) -> None:
    write_h5(tmp_path / "a.h5", {"t": np.array([b"fine"] * 20)})
    bad = write_h5(tmp_path / "b.h5", {"t": np.array([b"fine"] * 15 + [b"\xff"])})
    with hf_h5.open_table(f"{tmp_path}/*.h5") as reader:
        for rows in ([35], slice(None), [3, 35, 1], range(30, 36)):
            with pytest.raises(DataError, match=r"row 35 \(row 15 of its file") as caught:
                reader.read(rows)
            assert (caught.value.file, caught.value.path) == (str(bad), "/t")


def test_bad_text_in_the_first_rows_is_found_at_opening(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"t": np.array([b"fine", b"\xff", *[b"fine"] * 20])})
    with pytest.raises(DataError, match="row 1 "):
        hf_h5.open_table(file)


def test_a_damaged_chunk_is_an_error_that_names_the_dataset_and_others_are_read(tmp_path: Path) -> None:
    file = write_digits(tmp_path / "a.h5", chunks=True, compression="gzip", fletcher32=True)
    with h5py.File(file) as handle:
        place = handle["images"].id.get_chunk_info(0).byte_offset
    with file.open("r+b") as stream:
        stream.seek(place + 4)
        stream.write(b"\xff" * 20)
    with hf_h5.open_table(file) as reader:
        with pytest.raises(DamagedFileError) as caught:
            reader.read([0])
        assert (caught.value.file, caught.value.path) == (str(file), "/images")
        assert reader.read([3], ["labels"])["labels"].tolist() == [3]


def test_routes_say_which_way_a_column_comes(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as handle:
        handle["x"] = np.arange(5)
        handle["text"] = ["a"] * 5
        handle.create_dataset("lists", (5,), h5py.vlen_dtype(h5py.vlen_dtype("i4")))
    with hf_h5.open_table(file) as reader:
        routes = reader.routes()
    assert routes["x"] == "direct"
    assert routes["text"] == "direct"
    assert routes["lists"] == "it holds lists of what is no number"
    with hf_h5.open_table(file, route="h5py") as reader:
        assert "route='h5py'" in reader.routes()["x"]


def test_zero_rows_have_their_shape_and_type(tmp_path: Path) -> None:
    with hf_h5.open_table(write_digits(tmp_path / "a.h5")) as reader:
        found = reader.read([])
    assert {name: (values.shape, str(values.dtype)) for name, values in found.items()} == {
        "images": ((0, 4, 5), "uint8"),
        "labels": ((0,), "int64"),
    }
