"""Which columns are handed out as one array, and that they are what ``datasets`` makes by way of Arrow."""

from __future__ import annotations

from typing import Any

import datasets
import numpy as np
import pytest

from hf_h5.assemble.arrow import column_features
from hf_h5.assemble.arrow_formats import check_format, format_name
from hf_h5.assemble.formats import Format, holds_numbers, is_block, to_array, to_objects
from hf_h5.describe.elements import Binary, Label, Number, Ragged, Text
from hf_h5.describe.schema import Column
from tests.exact import assert_exact

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]


def column(element: Any, shape: tuple[Any, ...] = (), **facts: Any) -> Column:
    return Column(name="x", path="/x", take="rows", element=element, row_shape=shape, **facts)


def number(dtype: str) -> Number:
    return Number(np.dtype(dtype))


@pytest.mark.parametrize(
    ("element", "shape", "expected"),
    [
        (number("u1"), (4, 4, 3), True),
        (number("?"), (), True),
        (number("f2"), (3,), True),
        (Label(("a",), (0,)), (), True),
        (number("M8[s]"), (), False),
        (Text(), (), False),
        (Binary(), (), False),
        (Ragged(number("f4")), (), False),
        (number("f4"), (None,), False),
        (number("f4"), (None, 3), False),
        (number("f4"), (3, 0), False),
    ],
    ids=repr,
)
def test_numbers_of_one_shape_are_handed_out_whole(element: Any, shape: tuple[Any, ...], expected: bool) -> None:
    assert holds_numbers(column(element, shape)) == expected


def test_what_the_user_casts_goes_by_arrow() -> None:
    assert not holds_numbers(column(number("i8"), feature={"dtype": "int8", "_type": "Value"}))


def test_empty_and_masked_batches_are_no_blocks() -> None:
    assert is_block(np.zeros((1, 2)))
    assert not is_block(np.zeros((0, 2)))
    assert not is_block(np.ma.MaskedArray(np.zeros(2), [True, False]))


@pytest.mark.parametrize("as_row", [True, False])
@pytest.mark.parametrize("kwargs", [{}, {"dtype": None}, {"dtype": np.float32}, {"dtype": np.int16}], ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1, 3)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_are_what_the_numpy_formatter_makes(
    dtype: str, shape: tuple[int, ...], kwargs: dict[str, Any], as_row: bool
) -> None:
    values = (
        np.random.default_rng(0).integers(0, 2 if dtype == "?" else 100, (1 if as_row else 4, *shape)).astype(dtype)
    )
    expected = formatted(values, shape, "numpy", kwargs, as_row=as_row)
    assert_exact(to_array(values, kwargs, as_row=as_row), expected)


@pytest.mark.parametrize("as_row", [True, False])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)], ids=str)
@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype != "f2"])
def test_objects_are_what_the_python_formatter_makes(dtype: str, shape: tuple[int, ...], as_row: bool) -> None:
    values = (
        np.random.default_rng(0).integers(0, 2 if dtype == "?" else 100, (1 if as_row else 4, *shape)).astype(dtype)
    )
    expected = formatted(values, shape, None, {}, as_row=as_row)
    assert_exact(to_objects(values, as_row=as_row), expected)


def formatted(values: Any, shape: tuple[int, ...], kind: str | None, kwargs: dict[str, Any], *, as_row: bool) -> Any:
    """Return what ``datasets`` makes of the values, given as Python lists."""
    features = datasets.Features({"x": column_features({"x": column(Number(values.dtype), shape)})["x"]})
    made = datasets.Dataset.from_dict({"x": values.tolist()}, features=features).with_format(kind, **kwargs)
    return (made[0] if as_row else made[:])["x"]


@pytest.mark.parametrize(
    ("alias", "name"), [("pt", "torch"), ("np", "numpy"), ("pd", "pandas"), ("torch", "torch"), (None, None)]
)
def test_formats_have_the_aliases_of_datasets(alias: str | None, name: str | None) -> None:
    assert format_name(alias) == name


def test_arguments_that_a_format_does_not_take_are_its_error() -> None:
    features = datasets.Features({"x": datasets.Value("int8")})
    check_format("torch", features, {"dtype": None})
    with pytest.raises(TypeError):
        check_format(None, features, {"dtype": None})


def test_a_format_is_torch_unless_said_otherwise() -> None:
    assert (Format().kind, dict(Format().kwargs), Format().columns) == ("torch", {}, None)
