"""Strings: fixed and variable, padded and not, and those that are no text."""

from __future__ import annotations

import datasets
import h5py
import numpy as np
from h5py import h5t

from hf_h5.errors import DataError
from tests.conformance.case import Zoo, list_of, table, value
from tests.conformance.h5low import string_type, write_typed

__all__ = ["zoo"]

zoo = Zoo()
STRING = {"x": value("string")}
BINARY = {"features": datasets.Features({"x": value("binary")})}
WORDS = ["ab", "", "Grüße", "東"]
IS_TEXT_ROW = ["a.h5", "/x", "row 1", 'Value("binary")']


def fixed(*values: bytes) -> np.ndarray:
    """Make an array of ``S6`` whose raw bytes are ``values``."""
    return np.frombuffer(b"".join(values), "S6").copy()


@zoo.file("strings", features=STRING, rows=table({"x": WORDS}))
def strings_variable_utf8(file: h5py.File) -> None:
    file.create_dataset("x", data=WORDS, dtype=h5py.string_dtype())


@zoo.file("strings", features=STRING, rows=table({"x": ["ab", "", "c d"]}))
def strings_variable_ascii(file: h5py.File) -> None:
    file.create_dataset("x", data=["ab", "", "c d"], dtype=h5py.string_dtype("ascii"))


@zoo.file("strings", features=STRING, rows=table({"x": ["é", "ok"]}))
def strings_variable_ascii_holding_utf8(file: h5py.File) -> None:
    """Declared ASCII, as many tools do, but valid UTF-8."""
    file.create_dataset("x", data=["é".encode(), b"ok"], dtype=h5py.string_dtype("ascii"))


@zoo.file("strings", features=STRING, rows=table({"x": WORDS}))
def strings_fixed_utf8(file: h5py.File) -> None:
    kind = h5py.string_dtype("utf-8", 12)
    file.create_dataset("x", data=np.array([word.encode() for word in WORDS], kind), dtype=kind)


@zoo.file("strings", features=STRING, rows=table({"x": ["abc", "de", ""]}))
def strings_fixed_ascii(file: h5py.File) -> None:
    """What numpy's ``S`` becomes."""
    file.create_dataset("x", data=np.array([b"abc", b"de", b""]))


@zoo.file("strings", features=STRING, rows=table({"x": ["ab", "cd  ", "  efgh", "x"]}))
def strings_null_terminated(file: h5py.File) -> None:
    """End at the first NUL, whatever comes after it; spaces belong to the text; a full field has no NUL."""
    kind = string_type(6, h5t.STR_NULLTERM)
    write_typed(file, "x", kind, fixed(b"ab\0zz\0", b"cd  \0\0", b"  efgh", b"x\0  \0 "), memory=kind)


@zoo.file("strings", features=STRING, rows=table({"x": ["ab", "cd  ", "efghij", ""]}))
def strings_null_padded(file: h5py.File) -> None:
    kind = string_type(6, h5t.STR_NULLPAD)
    write_typed(file, "x", kind, fixed(b"ab\0\0\0\0", b"cd  \0\0", b"efghij", b"\0\0\0\0\0\0"), memory=kind)


@zoo.file("strings", features=STRING, rows=table({"x": ["ab", " cd", "efghij", "", "a b"]}))
def strings_space_padded(file: h5py.File) -> None:
    """As Fortran writes them."""
    kind = string_type(6, h5t.STR_SPACEPAD, h5t.CSET_ASCII)
    write_typed(file, "x", kind, fixed(b"ab    ", b" cd   ", b"efghij", b"      ", b"a b   "), memory=kind)


@zoo.file("strings", features=STRING, rows=table({"x": ["a", "", ""]}))
def strings_never_written(file: h5py.File) -> None:
    """A variable-length string that was never written is a null pointer: an empty string."""
    dataset = file.create_dataset("x", (3,), dtype=h5py.string_dtype(), chunks=(1,))
    dataset[0] = "a"


@zoo.file("strings", features=STRING, rows=table({"x": ["long " * 1000, "short"]}))
def strings_variable_long(file: h5py.File) -> None:
    file.create_dataset("x", data=["long " * 1000, "short"], dtype=h5py.string_dtype())


@zoo.file("strings", features=STRING, rows=table({"x": [f"row {n}" for n in range(5)]}))
def strings_variable_chunked_gzip(file: h5py.File) -> None:
    """The filter sees only the pointers; the text lies in the global heap."""
    rows = [f"row {n}" for n in range(5)]
    file.create_dataset("x", data=rows, dtype=h5py.string_dtype(), chunks=(2,), compression="gzip")


@zoo.file("strings", features=STRING, rows=table({"x": [f"row {n}" for n in range(5)]}))
def strings_fixed_chunked_gzip(file: h5py.File) -> None:
    rows = np.array([f"row {n}".encode() for n in range(5)])
    file.create_dataset("x", data=rows, chunks=(2,), compression="gzip", shuffle=True)


@zoo.file(
    "listed elements",
    features={"fixed": list_of(value("string"), 3), "variable": list_of(value("string"), 2, 2)},
    rows=table(
        {
            "fixed": [["a", "bc", ""], ["d", "e", "f"]],
            "variable": [[["é", ""], ["g", "h"]], [["i", "j"], ["k", "l"]]],
        }
    ),
)
def strings_in_arrays(file: h5py.File) -> None:
    file["fixed"] = np.array([[b"a", b"bc", b""], [b"d", b"e", b"f"]])
    texts = np.array([[["é", ""], ["g", "h"]], [["i", "j"], ["k", "l"]]], object)
    file.create_dataset("variable", data=texts, dtype=h5py.string_dtype())


@zoo.file("listed elements", features={"x": list_of(value("string"), 1)}, rows=table({"x": [["a"], ["b"]]}))
def strings_one_per_row_rank_2(file: h5py.File) -> None:
    """Only labels of ``(N, 1)`` become one per row."""
    file["x"] = np.array([[b"a"], [b"b"]])


@zoo.file("no text", error=(DataError, IS_TEXT_ROW))
def no_text_latin1_fixed(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([b"cafe", b"caf\xe9"]))


@zoo.file("no text", error=(DataError, IS_TEXT_ROW))
def no_text_latin1_variable(file: h5py.File) -> None:
    file.create_dataset("x", data=[b"cafe", b"caf\xe9"], dtype=h5py.string_dtype())


@zoo.file("no text", error=(DataError, IS_TEXT_ROW))
def no_text_nul_inside_null_padded(file: h5py.File) -> None:
    kind = string_type(6, h5t.STR_NULLPAD)
    write_typed(file, "x", kind, fixed(b"good\0\0", b"ab\0cd\0"), memory=kind)


@zoo.file("no text", error=(DataError, IS_TEXT_ROW))
def no_text_nul_inside_space_padded(file: h5py.File) -> None:
    kind = string_type(6, h5t.STR_SPACEPAD)
    write_typed(file, "x", kind, fixed(b"good  ", b"ab\0cd "), memory=kind)


@zoo.file("no text", error=(DataError, ["a.h5", "/x", "row 40", 'Value("binary")']))
def no_text_in_a_late_row(file: h5py.File) -> None:
    file.create_dataset("x", data=[b"fine"] * 40 + [b"\xff\xfe"], dtype=h5py.string_dtype())


@zoo.file("binary", options=BINARY, features={"x": value("binary")}, rows=table({"x": [b"cafe", b"caf\xe9"]}))
def binary_latin1_fixed(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([b"cafe", b"caf\xe9"]))


@zoo.file("binary", options=BINARY, features={"x": value("binary")}, rows=table({"x": [b"", b"caf\xe9!", b"a b "]}))
def binary_latin1_variable(file: h5py.File) -> None:
    file.create_dataset("x", data=[b"", b"caf\xe9!", b"a b "], dtype=h5py.string_dtype())


@zoo.file(
    "binary",
    options=BINARY,
    features={"x": value("binary")},
    rows=table({"x": [b"ab\0cd\0", b"\0\0\0\0\0\0", b"\xff\0\0\0 \0"]}),
)
def binary_fixed_keeps_every_byte(file: h5py.File) -> None:
    """ "Every byte is kept": the padding too, for where it starts is not known when NULs are data."""
    kind = string_type(6, h5t.STR_NULLPAD)
    write_typed(file, "x", kind, fixed(b"ab\0cd\0", b"\0\0\0\0\0\0", b"\xff\0\0\0 \0"), memory=kind)


@zoo.file("binary", options=BINARY, features={"x": value("binary")}, rows=table({"x": [b"ab    ", b" c\0 d "]}))
def binary_space_padded_keeps_every_byte(file: h5py.File) -> None:
    kind = string_type(6, h5t.STR_SPACEPAD)
    write_typed(file, "x", kind, fixed(b"ab    ", b" c\0 d "), memory=kind)


@zoo.file("binary", options=BINARY, features={"x": value("binary")}, rows=table({"x": [b"ab\0zz\0", b"abcdef"]}))
def binary_null_terminated_keeps_every_byte(file: h5py.File) -> None:
    kind = string_type(6, h5t.STR_NULLTERM)
    write_typed(file, "x", kind, fixed(b"ab\0zz\0", b"abcdef"), memory=kind)


@zoo.file(
    "binary",
    options={"features": datasets.Features({"x": value("binary"), "y": value("int32")})},
    features={"x": value("binary"), "y": value("int32")},
    rows=table({"x": [b"caf\xe9", b"\0\xff\0\0"], "y": [1, 2]}),
)
def binary_chunked_gzip(file: h5py.File) -> None:
    raw = np.frombuffer(b"caf\xe9\0\xff\0\0", "S4")
    file.create_dataset("x", data=raw, chunks=(1,), compression="gzip")
    file["y"] = np.array([1, 2], "i4")
