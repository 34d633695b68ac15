"""`hf_h5.verify` and `hf-h5 verify` find any value that is not the same everywhere, and nothing where all are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hf_h5
from hf_h5.errors import DamagedFileError, MissingFileError, OptionError
from hf_h5.tools.convert import run_convert
from hf_h5.tools.verify.digest import ColumnDigest
from tests.tools.test_compare import N_ROWS, write

COLUMNS = {"u1", "f8", "big", "nan", "flag", "text", "fixed", "kind", "pair/x", "pair/y", "z/real", "z/imag", "lists"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """40 rows of a column of every kind."""
    write(tmp_path / "x.h5")
    return tmp_path / "x.h5"


def parquet(file: Path, **options: Any) -> Path:
    folder = file.parent / "parquet"
    run_convert([str(file)], str(folder), options=options)
    return folder


def saved(file: Path) -> Path:
    folder = file.parent / "saved"
    hf_h5.load_dataset(file).save_to_disk(str(folder))
    return folder


MADE = {
    "parquet": parquet,
    "saved": saved,
    "single": lambda file: hf_h5.load_dataset(file, split="train"),
    "dict": lambda file: hf_h5.load_dataset(file),
    "stream": lambda file: hf_h5.load_dataset(file, split="train", streaming=True),
    "cache": lambda file: None,
}


@pytest.mark.parametrize("made", MADE)
def test_all_columns_are_compared_with_plain_h5py_and_with_each_kind_of_dataset(file: Path, made: str) -> None:
    report = hf_h5.verify(file, MADE[made](file))
    found = report.splits["train"].columns
    assert report
    assert set(found) == COLUMNS
    other = "cached" if made == "cache" else "dataset"
    assert {column.compared for column in found.values()} == {("h5py", other)}
    assert (found["u1"].n_values, found["lists"].n_values) == (N_ROWS * 12, sum(row % 5 for row in range(N_ROWS)))


@pytest.mark.parametrize("options", [{"nested": True}, {"arrays": "list"}, {"columns": ["u1", "pair/*"]}], ids=str)
def test_options_are_those_of_the_conversion(file: Path, options: dict[str, Any]) -> None:
    report = hf_h5.verify(file, hf_h5.load_dataset(file, **options), **options)
    assert report
    assert all(column.compared == ("h5py", "dataset") for column in report.splits["train"].columns.values())


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [
        ("u1", 17, np.full((4, 3), 7)),
        ("f8", 39, 0.5),
        ("text", 12, "row 12 "),
        ("lists", 13, [0, 1, 3]),
        ("flag", 7, 1),
    ],
)
@pytest.mark.parametrize("made", ["parquet", "single"])
def test_a_corrupted_value_of_the_dataset_is_found(file: Path, made: str, column: str, row: int, value: Any) -> None:
    other = file.with_name("other.h5")
    write(other)
    with h5py.File(other, "r+") as handle:
        handle[column][row] = value
    report = hf_h5.verify(file, MADE[made](other))
    found = report.splits["train"].columns
    assert not report
    assert {name: each.n_different for name, each in found.items() if each.n_different} == {column: 1}
    first = report.difference
    assert first is not None
    assert (first.column, first.row, list(first.values)) == (column, row, ["h5py", "direct", "dataset"])
    assert str(first.values["direct"]) != str(first.values["dataset"])
    assert f"1 row of {column!r} differs, the first is {row}:" in str(report)


def test_a_flipped_bit_in_a_parquet_file_is_found(file: Path) -> None:
    shard = next(parquet(file).glob("*.parquet"))
    table = pq.read_table(shard)
    numbers = table["f8"].to_numpy().copy()
    numbers.view(np.uint64)[[5, 31]] ^= 1
    pq.write_table(table.set_column(table.column_names.index("f8"), table.field("f8"), pa.array(numbers)), shard)
    report = hf_h5.verify(file, shard.parent)
    assert (report.splits["train"].columns["f8"].n_different, report.difference.row) == (2, 5)


def test_a_corrupted_value_of_the_hdf5_file_is_found(tmp_path: Path) -> None:
    values = np.arange(1000, dtype=np.int64).reshape(100, 10)
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["x"] = values
        offset = handle["x"].id.get_offset()
    converted = hf_h5.load_dataset(tmp_path / "x.h5")
    raw = bytearray((tmp_path / "x.h5").read_bytes())
    raw[offset + 8 * 423] ^= 0x10
    (tmp_path / "x.h5").write_bytes(raw)
    first = hf_h5.verify(tmp_path / "x.h5", converted).difference
    assert first is not None
    assert (first.column, first.row) == ("x", 42)
    assert first.values["h5py"][3] == first.values["direct"][3] == 423 ^ 0x10
    assert first.values["dataset"][3] == 423


def test_a_chunk_whose_checksum_fails_is_an_error_that_names_it(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("x", data=np.arange(1000), chunks=(100,), fletcher32=True)
        offset = handle["x"].id.get_chunk_info(3).byte_offset
    raw = bytearray((tmp_path / "x.h5").read_bytes())
    raw[offset] ^= 1
    (tmp_path / "x.h5").write_bytes(raw)
    with pytest.raises(DamagedFileError, match="checksum"):
        hf_h5.verify(tmp_path / "x.h5", convert=False)


def test_what_is_missing_is_a_difference(file: Path) -> None:
    converted = hf_h5.load_dataset(file, split="train")
    fewer = hf_h5.verify(file, converted.remove_columns("f8").select(range(30)))
    assert not fewer
    assert fewer.splits["train"].problems == (
        "the dataset has no column 'f8'",
        f"the dataset has 30 rows, and the files {N_ROWS}",
    )
    cast = hf_h5.verify(file, converted.cast_column("f8", datasets.Value("float32")))
    assert "float32" in cast.splits["train"].problems[0]
    more = hf_h5.verify(file, datasets.DatasetDict(train=converted.add_column("new", [1] * N_ROWS), test=converted))
    assert more.problems == ("the files have no split 'test'",)
    assert more.splits["train"].problems == ("the files have no column 'new'",)
    assert not hf_h5.verify(file, converted.select(range(N_ROWS - 1)).to_iterable_dataset())


def test_splits_and_several_files_are_compared_each_with_its_own(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        with h5py.File(tmp_path / name, "w") as handle:
            handle["train/x"], handle["test/x"] = np.arange(9) * 2, np.arange(4)
    files = [tmp_path / "a.h5", tmp_path / "b.h5"]
    report = hf_h5.verify(files)
    assert report
    assert {name: split.n_compared for name, split in report.splits.items()} == {"train": 18, "test": 8}
    test = hf_h5.load_dataset(files, split="test")
    assert hf_h5.verify(files, test, split="test")
    with pytest.raises(OptionError, match="splits 'train', 'test'"):
        hf_h5.verify(files, test)
    with pytest.raises(OptionError, match="no split 'val'"):
        hf_h5.verify(files, split="val")


@pytest.mark.parametrize("layout", ["episodes", "steps"])
def test_rows_of_episodes_are_compared_with_h5py_and_what_no_dataset_holds_is_said(tmp_path: Path, layout: str) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        for number in range(12):
            handle[f"demo_{number}/a"] = np.arange(3.0 + number)
    columns = hf_h5.verify(tmp_path / "x.h5", layout=layout).splits["train"].columns
    assert columns["a"].compared == ("h5py", "cached")
    assert (columns["episode_id"].compared, columns["episode_id"].note) == (("cached",), "no dataset holds it")


@pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")
def test_a_column_of_a_convention_is_compared_with_the_bytes_of_the_library(realh5: Path) -> None:
    columns = hf_h5.verify(realh5 / "tenx_v3_matrix.h5").splits["train"].columns
    assert columns["X/values"].compared == ("library", "cached")
    assert columns["X/values"].note is not None
    assert "CSR" in columns["X/values"].note


@pytest.mark.parametrize("name", ["code_posneg.h5", "anndata_0_7_8.h5ad", "pandas_store.h5", "cloud_top_height.nc"])
@pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")
def test_real_files_are_the_same_everywhere(realh5: Path, name: str) -> None:
    assert hf_h5.verify(realh5 / name)


def test_a_sample_is_chosen_by_its_seed_and_not_converted(file: Path) -> None:
    one, again, other = (hf_h5.verify(file, sample=7, seed=seed) for seed in (1, 1, 2))
    assert one.checksum == again.checksum != other.checksum
    assert one.splits["train"].n_compared == 7
    assert one.dataset is None
    assert "--convert" in str(one)
    assert hf_h5.verify(file, sample=7, convert=True).dataset == "the cached mode"
    assert hf_h5.verify(file, parquet(file), sample=7, seed=1).checksum == one.checksum
    assert hf_h5.verify(file, sample=99).checksum == hf_h5.verify(file).checksum
    with pytest.raises(OptionError, match="sample"):
        hf_h5.verify(file, sample=0)


def test_a_sample_finds_what_lies_in_it(file: Path) -> None:
    other = file.with_name("other.h5")
    write(other)
    with h5py.File(other, "r+") as handle:
        handle["f8"][:] = 0
    assert hf_h5.verify(file, parquet(other), sample=5).splits["train"].columns["f8"].n_different == 5


def test_the_checksum_is_of_the_values_and_not_of_how_they_are_stored(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(500, 3))
    ways: dict[str, Any] = {"a": {}, "b": {"chunks": (7, 2), "compression": "gzip"}, "c": {"dtype": ">f8"}}
    for name, keywords in ways.items():
        with h5py.File(tmp_path / f"{name}.h5", "w") as handle:
            handle.create_dataset("x", data=values, **keywords)
    with h5py.File(tmp_path / "d.h5", "w") as handle:
        handle["x"] = np.nextafter(values, 1)
    sums = [hf_h5.verify(tmp_path / f"{name}.h5", convert=False).checksum for name in "abcd"]
    assert sums[0] == sums[1] == sums[2] != sums[3]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1, 2], None, [], [3]]),
        pa.array(["a", None, "", "bc"]),
        pa.array([{"x": [1.0, None]}, None, {"x": []}, {"x": None}]),
        pa.array([[1, 2], [3, 4], None, [5, 6]], pa.list_(pa.int16(), 2)),
        pa.array([True, None, False, True]),
    ],
    ids=lambda values: str(values.type),
)
def test_a_digest_does_not_depend_on_batches_and_tells_values_apart(values: pa.Array) -> None:
    def digest(*pieces: pa.Array) -> str:
        made = ColumnDigest()
        for piece in pieces:
            made.update(piece)
        return made.hexdigest()

    whole = digest(values)
    assert digest(values[:1], values[1:1], values[1:3], values[3:]) == whole
    assert digest(pa.concat_arrays([values[2:], values])[2:]) == whole
    others = [values[:3], values.take(pa.array([0, 2, 1, 3])), values.take(pa.array([0, 0, 2, 3]))]
    assert whole not in [digest(each) for each in others]


def test_a_folder_without_data_and_a_name_that_leads_nowhere_are_errors(file: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingFileError, match="holds no data"):
        hf_h5.verify(file, tmp_path / "empty")
    with pytest.raises(MissingFileError, match="no such file"):
        hf_h5.verify(tmp_path / "absent.h5")


def test_a_folder_called_like_a_packaged_builder_is_that_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With data beside it: ``datasets`` would read all Parquet files below the working folder."""
    shards = parquet(file)
    other = file.parent / "data"
    other.mkdir()
    pq.write_table(pa.table({"a": [1, 2, 3]}), other / "train-00000-of-00001.parquet")
    monkeypatch.chdir(file.parent)
    assert hf_h5.verify(file, shards.name)
