"""Row shapes: every rank, dimensions of size 0, no rows, null and scalar dataspaces."""

from __future__ import annotations

import h5py
import numpy as np

from tests.conformance.case import ABSENT, ANY_LENGTH, Either, Zoo, array, label, list_of, table, value

__all__ = ["zoo"]

zoo = Zoo()


def numbers(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype="i4").reshape(shape)


RANKS = {
    1: value("int32"),
    2: list_of(value("int32"), 2),
    3: array("int32", 2, 3),
    4: array("int32", 2, 1, 3),
    5: array("int32", 2, 1, 3, 1),
    6: array("int32", 2, 1, 3, 1, 2),
    7: list_of(value("int32"), 2, 1, 3, 1, 2, 1),
    8: list_of(value("int32"), 2, 1, 3, 1, 2, 1, 2),
}
ROW_SHAPE = (2, 1, 3, 1, 2, 1, 2)


def shape_of_rank(rank: int) -> tuple[int, ...]:
    return (3, 2, 3) if rank == 3 else (3, *ROW_SHAPE[: rank - 1])


def declare_rank(rank: int) -> None:
    def fill(file: h5py.File) -> None:
        file["x"] = numbers(*shape_of_rank(rank))

    rows = table({"x": numbers(*shape_of_rank(rank)).tolist()})
    zoo.file("row shape", name=f"rank_{rank}", features={"x": RANKS[rank]}, rows=rows)(fill)


for _rank in RANKS:
    declare_rank(_rank)


@zoo.file(
    "row shape",
    features={"a": array("float32", 1, 1), "b": list_of(value("float32"), 1), "c": array("float32", 1, 1, 1)},
    rows=table({"a": [[[1.0]], [[2.0]]], "b": [[1.0], [2.0]], "c": [[[[1.0]]], [[[2.0]]]]}),
)
def dimensions_of_one(file: h5py.File) -> None:
    """Only labels lose dimensions of size 1."""
    file["a"] = np.array([1, 2], "f4").reshape(2, 1, 1)
    file["b"] = np.array([1, 2], "f4").reshape(2, 1)
    file["c"] = np.array([1, 2], "f4").reshape(2, 1, 1, 1)


@zoo.file("row shape", features={"x": array("int32", 2, 2)}, rows=table({"x": [[[1, 2], [3, 4]]]}))
def one_row(file: h5py.File) -> None:
    file["x"] = np.array([[[1, 2], [3, 4]]], "i4")


EMPTY = list_of(value("int32"), ANY_LENGTH)


@zoo.file("zero dimension", features={"x": EMPTY}, rows=table({"x": [[], [], []]}))
def zero_dimension(file: h5py.File) -> None:
    file["x"] = np.zeros((3, 0), "i4")


@zoo.file(
    "zero dimension",
    features={"x": list_of(EMPTY, ANY_LENGTH), "y": list_of(EMPTY, ANY_LENGTH), "n": value("int64")},
    rows=table({"x": [[[], []], [[], []]], "y": [[], []], "n": [1, 2]}),
)
def zero_dimension_among_others(file: h5py.File) -> None:
    file["x"] = np.zeros((2, 2, 0), "i4")
    file["y"] = np.zeros((2, 0, 3), "i4")
    file["n"] = [1, 2]


@zoo.file("zero dimension", features={"x": list_of(value("string"), ANY_LENGTH)}, rows=table({"x": [[], []]}))
def zero_dimension_of_strings(file: h5py.File) -> None:
    file.create_dataset("x", (2, 0), dtype="S3")


@zoo.file(
    "zero rows",
    features={
        "v": value("float32"),
        "l": list_of(value("int16"), 3),
        "a": array("uint8", 4, 4),
        "s": value("string"),
        "c": label("no", "yes"),
        "b": value("bool"),
        "r": list_of(value("int32")),
        "p/x": value("int64"),
        "o": value("binary"),
    },
    rows=[],
)
def zero_rows(file: h5py.File) -> None:
    file["v"], file["l"], file["a"] = np.zeros(0, "f4"), np.zeros((0, 3), "i2"), np.zeros((0, 4, 4), "u1")
    file.create_dataset("s", (0,), dtype=h5py.string_dtype())
    file.create_dataset("c", (0,), dtype=h5py.enum_dtype({"no": 0, "yes": 1}, "i1"))
    file["b"] = np.zeros(0, bool)
    file.create_dataset("r", (0,), dtype=h5py.vlen_dtype("i4"))
    file.create_dataset("p", (0,), dtype=[("x", "i8")])
    file.create_dataset("o", (0,), dtype="V3")


@zoo.file("zero rows", features={"x": value("float64")}, rows=[])
def zero_rows_chunked_and_filtered(file: h5py.File) -> None:
    file.create_dataset("x", (0,), maxshape=(None,), dtype="f8", chunks=(4,), compression="gzip")


@zoo.file("zero rows", features={"x": EMPTY}, rows=[])
def zero_rows_and_a_zero_dimension(file: h5py.File) -> None:
    file["x"] = np.zeros((0, 0), "i4")


@zoo.file(
    "null",
    features={"x": value("int64")},
    rows=table({"x": [1, 2]}),
    metadata=["nothing", "grp/nothing"],
    metadata_values={"nothing": None, "grp/nothing": None},
)
def null_dataspace(file: h5py.File) -> None:
    file["x"] = [1, 2]
    file["nothing"] = h5py.Empty("f4")
    file["grp/nothing"] = h5py.Empty(h5py.string_dtype())


@zoo.file(
    "metadata",
    features={"x": value("int64")},
    rows=table({"x": [1, 2]}),
    metadata=["rate", "name", "flag", "kind"],
    metadata_values={"rate": 0.5, "name": "run é", "flag": True},
)
def scalar_dataspace(file: h5py.File) -> None:
    file["x"] = [1, 2]
    file["rate"], file["name"], file["flag"] = 0.5, "run é", np.bool_(True)
    file.create_dataset("kind", data=np.int8(1), dtype=h5py.enum_dtype({"a": 0, "b": 1}, "i1"))


@zoo.file(
    "row shape",
    features={"x": value("float32")},
    rows=table({"x": [0.5]}),
)
def single_row_alone(file: h5py.File) -> None:
    """One-row side data is metadata only beside something that it is at the side of."""
    file["x"] = np.array([0.5], "f4")


@zoo.file(
    "metadata",
    rows=[{"lr": 0.5, "epochs": 3, "name": "a", "file_name": Either(ABSENT, "a.h5")}],
)
def scalars_alone(file: h5py.File) -> None:
    """Everything that is not refused loads: one row, as of many such files, with or without the file's name."""
    file["lr"], file["epochs"], file["name"] = 0.5, 3, "a"
