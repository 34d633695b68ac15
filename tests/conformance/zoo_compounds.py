"""Compounds to any depth, and references."""

from __future__ import annotations

import h5py
import numpy as np
from h5py import h5t

from tests.conformance.case import Either, Holding, Zoo, array, label, list_of, table, value
from tests.conformance.h5low import integer_type, write_typed

__all__ = ["zoo"]

zoo = Zoo()


@zoo.file(
    "compound",
    features={"hits/x": value("int32"), "hits/y": value("float64")},
    rows=table({"hits/x": [1, 2], "hits/y": [0.5, -1.5]}),
)
def compound_flat(file: h5py.File) -> None:
    file["hits"] = np.array([(1, 0.5), (2, -1.5)], [("x", "i4"), ("y", "f8")])


@zoo.file(
    "columns",
    features={"run/hits/x": value("int32"), "label": value("uint8"), "run/a b.c": value("int8")},
    rows=table({"run/hits/x": [1, 2], "label": [3, 4], "run/a b.c": [5, 6]}),
)
def compound_beside_other_columns(file: h5py.File) -> None:
    file["run/hits"] = np.array([(1,), (2,)], [("x", "i4")])
    file["label"] = np.array([3, 4], "u1")
    file["run/a b.c"] = np.array([5, 6], "i1")


@zoo.file(
    "compound",
    features={"p/id": value("int64"), "p/at/x": value("float32"), "p/at/when/day": value("uint8")},
    rows=table({"p/id": [1, 2], "p/at/x": [0.5, 1.5], "p/at/when/day": [30, 31]}),
)
def compound_of_compounds(file: h5py.File) -> None:
    when = np.dtype([("day", "u1")])
    at = np.dtype([("x", "f4"), ("when", when)])
    file["p"] = np.array([(1, (0.5, (30,))), (2, (1.5, (31,)))], [("id", "i8"), ("at", at)])


@zoo.file(
    "compound",
    features={"p/v": list_of(value("float32"), 3), "p/m": array("int16", 2, 2), "p/names": list_of(value("string"), 2)},
    rows=table(
        {
            "p/v": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
            "p/m": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]],
            "p/names": [["a", "b"], ["cd", ""]],
        }
    ),
)
def compound_array_fields(file: h5py.File) -> None:
    kind = [("v", "f4", (3,)), ("m", "i2", (2, 2)), ("names", "S2", (2,))]
    rows = [((1, 2, 3), ((1, 2), (3, 4)), (b"a", b"b")), ((4, 5, 6), ((5, 6), (7, 8)), (b"cd", b""))]
    file["p"] = np.array(rows, kind)


@zoo.file(
    "compound",
    features={"p/fixed": value("string"), "p/text": value("string"), "p/n": value("int8")},
    rows=table({"p/fixed": ["ab", "c"], "p/text": ["é", ""], "p/n": [1, 2]}),
)
def compound_string_fields(file: h5py.File) -> None:
    kind = np.dtype([("fixed", "S4"), ("text", h5py.string_dtype()), ("n", "i1")])
    file.create_dataset("p", data=np.array([(b"ab", "é", 1), (b"c", "", 2)], kind))


@zoo.file(
    "compound",
    features={"p/ok": value("bool"), "p/kind": label("cat", "dog"), "p/mask": list_of(value("uint8"), 2)},
    rows=table({"p/ok": [True, False], "p/kind": [1, -1], "p/mask": [[9, 0], [0, 0]]}),
)
def compound_enum_fields(file: h5py.File) -> None:
    animal = h5py.enum_dtype({"cat": 3, "dog": 4}, "i1")
    mask = h5py.enum_dtype({"off": 0, "on": 9}, "u1")
    kind = np.dtype([("ok", "?"), ("kind", animal), ("mask", mask, (2,))])
    file.create_dataset("p", data=np.array([(True, 4, (9, 0)), (False, -1, (0, 0))], kind))


@zoo.file(
    "compound",
    features={"p/items": list_of(value("int32")), "p/n": value("int64")},
    rows=table({"p/items": [[1, 2, 3], []], "p/n": [7, 8]}),
)
def compound_vlen_fields(file: h5py.File) -> None:
    rows = np.empty(2, np.dtype([("items", h5py.vlen_dtype("i4")), ("n", "i8")]))
    rows[0], rows[1] = (np.array([1, 2, 3], "i4"), 7), (np.array([], "i4"), 8)
    file.create_dataset("p", data=rows)


@zoo.file(
    "compound",
    features={"p/a": value("int32"), "p/b": value("float64"), "p/c": value("uint16"), "p/wide": value("int32")},
    rows=table({"p/a": [1, 258], "p/b": [1.5, -2.0], "p/c": [3, 65535], "p/wide": [-1, 2**22]}),
)
def compound_big_endian_with_gaps(file: h5py.File) -> None:
    """Offsets with holes between the fields, and one field of 24 bits."""
    stored = h5t.create(h5t.COMPOUND, 32)
    stored.insert(b"a", 2, h5t.STD_I32BE)
    stored.insert(b"b", 8, h5t.IEEE_F64BE)
    stored.insert(b"c", 17, h5t.STD_U16BE)
    stored.insert(b"wide", 21, integer_type(3, signed=True, order=h5t.ORDER_BE))
    rows = np.array([(1, 1.5, 3, -1), (258, -2, 65535, 2**22)], [("a", "i4"), ("b", "f8"), ("c", "u2"), ("wide", "i4")])
    write_typed(file, "p", stored, rows, memory=h5t.py_create(rows.dtype))


@zoo.file(
    "compound",
    features={"p/z/real": value("float32"), "p/z/imag": value("float32"), "p/raw": value("binary")},
    rows=table({"p/z/real": [1.0, 0.0], "p/z/imag": [2.0, -1.0], "p/raw": [b"\0\1", b"ab"]}),
)
def compound_complex_and_opaque_fields(file: h5py.File) -> None:
    kind = np.dtype([("z", "c8"), ("raw", "V2")])
    file.create_dataset("p", data=np.array([(1 + 2j, b"\0\1"), (complex(0, -1), b"ab")], kind))


@zoo.file(
    "compound",
    features={"p/r": value("int32"), "p/g": value("int32")},
    rows=table({"p/r": [1, 3], "p/g": [2, 4]}),
)
def compound_chunked_gzip(file: h5py.File) -> None:
    kind = [("r", "i4"), ("g", "i4")]
    file.create_dataset("p", data=np.array([(1, 2), (3, 4)], kind), chunks=(1,), compression="gzip", shuffle=True)


@zoo.file(
    "complex",
    features={"p/re": value("float32"), "p/im": value("float32")},
    rows=table({"p/re": [1.0, 3.0], "p/im": [2.0, 4.0]}),
)
def compound_that_is_no_complex(file: h5py.File) -> None:
    file["p"] = np.array([(1, 2), (3, 4)], [("re", "f4"), ("im", "f4")])


@zoo.file(
    "compound arrays",
    features={"p/x": list_of(value("int32"), 3), "p/name": list_of(value("string"), 3), "p/v": array("float32", 3, 2)},
    rows=table(
        {
            "p/x": [[0, 1, 2], [3, 4, 5]],
            "p/name": [["0", "1", "2"], ["3", "4", "5"]],
            "p/v": [[[0.0, 0.5], [1.0, 0.5], [2.0, 0.5]], [[3.0, 0.5], [4.0, 0.5], [5.0, 0.5]]],
        }
    ),
)
def compound_three_per_row(file: h5py.File) -> None:
    rows = [(n, str(n).encode(), (n, 0.5)) for n in range(6)]
    file["p"] = np.array(rows, [("x", "i4"), ("name", "S1"), ("v", "f4", (2,))]).reshape(2, 3)


@zoo.file(
    "compound arrays",
    features={"p/id": value("int16"), "p/points/x": list_of(value("int32"), 2)},
    rows=table({"p/id": [1, 2], "p/points/x": [[10, 11], [20, 21]]}),
)
def compound_array_field_of_compounds(file: h5py.File) -> None:
    point = np.dtype([("x", "i4")])
    rows = [(1, [(10,), (11,)]), (2, [(20,), (21,)])]
    file["p"] = np.array(rows, [("id", "i2"), ("points", point, (2,))])


@zoo.file(
    "compound arrays",
    features={"p/x": list_of(value("int32"), 2)},
    rows=table({"p/x": [[1, 2], [3, 4]]}),
)
def array_type_of_compounds(file: h5py.File) -> None:
    point = np.dtype([("x", "i4")])
    kind = h5t.array_create(h5t.py_create(point), (2,))
    write_typed(file, "p", kind, np.array([[(1,), (2,)], [(3,), (4,)]], point), memory=kind)


@zoo.file(
    "nested",
    options={"nested": True},
    features={"hits": {"x": value("int32"), "at": {"y": value("float32")}}, "n": value("int8")},
    rows=[{"hits": {"x": 1, "at": {"y": 0.5}}, "n": 1}, {"hits": {"x": 2, "at": {"y": 1.5}}, "n": 2}],
    doors=("builder", "streaming", "view"),
)
def compound_nested(file: h5py.File) -> None:
    at = np.dtype([("y", "f4")])
    file["hits"] = np.array([(1, (0.5,)), (2, (1.5,))], [("x", "i4"), ("at", at)])
    file["n"] = np.array([1, 2], "i1")


@zoo.file(
    "nested",
    options={"nested": True},
    features={"obs": {"img": array("uint8", 2, 2), "state": list_of(value("float32"), 2)}, "y": value("int64")},
    rows=[
        {"obs": {"img": [[0, 1], [2, 3]], "state": [0.5, 1.0]}, "y": 0},
        {"obs": {"img": [[4, 5], [6, 7]], "state": [2.0, 3.0]}, "y": 1},
    ],
    doors=("builder", "streaming", "view"),
)
def groups_nested(file: h5py.File) -> None:
    file["obs/img"] = np.arange(8, dtype="u1").reshape(2, 2, 2)
    file["obs/state"] = np.array([[0.5, 1], [2, 3]], "f4")
    file["y"] = np.array([0, 1])


@zoo.file(
    "object reference",
    features={"r": value("string"), "n": value("int64")},
    rows=table({"r": ["/grp", "/grp/n", "/"], "n": [1, 2, 3]}),
    options={"columns": ["r", "n"]},
)
def references_to_objects(file: h5py.File) -> None:
    file.create_group("grp")["n"] = np.array(5)
    file["n"] = [1, 2, 3]
    file.create_dataset("r", data=[file["grp"].ref, file["grp/n"].ref, file["/"].ref], dtype=h5py.ref_dtype)


@zoo.file(
    "object reference",
    features={"r": value("string")},
    rows=table({"r": ["/g", Either(None, "")]}),
)
def references_to_nothing(file: h5py.File) -> None:
    """What a null reference gives is left open."""
    file.create_group("g")
    references = file.create_dataset("r", (2,), dtype=h5py.ref_dtype)
    references[0] = file["g"].ref


@zoo.file(
    "listed elements",
    features={"r": list_of(value("string"), 2)},
    rows=table({"r": [["/a", "/b"], ["/b", "/b"]]}),
)
def references_in_arrays(file: h5py.File) -> None:
    a, b = file.create_group("a").ref, file.create_group("b").ref
    references = file.create_dataset("r", (2, 2), dtype=h5py.ref_dtype)
    references[0, 0], references[0, 1], references[1, 0], references[1, 1] = a, b, b, b


@zoo.file(
    "region reference",
    features={"r": value("string")},
    rows=table({"r": [Holding("/image", "2", "5"), Holding("/image")]}),
    options={"columns": ["r"]},
)
def references_to_regions(file: h5py.File) -> None:
    image = file.create_dataset("image", data=np.arange(100).reshape(10, 10))
    references = file.create_dataset("r", (2,), dtype=h5py.regionref_dtype)
    references[0], references[1] = image.regionref[2:5, 0:10], image.regionref[...]


@zoo.file(
    "compound",
    features={"p/ref": value("string"), "p/n": value("int64")},
    rows=table({"p/ref": ["/g", "/"], "p/n": [1, 2]}),
)
def compound_reference_fields(file: h5py.File) -> None:
    file.create_group("g")
    rows = np.empty(2, np.dtype([("ref", h5py.ref_dtype), ("n", "i8")]))
    rows[0], rows[1] = (file["g"].ref, 1), (file["/"].ref, 2)
    file.create_dataset("p", data=rows)
