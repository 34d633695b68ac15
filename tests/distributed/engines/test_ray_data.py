"""HDF5 files as a `ray.data.Dataset`: counts without reading, tensors, pruned columns, features that survive."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch

import hf_h5
from hf_h5.errors import OptionError
from tests.distributed.engines import faults
from tests.distributed.sources import rows_of, write_files
from tests.written import write_h5

ray = pytest.importorskip("ray", reason="ray is not installed: make distributed")

COUNTS = (40, 32, 40)
SIZE = 8 * 64

pytestmark = pytest.mark.usefixtures("connected")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return write_files(tmp_path / "in", COUNTS)


def read(files: Any, **options: Any) -> Any:
    from hf_h5.distributed.ray import read_h5

    return read_h5(files, **{"target_task_bytes": SIZE, **options})


def test_counts_and_columns_are_known_before_a_row_is_read(files: list[str]) -> None:
    faults.forget()
    rows = read(files)
    assert rows.count() == sum(COUNTS)
    assert rows.columns() == ["images", "text", "uid"]
    assert rows.features == hf_h5.load_dataset(files, split="train").features
    assert faults.pids() == []


def test_batches_of_torch_are_tensors_of_the_stored_types(files: list[str]) -> None:
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    rows = read(files, columns=["images", "uid"])
    assert rows.columns() == ["images", "uid"]
    batches = list(rows.iter_torch_batches(batch_size=32))
    images, uid = (torch.cat([batch[name] for batch in batches]).cpu() for name in ("images", "uid"))
    assert (images.dtype, images.shape, uid.dtype) == (torch.float32, (sum(COUNTS), 3, 4), torch.int64)
    expected = hf_h5.load_dataset(files, split="train").with_format("numpy")
    np.testing.assert_array_equal(images.numpy(), expected["images"][:])
    np.testing.assert_array_equal(uid.numpy(), expected["uid"][:])


def test_columns_that_are_selected_later_are_not_read_either(files: list[str]) -> None:
    rows = read(files).select_columns(["uid"])
    assert rows.columns() == ["uid"]
    assert sorted(row["uid"] for row in rows.iter_rows()) == list(range(sum(COUNTS)))


def test_parquet_keeps_features_and_a_worker_that_is_killed_does_not_fail_the_job(
    files: list[str], tmp_path: Path
) -> None:
    faults.forget()
    rows = read(files)

    def kill() -> None:
        while len(faults.pids()) < 3:
            time.sleep(0.02)
        os.kill(faults.pids()[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    rows.write_parquet(str(tmp_path / "out"))
    killer.join()
    found = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    expected = hf_h5.load_dataset(files, split="train")
    assert found.features == expected.features
    assert rows_of(found.sort("uid")).equals(rows_of(expected))


def test_rows_that_were_filtered_keep_features_as_well(tmp_path: Path) -> None:
    from hf_h5.distributed.ray import to_storage

    labels = {"images": np.arange(96, dtype=np.uint8).reshape(8, 3, 4), "y": np.arange(8) % 2, "v": np.eye(8)}
    file = write_h5(tmp_path / "labels.h5", labels)
    rows = read(file, class_labels={"y": ["cat", "dog"]})
    dogs = to_storage(rows.filter(lambda row: row["y"] == 1), rows.features)
    dogs.write_parquet(str(tmp_path / "out"), schema=rows.features.arrow_schema)
    found = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert found.features == rows.features
    assert found.features["y"].names == ["cat", "dog"]
    assert found["images"][0] == labels["images"][1].tolist()


def test_strings_lists_and_missing_values_keep_their_types(tmp_path: Path) -> None:
    steps = {f"data/demo_{number}/x": np.full((number + 1, 2), number, "f4") for number in range(4)}
    file = write_h5(tmp_path / "demos.h5", steps)
    rows = read(file, layout="episodes").sort("episode_id").take_all()
    assert [row["episode_id"] for row in rows] == [f"demo_{number}" for number in range(4)]
    assert [len(row["x"]) for row in rows] == [1, 2, 3, 4]


def test_one_of_several_splits_is_named(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "a.h5", {"train/x": np.arange(6), "test/x": np.arange(2)})
    with pytest.raises(OptionError, match="several splits"):
        read(file)
    with pytest.raises(OptionError, match="no split 'dev'"):
        read(file, split="dev")
    assert read(file, split="test").count() == 2
