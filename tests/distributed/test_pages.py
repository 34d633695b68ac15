"""The pages on clusters and ranks run, as far as they need no engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import datasets
import pytest

from hf_h5.tools.digits import write_digits
from tests.distributed.pages import CLUSTER, RANKS, block_with, environment_with_command, shell_blocks, write_train
from tests.distributed.sources import assert_same_rows, hidden_files, write_files

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="shell scripts are POSIX's"),
    pytest.mark.timeout(300),
]


def run(script: str, folder: Path, environment: dict[str, str], **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-euc", script]
    environment = environment | variables
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def test_an_array_of_jobs_converts_its_parts_and_is_finished_when_all_are_there(tmp_path: Path) -> None:
    files = write_files(tmp_path / "runs", [40, 25])
    blocks, environment = shell_blocks(CLUSTER), environment_with_command(tmp_path)
    plan = block_with("hf-h5 plan", blocks).replace("200MB", "1kB")
    job, finish = block_with("#SBATCH", blocks), block_with("--finalize", blocks)
    assert "--array=0-3" in job
    assert run(plan, tmp_path, environment).returncode == 0
    for number in (0, 1, 3):
        done = run(job, tmp_path, environment, SLURM_ARRAY_TASK_ID=str(number), SLURM_ARRAY_TASK_COUNT="4")
        assert done.returncode == 0, done.stderr
    refused = run(finish, tmp_path, environment)
    assert refused.returncode == 2
    assert "shards are missing or not whole" in refused.stderr
    assert run(job, tmp_path, environment, SLURM_ARRAY_TASK_ID="2", SLURM_ARRAY_TASK_COUNT="4").returncode == 0
    done = run(finish, tmp_path, environment)
    assert "train: 65 rows" in done.stdout, done.stderr
    assert hidden_files(tmp_path / "data") == [".hf-h5-convert.json"]
    assert_same_rows(datasets.load_dataset(str(tmp_path / "data"), cache_dir=str(tmp_path / "cache")), files)


def let_threads_of_gloo_end(folder: Path) -> None:
    """Let ranks end a little later.

    PyTorch's gloo threads drop the tensor of the last collective with Python's lock in hand; if the interpreter is
    ending by then, the rank aborts ("terminate called without an active exception"), whatever it has run.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import atexit, time\n\natexit.register(time.sleep, 0.5)\n")


def test_torchrun_trains_on_two_ranks(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    write_digits(str(tmp_path / "digits.h5"))
    write_train(tmp_path)
    let_threads_of_gloo_end(tmp_path / "site")
    environment = environment_with_command(tmp_path) | {"GLOO_SOCKET_IFNAME": "lo"}
    environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path / 'site'}"
    command = block_with("torchrun", shell_blocks(RANKS)).replace("torchrun", "torchrun --standalone")
    done = run(command, tmp_path, environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"epoch {epoch}: 1797 of 1797 rows on 2 ranks" for epoch in range(2)]
