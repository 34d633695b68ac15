"""Integers, floats, bitfields, truth values and complex numbers, of every width and byte order."""

from __future__ import annotations

import h5py
import numpy as np
from h5py import h5t

from tests.conformance.case import Either, Zoo, array, list_of, table, value
from tests.conformance.h5low import float_type, integer_type, write_typed

__all__ = ["zoo"]

zoo = Zoo()
INTEGERS = {
    "int8": [-(2**7), -1, 2**7 - 1],
    "int16": [-(2**15), -1, 2**15 - 1],
    "int32": [-(2**31), -1, 2**31 - 1],
    "int64": [-(2**63), -1, 2**63 - 1],
    "uint8": [0, 1, 2**8 - 1],
    "uint16": [0, 1, 2**16 - 1],
    "uint32": [0, 1, 2**32 - 1],
    "uint64": [0, 1, 2**63 - 1],
}
FLOATS = {
    "float16": [1.5, -65504.0, 5.960464477539063e-08],
    "float32": [0.100000001490116119384765625, float("nan"), float("-inf")],
    "float64": [0.1, -0.0, 1.7976931348623157e308],
}


@zoo.file("integers", features={name: value(name) for name in INTEGERS}, rows=table(INTEGERS))
def integers_little_endian(file: h5py.File) -> None:
    for name, numbers in INTEGERS.items():
        file.create_dataset(name, data=np.array(numbers, name), dtype=np.dtype(name).newbyteorder("<"))


@zoo.file("integers", features={name: value(name) for name in INTEGERS}, rows=table(INTEGERS))
def integers_big_endian(file: h5py.File) -> None:
    for name, numbers in INTEGERS.items():
        file.create_dataset(name, data=np.array(numbers, name), dtype=np.dtype(name).newbyteorder(">"))


@zoo.file(
    "integers",
    features={"x": array("int16", 2, 2)},
    rows=table({"x": [[[1, 2], [3, 256]], [[-1, 5], [6, 7]]]}),
)
def integers_big_endian_arrays(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([[[1, 2], [3, 256]], [[-1, 5], [6, 7]]], ">i2"))


@zoo.file("integers", features={"x": value("uint64")}, rows=table({"x": [2**63, 2**64 - 1, 7]}))
def integers_above_int64(file: h5py.File) -> None:
    """Stored values are never rounded; the formatters' casts are another matter."""
    file.create_dataset("x", data=np.array([2**63, 2**64 - 1, 7], "u8"))


@zoo.file(
    "odd integers",
    features={"i": value("int32"), "ibe": value("int32"), "u": value("uint32"), "ube": value("uint32")},
    rows=table(
        {
            "i": [-(2**23), -2, 2**23 - 1],
            "ibe": [-(2**23), -2, 2**23 - 1],
            "u": [0, 65536, 2**24 - 1],
            "ube": [0, 65536, 2**24 - 1],
        }
    ),
)
def integers_of_24_bits(file: h5py.File) -> None:
    signed, unsigned = np.array([-(2**23), -2, 2**23 - 1], "i8"), np.array([0, 65536, 2**24 - 1], "u8")
    for suffix, order in (("", h5t.ORDER_LE), ("be", h5t.ORDER_BE)):
        write_typed(file, f"i{suffix}", integer_type(3, signed=True, order=order), signed, memory=h5t.NATIVE_INT64)
        write_typed(file, f"u{suffix}", integer_type(3, signed=False, order=order), unsigned, memory=h5t.NATIVE_UINT64)


@zoo.file(
    "odd integers",
    features={"i40": value("int64"), "u48": value("uint64"), "i56": value("int64")},
    rows=table({"i40": [-(2**39), 5], "u48": [2**48 - 1, 0], "i56": [-(2**55), 2**55 - 1]}),
)
def integers_of_40_to_56_bits(file: h5py.File) -> None:
    write_typed(file, "i40", integer_type(5, signed=True), np.array([-(2**39), 5]), memory=h5t.NATIVE_INT64)
    unsigned = np.array([2**48 - 1, 0], "u8")
    write_typed(file, "u48", integer_type(6, signed=False), unsigned, memory=h5t.NATIVE_UINT64)
    write_typed(file, "i56", integer_type(7, signed=True), np.array([-(2**55), 2**55 - 1]), memory=h5t.NATIVE_INT64)


@zoo.file(
    "odd integers",
    features={"x": array("int32", 1, 2)},
    rows=table({"x": [[[-1, 2]], [[3, -(2**23)]]]}),
)
def integers_of_24_bits_in_arrays(file: h5py.File) -> None:
    numbers = np.array([[[-1, 2]], [[3, -(2**23)]]])
    write_typed(file, "x", integer_type(3, signed=True), numbers, memory=h5t.NATIVE_INT64)


@zoo.file(
    "odd integers",
    features={"i12": value("int16"), "u4": value("uint8")},
    rows=table({"i12": [-2048, 2047], "u4": [0, 15]}),
)
def integers_with_fewer_bits_than_bytes(file: h5py.File) -> None:
    write_typed(file, "i12", integer_type(2, signed=True, bits=12), np.array([-2048, 2047]), memory=h5t.NATIVE_INT64)
    write_typed(file, "u4", integer_type(1, signed=False, bits=4), np.array([0, 15], "u8"), memory=h5t.NATIVE_UINT64)


@zoo.file(
    "odd integers",
    features={"x": Either(value("int16"), value("int32"))},
    rows=table({"x": [-(2**11), 2**11 - 1, 5]}),
)
def integers_with_a_bit_offset(file: h5py.File) -> None:
    """12 bits in 4 bytes: the next wider width is 16, the stored one 32."""
    kind = h5t.STD_I32LE.copy()
    kind.set_precision(12)
    kind.set_offset(4)
    write_typed(file, "x", kind, np.array([-(2**11), 2**11 - 1, 5]), memory=h5t.NATIVE_INT64)


@zoo.file("floats", features={name: value(name) for name in FLOATS}, rows=table(FLOATS))
def floats_little_endian(file: h5py.File) -> None:
    for name, numbers in FLOATS.items():
        file.create_dataset(name, data=np.array(numbers, name), dtype=np.dtype(name).newbyteorder("<"))


@zoo.file("floats", features={name: value(name) for name in FLOATS}, rows=table(FLOATS))
def floats_big_endian(file: h5py.File) -> None:
    for name, numbers in FLOATS.items():
        file.create_dataset(name, data=np.array(numbers, name), dtype=np.dtype(name).newbyteorder(">"))


@zoo.file(
    "floats",
    features={"h": array("float16", 2, 1), "d": list_of(value("float64"), 2)},
    rows=table({"h": [[[0.5], [1.5]], [[-2.0], [4.0]]], "d": [[1e300, 2.0], [3.0, -4.0]]}),
)
def floats_big_endian_arrays(file: h5py.File) -> None:
    file.create_dataset("h", data=np.array([[[0.5], [1.5]], [[-2], [4]]], ">f2"))
    file.create_dataset("d", data=np.array([[1e300, 2], [3, -4]], ">f8"))


@zoo.file("other floats", features={"x": value("float32")}, rows=table({"x": [1.5, -2.0, float("inf")]}))
def float_bfloat16(file: h5py.File) -> None:
    kind = float_type(2, exponent_bits=8, mantissa_bits=7)
    write_typed(file, "x", kind, np.array([1.5, -2, np.inf], "f4"), memory=h5t.NATIVE_FLOAT)


@zoo.file("other floats", features={"x": array("float32", 1, 2)}, rows=table({"x": [[[1.5, -2.0]], [[2.0**100, 0.0]]]}))
def float_bfloat16_big_endian_arrays(file: h5py.File) -> None:
    kind = float_type(2, exponent_bits=8, mantissa_bits=7)
    kind.set_order(h5t.ORDER_BE)
    write_typed(file, "x", kind, np.array([[[1.5, -2]], [[2.0**100, 0]]], "f4"), memory=h5t.NATIVE_FLOAT)


@zoo.file("other floats", features={"x": value("float32")}, rows=table({"x": [1.5, -2.25, 1024.0]}))
def float_of_24_bits(file: h5py.File) -> None:
    kind = float_type(3, exponent_bits=8, mantissa_bits=15)
    write_typed(file, "x", kind, np.array([1.5, -2.25, 1024], "f4"), memory=h5t.NATIVE_FLOAT)


@zoo.file(
    "other floats",
    features={"x": Either(value("float16"), value("float32"))},
    rows=table({"x": [1.5, -2.0, 64.0]}),
)
def float_of_8_bits(file: h5py.File) -> None:
    """E5M2 fits float16 exactly, and the contract says float32 of "bfloat16-like": both are right."""
    kind = float_type(1, exponent_bits=5, mantissa_bits=2)
    write_typed(file, "x", kind, np.array([1.5, -2, 64], "f4"), memory=h5t.NATIVE_FLOAT)


@zoo.file(
    "other floats",
    features={"wide": value("float64")},
    rows=table({"wide": [1.5, -2.0, 1e300]}),
    warns=["wide"],
)
def float_long_double(file: h5py.File) -> None:
    file.create_dataset("wide", data=np.array([1.5, -2, 1e300], np.longdouble))


@zoo.file("bool", features={"x": value("bool")}, rows=table({"x": [True, False, True]}))
def bools(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([True, False, True]))


@zoo.file(
    "bool",
    features={"x": list_of(value("bool"), 2), "mask": array("bool", 2, 2)},
    rows=table(
        {
            "x": [[True, False], [False, False]],
            "mask": [[[True, True], [False, True]], [[False, False], [True, False]]],
        }
    ),
)
def bools_in_arrays(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([[True, False], [False, False]]))
    file.create_dataset("mask", data=np.array([[[1, 1], [0, 1]], [[0, 0], [1, 0]]], bool))


@zoo.file(
    "bitfield",
    features={"b8": value("uint8"), "b16": value("uint16"), "b32": value("uint32"), "b64": value("uint64")},
    rows=table({"b8": [1, 255], "b16": [258, 0], "b32": [16909060, 3], "b64": [2**63 - 1, 4]}),
)
def bitfields(file: h5py.File) -> None:
    """Of every width, two of them big-endian."""
    write_typed(file, "b8", h5t.STD_B8LE, np.array([1, 255], "u1"), memory=h5t.STD_B8LE)
    write_typed(file, "b16", h5t.STD_B16BE, np.array([258, 0], ">u2"), memory=h5t.STD_B16BE)
    write_typed(file, "b32", h5t.STD_B32LE, np.array([16909060, 3], "<u4"), memory=h5t.STD_B32LE)
    write_typed(file, "b64", h5t.STD_B64BE, np.array([2**63 - 1, 4], ">u8"), memory=h5t.STD_B64BE)


@zoo.file("bitfield", features={"x": list_of(value("uint8"), 3)}, rows=table({"x": [[1, 2, 3], [0, 128, 255]]}))
def bitfields_in_arrays(file: h5py.File) -> None:
    write_typed(file, "x", h5t.STD_B8LE, np.array([[1, 2, 3], [0, 128, 255]], "u1"), memory=h5t.STD_B8LE)


def complex_features(dtype: str) -> dict[str, object]:
    return {"x/real": value(dtype), "x/imag": value(dtype)}


COMPLEX_ROWS = table({"x/real": [1.0, 0.5, 0.0], "x/imag": [2.0, -4.0, -1.0]})
# The literal -1j would be complex(-0.0, -1.0).
COMPLEX = [1 + 2j, 0.5 - 4j, complex(0, -1)]


@zoo.file("complex", features=complex_features("float32"), rows=COMPLEX_ROWS)
def complex64(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array(COMPLEX, "<c8"))


@zoo.file("complex", features=complex_features("float64"), rows=COMPLEX_ROWS)
def complex128_big_endian(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array(COMPLEX, ">c16"))


@zoo.file("complex", features=complex_features("float32"), rows=COMPLEX_ROWS)
def complex64_native_type(file: h5py.File) -> None:
    """HDF5 2.0 has a class of complex types."""
    write_typed(file, "x", h5t.COMPLEX_IEEE_F32LE, np.array(COMPLEX, "c8"), memory=h5t.NATIVE_FLOAT_COMPLEX)


@zoo.file("complex", features=complex_features("float64"), rows=COMPLEX_ROWS)
def complex128_native_type_big_endian(file: h5py.File) -> None:
    write_typed(file, "x", h5t.COMPLEX_IEEE_F64BE, np.array(COMPLEX, "c16"), memory=h5t.NATIVE_DOUBLE_COMPLEX)


@zoo.file(
    "complex",
    features={"x/real": array("float32", 1, 2), "x/imag": array("float32", 1, 2)},
    rows=table({"x/real": [[[1.0, 3.0]], [[5.0, 7.0]]], "x/imag": [[[2.0, -4.0]], [[0.0, -0.5]]]}),
)
def complex_arrays(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array([[[1 + 2j, 3 - 4j]], [[5, 7 - 0.5j]]], "c8"))


@zoo.file(
    "complex",
    name="complex_nested",
    options={"nested": True},
    features={"x": {"real": value("float64"), "imag": value("float64")}},
    rows=[{"x": {"real": 1.0, "imag": 2.0}}, {"x": {"real": 0.5, "imag": -4.0}}, {"x": {"real": 0.0, "imag": -1.0}}],
    doors=("builder", "streaming", "view"),
)
def complex128(file: h5py.File) -> None:
    file.create_dataset("x", data=np.array(COMPLEX, "c16"))
