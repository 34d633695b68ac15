"""Plans from the command line: what is there is looked at as thoroughly as it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_h5.cli import main
from hf_h5.distributed import load_plan
from tests.distributed.sources import write_files


@pytest.fixture(autouse=True)
def _planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with files, and a plan for several shards of them."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path / "in")
    assert main(["plan", "in/*.h5", "-o", "plan.json", "--max-shard-size", "1500"]) == 0
    capsys.readouterr()


def hf_h5(text: str) -> int:
    return main(text.split())


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 1
    file.write_bytes(content)


def test_finalize_reads_all_of_each_shard_if_it_is_to_verify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = load_plan("plan.json")
    assert hf_h5("convert --plan plan.json -o out") == 0
    flip(tmp_path / "out" / plan.shards[1].name, 60)
    assert hf_h5("convert --plan plan.json -o out --finalize") == 0
    capsys.readouterr()
    assert hf_h5("convert --plan plan.json -o out --finalize --verify") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"1 of {len(plan.shards)} shards are missing or not whole [out]" in said.err
    assert "their numbers: 1\n" in said.err
    # What it asks for mends it, and writes nothing else.
    assert hf_h5("convert --plan plan.json -o out") == 0
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"{len(plan.shards) - 1} of {len(plan.shards)} shards were there already"
    assert [line.split()[0] for line in told[1:]] == [plan.shards[1].name]
    assert hf_h5("convert --plan plan.json -o out --finalize --verify") == 0
    assert "out: train: 125 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("in/part-0.h5 -o out --shard 0/2", "--shard says nothing without --plan"),
        ("in/part-0.h5 -o out --finalize", "--finalize says nothing without --plan"),
        ("in/part-0.h5 -o out --verify", "--verify says nothing without --finalize"),
        ("in/part-0.h5 -o out --private", "--private says nothing without --push-to-hub"),
        ("--plan plan.json -o out --shard 0/2 --verify", "--verify says nothing without --finalize"),
        ("--plan plan.json -o out --finalize --shard 0/2", "--shard says nothing beside --finalize"),
        ("--plan plan.json -o out --finalize --num-proc 2", "--num-proc says nothing beside --finalize"),
        ("--plan plan.json -o out --engine ray", "--engine says nothing beside --plan"),
        ("--plan plan.json -o out --max-shard-size 1MB", "--max-shard-size says nothing beside --plan"),
        ("--plan plan.json -o out --format arrow", "--format says nothing beside --plan"),
        ("--plan plan.json -o out --overwrite", "--overwrite says nothing beside --plan"),
        ("in/part-0.h5 --push-to-hub a/b --engine ray", "--engine says nothing beside --push-to-hub"),
        ("in/part-0.h5 --push-to-hub a/b --format arrow", "--format says nothing beside --push-to-hub"),
        ("--plan plan.json --push-to-hub a/b -o out", "a plan is pushed when all its shards are there"),
        ("--push-to-hub a/b", "no file was named"),
        ("--plan plan.json", "it is not said where to\n  hint: pass -o FOLDER\n"),
    ],
)
def test_a_flag_that_would_say_nothing_is_an_error_before_any_work(
    command: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hf_h5(f"convert {command}") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"hf-h5: OptionError: {said}" in err
    assert not Path("out").exists()
