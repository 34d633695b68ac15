"""Files and options become schemas and tables: what users get from ``describe`` and the doors start from."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.describe.options import make_options
from hf_h5.errors import H5Warning, LayoutError, MismatchError, OptionError
from hf_h5.resolve.describing import describe
from hf_h5.resolve.tables import resolve_splits, resolve_tables
from tests.written import write_digits, write_h5


def test_a_schema_has_tables_splits_metadata_and_attributes(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"train_x": np.arange(7), "test_x": np.arange(3), "version": 2})
    schema = describe(file)
    assert (schema.file, list(schema.tables), schema.default) == (str(file), ["/"], "/")
    assert {split: table.num_rows for split, table in schema.splits.items()} == {"train": 7, "test": 3}
    assert schema.metadata == {"/version": 2}
    assert schema.file_bytes == file.stat().st_size
    assert schema.table is schema.tables["/"]


def test_a_schema_can_be_printed_pickled_and_written(tmp_path: Path) -> None:
    schema = describe(write_digits(tmp_path / "a.h5"))
    assert "images" in str(schema)
    assert "images" in schema._repr_html_()
    assert schema.to_dict()
    assert pickle.loads(pickle.dumps(schema)).tables == schema.tables


def test_a_group_is_described_from_its_place(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"g/x": np.arange(7), "other": np.arange(5)})
    with h5py.File(file) as handle:
        schema = describe(handle["g"])
        assert list(schema.tables["/"].columns) == ["x"]
        with hf_h5.open_table(handle["g"]) as reader:
            assert reader.read([6])["x"].tolist() == [6]


def test_a_file_without_rows_has_no_table_and_opening_says_so(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as handle:
        handle.attrs["title"] = "empty"
    assert describe(file).table is None
    with pytest.raises(LayoutError, match="no rows") as caught:
        hf_h5.open_table(file)
    assert caught.value.file == str(file)


@pytest.mark.parametrize(
    ("table", "columns"), [("/other", ["other/y"]), ("other", ["other/y"]), ("/other/y", ["other/y"]), ("/x", ["x"])]
)
def test_a_table_is_named_by_its_group_or_one_of_its_datasets(tmp_path: Path, table: str, columns: list[str]) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.arange(100), "other/y": np.arange(5)})
    with hf_h5.open_table(file, table=table) as reader:
        assert list(reader.schema.columns) == columns


def test_columns_choose_the_table_that_has_them(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.arange(100), "names": np.array([b"a", b"b"])})
    with hf_h5.open_table(file, columns=["names"]) as reader:
        assert reader.read(slice(None))["names"].tolist() == ["a", "b"]


def test_what_is_not_among_the_rows_is_one_warning_unless_the_user_chose(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.arange(100), "names": np.array([b"a", b"b"]), "version": 3})
    with pytest.warns(H5Warning) as caught:
        hf_h5.open_table(file).close()
    assert len(caught) == 1
    for words in (str(file), "names", "table='/names'", "/version"):
        assert words in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hf_h5.open_table(file, columns=["x"]).close()
        hf_h5.open_table(file, table="/x").close()


def test_unreadable_neighbours_do_not_matter_where_columns_are_named(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"x": np.arange(3), "bad": np.array([b"\xff\xfe"] * 3)})
    with hf_h5.open_table(file, columns=["x"]) as reader:
        assert reader.read([2])["x"].tolist() == [2]


@pytest.mark.parametrize("place", ["/names", "names", "/y@names", "/@names", ["no", "yes"], ("no", "yes"), "/y@comma"])
def test_class_names_come_from_a_list_a_dataset_or_an_attribute(tmp_path: Path, place: Any) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as handle:
        handle["y"] = np.array([0, 1, 1])
        handle["names"] = [b"no", b"yes"]
        handle["y"].attrs["names"] = ["no", "yes"]
        handle["y"].attrs["comma"] = "no, yes"
        handle.attrs["names"] = np.array([b"no", b"yes"])
    with hf_h5.open_table(file, class_labels={"y": place}, columns=["y"]) as reader:
        assert reader.schema.columns["y"].spec["names"] == ["no", "yes"]


@pytest.mark.parametrize(
    ("place", "words"),
    [("/y@nope", ["there is no '/y@nope'", "'comma'"]), ("/bytes", ["holds no list of names", "UTF-8"])],
)
def test_where_no_class_names_are_it_is_said_what_there_is(tmp_path: Path, place: str, words: list[str]) -> None:
    file = write_h5(tmp_path / "a.h5", {"y": np.array([0, 1]), "bytes": np.array([b"caf\xe9", b"x"])})
    with h5py.File(file, "r+") as handle:
        handle["y"].attrs["comma"] = "no, yes"
    with pytest.raises(OptionError) as caught:
        hf_h5.open_table(file, class_labels={"y": place}, columns=["y"])
    for each in (*words, "hint", f"{file}::/"):
        assert each in str(caught.value)


def test_files_with_and_without_splits_are_an_error_naming_both(tmp_path: Path) -> None:
    one = write_h5(tmp_path / "a.h5", {"train/x": np.arange(7), "test/x": np.arange(3)})
    other = write_h5(tmp_path / "b.h5", {"x": np.arange(7)})
    with pytest.raises(MismatchError) as caught:
        resolve_tables([str(one), str(other)], make_options())
    for words in ("a.h5", "b.h5", "splits=False"):
        assert words in str(caught.value)


def test_splits_of_several_files_merge_split_by_split(tmp_path: Path) -> None:
    files = [
        str(write_h5(tmp_path / f"{number}.h5", {"train/x": np.arange(7 + number), "test/x": np.arange(3)}))
        for number in range(2)
    ]
    found = resolve_tables(files, make_options())
    assert found.inside
    assert {split: table.num_rows for split, table in found.splits.items()} == {"train": 15, "test": 6}


def test_splits_named_outside_have_one_set_of_columns(tmp_path: Path) -> None:
    train = write_h5(tmp_path / "train.h5", {"x": np.arange(7, dtype="f4")})
    test = write_h5(tmp_path / "test.h5", {"x": np.arange(3, dtype="f8")})
    found = resolve_splits({"train": str(train), "test": [str(test)]}, make_options())
    assert not found.inside
    assert {split: table.columns["x"].dtype for split, table in found.splits.items()} == {"train": "f8", "test": "f8"}


def test_one_key_that_is_not_train_may_not_hold_splits_of_its_own(tmp_path: Path) -> None:
    file = str(write_h5(tmp_path / "a.h5", {"train/x": np.arange(7), "test/x": np.arange(3)}))
    with pytest.raises(OptionError, match="splits=False"):
        resolve_splits({"validation": file}, make_options())
    assert list(resolve_splits({"train": file}, make_options()).splits) == ["train", "test"]


def test_single_rows_and_scalars_in_many_files_are_one_row_each(tmp_path: Path) -> None:
    for number in range(3):
        write_h5(tmp_path / f"{number}.h5", {"image": np.full((1, 2, 2), number), "label": number})
    with hf_h5.open_table(f"{tmp_path}/*.h5") as reader:
        found = reader.read(slice(None))
    assert found["file_name"].tolist() == ["0.h5", "1.h5", "2.h5"]
    assert found["image"].shape == (3, 2, 2)
    assert found["label"].tolist() == [0, 1, 2]


def test_the_same_file_twice_has_its_rows_twice(tmp_path: Path) -> None:
    file = write_digits(tmp_path / "a.h5")
    with hf_h5.open_table([file, file]) as reader:
        assert reader.read([3, 13])["labels"].tolist() == [3, 3]


def test_many_groups_are_described_about_as_fast_as_they_are_visited(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w", libver="latest") as handle:
        for number in range(1500):
            handle[f"data/demo_{number}/x"] = np.zeros((3, 2), np.float32)
    schema = describe(file)
    assert schema.table is not None
    assert schema.table.num_rows == 1500
    assert len(pickle.dumps(schema.table)) < 1500 * 200


def write_two_lengths_in_splits(file: Path, pixels: str = "pixels") -> Path:
    """Splits whose labels have other lengths than their pixels, which take more bytes."""
    contents: dict[str, Any] = {}
    for split, n_rows in (("train", 50), ("test", 20)):
        contents |= {f"{split}/label": np.arange(n_rows) % 3, f"{split}/score": np.arange(n_rows) / 2}
        contents |= {f"{split}/{pixels}": np.zeros((n_rows + 2, 100))}
    return write_h5(file, contents)


@pytest.mark.parametrize(
    "options", [{"columns": ["label", "score"]}, {"table": "/train/label"}, {"table": "/test/score"}], ids=str
)
def test_tables_beside_the_main_one_have_their_splits_too(tmp_path: Path, options: dict[str, Any]) -> None:
    file = write_two_lengths_in_splits(tmp_path / "a.h5")
    found = resolve_tables(str(file), make_options(**options))
    assert found.inside
    assert {split: table.num_rows for split, table in found.splits.items()} == {"train": 50, "test": 20}
    assert {tuple(table.columns) for table in found.splits.values()} == {("label", "score")}
    with hf_h5.open_table(file, split="test", **options) as reader:
        assert reader.read([19])["label"].tolist() == [1]


def test_the_main_splits_and_their_neighbours_keep_their_names(tmp_path: Path) -> None:
    schema = describe(write_two_lengths_in_splits(tmp_path / "a.h5"))
    assert {name: list(table.columns) for name, table in schema.tables.items()} == {
        "/": ["pixels"],
        "/train/label": ["label", "score"],
    }
    assert schema.default == "/"


def test_rows_of_one_split_alone_are_of_that_split(tmp_path: Path) -> None:
    file = write_two_lengths_in_splits(tmp_path / "a.h5")
    with h5py.File(file, "r+") as handle:
        handle["test/extra"] = np.arange(7)
    found = resolve_tables(str(file), make_options(table="/test/extra"))
    assert {split: table.num_rows for split, table in found.splits.items()} == {"test": 7}
