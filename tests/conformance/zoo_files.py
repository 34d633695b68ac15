"""Several files as one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np

from hf_h5.errors import MismatchError, NotHDF5Error
from tests.conformance.case import Zoo, array, list_of, table, value

__all__ = ["zoo"]

zoo = Zoo()
TWO = ["one.h5", "two.h5"]
XY = {"x": value("int64"), "y": value("float32")}


def write_files(folder: Path, contents: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Write a file per name, with a dataset per name in it."""
    for name, columns in contents.items():
        with h5py.File(folder / name, "w") as file:
            for path, values in columns.items():
                file[path] = values
    return [folder / name for name in contents]


def two(first: Mapping[str, Any], second: Mapping[str, Any]) -> Callable[[Path], list[Path]]:
    return lambda folder: write_files(folder, {"one.h5": first, "two.h5": second})


def declare(mapping: str, name: str, first: Mapping[str, Any], second: Mapping[str, Any], **expected: Any) -> None:
    """Declare a case of two files."""
    zoo.folder(mapping, name=name, **expected)(two(first, second))


SINGLE = np.array([0.5, 1.5], "f4")
declare(
    "several files",
    "files_in_order",
    {"x": [1, 2], "y": SINGLE},
    {"x": [3], "y": SINGLE[:1]},
    features=XY,
    rows=table({"x": [1, 2, 3], "y": [0.5, 1.5, 0.5]}),
)
declare(
    "several files",
    "files_with_columns_in_another_order",
    {"x": [1, 2], "g/y": SINGLE},
    {"g/y": SINGLE, "x": [3, 4]},
    features={"x": value("int64"), "g/y": value("float32")},
    rows=table({"x": [1, 2, 3, 4], "g/y": [0.5, 1.5, 0.5, 1.5]}),
)
declare(
    "several files",
    "files_of_other_byte_orders",
    {"x": np.array([1, 2], ">i8")},
    {"x": np.array([3], "<i8")},
    features={"x": value("int64")},
    rows=table({"x": [1, 2, 3]}),
)
declare(
    "several files",
    "files_of_other_string_lengths",
    {"s": np.array([b"a", b"bc"])},
    {"s": np.array([b"defgh"])},
    features={"s": value("string")},
    rows=table({"s": ["a", "bc", "defgh"]}),
)
declare(
    "several files",
    "files_of_fixed_and_variable_strings",
    {"s": np.array([b"a", b"bc"])},
    {"s": np.array(["é"], object)},
    features={"s": value("string")},
    rows=table({"s": ["a", "bc", "é"]}),
)
declare(
    "several files",
    "files_one_without_rows",
    {"x": np.array([1, 2])},
    {"x": np.zeros(0, "i8")},
    features={"x": value("int64")},
    rows=table({"x": [1, 2]}),
)
declare(
    "several files",
    "files_the_first_without_rows",
    {"x": np.zeros((0, 2, 2), "u1")},
    {"x": np.array([[[1, 2], [3, 4]]], "u1")},
    features={"x": array("uint8", 2, 2)},
    rows=table({"x": [[[1, 2], [3, 4]]]}),
)


def write_three(folder: Path) -> list[Path]:
    return write_files(folder, {f"{n}.h5": {"x": np.arange(10 * n, 10 * n + n)} for n in (3, 1, 2)})


zoo.folder(
    "several files",
    name="files_in_the_order_given",
    features={"x": value("int64")},
    rows=table({"x": [30, 31, 32, 10, 20, 21]}),
)(write_three)
zoo.folder(
    "several files",
    name="files_as_gathered_by_a_glob",
    data_files=lambda files: str(files[0].parent / "*.h5"),
    doors=("builder", "streaming"),
    features={"x": value("int64")},
    rows=table({"x": [10, 20, 21, 30, 31, 32]}),
)(write_three)


def differing(name: str, first: Mapping[str, Any], second: Mapping[str, Any], *facts: str) -> None:
    declare("files differ", f"files_differ_in_{name}", first, second, error=(MismatchError, [*TWO, *facts]))


differing("a_missing_column", {"x": [1], "y": [2]}, {"x": [3]}, "y")
differing("an_extra_column", {"x": [1]}, {"x": [3], "extra": [4]}, "extra")
differing("dtype", {"x": np.array([1], "i4")}, {"x": np.array([2], "i8")}, "int32", "int64")
differing("signedness", {"x": np.array([1], "i8")}, {"x": np.array([2], "u8")}, "int64", "uint64")
differing("kind", {"x": np.array([1])}, {"x": np.array([b"a"])}, "int64", "string")
differing("row_shape", {"x": np.zeros((2, 3))}, {"x": np.zeros((2, 4))}, "3", "4")
differing("rank", {"x": np.zeros((2, 3))}, {"x": np.zeros(2)}, "x")

declare(
    "files settled",
    "files_settled_by_columns",
    {"x": [1], "y": [2]},
    {"x": [3], "z": [4]},
    options={"columns": ["x"]},
    features={"x": value("int64")},
    rows=table({"x": [1, 3]}),
)
declare(
    "files settled",
    "files_settled_by_features_that_select",
    {"x": [1], "y": [2]},
    {"x": [3]},
    options={"features": datasets.Features({"x": value("int64")})},
    features={"x": value("int64")},
    rows=table({"x": [1, 3]}),
)
declare(
    "files settled",
    "files_settled_by_features_that_cast",
    {"x": np.array([1], "i4")},
    {"x": np.array([2], "i8")},
    options={"features": datasets.Features({"x": value("int64")})},
    features={"x": value("int64")},
    rows=table({"x": [1, 2]}),
)
declare(
    "widening",
    "files_widened",
    {"x": np.array([0.5], "f4"), "a": np.array([[0.5, 1]], "f8")},
    {"x": np.array([0.1], "f8"), "a": np.array([[1.5, 2]], "f4")},
    features={"x": value("float64"), "a": list_of(value("float64"), 2)},
    rows=table({"x": [0.5, 0.1], "a": [[0.5, 1.0], [1.5, 2.0]]}),
)
declare(
    "widening",
    "files_widened_arrays",
    {"x": np.array([[[0.5, 1]]], "f4")},
    {"x": np.array([[[0.1, 2]]], "f8")},
    features={"x": array("float64", 1, 2)},
    rows=table({"x": [[[0.5, 1.0]], [[0.1, 2.0]]]}),
)
SIDE_BY_SIDE = {"join": "columns"}
declare(
    "join",
    "files_side_by_side",
    {"x": [1, 2]},
    {"y": SINGLE, "s": np.array([b"a", b"b"])},
    options=SIDE_BY_SIDE,
    features={"x": value("int64"), "y": value("float32"), "s": value("string")},
    rows=table({"x": [1, 2], "y": [0.5, 1.5], "s": ["a", "b"]}),
)
declare(
    "join lengths",
    "files_side_by_side_of_other_lengths",
    {"x": [1, 2]},
    {"y": [1, 2, 3]},
    options=SIDE_BY_SIDE,
    error=(MismatchError, [*TWO, "2", "3"]),
)

SAMPLE_FEATURES = {
    "file_name": value("string"),
    "image": array("uint8", 2, 2),
    "label": value("int64"),
    "name": value("string"),
    "score": value("float32"),
}


@zoo.folder(
    "one sample",
    features=SAMPLE_FEATURES,
    rows=[
        {"file_name": f"s{n}.h5", "image": [[n, 1], [2, 3]], "label": n, "name": f"n{n}", "score": n / 2}
        for n in range(4)
    ],
)
def files_of_one_sample(folder: Path) -> list[Path]:
    return write_files(
        folder,
        {
            f"s{n}.h5": {
                "image": np.array([[[n, 1], [2, 3]]], "u1"),
                "label": n,
                "name": f"n{n}",
                "score": np.array([n / 2], "f4"),
            }
            for n in range(4)
        },
    )


@zoo.folder(
    "one sample",
    features={"file_name": value("string"), "a": value("float64"), "ok": value("bool")},
    rows=table({"file_name": ["0.h5", "1.h5", "2.h5"], "a": [0.0, 0.5, 1.0], "ok": [True, False, True]}),
)
def files_of_scalars(folder: Path) -> list[Path]:
    return write_files(folder, {f"{n}.h5": {"a": n / 2, "ok": np.bool_(n != 1)} for n in range(3)})


def write_with_readme(folder: Path) -> list[Path]:
    """Write two tables and two files that are not HDF5, of which ``datasets`` itself leaves out the README."""
    (folder / "README.md").write_text("# What these files are\n")
    (folder / "notes.txt").write_text("these are notes\n" * 100)
    return write_files(folder, {"one.h5": {"x": [1]}, "two.h5": {"x": [2]}})


zoo.folder(
    "not hdf5",
    name="folder_with_a_readme",
    data_dir=True,
    doors=("builder", "streaming"),
    features={"x": value("int64")},
    rows=table({"x": [1, 2]}),
    warns=["skip"],
)(write_with_readme)


@zoo.folder("not hdf5", error=(NotHDF5Error, ["notes.h5"]), error_at="open")
def named_file_that_is_not_hdf5(folder: Path) -> list[Path]:
    target = folder / "notes.h5"
    target.write_text("these are notes\n" * 100)
    return [target]


@zoo.folder("not hdf5", error=(NotHDF5Error, ["notes.txt"]))
def named_file_that_is_not_hdf5_among_others(folder: Path) -> list[Path]:
    (folder / "notes.txt").write_text("these are notes\n" * 100)
    return [*write_files(folder, {"one.h5": {"x": [1]}}), folder / "notes.txt"]
