"""Plans as people use them: what is asked for is done, and what makes no sense is an error that says so."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from hf_h5.cli import main
from hf_h5.distributed import convert_shard, finalize, load_plan, save_plan
from hf_h5.errors import MissingFileError, OptionError
from tests.distributed.sources import write_files
from tests.remote.serving import serving
from tests.written import write_h5


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


@pytest.mark.parametrize("push_to", [None, "someone/set"])
def test_the_name_of_a_plan_is_taken_for_no_plan(push_to: str | None) -> None:
    with pytest.raises(OptionError, match=r"'plan.json' is no plan\n  hint: .*load_plan\(file\) reads one"):
        finalize("plan.json", "out", push_to=push_to)  # type: ignore[arg-type]  # what is tried
    with pytest.raises(OptionError, match=r"'plan.json' is no plan"):
        convert_shard("plan.json", 0, "out")  # type: ignore[arg-type]  # what is tried
    with pytest.raises(OptionError, match=r"'plan.json' is no plan"):
        save_plan("plan.json", "other.json")  # type: ignore[arg-type]  # what is tried


@pytest.mark.parametrize("number", [-1, 17, "0", 0.0, None])
def test_what_is_no_shard_of_the_plan_is_an_error(number: Any) -> None:
    with pytest.raises(OptionError, match=f"there is no shard {number!r}: the plan has 17"):
        convert_shard(load_plan("plan.json"), number, "out")
    assert not Path("out").exists()


def test_shards_are_counted_by_numbers_of_numpy_too() -> None:
    plan = load_plan("plan.json")
    assert [convert_shard(plan, number, "out").number for number in np.arange(2)] == [0, 1]


def test_a_folder_that_is_named_by_mistake_is_not_made_to_be_finished() -> None:
    with pytest.raises(MissingFileError, match="17 of 17 shards are missing"):
        finalize(load_plan("plan.json"), "typo")
    assert not Path("typo").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["convert", "in/*.h5", "-o", ""],
        ["convert", "--plan", "plan.json", "-o", ""],
        ["convert", "--plan", "", "-o", "out"],
        ["plan", "in/*.h5", "-o", ""],
    ],
    ids=" ".join,
)
def test_an_empty_name_is_not_the_current_folder(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(Path().rglob("*"))
    assert main(command) == 2
    assert "hint: " in capsys.readouterr().err
    assert sorted(Path().rglob("*")) == before


def test_an_empty_name_is_no_folder_of_shards() -> None:
    with pytest.raises(OptionError, match="is empty"):
        convert_shard(load_plan("plan.json"), 0, "")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a file system that takes no folders")
def test_where_no_folder_can_be_made_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert hf_h5("convert in/*.h5 -o /proc/nowhere") == 2
    assert "cannot be made: the file system takes none there [/proc/nowhere]\n  hint: " in capsys.readouterr().err


LIMITED = """
import resource, sys
from hf_h5.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX's")
def test_a_place_without_room_is_named() -> None:
    write_h5(Path("x.h5"), {"x": np.random.default_rng(0).random(9000)})
    command = [sys.executable, "-c", LIMITED, "convert", "x.h5", "-o", "out"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert re.search(r"File too large: '.*out'\n  hint: .*smaller shards", ended.stderr), ended.stderr
    assert list(Path("out").glob(".*.part")) == []


@pytest.fixture
def secret_url(tmp_path: Path) -> Iterator[str]:
    """A file behind a URL with a password."""
    write_h5(tmp_path / "x.h5", {"x": np.arange(400)})
    with serving({"x.h5": (tmp_path / "x.h5").read_bytes()}) as server:
        yield server.url.replace("http://", "http://me:pass-word@") + "/x.h5"


def test_several_processes_read_a_url_with_a_password(secret_url: str, tmp_path: Path) -> None:
    assert (
        hf_h5(f"convert {secret_url} -o {tmp_path}/out --max-shard-size 1kB --num-proc 2 --remote-cache-bytes 0") == 0
    )
    found = datasets.load_dataset("parquet", data_files=f"{tmp_path}/out/*.parquet", split="train")
    assert found["x"][:] == list(range(400))
    assert not any(b"pass-word" in each.read_bytes() for each in (tmp_path / "out").iterdir())


def test_a_url_with_a_password_is_in_no_plan_that_nobody_could_run(
    secret_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hf_h5(f"plan {secret_url} -o {tmp_path}/secret.json") == 2
    assert "credentials in its environment" in capsys.readouterr().err
    assert not (tmp_path / "secret.json").exists()
