"""The rules in their order: which datasets are the rows of which table."""

from __future__ import annotations

from typing import Any

import pytest

from hf_h5.describe.layout import Layout, find_tables
from tests.describe.trees import tree_of


def layout_of(shapes: dict[str, Any], layout: str = "auto", *, splits: bool = True) -> Layout:
    return find_tables(tree_of(shapes), layout=layout, splits=splits)


def tables(shapes: dict[str, Any], layout: str = "auto", *, splits: bool = True) -> dict[str, tuple[int, list[str]]]:
    """Return name, rows and columns of each table, the largest first."""
    found = layout_of(shapes, layout, splits=splits).tables
    return {table.name: (table.num_rows, list(table.columns)) for table in found}


def test_datasets_of_one_length_anywhere_are_one_table() -> None:
    assert tables({"x": (10, 3), "g/y": (10,), "g/h/z": (10, 2, 2)}) == {"/": (10, ["x", "g/y", "g/h/z"])}


def test_a_table_is_named_by_the_group_that_holds_it() -> None:
    assert tables({"g/x": (10,), "g/y": (10,)}) == {"/g": (10, ["g/x", "g/y"])}


def test_the_family_with_the_most_bytes_comes_first() -> None:
    shapes = {"few": (3, 1000), "many": (1000,), "names": (7,)}
    assert list(tables(shapes).values()) == [(3, ["few"]), (1000, ["many"]), (7, ["names"])]


def test_tables_in_one_group_have_names_of_their_own() -> None:
    assert list(tables({"x": (10, 10), "y": (4,), "z": (3,)})) == ["/", "/y", "/z"]


def test_scalars_and_one_row_beside_a_table_are_metadata() -> None:
    found = layout_of({"x": (10,), "version": (), "mean": (1, 3), "nothing": None})
    assert [table.num_rows for table in found.tables] == [10]
    assert sorted(node.path for node in found.metadata) == ["/mean", "/nothing", "/version"]


def test_one_row_alone_is_a_table_and_so_are_scalars_alone() -> None:
    assert tables({"x": (1, 3), "y": (1,)}) == {"/": (1, ["x", "y"])}
    assert [rows for rows, _ in tables({"lr": (), "steps": ()}).values()] == [1]


def test_zero_rows_are_a_table() -> None:
    assert tables({"x": (0, 3)}) == {"/": (0, ["x"])}


def test_nothing_is_no_table() -> None:
    assert tables({}) == {}
    assert tables({"x": None}) == {}


def test_splits_come_before_families() -> None:
    found = layout_of({"train_x": (7, 2), "test_x": (3, 2), "classes": (2,)})
    first = found.tables[0]
    assert {split: table.num_rows for split, table in first.splits.items()} == {"train": 7, "test": 3}
    assert list(first.columns) == ["x"]
    assert [(table.num_rows, list(table.columns)) for table in found.tables[1:]] == [(2, ["classes"])]


@pytest.mark.parametrize(("layout", "splits"), [("auto", False), ("raw", True)])
def test_splits_may_be_left_alone(layout: str, splits: bool) -> None:
    shapes = {"train_x": (7, 2), "test_x": (3, 2)}
    assert list(tables(shapes, layout, splits=splits).values()) == [(7, ["train_x"]), (3, ["test_x"])]


def test_splits_whose_columns_disagree_are_tables() -> None:
    found = layout_of({"train/x": (7, 2), "test/y": (3, 2)})
    assert not any(table.splits for table in found.tables)
    assert [table.num_rows for table in found.tables] == [7, 3]


def test_episode_lists_called_train_and_valid_are_no_splits_of_the_rows() -> None:
    shapes = {f"data/demo_{number}/obs": (20 + number, 9) for number in range(3)}
    found = layout_of({**shapes, "mask/train": (2,), "mask/valid": (1,)})
    assert found.tables[0].rule.startswith("repeated groups")
    assert not found.tables[0].splits


def test_repeated_groups_are_episodes_steps_or_what_lies_there() -> None:
    shapes = {"e0/x": (3, 2), "e1/x": (5, 2)}
    assert tables(shapes) == {"/": (2, ["episode_id", "x"])}
    assert tables(shapes, "steps") == {"/": (8, ["episode_id", "episode_index", "step_index", "x"])}
    assert [rows for rows, _ in tables(shapes, "table").values()] == [5, 3]
    assert [rows for rows, _ in tables(shapes, "raw").values()] == [5, 3]


def test_without_repetition_episodes_are_one_row_of_the_whole_file() -> None:
    found = layout_of({"x": (10, 3), "y": (9,)}, "episodes").tables
    assert [(table.num_rows, table.columns["x"].row_shape) for table in found] == [(1, (None, 3))]


def test_a_sample_takes_single_rows_off_and_scalars_along() -> None:
    found = layout_of({"image": (1, 8, 8), "label": ()}, "sample").tables[0]
    shapes = {name: column.row_shape for name, column in found.columns.items() if column.path}
    assert (found.num_rows, shapes) == (1, {"image": (8, 8), "label": ()})


def test_a_dataset_and_a_field_of_one_name_are_two_columns() -> None:
    shapes = {"a": ((5,), [("b", "f4")]), "a/b": (5,)}
    tree_shapes = {"g": shapes["a"], "g2": (5,)}
    assert tables(tree_shapes) == {"/": (5, ["g/b", "g2"])}


@pytest.mark.parametrize(
    ("dtype", "columns"),
    [
        ([("x", "f4"), ("y", "i4", (2,))], ["hits/x", "hits/y"]),
        ([("p", [("q", "f4")]), ("r", "S3")], ["hits/p/q", "hits/r"]),
        ("c8", ["hits/real", "hits/imag"]),
    ],
)
def test_fields_and_halves_are_columns(dtype: Any, columns: list[str]) -> None:
    assert tables({"hits": ((5,), dtype)}) == {"/": (5, columns)}
