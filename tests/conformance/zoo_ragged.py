"""Variable-length arrays and HDF5's array type."""

from __future__ import annotations

import h5py
import numpy as np
from h5py import h5t

from tests.conformance.case import Either, Zoo, array, label, list_of, table, value
from tests.conformance.h5low import integer_type, write_typed

__all__ = ["zoo"]

zoo = Zoo()


def write_ragged(file: h5py.File, name: str, item: object, rows: list[object], **options: object) -> None:
    """Write rows one by one: h5py makes a rectangle of rows that happen to be equally long."""
    dataset = file.create_dataset(name, (len(rows),), dtype=h5py.vlen_dtype(item), **options)
    for number, row in enumerate(rows):
        dataset[number] = row


@zoo.file("vlen", features={"x": list_of(value("int32"))}, rows=table({"x": [[1, 2, 3], [], [-4]]}))
def vlen_integers(file: h5py.File) -> None:
    write_ragged(file, "x", "i4", [[1, 2, 3], [], [-4]])


@zoo.file("vlen", features={"x": list_of(value("float64"))}, rows=table({"x": [[1.5, 2.5], [3.5, 4.5]]}))
def vlen_of_equal_lengths(file: h5py.File) -> None:
    """The declared type decides, not the rows at hand."""
    write_ragged(file, "x", "f8", [[1.5, 2.5], [3.5, 4.5]])


@zoo.file(
    "vlen",
    features={"i": list_of(value("int32")), "f": list_of(value("float64")), "u": list_of(value("uint16"))},
    rows=table({"i": [[1, 258], [-2]], "f": [[1.5], [2.5, -0.5]], "u": [[], [65534, 1]]}),
)
def vlen_big_endian(file: h5py.File) -> None:
    """h5py 3.16 reads such data with its bytes not swapped."""
    write_ragged(file, "i", ">i4", [np.array([1, 258], "i4"), np.array([-2], "i4")])
    write_ragged(file, "f", ">f8", [np.array([1.5]), np.array([2.5, -0.5])])
    write_ragged(file, "u", ">u2", [np.array([], "u2"), np.array([65534, 1], "u2")])


@zoo.file(
    "vlen",
    features={
        "h": list_of(value("float16")),
        "b": list_of(value("bool")),
        "c": list_of(Either(label("no", "yes"), value("int8"))),
    },
    rows=table({"h": [[0.5], []], "b": [[True, False], [True]], "c": [Either([1, 0], [7, 3]), Either([1], [7])]}),
)
def vlen_of_halves_bools_and_enums(file: h5py.File) -> None:
    """Lists of labels by "List(T)"; integers by "enum arrays": the contract leaves open which."""
    write_ragged(file, "h", "f2", [np.array([0.5], "f2"), np.array([], "f2")])
    write_ragged(file, "b", bool, [np.array([True, False]), np.array([True])])
    answers = h5py.enum_dtype({"no": 3, "yes": 7}, "i1")
    write_ragged(file, "c", answers, [np.array([7, 3], "i1"), np.array([7], "i1")])


@zoo.file("vlen", features={"x": list_of(list_of(value("int32")))}, rows=table({"x": [[[1, 2], [3]], [], [[], [4]]]}))
def vlen_of_vlen(file: h5py.File) -> None:
    rows: list[object] = []
    for lists in ([[1, 2], [3]], [], [[], [4]]):
        row = np.empty(len(lists), object)
        row[:] = [np.array(items, "i4") for items in lists]
        rows.append(row)
    write_ragged(file, "x", h5py.vlen_dtype("i4"), rows)


@zoo.file("vlen", features={"x": list_of(value("string"))}, rows=table({"x": [["a", "bcd"], ["é"], []]}))
def vlen_of_variable_strings(file: h5py.File) -> None:
    rows = [np.array(texts, object) for texts in (["a", "bcd"], ["é"], [])]
    write_ragged(file, "x", h5py.string_dtype(), rows)


@zoo.file("vlen", features={"x": list_of(value("string"))}, rows=table({"x": [["a", "bcd"], [], ["xyz"]]}))
def vlen_of_fixed_strings(file: h5py.File) -> None:
    write_ragged(file, "x", "S3", [np.array(texts, "S3") for texts in ([b"a", b"bcd"], [], [b"xyz"])])


@zoo.file(
    "compound arrays",
    features={"x": list_of({"id": value("int32"), "score": value("float32")})},
    rows=table({"x": [[{"id": 1, "score": 0.5}, {"id": 2, "score": 1.5}], [], [{"id": 3, "score": -1.0}]]}),
)
def vlen_of_compounds(file: h5py.File) -> None:
    kind = np.dtype([("id", "i4"), ("score", "f4")])
    rows = [np.array(items, kind) for items in ([(1, 0.5), (2, 1.5)], [], [(3, -1)])]
    write_ragged(file, "x", kind, rows)


@zoo.file(
    "compound arrays",
    features={"x": list_of({"name": value("string"), "xy": list_of(value("int16"), 2)})},
    rows=table({"x": [[{"name": "a", "xy": [1, 2]}], [{"name": "bc", "xy": [3, 4]}, {"name": "", "xy": [5, 6]}]]}),
)
def vlen_of_compounds_with_strings_and_arrays(file: h5py.File) -> None:
    kind = np.dtype([("name", "S2"), ("xy", "i2", (2,))])
    rows = [np.array(items, kind) for items in ([(b"a", (1, 2))], [(b"bc", (3, 4)), (b"", (5, 6))])]
    write_ragged(file, "x", kind, rows)


@zoo.file(
    "vlen",
    features={"x": list_of(list_of(value("int64")), 2)},
    rows=table({"x": [[[1], [2, 3]], [[], [4, 5, 6]]]}),
)
def vlen_with_dimensions(file: h5py.File) -> None:
    dataset = file.create_dataset("x", (2, 2), dtype=h5py.vlen_dtype("i8"))
    for place, items in {(0, 0): [1], (0, 1): [2, 3], (1, 0): [], (1, 1): [4, 5, 6]}.items():
        dataset[place] = items


@zoo.file("vlen", features={"x": list_of(value("uint8"))}, rows=table({"x": [[1], [], [], []]}))
def vlen_never_written(file: h5py.File) -> None:
    dataset = file.create_dataset("x", (4,), dtype=h5py.vlen_dtype("u1"), chunks=(2,))
    dataset[0] = [1]


@zoo.file("vlen", features={"x": list_of(value("int32"))}, rows=table({"x": [list(range(n)) for n in range(7)]}))
def vlen_chunked_gzip(file: h5py.File) -> None:
    rows: list[object] = [list(range(n)) for n in range(7)]
    write_ragged(file, "x", "i4", rows, chunks=(3,), compression="gzip")


@zoo.file("array type", features={"x": list_of(value("int32"), 3)}, rows=table({"x": [[0, 1, 2], [3, 4, 5]]}))
def array_type(file: h5py.File) -> None:
    dataset = file.create_dataset("x", (2,), dtype=np.dtype(("i4", (3,))))
    dataset[...] = np.arange(6, dtype="i4").reshape(2, 3)


@zoo.file(
    "array type",
    features={"x": array("float32", 2, 3, 2)},
    rows=table({"x": np.arange(24.0).reshape(2, 2, 3, 2).tolist()}),
)
def array_type_in_arrays(file: h5py.File) -> None:
    """A dataset ``(N, 2)`` of arrays ``(3, 2)``, big-endian and chunked."""
    kind = h5t.array_create(h5t.IEEE_F32BE, (3, 2))
    memory = h5t.array_create(h5t.NATIVE_DOUBLE, (3, 2))
    values = np.arange(24.0).reshape(2, 2, 3, 2)
    write_typed(file, "x", kind, values, memory=memory)


@zoo.file("array type", features={"x": list_of(value("string"), 2)}, rows=table({"x": [["a", "bc"], ["def", ""]]}))
def array_type_of_strings(file: h5py.File) -> None:
    kind = h5t.array_create(h5t.py_create("S3"), (2,))
    write_typed(file, "x", kind, np.array([[b"a", b"bc"], [b"def", b""]], "S3"), memory=kind)


@zoo.file("array type", features={"x": list_of(value("uint8"), 2)}, rows=table({"x": [[4, 0], [0, 4]]}))
def array_type_of_enums(file: h5py.File) -> None:
    """A mask, whichever way its dimensions are declared."""
    kind = h5t.array_create(h5t.py_create(h5py.enum_dtype({"off": 0, "on": 4}, "u1"), logical=True), (2,))
    write_typed(file, "x", kind, np.array([[4, 0], [0, 4]], "u1"), memory=kind)


@zoo.file("array type", features={"x": list_of(value("int32"), 2)}, rows=table({"x": [[-1, 2], [3, 2**23 - 1]]}))
def array_type_of_24_bits(file: h5py.File) -> None:
    kind = h5t.array_create(integer_type(3, signed=True), (2,))
    numbers = np.array([[-1, 2], [3, 2**23 - 1]])
    write_typed(file, "x", kind, numbers, memory=h5t.array_create(h5t.NATIVE_INT64, (2,)))


@zoo.file("array type", features={"x": array("int16", 2, 2)}, rows=table({"x": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}))
def array_type_of_array_type(file: h5py.File) -> None:
    kind = h5t.array_create(h5t.array_create(h5t.STD_I16LE, (2,)), (2,))
    space = h5py.h5s.create_simple((2,))
    dataset = h5py.h5d.create(file.id, b"x", kind, space)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(1, 9, dtype="<i2"), kind)
