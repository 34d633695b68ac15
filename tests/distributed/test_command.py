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
