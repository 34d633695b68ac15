"""Values as they lie in memory become the values of a column, or an error that says which one does not."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.describe.elements import Binary, Label, Number, Ragged, Struct, StructField, Text
from hf_h5.read.values import ValueProblemError, decode_values, pick_field, relabel


def number(dtype: Any) -> Number:
    return Number(np.dtype(dtype))


def objects(*values: Any) -> np.ndarray[Any, Any]:
    out = np.empty(len(values), object)
    out[:] = values
    return out


@pytest.mark.parametrize("dtype", ["i2", "i4", "u8", "f2", "f8"])
def test_byte_order_becomes_native_and_bits_stay(dtype: str) -> None:
    native = np.random.default_rng(0).integers(0, 256, 64, np.uint8).view(dtype).reshape(2, -1)
    swapped = native.astype(np.dtype(dtype).newbyteorder(">"))
    for raw in (native, swapped):
        found = decode_values(number(dtype), raw)
        assert (found.dtype, found.shape) == (np.dtype(dtype), native.shape)
        assert found.tobytes() == native.tobytes()


def test_truth_values_are_0_or_1_whatever_byte_was_stored() -> None:
    stored = np.array([[0, 1], [146, 2]], np.uint8)
    for raw in (stored, stored.view("?"), stored.view("?")[:, ::-1][:, ::-1]):
        found = decode_values(number("?"), raw)
        assert found.view(np.uint8).tolist() == [[0, 1], [1, 1]]


def test_numbers_that_are_right_are_not_copied() -> None:
    raw = np.arange(4.0)
    assert decode_values(number("f8"), raw) is raw


def test_truth_values_are_what_is_not_zero() -> None:
    assert decode_values(number("?"), np.array([0, 1, -1, 7], "i1")).tolist() == [False, True, True, True]


@pytest.mark.parametrize(
    ("padding", "stored", "expected"),
    [
        ("null_terminated", b"ab\0xyz", "ab"),
        ("null_terminated", b"abcdef", "abcdef"),
        ("null_terminated", b"\0junk!", ""),
        ("null_padded", b"ab\0\0\0\0", "ab"),
        ("null_padded", b"ab  \0\0", "ab  "),
        ("space_padded", b"ab    ", "ab"),
        ("space_padded", b" ab   ", " ab"),
        ("space_padded", b"      ", ""),
        ("null_padded", "日本".encode(), "日本"),
    ],
)
def test_the_padding_of_a_string_comes_off_by_its_kind(padding: str, stored: bytes, expected: str) -> None:
    raw = np.frombuffer(stored * 2, f"V{len(stored)}").reshape(2, 1)
    found = decode_values(Text(padding), raw)
    assert (found.shape, found.ravel().tolist()) == ((2, 1), [expected, expected])


def test_variable_strings_are_text_or_bytes_of_it() -> None:
    found = decode_values(Text(), objects("a", "ähm".encode(), "", None))
    assert found.tolist() == ["a", "ähm", "", None]


@pytest.mark.parametrize("padding", ["null_padded", "space_padded"])
def test_a_string_that_holds_a_nul_is_an_error_with_its_place(padding: str) -> None:
    raw = np.frombuffer(b"abcd" + b"a\0bc", "V4")
    with pytest.raises(ValueProblemError, match="NUL") as caught:
        decode_values(Text(padding), raw)
    assert caught.value.position == 1
    assert "Value('binary')" in caught.value.hint


@pytest.mark.parametrize("raw", [np.frombuffer(b"fine\xff\xfe\0\0", "V4"), objects("fine", b"\xff\xfe")])
def test_a_string_that_is_no_utf8_is_an_error_with_its_place(raw: Any) -> None:
    with pytest.raises(ValueProblemError, match="UTF-8") as caught:
        decode_values(Text("null_padded"), raw)
    assert caught.value.position == 1


@given(st.lists(st.binary(min_size=5, max_size=5), min_size=1, max_size=5))
def test_bytes_keep_every_byte(values: list[bytes]) -> None:
    raw = np.frombuffer(b"".join(values), "V5")
    assert decode_values(Binary(), raw).tolist() == values


def test_bytes_are_made_of_strings_and_lists_of_bytes() -> None:
    raw = objects(np.array([1, 0, 255], np.uint8), "ä", b"\0", None)
    assert decode_values(Binary(), raw).tolist() == [b"\x01\x00\xff", "ä".encode(), b"\0", None]


def test_strings_and_bytes_of_no_length_are_empty() -> None:
    raw = np.zeros(2, "V0")
    assert decode_values(Text("null_padded"), raw).tolist() == ["", ""]
    assert decode_values(Binary(), raw).tolist() == [b"", b""]


@pytest.mark.parametrize("dtype", ["<i1", ">i2", "<i8", "<u1", ">u2", "<f4"])
def test_codes_become_positions_among_the_names(dtype: str) -> None:
    label = Label(("a", "b", "c"), (7, 0, 3))
    found = decode_values(label, np.array([[7, 3], [0, 0]], dtype))
    assert found.dtype == np.int64
    assert found.tolist() == [[0, 2], [1, 1]]


def test_minus_one_is_missing_unless_it_has_a_name() -> None:
    raw = np.array([-1, 0], "i1")
    assert decode_values(Label(("a",), (0,)), raw).tolist() == [-1, 0]
    assert decode_values(Label(("none", "a"), (-1, 0)), raw).tolist() == [0, 1]


def test_the_largest_code_is_not_missing() -> None:
    with pytest.raises(ValueProblemError, match="code 255"):
        decode_values(Label(("a",), (0,)), np.array([0, 255], "u1"))


def test_codes_beyond_int64_have_their_names() -> None:
    label = Label(("low", "high"), (0, 2**64 - 1))
    assert decode_values(label, np.array([2**64 - 1, 0], "u8")).tolist() == [1, 0]


def test_an_unknown_code_is_an_error_with_its_place_and_the_known_ones() -> None:
    with pytest.raises(ValueProblemError, match=r"code 5 .*0=a, 1=b") as caught:
        decode_values(Label(("a", "b"), (0, 1)), np.array([[0, 1], [1, 5]]))
    assert caught.value.position == 3


def test_positions_of_a_part_become_those_of_the_table() -> None:
    positions = np.array([0, 1, -1, 0])
    found = relabel(positions, Label(("cat", "owl"), (0, 1)), Label(("owl", "dog", "cat"), (0, 1, 2)))
    assert found.tolist() == [2, 0, -1, 2]
    assert relabel(positions, number("i8"), number("i8")) is positions


def test_lists_are_decoded_item_by_item() -> None:
    raw = objects(np.array([1, 2], ">i2"), np.array([], ">i2"), None)
    found = decode_values(Ragged(number("i2")), raw)
    assert [None if item is None else item.tolist() for item in found] == [[1, 2], [], None]
    assert found[0].dtype == np.dtype("i2")


def test_lists_of_strings_and_of_lists() -> None:
    texts = decode_values(Ragged(Text()), objects(objects("a", b"b"), objects()))
    assert [item.tolist() for item in texts] == [["a", "b"], []]
    nested = decode_values(Ragged(Ragged(number("i4"))), objects(objects(np.array([1]), np.array([2, 3]))))
    assert [inner.tolist() for inner in nested[0]] == [[1], [2, 3]]


def test_lists_of_compounds_are_structured() -> None:
    struct = Struct((StructField("a", number("i4")), StructField("b", Text("null_padded"), (2,))))
    raw = np.array([(1, [b"x", b"yy"])], [("a", ">i4"), ("b", "V2", (2,))])
    found = decode_values(Ragged(struct), objects(raw))[0]
    assert found["a"].tolist() == [1]
    assert found["b"].tolist() == [["x", "yy"]]


def test_fields_are_followed_to_any_depth_and_into_halves() -> None:
    raw = np.zeros(3, [("a", [("z", "c8", (2,))]), ("b", "i4")])
    raw["a"]["z"] = [[1 + 2j, 3], [0, 0], [5j, 1]]
    assert pick_field(raw, ("a", "z", "imag")).tolist() == [[2, 0], [0, 0], [5, 0]]
    assert pick_field(raw, ()) is raw


def test_values_are_those_of_h5py_for_what_it_decodes_too() -> None:
    with h5py.File("x", "w", driver="core", backing_store=False) as handle:
        handle["text"] = ["a", "ähm", ""]
        handle["list"] = objects(np.array([1.5]), np.array([2.5, 3.5]))[:0].astype(h5py.vlen_dtype("f8"))
        assert decode_values(Text(), handle["text"][()]).tolist() == handle["text"].asstr()[()].tolist()
        assert decode_values(Ragged(number("f8")), handle["list"][()]).shape == (0,)
