"""What was converted as a plan, on however many machines, goes to the Hub by one commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_h5.errors import OptionError

from . import users
from .client import Client, run_command
from .files import write_digits
from .fixtures import ALICE
from .loopback import LoopbackHub


def test_a_finished_plan_is_pushed_and_comes_back(client: Client, hub: LoopbackHub, tmp_path: Path) -> None:
    columns = write_digits(tmp_path / "digits.h5")
    out = tmp_path / "out"
    url = client.call(users.convert_by_plan, tmp_path / "digits.h5", out, "alice/planned", token=ALICE)
    assert url == f"{hub.url}/datasets/alice/planned"
    assert len(list(out.glob("*.parquet"))) > 1
    features, rows = client.call(users.load_with_features, "alice/planned", tmp_path / "cache", token=ALICE)
    assert features["labels"]["names"] == ["zero", "one", "two"]
    assert {name: rows[name] for name in columns} == columns


def test_the_command_that_finalizes_pushes_too(client: Client, hub: LoopbackHub, tmp_path: Path) -> None:
    write_digits(tmp_path / "digits.h5")
    plan, out = str(tmp_path / "plan.json"), str(tmp_path / "out")
    for arguments in (
        ["plan", str(tmp_path / "digits.h5"), "-o", plan],
        ["convert", "--plan", plan, "--shard", "0/1", "-o", out],
        ["convert", "--plan", plan, "--finalize", "-o", out, "--push-to-hub", "alice/finalized"],
    ):
        done = client.call(run_command, *arguments, token=ALICE)
        assert done.code == 0, done.err
    assert f"pushed to {hub.url}/datasets/alice/finalized" in done.out
    assert len(client.call(users.load_rows, "alice/finalized", tmp_path / "cache", split="train")["labels"]) == 120


def test_a_shard_with_a_flipped_byte_is_not_pushed(client: Client, hub: LoopbackHub, tmp_path: Path) -> None:
    write_digits(tmp_path / "digits.h5")
    plan, out = str(tmp_path / "plan.json"), tmp_path / "out"
    finish = ["convert", "--plan", plan, "--finalize", "-o", str(out)]
    assert client.call(run_command, "plan", str(tmp_path / "digits.h5"), "-o", plan).code == 0
    assert client.call(run_command, "convert", "--plan", plan, "-o", str(out)).code == 0
    (shard,) = out.glob("*.parquet")
    content = bytearray(shard.read_bytes())
    content[200] ^= 1
    shard.write_bytes(content)
    # Its end is as it should be.
    assert client.call(run_command, *finish).code == 0
    done = client.call(run_command, *finish, "--push-to-hub", "alice/flipped", token=ALICE)
    assert done.code != 0
    assert "1 of 1 shards are missing or not whole" in done.err


def test_shards_that_the_hub_does_not_take_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    from hf_h5 import distributed

    write_digits(tmp_path / "digits.h5")
    plan = distributed.make_plan([str(tmp_path / "digits.h5")], format="arrow")
    with pytest.raises(OptionError, match="the Hub takes Parquet"):
        distributed.finalize(plan, tmp_path / "out", push_to="alice/arrow")
    plan = distributed.make_plan([str(tmp_path / "digits.h5")])
    with pytest.raises(OptionError, match="is a URL"):
        distributed.finalize(plan, "memory://out", push_to="alice/url")
