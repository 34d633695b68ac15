"""Which element and memory type each HDF5 type becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5t

import hf_h5
from hf_h5.describe.elements import Binary, Label, Number, Ragged, Struct, StructField, Text
from hf_h5.describe.types import Stored, UnreadableTypeError, interpret_type


def of(dtype: Any) -> Stored:
    return interpret_type(h5t.py_create(np.dtype(dtype), logical=True))


def integer(bits: int, size: int, *, signed: bool = True) -> h5t.TypeIntegerID:
    kind = (h5t.STD_I64LE if signed else h5t.STD_U64LE).copy()
    kind.set_precision(bits)
    kind.set_size(size)
    return kind


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8"])
def test_numbers_are_native_and_read_as_stored(order: str, kind: str) -> None:
    stored = of(order + kind)
    assert stored.element == Number(np.dtype(kind))
    assert stored.memory == np.dtype(order + kind)
    assert (stored.converted, stored.variable, stored.note) == (None, None, None)


@pytest.mark.parametrize(
    ("bits", "size", "signed", "expected"),
    [(24, 3, True, "i4"), (24, 4, False, "u4"), (5, 1, True, "i1"), (12, 2, False, "u2"), (40, 8, True, "i8")],
)
def test_odd_widths_become_the_next_wider_integer(bits: int, size: int, signed: bool, expected: str) -> None:
    stored = interpret_type(integer(bits, size, signed=signed))
    assert stored.element == Number(np.dtype(expected))
    assert f"{bits} bits" in (stored.converted or "")


def test_integers_wider_than_any_are_unreadable_and_say_so() -> None:
    with pytest.raises(UnreadableTypeError, match="wider than 64"):
        interpret_type(integer(100, 16))


def test_long_doubles_become_float64_with_a_note() -> None:
    stored = of(np.longdouble)
    assert stored.element == Number(np.dtype("f8"))
    assert "rounded to float64" in (stored.note or "")


def test_bfloat16_becomes_float32_without_a_note() -> None:
    kind = h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_precision(16)
    kind.set_size(2)
    kind.set_ebias(127)
    stored = interpret_type(kind)
    assert (stored.element, stored.note) == (Number(np.dtype("f4")), None)
    assert stored.converted


@pytest.mark.parametrize(("bias", "expected"), [(100, "f8"), (127, "f4"), (140, "f8"), (1, "f8")])
def test_floats_of_another_range_than_that_of_32_bits_become_float64(bias: int, expected: str) -> None:
    kind = h5t.IEEE_F32LE.copy()
    kind.set_ebias(bias)
    stored = interpret_type(kind)
    assert (stored.element, stored.note) == (Number(np.dtype(expected)), None)


@pytest.mark.parametrize("bits", [7, 12])
@pytest.mark.parametrize("base", ["STD_I16BE", "STD_I32BE", "STD_I64BE", "STD_I16LE"])
@pytest.mark.parametrize("offset", [0, 2])
def test_integers_of_odd_widths_keep_their_sign(tmp_path: Path, base: str, bits: int, offset: int) -> None:
    kind = getattr(h5t, base).copy()
    kind.set_precision(bits)
    kind.set_offset(offset)
    values = np.array([0, -1, -3, 50])
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((4,))).write(h5py.h5s.ALL, h5py.h5s.ALL, values)
        inner = h5t.create(h5t.COMPOUND, 2 * kind.get_size())
        inner.insert(b"y", kind.get_size(), kind)
        packed = h5py.h5d.create(file.id, b"c", inner, h5py.h5s.create_simple((4,)))
        packed.write(h5py.h5s.ALL, h5py.h5s.ALL, values.astype([("y", "i8")]))
    with hf_h5.open_table(tmp_path / "a.h5") as reader:
        found = reader.read(slice(None))
    assert found["x"].tolist() == found["c/y"].tolist() == values.tolist()
    assert found["x"].dtype.isnative


def test_false_and_true_on_int8_are_truth_values() -> None:
    assert of(bool).element == Number(np.dtype(bool))
    assert of(h5py.enum_dtype({"TRUE": 1, "FALSE": 0}, "i1")).element == Number(np.dtype(bool))


@pytest.mark.parametrize(
    ("members", "base"),
    [({"FALSE": 0, "TRUE": 2}, "i1"), ({"no": 0, "yes": 1}, "i1"), ({"FALSE": 0, "TRUE": 1}, "i4")],
)
def test_other_enums_are_labels(members: dict[str, int], base: str) -> None:
    element = of(h5py.enum_dtype(members, base)).element
    assert isinstance(element, Label)
    assert dict(zip(element.names, element.codes, strict=True)) == members


def test_names_of_a_label_are_in_the_order_of_their_codes() -> None:
    kind = h5t.enum_create(h5t.STD_I16BE)
    for name, code in (("zebra", 5), ("ant", -2), ("cat", 0)):
        kind.enum_insert(name.encode(), code)
    element = interpret_type(kind).element
    assert element == Label(("ant", "cat", "zebra"), (-2, 0, 5))


@pytest.mark.parametrize(
    ("padding", "name"),
    [(h5t.STR_NULLTERM, "null_terminated"), (h5t.STR_NULLPAD, "null_padded"), (h5t.STR_SPACEPAD, "space_padded")],
)
@pytest.mark.parametrize("charset", [h5t.CSET_ASCII, h5t.CSET_UTF8])
def test_fixed_strings_keep_their_bytes_and_know_their_padding(padding: int, name: str, charset: int) -> None:
    kind = h5t.C_S1.copy()
    kind.set_size(7)
    kind.set_strpad(padding)
    kind.set_cset(charset)
    stored = interpret_type(kind)
    assert (stored.element, stored.memory, stored.variable) == (Text(name), np.dtype("V7"), None)


def test_variable_strings_do_not_lie_in_the_dataset() -> None:
    stored = of(h5py.string_dtype())
    assert stored.element == Text(None)
    assert stored.variable


@pytest.mark.parametrize(("dtype", "item"), [("<i2", Number(np.dtype("i2"))), (">f8", Number(np.dtype("f8")))])
def test_variable_lengths_are_lists(dtype: str, item: Number) -> None:
    assert of(h5py.vlen_dtype(np.dtype(dtype))).element == Ragged(item)


def test_lists_of_lists_strings_and_compounds_nest() -> None:
    inner = h5py.vlen_dtype(np.dtype("i4"))
    assert of(h5py.vlen_dtype(inner)).element == Ragged(Ragged(Number(np.dtype("i4"))))
    assert of(h5py.vlen_dtype(h5py.string_dtype())).element == Ragged(Text(None))
    pair = of(h5py.vlen_dtype(np.dtype([("a", "<i4"), ("b", ">f8", (2,))]))).element
    fields = (StructField("a", Number(np.dtype("i4"))), StructField("b", Number(np.dtype("f8")), (2,)))
    assert pair == Ragged(Struct(fields))


def test_array_types_add_their_dimensions_outermost_first() -> None:
    stored = of(np.dtype((np.dtype(("<i2", (4,))), (2, 3))))
    assert (stored.element, stored.shape) == (Number(np.dtype("i2")), (2, 3, 4))
    assert stored.full_memory.itemsize == 48


def test_compounds_are_their_fields_in_order_at_their_offsets() -> None:
    dtype = np.dtype({"names": ["z", "a"], "formats": [">i4", "<f8"], "offsets": [4, 16], "itemsize": 32})
    stored = of(dtype)
    assert stored.element is None
    assert [field.name for field in stored.fields] == ["z", "a"]
    assert stored.memory == dtype


@pytest.mark.parametrize("dtype", ["<c8", ">c8", "<c16"])
def test_complex_numbers_are_two_halves(dtype: str) -> None:
    stored = of(dtype)
    half = Number(np.dtype(f"f{np.dtype(dtype).itemsize // 2}"))
    assert stored.is_complex
    assert [(field.name, field.stored.element) for field in stored.fields] == [("real", half), ("imag", half)]


def test_compounds_that_only_look_like_complex_stay_compounds() -> None:
    stored = of([("r", "<i4"), ("i", "<i4")])
    assert not stored.is_complex
    assert [field.name for field in stored.fields] == ["r", "i"]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("M8[s]", "M8[s]"),
        ("M8[ns]", "M8[ns]"),
        ("M8[D]", "M8[D]"),
        ("M8[h]", "M8[s]"),
        ("M8[Y]", "M8[D]"),
        ("m8[D]", "m8[s]"),
    ],
)
def test_numpys_dates_become_the_unit_of_arrow_that_holds_them(dtype: str, expected: str) -> None:
    assert of(h5py.opaque_dtype(np.dtype(dtype))).element == Number(np.dtype(expected))


@pytest.mark.parametrize("dtype", ["M8[ps]", "m8[M]", "M8"])
def test_dates_that_arrow_has_no_unit_for_are_unreadable(dtype: str) -> None:
    with pytest.raises(UnreadableTypeError, match="Arrow"):
        of(h5py.opaque_dtype(np.dtype(dtype)))


def test_other_opaque_values_are_bytes() -> None:
    stored = of("V9")
    assert (stored.element, stored.memory) == (Binary(), np.dtype("V9"))


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_bitfields_are_unsigned(size: int) -> None:
    kind = {1: h5t.STD_B8LE, 2: h5t.STD_B16BE, 4: h5t.STD_B32LE, 8: h5t.STD_B64LE}[size]
    assert interpret_type(kind).element == Number(np.dtype(f"u{size}"))


@pytest.mark.parametrize("dtype", [h5py.ref_dtype, h5py.regionref_dtype])
def test_references_are_strings(dtype: Any) -> None:
    stored = of(dtype)
    assert isinstance(stored.element, Text)
    assert stored.variable
