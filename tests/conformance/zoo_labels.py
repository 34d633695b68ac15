"""Enums and class labels."""

from __future__ import annotations

from pathlib import Path

import datasets
import h5py
import numpy as np

from hf_h5.errors import DataError
from tests.conformance.case import Either, Holding, Zoo, array, label, list_of, table, value

__all__ = ["zoo"]

zoo = Zoo()
ANIMALS = h5py.enum_dtype({"cat": 10, "dog": 20, "owl": 30}, basetype="i2")


@zoo.file("enum", features={"x": label("cat", "dog", "owl")}, rows=table({"x": [0, 2, 1, 1]}))
def enum_codes_with_gaps(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([10, 30, 20, 20], "i2"), dtype=ANIMALS)


@zoo.file("enum", features={"x": label("low", "high")}, rows=table({"x": [1, 0, 0]}))
def enum_big_endian(file: h5py.File) -> None:
    levels = h5py.enum_dtype({"low": 5, "high": 500}, basetype=">i4")
    file.create_dataset("x", data=np.array([500, 5, 5], ">i4"), dtype=levels)


@zoo.file("enum", features={"x": label("below")}, rows=table({"x": [0, 0]}))
def enum_negative_code(file: h5py.File) -> None:
    """One name only: HDF5 stores members by the bytes of their codes, so that with more their order would be open."""
    file.create_dataset("x", data=np.array([-5, -5], "i2"), dtype=h5py.enum_dtype({"below": -5}, basetype="i2"))


@zoo.file("enum", features={"x": label("a", "b")}, rows=table({"x": [0, 1]}))
def enum_64_bits(file: h5py.File) -> None:
    kind = h5py.enum_dtype({"a": 0, "b": 2**40}, basetype="i8")
    file.create_dataset("x", data=np.array([0, 2**40], "i8"), dtype=kind)


@zoo.file(
    "enum",
    features={"x": Either(label("FALSE", "TRUE"), value("bool"))},
    rows=table({"x": [Either(1, True), Either(0, False)]}),
)
def enum_false_true_of_32_bits(file: h5py.File) -> None:
    """The contract makes a truth value of these two names on int8; h5py of any width: both are right."""
    file.create_dataset("x", data=np.array([1, 0], "i4"), dtype=h5py.enum_dtype({"FALSE": 0, "TRUE": 1}, "i4"))


@zoo.file("enum", features={"x": label("Zürich", "東京")}, rows=table({"x": [1, 0]}))
def enum_unicode_names(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([1, 0], "u1"), dtype=h5py.enum_dtype({"Zürich": 0, "東京": 1}, "u1"))


@zoo.file("enum", features={"x": label("cat", "dog", "owl")}, rows=table({"x": [1]}))
def enum_committed_type(file: h5py.File) -> None:
    file["animals"] = ANIMALS
    file.create_dataset("x", data=np.array([20], "i2"), dtype=file["animals"])


@zoo.file("label of ones", features={"x": label("cat", "dog", "owl")}, rows=table({"x": [2, 0]}))
def enum_one_per_row_rank_2(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([[30], [10]], "i2"), dtype=ANIMALS)


@zoo.file("label of ones", features={"x": label("cat", "dog", "owl")}, rows=table({"x": [2, 0]}))
def enum_one_per_row_rank_4(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([30, 10], "i2").reshape(2, 1, 1, 1), dtype=ANIMALS)


@zoo.file(
    "enum arrays",
    features={"mask": array("uint8", 2, 2)},
    rows=table({"mask": [[[0, 5], [5, 5]], [[0, 0], [0, 5]]]}),
    column_attrs={"mask": Holding("background", "tumour")},
)
def enum_mask(file: h5py.File) -> None:
    kind = h5py.enum_dtype({"background": 0, "tumour": 5}, basetype="u1")
    file.create_dataset("mask", data=np.array([[[0, 5], [5, 5]], [[0, 0], [0, 5]]], "u1"), dtype=kind)


@zoo.file(
    "enum arrays",
    features={"x": list_of(value("int16"), 3)},
    rows=table({"x": [[10, 20, 30], [30, 30, 10]]}),
    column_attrs={"x": Holding("cat", "dog", "owl")},
)
def enum_three_per_row(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([[10, 20, 30], [30, 30, 10]], "i2"), dtype=ANIMALS)


@zoo.file("enum missing", features={"x": label("no", "yes")}, rows=table({"x": [1, -1, 0]}))
def enum_missing(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([1, -1, 0], "i1"), dtype=h5py.enum_dtype({"no": 0, "yes": 1}, "i1"))


@zoo.file("enum unknown", error=(DataError, ["a.h5", "/x", "row 2", "7"]))
def enum_unknown_code(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([1, 0, 7], "i1"), dtype=h5py.enum_dtype({"no": 0, "yes": 1}, "i1"))


def write_enums(folder: Path, *files: tuple[dict[str, int], list[int]]) -> list[Path]:
    """Write a file per pair of enum members and codes."""
    written = []
    for number, (members, codes) in enumerate(files):
        written.append(folder / f"{number}.h5")
        with h5py.File(written[-1], "w") as file:
            file.create_dataset("x", data=np.array(codes, "i1"), dtype=h5py.enum_dtype(members, "i1"))
    return written


@zoo.folder("enum union", features={"x": label("cat", "dog")}, rows=table({"x": [0, 1, 1, 0]}))
def enum_same_names_other_codes(folder: Path) -> list[Path]:
    return write_enums(folder, ({"cat": 0, "dog": 1}, [0, 1]), ({"dog": 0, "cat": 1}, [0, 1]))


@zoo.folder("enum union", features={"x": label("cat", "dog", "bird")}, rows=table({"x": [1, 0, 2, 0, -1]}))
def enum_other_names(folder: Path) -> list[Path]:
    return write_enums(folder, ({"cat": 0, "dog": 1}, [1, 0]), ({"bird": 0, "cat": 1}, [0, 1, -1]))


@zoo.folder("enum unknown", error=(DataError, ["1.h5", "/x", "row ", "code 1"]))
def enum_unknown_code_in_a_second_file(folder: Path) -> list[Path]:
    return write_enums(folder, ({"cat": 0, "dog": 1}, [1, 0, 0]), ({"cat": 0, "dog": 5}, [5, 1]), ({"cat": 0}, [0]))


@zoo.file(
    "class_labels",
    options={"class_labels": {"y": ["cat", "dog"]}},
    features={"y": label("cat", "dog")},
    rows=table({"y": [1, 0, -1]}),
)
def class_labels_list(file: h5py.File) -> None:
    file["y"] = np.array([1, 0, -1], "i8")


@zoo.file(
    "class_labels",
    options={"class_labels": {"y": "/list_classes"}, "columns": ["y"]},
    features={"y": label("non-cat", "cat")},
    rows=table({"y": [1, 0, 1]}),
)
def class_labels_dataset(file: h5py.File) -> None:
    file["y"] = np.array([1, 0, 1], "u1")
    file["list_classes"] = np.array([b"non-cat", b"cat"])


@zoo.file(
    "class_labels",
    options={"class_labels": {"y": "/y@names"}},
    features={"y": label("no", "yes")},
    rows=table({"y": [1, 0]}),
)
def class_labels_attribute(file: h5py.File) -> None:
    file["y"] = np.array([1, 0], "i4")
    file["y"].attrs["names"] = ["no", "yes"]


@zoo.file(
    "label of ones",
    options={"class_labels": {"y": ["a", "b"]}},
    features={"y": label("a", "b")},
    rows=table({"y": [1, 0]}),
)
def class_labels_one_per_row(file: h5py.File) -> None:
    file["y"] = np.array([[1], [0]], "u1")


@zoo.file(
    "listed elements",
    options={"class_labels": {"y": ["a", "b"]}},
    features={"y": list_of(label("a", "b"), 3)},
    rows=table({"y": [[1, 0, 0], [0, 1, 1]]}),
)
def class_labels_three_per_row(file: h5py.File) -> None:
    file["y"] = np.array([[1, 0, 0], [0, 1, 1]], "u1")


@zoo.file(
    "enum unknown",
    options={"class_labels": {"y": ["a", "b"]}},
    error=(DataError, ["a.h5", "/y", "row 1", "2"]),
)
def class_labels_too_few(file: h5py.File) -> None:
    file["y"] = np.array([1, 2], "u1")


@zoo.file(
    "class_labels",
    options={"features": datasets.Features({"y": label("a", "b", "c")})},
    features={"y": label("a", "b", "c")},
    rows=table({"y": [2, 0]}),
)
def class_labels_by_features(file: h5py.File) -> None:
    file["y"] = np.array([2, 0], "i4")


@zoo.file(
    "class_labels", options={"class_labels": {"x": ["α", "β"]}}, features={"x": label("α", "β")}, rows=table({"x": [1]})
)
def class_labels_unicode(file: h5py.File) -> None:
    file["x"] = np.array([1], "i8")
