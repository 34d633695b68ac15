"""Repeated groups."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from tests.conformance.case import ANY_LENGTH, Either, Zoo, array, label, list_of, table, value

__all__ = ["zoo"]

zoo = Zoo()
ID = {"episode_id": value("string")}
INDEX = Either(value("int64"), value("int32"))
STEP_FEATURES = {**ID, "episode_index": INDEX, "step_index": INDEX}
STEPS = {"layout": "steps"}


def floats(start: int, *shape: int) -> np.ndarray:
    return np.arange(start, start + np.prod(shape), dtype="f4").reshape(shape)


def fill_demo(group: h5py.Group, start: int, n: int) -> None:
    group["actions"] = floats(start, n, 2)
    group["obs/state"] = floats(100 + start, n + 1, 1)
    group["rewards"] = floats(200 + start, n)


def demo(name: str, start: int, n: int) -> dict[str, object]:
    """Return the row that ``fill_demo`` writes."""
    return {
        "episode_id": name,
        "actions": floats(start, n, 2).tolist(),
        "obs/state": floats(100 + start, n + 1, 1).tolist(),
        "rewards": floats(200 + start, n).tolist(),
    }


DEMO_FEATURES = {
    **ID,
    "actions": array("float32", None, 2),
    "obs/state": array("float32", None, 1),
    "rewards": list_of(value("float32")),
}
DEMOS = {"demo_10": (0, 2), "demo_2": (20, 3), "demo_1": (40, 1)}


@zoo.file(
    "ragged episodes",
    features=DEMO_FEATURES,
    rows=[demo("demo_1", 40, 1), demo("demo_2", 20, 3), demo("demo_10", 0, 2)],
)
def episodes_in_natural_order(file: h5py.File) -> None:
    for name, (start, n) in DEMOS.items():
        fill_demo(file.create_group(f"data/{name}"), start, n)


zoo.file(
    "ragged episodes",
    name="episodes_by_layout",
    options={"layout": "episodes"},
    features=DEMO_FEATURES,
    rows=[demo("demo_1", 40, 1), demo("demo_2", 20, 3), demo("demo_10", 0, 2)],
)(episodes_in_natural_order)
zoo.file(
    "columns=",
    name="episodes_with_columns",
    options={"columns": ["episode_id", "obs/*"]},
    features={**ID, "obs/state": array("float32", None, 1)},
    rows=[
        {key: row[key] for key in ("episode_id", "obs/state")}
        for row in (demo("demo_1", 40, 1), demo("demo_2", 20, 3), demo("demo_10", 0, 2))
    ],
)(episodes_in_natural_order)


def steps(name: str, index: int, start: int, n: int) -> list[dict[str, object]]:
    """Return the rows of ``layout="steps"`` of what ``fill_demo`` writes: actions and rewards hold the most bytes."""
    return [
        {
            "episode_id": name,
            "episode_index": index,
            "step_index": step,
            "actions": floats(start, n, 2)[step].tolist(),
            "rewards": 200.0 + start + step,
        }
        for step in range(n)
    ]


zoo.file(
    "steps",
    name="steps_in_natural_order",
    options=STEPS,
    features={**STEP_FEATURES, "actions": list_of(value("float32"), 2), "rewards": value("float32")},
    rows=steps("demo_1", 0, 40, 1) + steps("demo_2", 1, 20, 3) + steps("demo_10", 2, 0, 2),
    warns=["obs/state"],
)(episodes_in_natural_order)


@zoo.file(
    "episodes",
    features={**ID, "x": list_of(value("int64"))},
    rows=table({"episode_id": ["0", "1", "2", "10"], "x": [[1, 2], [3], [4, 5, 6], [7]]}),
)
def episodes_named_by_numbers(file: h5py.File) -> None:
    file["0/x"], file["1/x"], file["10/x"], file["2/x"] = [1, 2], [3], [7], [4, 5, 6]


@zoo.file(
    "episodes",
    features={**ID, "x": list_of(value("int64")), "y": list_of(value("float64"))},
    rows=table({"episode_id": ["user_7", "user_12"], "x": [[1, 2], [3]], "y": [[0.5, 1.5], [2.5]]}),
)
def episodes_two_numbered(file: h5py.File) -> None:
    for name, x, y in (("user_12", [3], [2.5]), ("user_7", [1, 2], [0.5, 1.5])):
        file[f"{name}/x"], file[f"{name}/y"] = x, y


@zoo.file(
    "episodes",
    features={**ID, "x": list_of(value("int64"))},
    rows=table({"episode_id": ["episode_1", "episode_2"], "x": [[1, 2], [3, 4]]}),
)
def episodes_of_one_length(file: h5py.File) -> None:
    """Numbered groups of one length that no dataset outside them shares."""
    file["episode_1/x"], file["episode_2/x"] = [1, 2], [3, 4]


@zoo.file(
    "episodes",
    features={**ID, "x": list_of(value("int64"))},
    rows=table({"episode_id": ["alice", "bob", "carol"], "x": [[1, 2], [3], [4, 5, 6]]}),
)
def episodes_three_unnumbered(file: h5py.File) -> None:
    file["carol/x"], file["alice/x"], file["bob/x"] = [4, 5, 6], [1, 2], [3]


@zoo.file(
    "other lengths",
    features={"bob/x": value("int64")},
    rows=table({"bob/x": [3, 4, 5]}),
    other_tables=[table({"alice/x": [1, 2]})],
    warns=["alice"],
)
def episodes_two_unnumbered_are_none(file: h5py.File) -> None:
    """Two unnumbered groups are too few for a repetition: rule 5."""
    file["alice/x"], file["bob/x"] = [1, 2], [3, 4, 5]


@zoo.file(
    "ragged episodes",
    features={
        **ID,
        "img": array("uint8", None, 2, 2, 1),
        "deep": list_of(value("int8"), -1, *[ANY_LENGTH] * 5),
        "five": array("int16", None, 1, 1, 1, 2),
    },
    rows=[
        {"episode_id": "ep0", "img": [[[[0], [1]], [[2], [3]]]], "deep": [[[[[[1, 2]]]]]], "five": [[[[[3, 4]]]]]},
        {
            "episode_id": "ep1",
            "img": [[[[4], [5]], [[6], [7]]], [[[8], [9]], [[10], [11]]]],
            "deep": [[[[[[5, 6]]]]], [[[[[7, 8]]]]]],
            "five": [],
        },
    ],
)
def episodes_of_every_rank(file: h5py.File) -> None:
    file["ep0/img"], file["ep1/img"] = (
        np.arange(4, dtype="u1").reshape(1, 2, 2, 1),
        np.arange(4, 12, dtype="u1").reshape(2, 2, 2, 1),
    )
    file["ep0/deep"] = np.array([1, 2], "i1").reshape(1, 1, 1, 1, 1, 2)
    file["ep1/deep"] = np.array([5, 6, 7, 8], "i1").reshape(2, 1, 1, 1, 1, 2)
    file["ep0/five"], file["ep1/five"] = np.array([3, 4], "i2").reshape(1, 1, 1, 1, 2), np.zeros((0, 1, 1, 1, 2), "i2")


@zoo.file(
    "ragged episodes",
    features={
        **ID,
        "s": list_of(value("string")),
        "c": list_of(Either(label("no", "yes"), value("int8"))),
        "b": list_of(value("bool")),
        "p/x": list_of(value("int32")),
        "z/real": list_of(value("float32")),
        "z/imag": list_of(value("float32")),
        "r": list_of(list_of(value("int64"))),
        "w": list_of(list_of(value("string"), 2)),
    },
    rows=[
        {
            "episode_id": "ep_0",
            "s": ["a", "bc"],
            "c": [1, 0],
            "b": [True, False],
            "p/x": [1, 2],
            "z/real": [1.0, 3.0],
            "z/imag": [2.0, 4.0],
            "r": [[1], [2, 3]],
            "w": [["a", "b"], ["c", "d"]],
        },
        {
            "episode_id": "ep_1",
            "s": ["d"],
            "c": [-1],
            "b": [True],
            "p/x": [3],
            "z/real": [5.0],
            "z/imag": [6.0],
            "r": [[]],
            "w": [["e", "f"]],
        },
    ],
)
def episodes_of_every_type(file: h5py.File) -> None:
    """Enums are lists of labels, or of integers as other arrays of them; their codes here are the labels."""
    answers = h5py.enum_dtype({"no": 0, "yes": 1}, "i1")
    for number, rows in enumerate((slice(0, 2), slice(2, 3))):
        group = file.create_group(f"ep_{number}")
        group["s"] = np.array([b"a", b"bc", b"d"])[rows]
        group.create_dataset("c", data=np.array([1, 0, -1], "i1")[rows], dtype=answers)
        group["b"] = np.array([True, False, True])[rows]
        group["p"] = np.array([(1,), (2,), (3,)], [("x", "i4")])[rows]
        group["z"] = np.array([1 + 2j, 3 + 4j, 5 + 6j], "c8")[rows]
        group["w"] = np.array([[b"a", b"b"], [b"c", b"d"], [b"e", b"f"]])[rows]
        lists = [[1], [2, 3], []][rows]
        ragged = group.create_dataset("r", (len(lists),), h5py.vlen_dtype("i8"))
        for row, items in enumerate(lists):
            ragged[row] = items


@zoo.file(
    "episode scalars",
    features={
        **ID,
        "x": list_of(value("int64")),
        "success": value("bool"),
        "score": value("float32"),
        "num_samples": value("int64"),
        "task": value("string"),
    },
    rows=table(
        {
            "episode_id": ["demo_0", "demo_1"],
            "x": [[1, 2], [3]],
            "success": [True, False],
            "score": [0.5, 1.5],
            "num_samples": [2, 1],
            "task": ["lift", "stack"],
        }
    ),
    attrs={"env": "sim"},
)
def episodes_with_scalars_and_attributes(file: h5py.File) -> None:
    file.attrs["env"] = "sim"
    for name, x, success, score, task in (("demo_0", [1, 2], True, 0.5, "lift"), ("demo_1", [3], False, 1.5, "stack")):
        group = file.create_group(name)
        group["x"], group["success"], group["score"] = x, success, np.float32(score)
        group.attrs["num_samples"], group.attrs["task"] = len(x), task


zoo.file(
    "steps",
    name="steps_with_scalars_and_attributes",
    options=STEPS,
    features={**STEP_FEATURES, "x": value("int64")},
    rows=table(
        {
            "episode_id": ["demo_0", "demo_0", "demo_1"],
            "episode_index": [0, 0, 1],
            "step_index": [0, 1, 0],
            "x": [1, 2, 3],
        }
    ),
    warns=["success", "score"],
)(episodes_with_scalars_and_attributes)


@zoo.file(
    "ragged episodes",
    features={**ID, "x": array("float32", None, 2), "n": list_of(value("int64"))},
    rows=[
        {"episode_id": "demo_0", "x": [], "n": []},
        {"episode_id": "demo_1", "x": [[0.0, 1.0]], "n": [5]},
    ],
)
def episodes_one_without_steps(file: h5py.File) -> None:
    file["demo_0/x"], file["demo_0/n"] = np.zeros((0, 2), "f4"), np.zeros(0, "i8")
    file["demo_1/x"], file["demo_1/n"] = floats(0, 1, 2), [5]


zoo.file(
    "steps",
    name="steps_one_episode_without_steps",
    options=STEPS,
    features={**STEP_FEATURES, "x": list_of(value("float32"), 2), "n": value("int64")},
    rows=[{"episode_id": "demo_1", "episode_index": 1, "step_index": 0, "x": [0.0, 1.0], "n": 5}],
)(episodes_one_without_steps)


@zoo.file(
    "metadata",
    features={**ID, "x": list_of(value("int64"))},
    rows=table({"episode_id": ["demo_0", "demo_1"], "x": [[1, 2, 3, 4], [5, 6]]}),
    metadata=["fps"],
    metadata_values={"fps": 30},
    warns=["joint_names"],
)
def episodes_with_sidecars(file: h5py.File) -> None:
    file["data/demo_0/x"], file["data/demo_1/x"] = [1, 2, 3, 4], [5, 6]
    file["fps"], file["joint_names"] = 30, np.array([b"a", b"b", b"c"])


@zoo.file(
    "episodes",
    features={**ID, "actions": list_of(value("float32"))},
    rows=table({"episode_id": ["demo_0", "demo_1", "demo_2"], "actions": [[0.0, 1.0], [2.0], [3.0, 4.0, 5.0]]}),
    warns=["mask"],
)
def episodes_with_masks_named_as_splits(file: h5py.File) -> None:
    """As robomimic stores them: lists of demo names called train and valid are no splits of the data."""
    for number, (start, n) in enumerate(((0, 2), (2, 1), (3, 3))):
        file[f"data/demo_{number}/actions"] = floats(start, n)
    file["mask/train"], file["mask/valid"] = np.array([b"demo_0", b"demo_2"]), np.array([b"demo_1"])


@zoo.folder(
    "episodes",
    features={**ID, "x": list_of(value("int64"))},
    rows=table({"episode_id": ["ep_0", "ep_1", "ep_0", "ep_1"], "x": [[1], [2, 3], [4, 5], []]}),
)
def episodes_of_two_files(folder: Path) -> list[Path]:
    files = [folder / "a.h5", folder / "b.h5"]
    for target, rows in ((files[0], ([1], [2, 3])), (files[1], ([4, 5], []))):
        with h5py.File(target, "w") as file:
            for number, x in enumerate(rows):
                file[f"ep_{number}/x"] = np.array(x, "i8")
    return files
