"""Repeated datasets."""

from __future__ import annotations

import h5py
import numpy as np

from tests.conformance.case import Either, Zoo, array, list_of, table, value

__all__ = ["zoo"]

zoo = Zoo()
ID = {"episode_id": value("string")}


def floats(start: int, *shape: int) -> np.ndarray:
    return np.arange(start, start + np.prod(shape), dtype="f4").reshape(shape)


@zoo.file(
    "repeated datasets",
    features={**ID, "data": array("float32", None, 2)},
    rows=[
        {"episode_id": "traj_1", "data": [[0.0, 1.0]]},
        {"episode_id": "traj_2", "data": [[2.0, 3.0], [4.0, 5.0]]},
        {"episode_id": "traj_10", "data": [[6.0, 7.0], [8.0, 9.0], [10.0, 11.0]]},
    ],
)
def repeated_datasets_of_other_lengths(file: h5py.File) -> None:
    file["traj_10"], file["traj_2"], file["traj_1"] = floats(6, 3, 2), floats(2, 2, 2), floats(0, 1, 2)


@zoo.file(
    "repeated datasets",
    features={**ID, "data": list_of(value("int64"))},
    rows=table({"episode_id": ["0", "1", "2"], "data": [[1, 2], [3], [4, 5, 6]]}),
)
def repeated_datasets_in_a_group(file: h5py.File) -> None:
    file["clips/0"], file["clips/1"], file["clips/2"] = [1, 2], [3], [4, 5, 6]


@zoo.file(
    "equal datasets",
    features={f"s_{n}": value("int64") for n in range(4)},
    rows=table({f"s_{n}": [n, n + 10] for n in range(4)}),
)
def repeated_datasets_of_one_length(file: h5py.File) -> None:
    for n in range(4):
        file[f"s_{n}"] = [n, n + 10]


@zoo.file(
    "equal datasets",
    features={f"s_{n}": value("int64") for n in range(100)},
    rows=table({f"s_{n}": [n, n + 1000] for n in range(100)}),
)
def repeated_datasets_one_hundred(file: h5py.File) -> None:
    for n in range(100):
        file[f"s_{n}"] = [n, n + 1000]


@zoo.file(
    "equal datasets",
    features={**ID, "data": Either(array("uint8", 2, 2), array("uint8", None, 2))},
    rows=[{"episode_id": f"img_{n:03}", "data": [[n, 1], [2, 3]]} for n in range(101)],
)
def repeated_datasets_one_hundred_and_one(file: h5py.File) -> None:
    for n in range(101):
        file[f"img_{n:03}"] = np.array([[n, 1], [2, 3]], "u1")


@zoo.file(
    "other lengths",
    features={"x_2": value("int64")},
    rows=table({"x_2": [3, 4, 5]}),
    other_tables=[table({"x_1": [1, 2]})],
    warns=["x_1"],
)
def repeated_datasets_two_are_none(file: h5py.File) -> None:
    file["x_1"], file["x_2"] = [1, 2], [3, 4, 5]
