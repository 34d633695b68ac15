"""Columns, class names and features that the user asks for."""

from __future__ import annotations

from typing import Any

import datasets
import numpy as np
import pytest

from hf_h5.describe.elements import Binary, Label, Number, Ragged, Text
from hf_h5.describe.options import make_options
from hf_h5.describe.schema import Column, Part, Table
from hf_h5.errors import ColumnError, OptionError
from hf_h5.resolve.apply import choose_columns, map_columns, match_columns, with_class_labels, with_features

NAMES = ["obs/img", "obs/state", "obs2/x", "act", "y", "a*b"]


def column(name: str, element: Any, shape: tuple[Any, ...] = ()) -> Column:
    return Column(name=name, path=f"/{name}", take="rows", element=element, row_shape=shape)


def number(dtype: str) -> Number:
    return Number(np.dtype(dtype))


def table_of(*columns: Column) -> Table:
    named = {each.name: each for each in columns}
    return Table("/", named, (Part("a.h5", "", 4, named),), "")


def featured(element: Any, feature: Any, shape: tuple[Any, ...] = ()) -> Column:
    specs = make_options(features=datasets.Features({"x": feature})).feature_specs or {}
    return with_features(table_of(column("x", element, shape)), specs, file="a.h5").columns["x"]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["y", "act"], ["y", "act"]),
        (["/y", "y"], ["y"]),
        (["obs/*"], ["obs/img", "obs/state"]),
        (["obs"], ["obs/img", "obs/state"]),
        (["obs/"], ["obs/img", "obs/state"]),
        (["*"], NAMES),
        (["?ct"], ["act"]),
        (["a*b"], ["a*b"]),
        (["y", "*"], ["y", *[name for name in NAMES if name != "y"]]),
    ],
)
def test_patterns_choose_names_globs_and_groups(patterns: list[str], expected: list[str]) -> None:
    assert match_columns(patterns, NAMES) == expected


@pytest.mark.parametrize("pattern", ["OBS", "ob", "obs/imgs", "", "/", "y/z"])
def test_a_pattern_that_chooses_nothing_is_an_error(pattern: str) -> None:
    with pytest.raises(ColumnError, match="no column") as caught:
        match_columns([pattern], NAMES, file="a.h5")
    assert caught.value.file == "a.h5"


def test_columns_are_chosen_in_the_given_order_and_without_a_choice_all() -> None:
    table = table_of(*(column(name, number("f4")) for name in ("a", "b", "c")))
    assert list(choose_columns(table, ["c", "a"]).columns) == ["c", "a"]
    assert choose_columns(table, None) is table


def test_parts_that_share_their_columns_go_on_sharing_them() -> None:
    named = {"x": column("x", number("f4"))}
    table = Table("/", named, tuple(Part(f"{n}.h5", "", 1, named) for n in range(3)), "")
    changed = map_columns(table, lambda each: column(each.name, number("f8")))
    assert len({id(part.columns) for part in changed.parts}) == 1
    assert changed.parts[0].columns is changed.columns
    assert changed.columns["x"].dtype == np.float64


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
@pytest.mark.parametrize("dtype", ["i8", "u1", "f4", "?"])
def test_one_number_per_row_becomes_a_label(dtype: str, shape: tuple[int, ...]) -> None:
    labelled = with_class_labels(table_of(column("y", number(dtype), shape)), {"y": ["no", "yes"]}, file="a.h5")
    assert labelled.columns["y"].element == Label(("no", "yes"), (0, 1))
    assert labelled.columns["y"].row_shape == ()


def test_strings_become_labels_by_their_names() -> None:
    labelled = with_class_labels(table_of(column("y", Text())), {"y": ["no", "yes"]}, file="a.h5").columns["y"]
    assert labelled.feature == {"names": ["no", "yes"], "_type": "ClassLabel"}


def test_labels_of_several_columns_may_be_given_by_a_glob() -> None:
    table = table_of(column("a/y", number("i8")), column("b/y", number("i8")), column("x", number("f4")))
    labelled = with_class_labels(table, {"*/y": ["no", "yes"]}, file="a.h5")
    assert [isinstance(each.element, Label) for each in labelled.columns.values()] == [True, True, False]


@pytest.mark.parametrize("element", [number("M8[s]"), Binary(), Ragged(Text())])
def test_what_is_neither_number_nor_string_cannot_be_labelled(element: Any) -> None:
    with pytest.raises(OptionError, match="'y'"):
        with_class_labels(table_of(column("y", element)), {"y": ["no", "yes"]}, file="a.h5")


def test_a_class_name_that_is_there_twice_is_an_error() -> None:
    with pytest.raises(OptionError, match="twice"):
        with_class_labels(table_of(column("y", number("i8"))), {"y": ["a", "b", "a"]}, file="a.h5")


@pytest.mark.parametrize(
    ("element", "shape", "feature", "expected"),
    [
        (number("i4"), (), datasets.Value("int32"), number("i4")),
        (number("i4"), (), datasets.Value("int64"), number("i8")),
        (number("f4"), (), datasets.Value("double"), number("f8")),
        (number("u1"), (2, 3), datasets.Array2D((2, 3), "uint16"), number("u2")),
        (Text(), (), datasets.Value("binary"), Binary()),
        (Binary(), (), datasets.Value("string"), Text("null_padded")),
        (number("i8"), (), datasets.ClassLabel(names=["a", "b"]), Label(("a", "b"), (0, 1))),
        (Ragged(number("u1")), (), datasets.Value("binary"), Binary()),
    ],
)
def test_what_the_reader_can_make_itself_it_makes(
    element: Any, shape: tuple[int, ...], feature: Any, expected: Any
) -> None:
    found = featured(element, feature, shape)
    assert (found.element, found.feature) == (expected, None)


@pytest.mark.parametrize(
    ("element", "feature"),
    [
        (number("i8"), datasets.Value("int8")),
        (number("f8"), datasets.Value("float32")),
        (number("i4"), datasets.Value("float32")),
        (number("i4"), datasets.Value("string")),
    ],
)
def test_what_may_lose_values_is_left_to_a_checked_cast(element: Any, feature: Any) -> None:
    found = featured(element, feature)
    assert found.element == element
    assert found.feature is not None


@pytest.mark.parametrize(
    "feature",
    [
        datasets.Array3D((4, 2, 3), "uint8"),
        datasets.Array3D((2, 3, 5), "uint8"),
        datasets.Array2D((6, 4), "uint8"),
        datasets.Sequence(datasets.Value("uint8"), length=24),
        datasets.Sequence(datasets.Array2D((4, 3), "uint8"), length=2),
    ],
)
def test_rows_are_never_cut_into_another_shape(feature: Any) -> None:
    with pytest.raises(OptionError, match="shape") as caught:
        featured(number("u1"), feature, (2, 3, 4))
    assert (caught.value.file, caught.value.path) == ("a.h5", "/x")
    assert "(2, 3, 4)" in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "feature"),
    [
        ((2, 3, 4), datasets.Array3D((2, 3, 4), "uint16")),
        ((2, 3, 4), datasets.Array3D((None, 3, 4), "uint16")),
        ((None, 3, 4), datasets.Array3D((2, 3, 4), "uint16")),
        ((2, 3), datasets.Sequence(datasets.Sequence(datasets.Value("uint16")))),
        ((2, 3), datasets.Sequence(datasets.Sequence(datasets.Value("uint16"), length=3), length=2)),
        ((2, 3), datasets.Image()),
        ((1, 1), datasets.ClassLabel(names=["a", "b"])),
    ],
)
def test_the_same_shape_or_any_length_may_be_asked_for(shape: tuple[int, ...], feature: Any) -> None:
    assert featured(number("u1"), feature, shape).path == "/x"


@pytest.mark.parametrize("element", [Ragged(number("u1")), Text(), Binary()])
def test_pictures_are_made_of_bytes(element: Any) -> None:
    found = featured(element, datasets.Image())
    assert found.element == Binary()
    assert (found.feature or {})["_type"] == "Image"


def test_features_select_and_order_the_columns_in_every_split() -> None:
    inner = table_of(column("a", number("f4")), column("b", number("i4")), column("c", Text()))
    table = Table("/", inner.columns, inner.parts, "", splits={"train": inner})
    specs = make_options(features=datasets.Features({"c": datasets.Value("string"), "a": datasets.Value("float64")}))
    chosen = with_features(table, specs.feature_specs or {}, file="a.h5")
    assert list(chosen.columns) == ["c", "a"]
    assert list(chosen.splits["train"].columns) == ["c", "a"]
    assert chosen.splits["train"].parts[0].columns["a"].dtype == np.float64


def test_a_feature_of_no_column_is_an_error() -> None:
    with pytest.raises(ColumnError, match="did you mean 'x'"):
        with_features(table_of(column("x", Text())), {"xx": {"dtype": "string", "_type": "Value"}}, file="a.h5")
