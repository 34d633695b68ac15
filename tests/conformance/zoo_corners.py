"""Where two rules meet: types that differ between files, splits or episodes, and types inside types."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from h5py import h5d, h5s, h5t

from hf_h5.errors import LayoutError, MismatchError
from tests.conformance.case import Either, Zoo, array, label, list_of, table, value
from tests.conformance.h5low import float_type, integer_type, write_typed

__all__ = ["zoo"]

zoo = Zoo()
ID = {"episode_id": value("string")}
INDEX = Either(value("int64"), value("int32"))


def enum(**codes: int) -> np.dtype:
    return h5py.enum_dtype(codes, "i1")


def write_ragged(file: h5py.File, name: str, stored: h5t.TypeID, item: object, rows: list[list[object]]) -> None:
    """Write lists of ``item``, which HDF5 converts to lists of the type ``stored``."""
    cells = np.empty(len(rows), object)
    for number, row in enumerate(rows):
        cells[number] = np.array(row, item)
    space = h5s.create_simple((len(rows),))
    dataset = h5d.create(file.id, name.encode(), h5t.vlen_create(stored), space)
    dataset.write(h5s.ALL, h5s.ALL, cells, h5t.py_create(h5py.vlen_dtype(item)))


@zoo.file("vlen", error=(LayoutError, ["a.h5", "24 bits"]))  # h5py has no dtype for the items
def vlen_of_24_bits(file: h5py.File) -> None:
    write_ragged(file, "x", integer_type(3, signed=True), np.int64, [[-1, 2**23 - 1], []])


@zoo.file("vlen", features={"x": list_of(value("float32"))}, rows=table({"x": [[1.5], [-2.0, 2.0**100]]}))
def vlen_of_bfloat16(file: h5py.File) -> None:
    write_ragged(file, "x", float_type(2, exponent_bits=8, mantissa_bits=7), np.float32, [[1.5], [-2, 2.0**100]])


@zoo.file(
    "vlen",
    features={"x": list_of({"real": value("float32"), "imag": value("float32")})},
    rows=table({"x": [[{"real": 1.0, "imag": 2.0}], []]}),
)
def vlen_of_complex(file: h5py.File) -> None:
    """Inside a list a complex number is what it is when nested."""
    dataset = file.create_dataset("x", (2,), h5py.vlen_dtype("c8"))
    dataset[0] = np.array([1 + 2j], "c8")


@zoo.file("vlen", features={"x": list_of(value("binary"))}, rows=table({"x": [[b"a\0", b"\xffb"], []]}))
def vlen_of_opaque(file: h5py.File) -> None:
    dataset = file.create_dataset("x", (2,), h5py.vlen_dtype("V2"))
    dataset[0] = np.array([b"a\0", b"\xffb"], "V2")


@zoo.file("vlen", features={"x": list_of(value("string"))}, rows=table({"x": [["/g", "/"], []]}))
def vlen_of_references(file: h5py.File) -> None:
    group = file.create_group("g")
    dataset = file.create_dataset("x", (2,), h5py.vlen_dtype(h5py.ref_dtype))
    dataset[0] = np.array([group.ref, file["/"].ref], h5py.ref_dtype)


@zoo.file(
    "compound",
    features={"p/hits": list_of({"x": value("int16"), "q": value("float32")}), "p/n": value("int32")},
    rows=table({"p/hits": [[{"x": 1, "q": 0.5}], [{"x": 2, "q": 1.5}, {"x": 3, "q": 2.5}]], "p/n": [7, 8]}),
)
def compound_with_a_list_of_compounds(file: h5py.File) -> None:
    hit = np.dtype([("x", "i2"), ("q", "f4")])
    rows = np.empty(2, np.dtype([("hits", h5py.vlen_dtype(hit)), ("n", "i4")]))
    rows[0], rows[1] = (np.array([(1, 0.5)], hit), 7), (np.array([(2, 1.5), (3, 2.5)], hit), 8)
    file.create_dataset("p", data=rows)


@zoo.file(
    "compound",
    features={"p/flags": list_of(value("bool"), 2), "p/wide": list_of(value("int64"), 2)},
    rows=table({"p/flags": [[True, False], [False, False]], "p/wide": [[1, 256], [-1, 2]]}),
)
def compound_with_arrays_of_bools_and_big_endians(file: h5py.File) -> None:
    kind = np.dtype([("flags", "?", (2,)), ("wide", ">i8", (2,))])
    file["p"] = np.array([((True, False), (1, 256)), ((False, False), (-1, 2))], kind)


@zoo.file("enum arrays", features={"x": list_of(value("int16"), 2)}, rows=table({"x": [[1, 256], [256, 1]]}))
def enum_mask_big_endian(file: h5py.File) -> None:
    kind = h5py.enum_dtype({"a": 1, "b": 256}, ">i2")
    file.create_dataset("x", data=np.array([[1, 256], [256, 1]], ">i2"), dtype=kind)


@zoo.file(
    "columns=",
    options={"columns": ["hits/x", "hits/at/*"]},
    features={"hits/x": value("int32"), "hits/at/z": value("int32")},
    rows=table({"hits/x": [1, 2], "hits/at/z": [5, 6]}),
)
def columns_of_fields(file: h5py.File) -> None:
    rows = [(1, 3, (5,)), (2, 4, (6,))]
    file["hits"] = np.array(rows, [("x", "i4"), ("y", "i4"), ("at", [("z", "i4")])])


@zoo.file("columns=", options={"columns": ["x"]}, features={"x": value("int64")}, rows=table({"x": [1, 2]}))
def column_of_a_type_without_a_counterpart(file: h5py.File) -> None:
    """HDF5's time type is in no row of the table."""
    file["x"] = [1, 2]
    h5d.create(file.id, b"t", h5t.UNIX_D32LE, h5s.create_simple((2,)))


@zoo.file(
    "metadata",
    features={"x": value("int64")},
    rows=table({"x": [1, 2]}),
    metadata=["compound", "label", "raw", "reference", "list", "array", "texts"],
)
def metadata_of_every_type(file: h5py.File) -> None:
    file["x"] = [1, 2]
    file["compound"] = np.array((1, 0.5), [("a", "i4"), ("b", "f8")])
    file.create_dataset("label", data=np.int8(1), dtype=enum(no=0, yes=1))
    file["raw"] = np.void(b"\0\1")
    file.create_dataset("reference", data=file["x"].ref, dtype=h5py.ref_dtype)
    file.create_dataset("list", (), h5py.vlen_dtype("i4"))
    file["list"][()] = np.array([1, 2], "i4")
    pair = h5t.array_create(h5t.STD_I32LE, (2,))
    write_typed(file, "array", pair, np.array([1, 2], "i4"), memory=pair)
    file.create_dataset("texts", data=["é"], dtype=h5py.string_dtype())


@zoo.file(
    "split groups",
    features={"x": label("cat", "dog"), "s": value("string"), "f": value("float64")},
    rows={
        "train": table({"x": [0, 1], "s": ["a", "bc"], "f": [0.5, 1.5]}),
        "test": table({"x": [1, 0, 1], "s": ["d", "efgh", ""], "f": [0.1, 2.0, 3.0]}),
    },
)
def split_groups_of_other_codes_lengths_and_widths(file: h5py.File) -> None:
    """What may differ between files may differ between splits."""
    file.create_dataset("train/x", data=np.array([3, 5], "i1"), dtype=enum(cat=3, dog=5))
    file.create_dataset("test/x", data=np.array([0, 1, 0], "i1"), dtype=enum(dog=0, cat=1))
    file["train/s"], file["test/s"] = np.array([b"a", b"bc"]), np.array([b"d", b"efgh", b""])
    file["train/f"], file["test/f"] = np.array([0.5, 1.5], "f4"), np.array([0.1, 2, 3], "f8")


@zoo.file(
    "split groups",
    features={"x": value("int64")},
    rows={"train": table({"x": [1, 2]}), "test": table({"x": [3]})},
    metadata=["train/fps", "test/fps"],
)
def split_groups_with_scalars_inside(file: h5py.File) -> None:
    file["train/x"], file["train/fps"] = [1, 2], 30
    file["test/x"], file["test/fps"] = [3], 30


@zoo.file(
    "split groups",
    features={**ID, "x": list_of(value("int64"))},
    rows={
        "train": table({"episode_id": ["ep_0", "ep_1", "ep_2"], "x": [[1, 2], [3], [4, 5, 6]]}),
        "test": table({"episode_id": ["ep_0", "ep_1"], "x": [[7], [8, 9]]}),
    },
)
def split_groups_of_episodes(file: h5py.File) -> None:
    for split, rows in (("train", [[1, 2], [3], [4, 5, 6]]), ("test", [[7], [8, 9]])):
        for number, x in enumerate(rows):
            file[f"{split}/ep_{number}/x"] = x


def fill_differing_episodes(file: h5py.File) -> None:
    for name, x, codes, members, text, number in (
        ("ep_0", np.array([1, 2], "<i4"), [0, 1], enum(cat=0, dog=1), [b"a", b"b"], np.array([0.5, 1.5], "f4")),
        ("ep_1", np.array([3], ">i4"), [1], enum(dog=1, cat=2), [b"longer"], np.array([0.1], "f8")),
    ):
        file[f"{name}/x"], file[f"{name}/s"], file[f"{name}/f"] = x, np.array(text), number
        file.create_dataset(f"{name}/c", data=np.array(codes, "i1"), dtype=members)


zoo.file(
    "steps",
    name="steps_of_other_codes_lengths_and_widths",
    options={"layout": "steps"},
    features={
        **ID,
        "episode_index": INDEX,
        "step_index": INDEX,
        "x": value("int32"),
        "s": value("string"),
        "f": value("float64"),
        "c": label("cat", "dog"),
    },
    rows=table(
        {
            "episode_id": ["ep_0", "ep_0", "ep_1"],
            "episode_index": [0, 0, 1],
            "step_index": [0, 1, 0],
            "x": [1, 2, 3],
            "s": ["a", "b", "longer"],
            "f": [0.5, 1.5, 0.1],
            "c": [0, 1, 1],
        }
    ),
)(fill_differing_episodes)
zoo.file(
    "ragged episodes",
    name="episodes_of_other_lengths_and_widths",
    options={"columns": ["episode_id", "x", "s", "f"]},
    features={
        **ID,
        "x": list_of(value("int32")),
        "s": list_of(value("string")),
        "f": list_of(value("float64")),
    },
    rows=table(
        {
            "episode_id": ["ep_0", "ep_1"],
            "x": [[1, 2], [3]],
            "s": [["a", "b"], ["longer"]],
            "f": [[0.5, 1.5], [0.1]],
        }
    ),
)(fill_differing_episodes)


@zoo.file(
    "episode scalars",
    features={**ID, "image": array("uint8", None, 2), "label": value("int64"), "caption": value("string")},
    rows=[
        {"episode_id": "0", "image": [[0, 1], [2, 3]], "label": 5, "caption": "a cat"},
        {"episode_id": "1", "image": [[4, 5]], "label": 6, "caption": "ein Hund, größer"},
    ],
)
def groups_of_one_sample(file: h5py.File) -> None:
    for name, image, number, caption in (("0", [[0, 1], [2, 3]], 5, "a cat"), ("1", [[4, 5]], 6, "ein Hund, größer")):
        file[f"{name}/image"] = np.array(image, "u1")
        file[f"{name}/label"], file[f"{name}/caption"] = number, caption


@zoo.file(
    "episode scalars",
    features={**ID, "label": value("int64"), "score": value("float64")},
    rows=table({"episode_id": ["s_1", "s_2", "s_10"], "label": [1, 2, 3], "score": [0.5, 1.5, 2.5]}),
)
def groups_of_scalars(file: h5py.File) -> None:
    for name, number, score in (("s_1", 1, 0.5), ("s_10", 3, 2.5), ("s_2", 2, 1.5)):
        file[f"{name}/label"], file[f"{name}/score"] = number, score


@zoo.file(
    "episodes",
    rows=[
        {"episode_id": "img_0", "pixels": [[0, 1], [2, 3]]},
        {"episode_id": "img_1", "pixels": [[4, 5, 6]]},
        {"episode_id": "img_2", "pixels": [[7], [8], [9]]},
    ],
)
def episodes_of_two_lengths_each(file: h5py.File) -> None:
    """Images of any height and width: no ArrayND has two open dimensions, so the feature is left open."""
    for number, pixels in enumerate(([[0, 1], [2, 3]], [[4, 5, 6]], [[7], [8], [9]])):
        file[f"img_{number}/pixels"] = np.array(pixels, "u1")


def write_two(folder: Path, first: dict[str, object], second: dict[str, object]) -> list[Path]:
    files = [folder / "one.h5", folder / "two.h5"]
    for target, columns in zip(files, (first, second), strict=True):
        with h5py.File(target, "w") as file:
            for name, values in columns.items():
                file[name] = values
    return files


@zoo.folder("several files", features={"x": value("int64")}, rows=table({"x": [1, 2, 3, 4]}))
def files_of_which_one_has_a_scalar(folder: Path) -> list[Path]:
    """A scalar is no column, so that nothing is missing."""
    return write_two(folder, {"x": [1, 2]}, {"x": [3, 4], "version": 2})


@zoo.folder(
    "several files",
    features={"p/a": value("int32"), "p/b": value("float64")},
    rows=table({"p/a": [1, 2], "p/b": [0.5, 1.5]}),
)
def files_of_compounds_with_fields_in_another_order(folder: Path) -> list[Path]:
    first = np.array([(1, 0.5)], [("a", "i4"), ("b", "f8")])
    return write_two(folder, {"p": first}, {"p": np.array([(1.5, 2)], [("b", ">f8"), ("a", ">i4")])})


@zoo.folder("files differ", error=(MismatchError, ["one.h5", "two.h5", "ClassLabel", "int8"]))
def files_differ_in_being_labels(folder: Path) -> list[Path]:
    files = write_two(folder, {}, {"x": np.array([0, 1], "i1")})
    with h5py.File(files[0], "a") as file:
        file.create_dataset("x", data=np.array([0, 1], "i1"), dtype=enum(no=0, yes=1))
    return files


@zoo.folder(
    "steps",
    options={"layout": "steps"},
    features={**ID, "episode_index": INDEX, "step_index": INDEX, "x": value("int64")},
    rows=table(
        {
            "episode_id": ["ep_0", "ep_1", "ep_1", "ep_0", "ep_1"],
            "episode_index": [0, 1, 1, 2, 3],
            "step_index": [0, 0, 1, 0, 0],
            "x": [1, 2, 3, 4, 5],
        }
    ),
)
def steps_of_two_files(folder: Path) -> list[Path]:
    """The index goes on from file to file: otherwise two episodes could not be told apart."""
    return write_two(folder, {"ep_0/x": [1], "ep_1/x": [2, 3]}, {"ep_0/x": [4], "ep_1/x": [5]})
