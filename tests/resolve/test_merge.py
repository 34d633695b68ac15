"""Rule 7: the tables of several files as one, rows after rows or columns beside columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hf_h5.describe.elements import Label, Number, Ragged, Text
from hf_h5.describe.schema import Column, Part, Table
from hf_h5.describe.unify import CannotUnifyError, unify_elements, unify_shapes
from hf_h5.errors import MismatchError
from hf_h5.resolve.merge import join_columns, join_rows, one_sample_table


def column(name: str, dtype: Any = "f4", shape: tuple[Any, ...] = (), **facts: Any) -> Column:
    element = dtype if not isinstance(dtype, str) else Number(np.dtype(dtype))
    return Column(name=name, path=f"/{name}", take=facts.pop("take", "rows"), element=element, row_shape=shape, **facts)


def table(file: str, n_rows: int, *columns: Column) -> Table:
    named = {each.name: each for each in columns}
    return Table("/", named, (Part(file, "", n_rows, named),), "datasets of one length")


def test_rows_follow_in_the_order_of_the_files_and_columns_go_by_name() -> None:
    joined = join_rows([table("a.h5", 3, column("x"), column("y")), table("b.h5", 4, column("y"), column("x"))])
    assert (joined.num_rows, list(joined.columns), joined.files) == (7, ["x", "y"], ("a.h5", "b.h5"))
    assert joined.starts.tolist() == [0, 3, 7]
    assert list(joined.parts[1].columns) == ["x", "y"]


def test_one_table_stays_as_it_is() -> None:
    only = table("a.h5", 3, column("x"))
    assert join_rows([only]) is only


@pytest.mark.parametrize(("one", "other", "both"), [("f4", "f8", "f8"), ("f2", "f4", "f4"), ("i4", "i4", "i4")])
def test_floats_widen(one: str, other: str, both: str) -> None:
    joined = join_rows([table("a.h5", 1, column("x", one)), table("b.h5", 1, column("x", other))])
    assert joined.columns["x"].dtype == np.dtype(both)
    assert joined.parts[0].columns["x"].dtype == np.dtype(one)


@pytest.mark.parametrize(
    ("one", "other", "facts"),
    [
        (column("x", "i4"), column("x", "i8"), ("int32", "int64")),
        (column("x", "i4"), column("x", "f4"), ("int32", "float32")),
        (column("x", "i4"), column("x", Text()), ("int32", "string")),
        (column("x", "f4", (3,)), column("x", "f4", (4,)), ("length=3", "length=4")),
        (column("x", "f4", (3, 3)), column("x", "f4"), ("Array2D", "Value")),
    ],
)
def test_what_differs_is_said_with_both_files_and_both_facts(
    one: Column, other: Column, facts: tuple[str, str]
) -> None:
    with pytest.raises(MismatchError) as caught:
        join_rows([table("a.h5", 1, one), table("b.h5", 1, other)])
    for words in ("'x'", "a.h5", "b.h5", *facts):
        assert words in str(caught.value)
    assert caught.value.hint


def test_missing_and_extra_columns_are_said_with_both_files() -> None:
    with pytest.raises(MismatchError) as caught:
        join_rows([table("a.h5", 1, column("x"), column("y")), table("b.h5", 1, column("x"), column("z"))])
    assert "b.h5 lacks 'y', which a.h5 has" in str(caught.value)
    assert "b.h5 has 'z', which a.h5 lacks" in str(caught.value)


def test_names_of_labels_are_put_together_in_order_of_appearance() -> None:
    cats, dogs = Label(("cat", "owl"), (0, 1)), Label(("dog", "cat"), (0, 7))
    joined = join_rows([table("a.h5", 1, column("y", cats)), table("b.h5", 1, column("y", dogs))])
    assert joined.columns["y"].element == Label(("cat", "owl", "dog"), (0, 1, 2))
    assert joined.parts[1].columns["y"].element == dogs


def test_strings_of_any_length_and_padding_are_one_column() -> None:
    tables = [table("a.h5", 1, column("x", Text("null_padded"))), table("b.h5", 1, column("x", Text(None)))]
    assert isinstance(join_rows(tables).columns["x"].element, Text)


def test_columns_side_by_side_know_their_files() -> None:
    joined = join_columns([table("x.h5", 5, column("x")), table("y.h5", 5, column("y"))])
    assert (joined.num_rows, list(joined.columns), len(joined.parts)) == (5, ["x", "y"], 1)
    part = joined.parts[0]
    assert [part.file_of(part.columns[name]) for name in ("x", "y")] == ["x.h5", "y.h5"]


def test_sides_may_be_several_files_each() -> None:
    sides = [("x0.h5", 5, "x"), ("x1.h5", 3, "x"), ("y0.h5", 5, "y"), ("y1.h5", 3, "y")]
    joined = join_columns([table(file, n_rows, column(name)) for file, n_rows, name in sides])
    assert [part.n_rows for part in joined.parts] == [5, 3]
    assert [part.file_of(part.columns["y"]) for part in joined.parts] == ["y0.h5", "y1.h5"]


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ([table("x.h5", 5, column("x")), table("y.h5", 4, column("y"))], ("5 rows", "4", "x.h5", "y.h5")),
        ([table("x.h5", 5, column("x"), column("id")), table("y.h5", 5, column("id"))], ("'id'", "x.h5", "y.h5")),
        (
            [
                table("a.h5", 5, column("x")),
                table("b.h5", 3, column("x")),
                table("c.h5", 3, column("y")),
                table("d.h5", 5, column("y")),
            ],
            ("a.h5", "c.h5", "same order"),
        ),
    ],
)
def test_sides_that_do_not_fit_are_said_with_both_files(tables: list[Table], words: tuple[str, ...]) -> None:
    with pytest.raises(MismatchError) as caught:
        join_columns(tables)
    for word in words:
        assert word in str(caught.value)


def test_one_sample_per_file_is_a_row_with_the_name_of_its_file() -> None:
    tables = [table(f"data/{name}.h5", 1, column("image", "u1", (8, 8))) for name in "ab"]
    joined = one_sample_table(tables)
    assert list(joined.columns) == ["file_name", "image"]
    assert joined.columns["image"].row_shape == (8, 8)
    assert [part.constants["file_name"] for part in joined.parts] == ["a.h5", "b.h5"]


def test_samples_of_different_shapes_are_ragged() -> None:
    whole = [column("x", "f4", (size, 3), take="whole") for size in (4, 5)]
    joined = one_sample_table([table("a.h5", 1, whole[0]), table("b.h5", 1, whole[1])])
    assert joined.columns["x"].row_shape == (None, 3)


def test_lists_are_alike_where_their_items_are() -> None:
    short, long = Ragged(Number(np.dtype("f4"))), Ragged(Number(np.dtype("f8")))
    assert unify_elements(short, long, widen="f") == long
    with pytest.raises(CannotUnifyError):
        unify_elements(short, Ragged(Text()), widen="f")


def test_shapes_agree_size_by_size() -> None:
    assert unify_shapes((3, 4), (5, 4)) == (None, 4)
    with pytest.raises(CannotUnifyError, match="dimensions"):
        unify_shapes((3,), (3, 1))
