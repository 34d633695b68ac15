"""Rules 3 and 4: which siblings repeat, and the tables that they make."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.describe.elements import Number, Text
from hf_h5.describe.repeated import episodes_table, find_repeated, natural_key, steps_table
from tests.describe.trees import group_of, tree_of


def names(shapes: dict[str, object]) -> list[list[str]]:
    return [[name for name, _, _ in each.members] for each in find_repeated(group_of(shapes))]


def test_natural_order_counts() -> None:
    given = ["demo_10", "demo_2", "a", "demo_1b", "10", "9"]
    assert sorted(given, key=natural_key) == ["9", "10", "a", "demo_1b", "demo_2", "demo_10"]


def test_numbered_groups_of_different_lengths_repeat() -> None:
    shapes = {f"data/demo_{number}/x": (number + 3, 2) for number in (0, 1, 10, 2)}
    assert names(shapes) == [["demo_0", "demo_1", "demo_2", "demo_10"]]


def test_two_numbered_groups_are_enough_and_two_others_are_not() -> None:
    assert names({"a0/x": (3,), "a1/x": (4,)}) == [["a0", "a1"]]
    assert names({"left/x": (3,), "right/x": (4,)}) == []


def test_three_other_groups_with_one_structure_repeat() -> None:
    shapes = {f"{name}/x": (length,) for name, length in (("ann", 3), ("bob", 4), ("cy", 5))}
    assert names(shapes) == [["ann", "bob", "cy"]]


def test_groups_of_one_length_that_are_not_numbered_are_columns() -> None:
    assert names({f"{side}/x": (9, 2) for side in ("left", "right", "top")}) == []


def test_numbered_groups_of_one_length_repeat_unless_a_dataset_outside_shares_it() -> None:
    shapes: dict[str, object] = {f"sensor_{number}/x": (9, 2) for number in range(3)}
    assert names(shapes) == [["sensor_0", "sensor_1", "sensor_2"]]
    assert names({**shapes, "timestamps": (9,)}) == []


def test_groups_of_different_structure_do_not_repeat() -> None:
    assert names({"a0/x": (3,), "a1/x": (4, 2)}) == []
    assert names({"a0/x": (3,), "a1/y": (4,), "a2/z": (4,)}) == []


def test_a_numbered_group_may_lack_some_of_the_datasets() -> None:
    shapes = {"e0/x": (3,), "e0/y": (3,), "e1/x": (4,), "e1/y": (4,), "e2/x": (5,)}
    assert names(shapes) == [["e0", "e1", "e2"]]


def test_one_incomplete_member_does_not_decide_for_all(tmp_path: Path) -> None:
    complete = [f"d{number}" for number in range(8)]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for episode in range(10):
            for name in complete if episode != 2 else complete[:1]:
                file[f"ep_{episode}/{name}"] = np.arange(3 + episode)
    with hf_h5.H5TorchView(tmp_path / "a.h5", layout="episodes") as view:
        row = view.with_format(None)[2]
        assert row == {"episode_id": "ep_2", "d0": [0, 1, 2, 3, 4], **dict.fromkeys(complete[1:])}
    with hf_h5.H5TorchView(tmp_path / "a.h5", layout="steps") as view:
        steps = view.with_format(None)
        # No step of the incomplete one is lost.
        assert steps["d0"][:] == [step for episode in range(10) for step in range(3 + episode)]
        assert steps[7] == {"episode_id": "ep_2", "episode_index": 2, "step_index": 0, "d0": 0} | dict.fromkeys(
            complete[1:]
        )
    steps = hf_h5.load_dataset(tmp_path / "a.h5", split="train", layout="steps")
    assert steps["d1"][5:14] == [2, 3, None, None, None, None, None, 0, 1]


def test_numbered_datasets_of_different_lengths_repeat() -> None:
    assert names({f"clip_{number}": (number + 5,) for number in range(3)}) == [["clip_0", "clip_1", "clip_2"]]


@pytest.mark.parametrize(("count", "repeats"), [(2, False), (3, False), (100, False), (101, True)])
def test_many_numbered_datasets_of_one_length_are_rows(count: int, repeats: bool) -> None:
    assert bool(names({f"img_{number:03}": (8, 8) for number in range(count)})) == repeats


def test_an_episode_is_a_row_of_whole_datasets_with_its_name_and_attributes() -> None:
    shapes = {"data/demo_0/x": (3, 2), "data/demo_0/done": (), "data/demo_1/x": (5, 2), "data/demo_1/done": ()}
    attrs = {"/data/demo_0": {"success": True, "n": 1}, "/data/demo_1": {"success": False, "n": 2.5}}
    tree = tree_of(shapes, attrs)
    table, notes = episodes_table(find_repeated(tree.root)[0], "a.h5", tree.read_attrs)

    assert (table.name, table.num_rows, notes) == ("/data", 2, [])
    assert [part.constants["episode_id"] for part in table.parts] == ["demo_0", "demo_1"]
    assert table.columns["x"].row_shape == (None, 2)
    assert table.columns["done"].row_shape == ()
    assert table.columns["episode_id"].element == Text()
    assert table.columns["success"].element == Number(np.dtype(bool))
    assert table.columns["n"].element == Number(np.dtype("f8"))
    assert [part.constants["success"] for part in table.parts] == [True, False]


def test_attributes_that_make_no_column_are_noted() -> None:
    tree = tree_of({"e0/x": (3,), "e1/x": (4,)}, {"/e0": {"mixed": "a"}, "/e1": {"mixed": 3}})
    table, notes = episodes_table(find_repeated(tree.root)[0], "a.h5", tree.read_attrs)
    assert "mixed" not in table.columns
    assert [note.path for note in notes] == ["/*@mixed"]


def test_an_attribute_named_like_a_dataset_gets_a_name_of_its_own() -> None:
    tree = tree_of({"e0/x": (3,), "e1/x": (4,)}, {"/e0": {"x": 1}, "/e1": {"x": 2}})
    table, _ = episodes_table(find_repeated(tree.root)[0], "a.h5", tree.read_attrs)
    assert table.columns["x"].take == "whole"
    assert table.columns["@x"].take == "constant"


def test_steps_are_the_rows_one_after_the_other_and_name_what_has_another_length() -> None:
    shapes = {"e0/x": (3, 2), "e0/last": (1,), "e1/x": (5, 2), "e1/last": (1,)}
    table, notes = steps_table(find_repeated(group_of(shapes))[0], "a.h5")
    assert [part.n_rows for part in table.parts] == [3, 5]
    assert list(table.columns) == ["episode_id", "episode_index", "step_index", "x"]
    assert table.columns["x"].row_shape == (2,)
    assert [note.path for note in notes] == ["/*/last"]
    assert [part.constants["episode_index"] for part in table.parts] == [0, 1]


def test_groups_that_share_little_are_not_episodes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t0_fields/density"] = np.zeros((4, 3))
        file["t1_fields/velocity"] = np.zeros((4, 3, 2))
    table = hf_h5.describe(tmp_path / "a.h5").table
    assert table is not None
    assert list(table.columns) == ["t0_fields/density", "t1_fields/velocity"]
    assert table.num_rows == 4
