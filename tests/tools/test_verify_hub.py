"""`hf-h5 verify FILE user/name` reads a dataset of a hub by ranges, also one that only its owner may see."""

from __future__ import annotations

from pathlib import Path

import h5py

from tests.hub.client import Client, run_command
from tests.hub.fixtures import ALICE, client, hub, running_hub
from tests.hub.loopback import LoopbackHub
from tests.written import write_digits

__all__ = ["client", "hub", "running_hub"]


def test_a_pushed_dataset_is_compared_and_a_later_change_of_the_file_is_found(
    hub: LoopbackHub, client: Client, tmp_path: Path
) -> None:
    file = str(write_digits(tmp_path / "digits.h5"))
    pushed = client.call(run_command, "convert", file, "--push-to-hub", "alice/digits", "--private", token=ALICE)
    assert pushed.code == 0, pushed.err
    same = client.call(run_command, "verify", file, "alice/digits", token=ALICE)
    assert same.code == 0, same.out + same.err
    assert "10 rows of h5py, the direct mode and alice/digits" in same.out
    sampled = client.call(run_command, "verify", file, "alice/digits", "--sample", "3", token=ALICE)
    assert sampled.code == 0, sampled.out + sampled.err
    with h5py.File(file, "r+") as handle:
        handle["labels"][4] = 77
    changed = client.call(run_command, "verify", file, "alice/digits", token=ALICE)
    assert changed.code == 1
    assert "1 row of 'labels' differs, the first is 4" in changed.out
