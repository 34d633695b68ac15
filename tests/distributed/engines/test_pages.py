"""What the pages show of Ray and Dask runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest

from hf_h5.tools.digits import write_digits
from tests.distributed.pages import CLUSTER, RANKS, block_with, environment_with_command, write_train
from tests.distributed.sources import assert_same_rows, hidden_files, write_files
from tests.howto.pages import python_blocks


def test_the_recipe_for_dask_converts(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="dask is not installed: make distributed")
    files = write_files(tmp_path / "runs")
    recipe = block_with("def convert(", python_blocks(CLUSTER)).replace("200MB", "1kB")
    assert len([line for line in recipe.splitlines() if line]) <= 20
    (tmp_path / "recipe.py").write_text(recipe + block_with("Client(n_workers", python_blocks(CLUSTER)))
    done = subprocess.run(
        [sys.executable, "recipe.py"],
        cwd=tmp_path,
        env=environment_with_command(tmp_path),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "train: 125 rows" in done.stdout
    assert hidden_files(tmp_path / "data") == [".hf-h5-convert.json"]
    assert_same_rows(datasets.load_dataset(str(tmp_path / "data"), cache_dir=str(tmp_path / "cache")), files)


@pytest.mark.usefixtures("connected")
def test_the_page_on_ray_runs(tmp_path: Path) -> None:
    files = write_files(tmp_path / "data" / "runs", [24, 24])
    names: dict[str, Any] = {}
    for text in ("from hf_h5.distributed import ray", "rows = ray.read_h5"):
        block = block_with(text, python_blocks(CLUSTER)).replace('"/data/', f'"{tmp_path}/data/')
        exec(compile(block.replace('["images", "labels"]', '["images", "uid"]'), CLUSTER, "exec"), names)
    assert names["finished"].rows == {"train": 48}
    found = datasets.load_dataset(str(tmp_path / "data" / "parquet"), cache_dir=str(tmp_path / "cache"))
    assert_same_rows(found, files)
    assert datasets.load_dataset(str(tmp_path / "data" / "subset"), split="train").features == names["rows"].features


def test_ray_trains_on_two_ranks(ray_cluster: Any, tmp_path: Path) -> None:
    write_digits(str(tmp_path / "digits.h5"))
    write_train(tmp_path)
    (tmp_path / "on_ray.py").write_text(block_with("TorchTrainer", python_blocks(RANKS)))
    environment = environment_with_command(tmp_path) | {
        "GLOO_SOCKET_IFNAME": "lo",
        "HOME": str(tmp_path),
        "RAY_ADDRESS": ray_cluster.address,
    }
    environment["PYTHONPATH"] += os.pathsep + str(tmp_path)
    done = subprocess.run(
        [sys.executable, "on_ray.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert "epoch 1: 1797 of 1797 rows on 2 ranks" in printed
