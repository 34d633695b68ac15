"""Splits inside a file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from hf_h5.errors import H5Error
from tests.conformance.case import ABSENT, Zoo, label, list_of, table, value

__all__ = ["zoo"]

zoo = Zoo()
XY = {"x": list_of(value("float32"), 2), "y": value("int64")}


def x_rows(start: int, n: int) -> np.ndarray:
    return np.arange(2 * start, 2 * (start + n), dtype="f4").reshape(n, 2)


def xy(start: int, n: int) -> list[dict[str, object]]:
    """Return the rows that ``fill_group`` writes."""
    return [{"x": [2.0 * row, 2.0 * row + 1], "y": row} for row in range(start, start + n)]


def fill_group(group: h5py.Group, start: int, n: int) -> None:
    group["x"] = x_rows(start, n)
    group["y"] = np.arange(start, start + n)


@zoo.file("split groups", features=XY, rows={"train": xy(0, 3), "test": xy(10, 2)})
def split_groups(file: h5py.File) -> None:
    fill_group(file.create_group("train"), 0, 3)
    fill_group(file.create_group("test"), 10, 2)


def declare_names(train: str, validation: str, test: str) -> None:
    def fill(file: h5py.File) -> None:
        fill_group(file.create_group(train), 0, 3)
        fill_group(file.create_group(validation), 10, 1)
        fill_group(file.create_group(test), 20, 2)

    rows = {"train": xy(0, 3), "validation": xy(10, 1), "test": xy(20, 2)}
    zoo.file("split groups", name=f"split_groups_{train}_{validation}_{test}", features=XY, rows=rows)(fill)


for _names in (
    ("train", "val", "test"),
    ("training", "validation", "testing"),
    ("trn", "valid", "tst"),
    ("Train", "Dev", "TEST"),
):
    declare_names(*_names)


@zoo.file("split groups", features=XY, rows={"train": xy(0, 2), "test": xy(10, 2)})
def split_groups_of_one_length(file: h5py.File) -> None:
    """Rule 1 comes before rule 2: of one length they are splits all the same."""
    fill_group(file.create_group("train"), 0, 2)
    fill_group(file.create_group("test"), 10, 2)


@zoo.file(
    "split groups",
    features={"obs/x": value("int64"), "hits/a": value("int32"), "c": label("no", "yes")},
    rows={
        "train": table({"obs/x": [1, 2], "hits/a": [3, 4], "c": [0, 1]}),
        "validation": table({"obs/x": [5], "hits/a": [6], "c": [-1]}),
    },
)
def split_groups_nested_compound_and_enum(file: h5py.File) -> None:
    answers = h5py.enum_dtype({"no": 0, "yes": 1}, "i1")
    for name, x, a, c in (("train", [1, 2], [3, 4], [0, 1]), ("val", [5], [6], [-1])):
        file[f"{name}/obs/x"] = x
        file[f"{name}/hits"] = np.array([(item,) for item in a], [("a", "i4")])
        file.create_dataset(f"{name}/c", data=np.array(c, "i1"), dtype=answers)


@zoo.file(
    "split groups",
    features={"x": value("int64"), "s": value("string")},
    rows={"train": table({"x": [1, 2], "s": ["a", "b"]}), "test": []},
)
def split_groups_one_without_rows(file: h5py.File) -> None:
    for name, x, s in (("train", [1, 2], ["a", "b"]), ("test", [], [])):
        file[f"{name}/x"] = np.array(x, "i8")
        file.create_dataset(f"{name}/s", data=np.array(s, "S2"))


@zoo.file(
    "split groups",
    features=XY,
    rows={"train": xy(0, 3), "test": xy(10, 2)},
    metadata=["version"],
    metadata_values={"version": 2},
    warns=["class_names"],
)
def split_groups_with_sidecars(file: h5py.File) -> None:
    fill_group(file.create_group("train"), 0, 3)
    fill_group(file.create_group("test"), 10, 2)
    file["class_names"] = np.array([b"a", b"b", b"c", b"d"])
    file["version"] = 2


@zoo.file(
    "split groups",
    features={"train/x": value("int64"), "train/y": value("int64")},
    rows=table({"train/x": [1, 2, 3], "train/y": [4, 5, 6]}),
    other_tables=[table({"test/x": [7, 8]})],
    warns=["/test"],
)
def split_groups_with_other_columns_are_none(file: h5py.File) -> None:
    """Without the same columns inside they are tables by rules 2 and 5."""
    file["train/x"], file["train/y"] = [1, 2, 3], [4, 5, 6]
    file["test/x"] = [7, 8]


@zoo.file("split names", features=XY, rows={"train": xy(0, 3), "test": xy(10, 2)})
def split_prefixes(file: h5py.File) -> None:
    for name, start, n in (("train", 0, 3), ("test", 10, 2)):
        file[f"{name}_x"], file[f"{name}_y"] = x_rows(start, n), np.arange(start, start + n)


@zoo.file("split names", features=XY, rows={"train": xy(0, 3), "validation": xy(10, 1), "test": xy(20, 2)})
def split_suffixes(file: h5py.File) -> None:
    for name, start, n in (("train", 0, 3), ("val", 10, 1), ("test", 20, 2)):
        file[f"x_{name}"], file[f"y_{name}"] = x_rows(start, n), np.arange(start, start + n)


@zoo.file(
    "split names",
    features={"X": value("int64"), "Y": value("int64")},
    rows={"train": table({"X": [1, 2], "Y": [3, 4]}), "test": table({"X": [5], "Y": [6]})},
)
def split_suffixes_mixed_case(file: h5py.File) -> None:
    file["X_Train"], file["Y_Train"], file["X_TEST"], file["Y_TEST"] = [1, 2], [3, 4], [5], [6]


@zoo.file(
    "split names",
    features={"x": value("int64"), "y": value("int64")},
    rows={"train": table({"x": [1, 2], "y": [3, 4]}), "test": table({"x": [5], "y": [6]})},
    warns=["names"],
)
def split_prefixes_with_a_sidecar(file: h5py.File) -> None:
    """Two splits leave the same names, so that the sidecar does not matter."""
    file["train_x"], file["train_y"], file["test_x"], file["test_y"] = [1, 2], [3, 4], [5], [6]
    file["names"] = np.array([b"a", b"b", b"c", b"d", b"e"])


@zoo.file(
    "split names", features={"x": value("int64"), "y": value("int64")}, rows={"test": table({"x": [1, 2], "y": [3, 4]})}
)
def split_prefixes_of_one_split(file: h5py.File) -> None:
    """Every dataset with rows has the prefix; a scalar has no rows."""
    file["test_x"], file["test_y"], file["version"] = [1, 2], [3, 4], 1


@zoo.file(
    "split names",
    features={"train_set_x": value("int64"), "train_set_y": value("int64")},
    rows=table({"train_set_x": [1, 2, 3], "train_set_y": [4, 5, 6]}),
    other_tables=[table({"list_classes": ["non-cat", "cat"]})],
    warns=["list_classes"],
)
def split_prefixes_of_one_split_and_a_sidecar_are_none(file: h5py.File) -> None:
    """One split only, and a dataset with rows that lacks the prefix: names stay as they are."""
    file["train_set_x"], file["train_set_y"] = [1, 2, 3], [4, 5, 6]
    file["list_classes"] = np.array([b"non-cat", b"cat"])


@zoo.file(
    "split names",
    features={"training_loss": value("float64"), "latest": value("float64")},
    rows=table({"training_loss": [0.5, 0.25], "latest": [1.0, 2.0]}),
)
def split_words_inside_other_words_are_none(file: h5py.File) -> None:
    file["training_loss"], file["latest"] = [0.5, 0.25], [1.0, 2.0]


@zoo.file(
    "split exact",
    features={"data": list_of(value("float32"), 2)},
    rows={"train": table({"data": [[0.0, 1.0], [2.0, 3.0]]}), "test": table({"data": [[8.0, 9.0]]})},
)
def split_datasets(file: h5py.File) -> None:
    file["train"], file["test"] = x_rows(0, 2), x_rows(4, 1)


@zoo.file(
    "split exact",
    rows={
        "train": table({"data": [[0.0, 1.0], [2.0, 3.0]], "distances": [ABSENT, ABSENT]}),
        "test": table({"data": [[8.0, 9.0]], "distances": [[0.5, 0.25, 0.125]]}),
    },
)
def split_datasets_joined_by_another(file: h5py.File) -> None:
    """As the benchmarks of nearest neighbours are stored; the other split has no such column, or None in it."""
    file["train"], file["test"] = x_rows(0, 2), x_rows(4, 1)
    file["distances"] = np.array([[0.5, 0.25, 0.125]])


@zoo.file(
    "split exact",
    features={"train": list_of(value("int64"), 2)},
    rows=table({"train": [[1, 2], [3, 4]]}),
    other_tables=[table({"test": [7, 8, 9]})],
    warns=["test"],
)
def split_datasets_of_other_shapes_are_none(file: h5py.File) -> None:
    file["train"], file["test"] = [[1, 2], [3, 4]], [7, 8, 9]


def as_test(files: list[Path]) -> dict[str, list[str]]:
    return {"test": [str(file) for file in files]}


def write_two_splits(file: h5py.File) -> None:
    fill_group(file.create_group("train"), 0, 3)
    fill_group(file.create_group("test"), 10, 2)


zoo.file(
    "split keys",
    name="split_groups_under_another_key",
    data_files=as_test,
    doors=("builder",),
    error=(H5Error, ["a.h5", "test", "train", "splits=False"]),
)(write_two_splits)
zoo.file(
    "split keys",
    name="split_groups_under_another_key_switched_off",
    data_files=as_test,
    doors=("builder", "streaming"),
    options={"splits": False},
    features={"train/x": list_of(value("float32"), 2), "train/y": value("int64")},
    rows={"test": [{f"train/{name}": cell for name, cell in row.items()} for row in xy(0, 3)]},
)(write_two_splits)
zoo.file(
    "split keys",
    name="split_groups_switched_off",
    options={"splits": False},
    features={"train/x": list_of(value("float32"), 2), "train/y": value("int64")},
    rows=[{f"train/{name}": cell for name, cell in row.items()} for row in xy(0, 3)],
    other_tables=[[{f"test/{name}": cell for name, cell in row.items()} for row in xy(10, 2)]],
)(write_two_splits)
zoo.file(
    "split slices",
    name="split_slice",
    features=XY,
    rows={"train[:67%]": xy(0, 2), "train[1:]": xy(1, 2), "test[-1:]": xy(11, 1)},
    doors=("builder", "view"),
)(write_two_splits)
zoo.file(
    "split slices",
    name="split_sum",
    features=XY,
    rows={"train+test": xy(0, 3) + xy(10, 2), "test+train[:1]": xy(10, 2) + xy(0, 1)},
    doors=("builder", "view"),
)(write_two_splits)
zoo.file(
    "split view",
    name="split_view_without_a_split",
    doors=("view",),
    error=(H5Error, ["a.h5", "train", "test", "split="]),
)(write_two_splits)
zoo.file(
    "columns=",
    name="split_groups_with_columns",
    options={"columns": ["y"]},
    features={"y": value("int64")},
    rows={"train": table({"y": [0, 1, 2]}), "test": table({"y": [10, 11]})},
)(write_two_splits)


@zoo.folder(
    "split files",
    features=XY,
    rows={"train": xy(0, 2) + xy(20, 1), "test": xy(10, 1) + xy(30, 3)},
)
def split_groups_of_two_files(folder: Path) -> list[Path]:
    files = [folder / "0.h5", folder / "1.h5"]
    for target, train, test in ((files[0], (0, 2), (10, 1)), (files[1], (20, 1), (30, 3))):
        with h5py.File(target, "w") as file:
            fill_group(file.create_group("train"), *train)
            fill_group(file.create_group("test"), *test)
    return files


@zoo.folder(
    "split keys",
    data_files=lambda files: {"train": [str(files[0])], "test": [str(files[1])]},
    doors=("builder", "streaming"),
    features=XY,
    rows={"train": xy(0, 2), "test": xy(5, 1)},
)
def split_by_data_files(folder: Path) -> list[Path]:
    files = [folder / "one.h5", folder / "two.h5"]
    for target, start, n in ((files[0], 0, 2), (files[1], 5, 1)):
        with h5py.File(target, "w") as file:
            fill_group(file, start, n)
    return files
