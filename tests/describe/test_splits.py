"""Rule 1: which names of groups and datasets mean splits."""

from __future__ import annotations

import pytest

from hf_h5.describe.splits import find_splits, split_name
from tests.describe.trees import group_of


def found(shapes: dict[str, object]) -> dict[str, list[str]] | None:
    """Return the first splits that are found, each with the names inside."""
    for each in find_splits(group_of(shapes)):
        return {split: sorted(node.path for node in group.walk()) for split, group in each.groups.items()}
    return None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train_X", ("train", "X")),
        ("X_train", ("train", "X")),
        ("TRAINING-labels", ("train", "labels")),
        ("trn.y", ("train", "y")),
        ("y valid", ("validation", "y")),
        ("dev", ("validation", "")),
        ("tst_a_b", ("test", "a_b")),
        ("images", None),
        ("trainX", None),
        ("testimony", None),
        ("latest_X", None),
        ("retrain", None),
    ],
)
def test_a_name_speaks_of_a_split_by_a_whole_word_at_its_end(name: str, expected: object) -> None:
    assert split_name(name) == expected


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "TEST"), ("trn", "tst")])
def test_groups_named_so_are_splits(names: tuple[str, str]) -> None:
    one, other = names
    assert found({f"{one}/x": (7,), f"{other}/x": (3,)}) == {"train": [f"/{one}/x"], "test": [f"/{other}/x"]}


def test_splits_come_in_the_usual_order() -> None:
    splits = found({"test/x": (3,), "dev/x": (2,), "train/x": (7,)})
    assert list(splits or {}) == ["train", "validation", "test"]


def test_one_group_named_so_beside_other_rows_is_no_split() -> None:
    assert found({"train/x": (7,), "other/x": (3,)}) is None


def test_one_group_alone_is_a_split() -> None:
    assert list(found({"train/x": (7,), "version": ()}) or {}) == ["train"]


def test_two_groups_of_one_split_are_none() -> None:
    assert found({"train/x": (7,), "training/x": (7,), "test/x": (3,)}) is None


def test_affixes_that_two_splits_share_are_splits() -> None:
    shapes = {"train_X": (7, 2), "train_y": (7,), "test_X": (3, 2), "test_y": (3,), "list_classes": (2,)}
    assert found(shapes) == {"train": ["/train_X", "/train_y"], "test": ["/test_X", "/test_y"]}


def test_one_split_is_enough_where_every_dataset_has_its_name() -> None:
    assert list(found({"train_set_x": (7, 2), "train_set_y": (7,)}) or {}) == ["train"]
    assert found({"train_set_x": (7, 2), "train_set_y": (7,), "classes": (2,)}) is None


def test_datasets_named_exactly_so_are_splits_with_the_column_data() -> None:
    groups = next(find_splits(group_of({"train": (7, 2), "val": (3, 2)}))).groups
    assert {split: list(group.datasets) for split, group in groups.items()} == {
        "train": ["data"],
        "validation": ["data"],
    }


def test_a_dataset_as_long_as_one_of_them_joins_it() -> None:
    groups = next(find_splits(group_of({"train": (7, 2), "test": (3, 2), "y": (7,), "both": (5,)}))).groups
    assert {split: sorted(group.datasets) for split, group in groups.items()} == {
        "train": ["data", "y"],
        "test": ["data"],
    }


def test_datasets_named_so_of_different_row_shapes_are_no_splits() -> None:
    assert found({"train": (7, 2), "test": (3, 4)}) is None


def test_splits_are_found_inside_groups() -> None:
    assert list(found({"mnist/train/x": (7,), "mnist/test/x": (3,)}) or {}) == ["train", "test"]
