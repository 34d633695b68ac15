"""A small file of each family that a loading script is for, with the layout of the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.written import write_h5

__all__ = ["Files", "anndata", "d4rl", "image_classification", "modelnet40", "pcam", "robomimic", "the_well"]

Files = dict[str, list[str]]
"""Files by split, as ``data_files`` takes them."""


def image_classification(folder: Path) -> Files:
    random = np.random.default_rng(0)
    contents = {
        "images": random.integers(0, 256, (12, 8, 8, 3), np.uint8),
        "labels": np.arange(12) % 3,
        "class_names": np.array([b"cat", b"dog", b"owl"]),
    }
    return {"train": [str(write_h5(folder / "animals.h5", contents))]}


def robomimic(folder: Path) -> Files:
    random = np.random.default_rng(1)
    file = folder / "lift.hdf5"
    with h5py.File(file, "w") as handle:
        handle.create_group("data").attrs["env_args"] = '{"env_name": "Lift"}'
        # demo_10 after demo_2: episodes are in natural order.
        for number, length in ((0, 4), (1, 5), (2, 6), (10, 3)):
            demo = handle.create_group(f"data/demo_{number}")
            demo.attrs["num_samples"] = length
            demo["actions"] = np.full((length, 7), float(number))
            demo["rewards"] = np.arange(length, dtype=float)
            for side in ("obs", "next_obs"):
                demo[f"{side}/agentview_image"] = random.integers(0, 256, (length, 8, 8, 3), np.uint8)
                demo[f"{side}/robot0_eef_pos"] = random.random((length, 3))
        handle["mask/train"] = np.array([b"demo_10", b"demo_0"])
        handle["mask/valid"] = np.array([b"demo_1", b"demo_2"])
        handle["mask/50_percent"] = np.array([b"demo_2", b"demo_0"])
    return {"train": [str(file)]}


def d4rl(folder: Path) -> Files:
    random = np.random.default_rng(2)
    contents: dict[str, Any] = {
        "observations": random.random((50, 11)).astype("f4"),
        "next_observations": random.random((50, 11)).astype("f4"),
        "actions": random.random((50, 3)).astype("f4"),
        "rewards": np.arange(50, dtype="f4"),
        "terminals": np.zeros(50, bool),
        "timeouts": np.arange(50) % 10 == 9,
        "infos/qpos": random.random((50, 6)),
        "metadata/algorithm": np.bytes_("SAC"),
        "metadata/policy/fc0/weight": random.random((256, 11)).astype("f4"),
        "metadata/policy/fc0/bias": random.random(256).astype("f4"),
    }
    return {"train": [str(write_h5(folder / "hopper.hdf5", contents))]}


def the_well(folder: Path, n_trajectories: int = 4) -> Files:
    random = np.random.default_rng(3)
    steps, wide, high = 4, 8, 6
    fields = {
        "t0_fields/density": random.random((n_trajectories, steps, wide, high)).astype("f4"),
        "t0_fields/pressure": random.random((n_trajectories, steps, wide, high)).astype("f4"),
        "t1_fields/velocity": random.random((n_trajectories, steps, wide, high, 2)).astype("f4"),
        # As many steps as trajectories: they must not become a column.
        "dimensions/time": np.arange(steps) / 10,
        "dimensions/x": np.arange(wide) / wide,
        "dimensions/y": np.arange(high) / high,
        "boundary_conditions/x_periodic/mask": np.ones(wide, bool),
        "scalars/viscosity": 0.1,
    }
    file = write_h5(folder / "turbulence.hdf5", fields)
    with h5py.File(file, "r+") as handle:
        handle.create_group("t2_fields")
        handle.attrs["n_trajectories"] = n_trajectories
    return {"train": [str(file)]}


def pcam(folder: Path) -> Files:
    random = np.random.default_rng(4)
    files: Files = {}
    for split, short, n_rows in (("train", "train", 6), ("validation", "valid", 4)):
        name = f"camelyonpatch_level_2_split_{short}"
        patches = random.integers(0, 256, (n_rows, 96, 96, 3), np.uint8)
        labels = (np.arange(n_rows, dtype=np.uint8) % 2).reshape(n_rows, 1, 1, 1)
        files[split] = [
            str(write_h5(folder / f"{name}_x.h5", {"x": patches})),
            str(write_h5(folder / f"{name}_y.h5", {"y": labels})),
        ]
    return files


def modelnet40(folder: Path) -> Files:
    random = np.random.default_rng(5)
    files: Files = {"train": [], "test": []}
    for split, number, n_rows in (("train", 0, 5), ("train", 1, 3), ("test", 0, 4)):
        contents = {
            "data": random.random((n_rows, 64, 3)).astype("f4"),
            "normal": random.random((n_rows, 64, 3)).astype("f4"),
            "label": random.integers(0, 40, (n_rows, 1), np.uint8),
        }
        files[split].append(str(write_h5(folder / f"ply_data_{split}{number}.h5", contents)))
    return files


def anndata(folder: Path, n_cells: int = 40) -> Files:
    """As anndata 0.8 and later writes it."""
    random = np.random.default_rng(6)
    dense = random.integers(1, 9, (n_cells, 12)) * (random.random((n_cells, 12)) < 0.4)
    rows, columns = np.nonzero(dense)
    file = folder / "cells.h5ad"
    with h5py.File(file, "w") as handle:
        handle.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        matrix = handle.create_group("X")
        matrix.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": dense.shape})
        matrix["data"], matrix["indices"] = dense[rows, columns].astype("f4"), columns.astype("i4")
        matrix["indptr"] = np.append(0, np.cumsum(np.bincount(rows, minlength=n_cells)))
        for name, length, order in (("obs", n_cells, ["cell_type", "n_genes"]), ("var", 12, [])):
            frame = handle.create_group(name)
            frame.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"})
            frame.attrs["column-order"] = np.array(order, h5py.string_dtype())
            frame["_index"] = [f"{'cell' if name == 'obs' else 'gene'}-{number}" for number in range(length)]
        handle["obs/n_genes"] = np.bincount(rows, minlength=n_cells)
        kinds = handle.create_group("obs/cell_type")
        kinds.attrs.update({"encoding-type": "categorical", "encoding-version": "0.2.0", "ordered": False})
        kinds["codes"], kinds["categories"] = (np.arange(n_cells) % 4 - 1).astype("i1"), ["B", "NK", "T"]
    return {"train": [str(file)]}
