"""Batches as Arrow tables equal what ``datasets`` itself makes of the same values as Python lists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest
from datasets import Value
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_h5.assemble.arrow import column_features, table_features, to_arrow_table, to_column
from hf_h5.describe.elements import Binary, Label, Number, Ragged, Struct, StructField, Text
from hf_h5.describe.schema import Column, Part, Table
from hf_h5.errors import DataError
from hf_h5.registry import make_list

NUMBERS = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
SHAPES = [(), (3,), (1,), (2, 3), (2, 1, 3), (1, 2, 2, 1), (2, 1, 1, 1, 2), (1, 2, 1, 2, 1, 2), (0,), (2, 0), (0, 3, 2)]


def number(dtype: str) -> Number:
    return Number(np.dtype(dtype))


def objects(*values: Any) -> np.ndarray[Any, Any]:
    out = np.empty(len(values), object)
    out[:] = values
    return out


def table_of(**columns: tuple[Any, tuple[Any, ...]]) -> Table:
    named = {
        name: Column(name=name, path=f"/{name}", take="rows", element=element, row_shape=shape)
        for name, (element, shape) in columns.items()
    }
    return Table("/", named, (Part("a.h5", "", 4, named),), "")


def by_datasets(values: dict[str, list[Any]], features: datasets.Features) -> pa.Table:
    """Return the table that ``datasets`` makes of Python lists."""
    made = datasets.Dataset.from_dict(values, features=features).data.table
    return made.combine_chunks().replace_schema_metadata(None)


def assert_same_table(found: pa.Table, expected: pa.Table) -> None:
    """Compare types, values and nulls; NaN equals NaN, floats by their bits."""
    assert found.schema == expected.schema
    found.validate(full=True)
    for name in expected.column_names:
        one, other = storage(found[name]), storage(expected[name])
        assert one.equals(other) or str(one.to_pylist()) == str(other.to_pylist()), name


def storage(column: Any) -> pa.Array:
    chunk = column.combine_chunks()
    chunk = pa.concat_arrays(chunk.chunks) if isinstance(chunk, pa.ChunkedArray) else chunk
    return chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", NUMBERS)
def test_numbers_of_every_shape_are_what_datasets_makes_of_lists(dtype: str, shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 2, (4, *shape)) if dtype == "?" else random.integers(0, 100, (4, *shape))
    values = values.astype(dtype)
    table = table_of(x=(number(dtype), shape))
    features = table_features(table)
    found = to_arrow_table({"x": values}, table, features)
    assert_same_table(found, by_datasets({"x": values.tolist()}, features))


@pytest.mark.parametrize(
    ("shape", "feature"),
    [
        ((), Value("int16")),
        ((3,), make_list(Value("int16"), 3)),
        ((2, 3), datasets.Array2D((2, 3), "int16")),
        ((2, 3, 4), datasets.Array3D((2, 3, 4), "int16")),
        ((2, 3, 4, 1), datasets.Array4D((2, 3, 4, 1), "int16")),
        ((2, 3, 4, 1, 2), datasets.Array5D((2, 3, 4, 1, 2), "int16")),
        ((1, 2, 1, 1, 1, 2), None),
        ((0,), make_list(Value("int16"))),
        ((None, 3), datasets.Array2D((None, 3), "int16")),
        ((None,), make_list(Value("int16"))),
    ],
    ids=str,
)
def test_the_shape_of_a_row_decides_the_feature(shape: tuple[Any, ...], feature: Any) -> None:
    found = table_features(table_of(x=(number("i2"), shape)))["x"]
    if feature is None:
        for size in shape:
            assert found.length == size
            found = found.feature
        feature = Value("int16")
    assert found == feature


@pytest.mark.parametrize(
    ("element", "feature"),
    [
        (Text(), Value("string")),
        (Binary(), Value("binary")),
        (Label(("a", "b"), (0, 1)), datasets.ClassLabel(names=["a", "b"])),
        (number("M8[ms]"), Value("timestamp[ms]")),
        (number("M8[D]"), Value("date32")),
        (number("m8[us]"), Value("duration[us]")),
        (Ragged(number("f4")), make_list(Value("float32"))),
        (Ragged(Text()), make_list(Value("string"))),
        (Ragged(Struct((StructField("a", number("i4")),))), make_list({"a": Value("int32")})),
    ],
    ids=repr,
)
def test_the_element_decides_the_feature(element: Any, feature: Any) -> None:
    assert table_features(table_of(x=(element, ()))) == datasets.Features({"x": feature})


@pytest.mark.parametrize(
    ("element", "shape", "values"),
    [
        (Text(), (), objects("a", "", "日", None)),
        (Text(), (2,), np.array([["a", "b"], ["c", ""]], object)),
        (Text(), (1, 2), np.array([[["a", "b"]], [["c", ""]]], object)),
        (Binary(), (), objects(b"\0\xff", b"", b"a", None)),
        (Label(("a", "b"), (0, 1)), (), np.array([1, 0, -1])),
        (Ragged(number("f4")), (), objects(np.array([1.5], "f4"), np.array([], "f4"), None)),
        (Ragged(Text()), (), objects(objects("a", "b"), objects(), None)),
        (Ragged(Ragged(number("i4"))), (), objects(objects(np.array([1], "i4"), np.array([], "i4")), objects())),
        (number("u1"), (None,), objects(np.array([1, 2], "u1"), np.array([], "u1"), None)),
        (number("f4"), (None, 2), objects(np.ones((2, 2), "f4"), np.zeros((0, 2), "f4"))),
        (number("f4"), (None, 2, 3), objects(np.ones((1, 2, 3), "f4"), np.zeros((4, 2, 3), "f4"))),
        (Text(), (None,), objects(objects("a", "b"), objects())),
    ],
    ids=repr,
)
def test_other_values_are_what_datasets_makes_of_lists(element: Any, shape: Any, values: np.ndarray[Any, Any]) -> None:
    table = table_of(x=(element, shape))
    features = table_features(table)
    lists = [plain(value) for value in values]
    found = to_arrow_table({"x": values}, table, features)
    assert_same_table(found, by_datasets({"x": lists}, features))


def plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


@pytest.mark.parametrize("unit", ["D", "s", "ms", "us", "ns"])
def test_dates_keep_their_unit_and_what_is_not_a_time_is_null(unit: str) -> None:
    values = np.array([0, 86_400, -1], np.int64).astype(f"M8[{unit}]")
    values[1] = np.datetime64("NaT")
    table = table_of(x=(number(f"M8[{unit}]"), ()))
    found = to_arrow_table({"x": values}, table, table_features(table))["x"]
    assert found.null_count == 1
    back = found.to_numpy()
    assert (back.astype(values.dtype)[[0, 2]] == values[[0, 2]]).all()


def test_lists_of_compounds_are_lists_of_structs() -> None:
    struct = Struct((StructField("a", number("i4")), StructField("b", number("f4"), (2,)), StructField("c", Text())))
    dtype = [("a", "i4"), ("b", "f4", (2,)), ("c", object)]
    rows = [np.array([(1, (2, 3), "x"), (4, (5, 6), "y")], dtype), np.array([], dtype)]
    table = table_of(x=(Ragged(struct), ()))
    features = table_features(table)
    found = to_arrow_table({"x": objects(*rows)}, table, features)
    expected = [[{"a": 1, "b": [2, 3], "c": "x"}, {"a": 4, "b": [5, 6], "c": "y"}], []]
    assert found["x"].to_pylist() == expected
    assert found.schema.field("x").type == features.arrow_schema.field("x").type


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("dtype", ["i4", "f8", "?"])
def test_rows_without_values_are_null(dtype: str, shape: tuple[int, ...]) -> None:
    data = np.ones((3, *shape), dtype)
    mask = np.zeros((3, *shape), bool)
    mask[1] = True
    table = table_of(x=(number(dtype), shape))
    features = table_features(table)
    found = to_arrow_table({"x": np.ma.MaskedArray(data, mask)}, table, features)
    assert found["x"].combine_chunks().is_null().to_pylist() == [False, True, False]
    one = data[0].tolist()
    assert storage(found["x"]).to_pylist() == [one, None, one]


@settings(max_examples=60)
@given(
    dtype=st.sampled_from(NUMBERS[1:]),
    shape=st.lists(st.integers(0, 3), max_size=4).map(tuple),
    n_rows=st.integers(0, 4),
    seed=st.integers(0, 99),
)
def test_any_bits_of_numbers_survive(dtype: str, shape: tuple[int, ...], n_rows: int, seed: int) -> None:
    size = n_rows * int(np.prod(shape)) * np.dtype(dtype).itemsize
    values = np.random.default_rng(seed).integers(0, 256, size, np.uint8).view(dtype).reshape(n_rows, *shape)
    table = table_of(x=(number(dtype), shape))
    leaf = storage(to_arrow_table({"x": values}, table, table_features(table))["x"])
    while hasattr(leaf, "flatten") and not pa.types.is_primitive(leaf.type):
        leaf = leaf.flatten()
    assert leaf.to_numpy(zero_copy_only=False).tobytes() == values.tobytes()


def test_a_slice_of_a_larger_array_is_taken_as_it_is() -> None:
    whole = np.arange(40, dtype="i4").reshape(10, 4)
    table = table_of(x=(number("i4"), (4,)), y=(number("i4"), ()))
    batch = {"x": whole[2:9:3], "y": whole[2:9:3, 1]}
    found = to_arrow_table(batch, table, table_features(table))
    assert found.to_pydict() == {"x": whole[2:9:3].tolist(), "y": whole[2:9:3, 1].tolist()}


def test_columns_come_in_the_order_of_the_features() -> None:
    table = table_of(b=(number("i4"), ()), a=(number("i4"), ()))
    features = datasets.Features({"a": Value("int32"), "b": Value("int32")})
    found = to_arrow_table({"b": np.array([1], "i4"), "a": np.array([2], "i4")}, table, features)
    assert found.to_pydict() == {"a": [2], "b": [1]}
    assert found.column_names == ["a", "b"]


def test_features_of_the_user_are_taken_as_objects() -> None:
    table = table_of(x=(Binary(), ()))
    given_feature = datasets.Image(mode="RGB", decode=False)
    assert column_features(table.columns, {"x": given_feature})["x"] is given_feature


def test_a_cast_that_does_not_hold_the_values_names_the_column() -> None:
    column = Column(
        name="x",
        path="/x",
        take="rows",
        element=number("i8"),
        row_shape=(),
        feature={"dtype": "int8", "_type": "Value"},
    )
    assert to_column(np.array([1, 2]), column, Value("int8")).to_pylist() == [1, 2]
    with pytest.raises(DataError, match=r"'x'.*int8"):
        to_column(np.array([1, 300]), column, Value("int8"))


def smaller_floats(dtype: str, wanted: str, values: Any) -> pa.Array:
    column = table_of(x=(number(dtype), np.shape(values)[1:])).columns["x"]
    feature = Value(wanted) if not column.row_shape else datasets.Array2D(column.row_shape, wanted)
    spec = {"shape": column.row_shape, "dtype": wanted, "_type": "Array2D"} if column.row_shape else None
    asked = replace(column, feature=spec or {"dtype": wanted, "_type": "Value"})
    return to_column(np.array(values, dtype), asked, feature)


@pytest.mark.parametrize(
    ("dtype", "wanted", "values"),
    [
        ("f8", "float32", [1.0, 1e300]),
        ("f8", "float16", [1.0, -1e6]),
        ("i8", "float16", [1, 70000]),
        ("f8", "float32", [[[1.0, 2.0], [1e39, 0.0]]]),
    ],
)
def test_a_number_that_a_smaller_float_cannot_hold_is_an_error(dtype: str, wanted: str, values: Any) -> None:
    with pytest.raises(DataError, match=f"'x'.*too large for {wanted}"):
        smaller_floats(dtype, wanted, values)


def test_infinities_and_nans_of_the_file_stay_so_in_smaller_floats() -> None:
    assert smaller_floats("f8", "float32", [np.inf, -np.inf, 1.5]).to_pylist() == [np.inf, -np.inf, 1.5]
    assert np.isnan(smaller_floats("f8", "float32", [np.nan]).to_pylist()).all()
