"""`hf-h5 convert`: the same rows as load_dataset gives, whole shards only, and no work done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

import hf_h5
from hf_h5.cli import main
from hf_h5.distributed.storage import part_name
from hf_h5.errors import OptionError
from hf_h5.tools.convert import MANIFEST, run_convert
from tests.written import write_digits, write_h5

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """200 rows of 80 bytes in chunks of 10."""
    rows = np.arange(200 * 10, dtype=np.int64).reshape(200, 10)
    return write_h5(tmp_path / "rows.h5", {"x": rows}, chunks=(10, 10))


def convert(file: Any, output: Path, **arguments: Any) -> list[str]:
    said: list[str] = []
    files = [str(each) for each in (file if isinstance(file, list) else [file])]
    assert run_convert(files, str(output), say=said.append, **arguments) == 0
    return said


def shards(folder: Path) -> dict[str, int]:
    return {each.name: each.stat().st_mtime_ns for each in sorted(folder.glob("*.parquet"))}


def loaded(folder: Path) -> Any:
    return datasets.load_dataset(str(folder), cache_dir=str(folder.parent / "parquet_cache"))


def test_the_folder_loads_as_the_files_do(tmp_path: Path) -> None:
    file = write_h5(
        tmp_path / "both.h5",
        {
            "train/images": np.arange(6 * 12, dtype=np.uint8).reshape(6, 2, 2, 3),
            "train/y": np.arange(6) % 2,
            "test/images": np.zeros((3, 2, 2, 3), np.uint8),
            "test/y": np.arange(3) % 2,
            "names": np.array([b"cat", b"dog"]),
        },
    )
    options = {"class_labels": {"y": "/names"}}
    convert(file, tmp_path / "out", options=options)
    expected, got = hf_h5.load_dataset(file, **options), loaded(tmp_path / "out")
    assert {split: part.features for split, part in got.items()} == {
        split: part.features for split, part in expected.items()
    }
    assert {split: part[:] for split, part in got.items()} == {split: part[:] for split, part in expected.items()}


@pytest.mark.parametrize("options", [{"layout": "steps"}, {"layout": "episodes"}, {"nested": True}], ids=str)
def test_options_mean_what_they_mean_elsewhere(tmp_path: Path, options: dict[str, Any]) -> None:
    steps = {f"data/demo_{number}/obs/x": np.full((number + 2, 3), number, "f4") for number in range(3)}
    file = write_h5(tmp_path / "demos.h5", steps)
    convert(file, tmp_path / "out", options=options)
    expected = hf_h5.load_dataset(file, split="train", **options)
    got = loaded(tmp_path / "out")["train"]
    assert got.features == expected.features
    assert got[:] == expected[:]


def test_strings_lists_and_missing_values_are_kept(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        handle["text"] = ["one", "", "drei ü"]
        lists = handle.create_dataset("lists", (3,), h5py.vlen_dtype(np.dtype("f4")))
        lists[1] = np.array([1, 2], "f4")
    convert(tmp_path / "a.h5", tmp_path / "out")
    expected = hf_h5.load_dataset(tmp_path / "a.h5", split="train")
    assert loaded(tmp_path / "out")["train"][:] == expected[:]


def test_no_rows_keep_their_columns(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "none.h5", {"x": np.zeros((0, 3), "f4")})
    convert(file, tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "train-00000-of-00001.parquet")
    assert (table.num_rows, table.column_names) == (0, ["x"])


def test_shards_end_where_chunks_do_and_hold_all_rows_once(tmp_path: Path, file: Path) -> None:
    convert(file, tmp_path / "out", max_shard_size=80 * 35)
    counts = [pq.read_metadata(tmp_path / "out" / name).num_rows for name in shards(tmp_path / "out")]
    assert counts == [30, 30, 30, 30, 30, 30, 20]
    rows = loaded(tmp_path / "out")["train"].with_format("numpy")["x"][:]
    np.testing.assert_array_equal(rows, np.arange(2000).reshape(200, 10))


def test_finished_shards_are_not_written_again(tmp_path: Path, file: Path) -> None:
    out = tmp_path / "out"
    convert(file, out, max_shard_size=80 * 30)
    before = shards(out)
    lost = sorted(before)[2]
    (out / lost).unlink()
    assert convert(file, out, max_shard_size=80 * 30)[:2] == [
        "6 of 7 shards were there already",
        f"{lost}  30 rows  {size(out / lost)}",
    ]
    after = shards(out)
    assert {name: time_ns for name, time_ns in after.items() if name != lost} == {
        name: time_ns for name, time_ns in before.items() if name != lost
    }


def size(file: Path) -> str:
    from hf_h5.describe.wording import bytes_text

    return bytes_text(file.stat().st_size)


def test_a_shard_that_is_not_whole_is_written_again(tmp_path: Path, file: Path) -> None:
    out = tmp_path / "out"
    convert(file, out, max_shard_size=80 * 100)
    first = sorted(shards(out))[0]
    (out / first).write_bytes((out / first).read_bytes()[:-20])
    assert any(line.startswith(first) for line in convert(file, out, max_shard_size=80 * 100))
    assert loaded(out)["train"].num_rows == 200


def test_the_manifest_names_files_options_and_shards_and_is_no_data(tmp_path: Path, file: Path) -> None:
    convert(file, tmp_path / "out", options={"columns": ["x"]})
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert manifest["files"] == [{"file": str(file), "size": file.stat().st_size, "mtime_ns": file.stat().st_mtime_ns}]
    assert manifest["options"] == {"columns": ["x"]}
    assert [shard["name"] for shard in manifest["shards"]] == ["train-00000-of-00001.parquet"]


@pytest.mark.parametrize("change", ["file", "options", "size"])
def test_another_conversion_is_not_mixed_in(tmp_path: Path, file: Path, change: str) -> None:
    out = tmp_path / "out"
    convert(file, out)
    other: dict[str, Any] = {
        "file": {},
        "options": {"options": {"layout": "raw"}},
        "size": {"max_shard_size": "2kB"},
    }[change]
    write_digits(file) if change == "file" else None
    with pytest.raises(OptionError, match=r"(?s)other files, options or sizes.*--overwrite"):
        convert(file, out, **other)
    convert(file, out, overwrite=True, **other)
    assert set(shards(out)) == {each["name"] for each in json.loads((out / MANIFEST).read_text())["shards"]}
    assert loaded(out)["train"].num_rows == hf_h5.describe(file).table.num_rows


def test_what_someone_else_wrote_is_never_removed(tmp_path: Path, file: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "train.parquet").write_bytes(b"precious")
    with pytest.raises(OptionError, match="did not write"):
        convert(file, out, overwrite=True)
    assert (out / "train.parquet").read_bytes() == b"precious"


SLOWLY = """
import sys, time
from hf_h5.distributed import rows as module
from hf_h5.tools.convert import run_convert

made = module.to_arrow_table

def slow(*args, **kwargs):
    time.sleep(0.05)
    return made(*args, **kwargs)

module.to_arrow_table = slow
run_convert([sys.argv[1]], sys.argv[2], max_shard_size=80 * 10, options={"batch_size": 5})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=lambda each: each.name)
def test_a_conversion_that_was_cut_short_goes_on(tmp_path: Path, file: Path, how: signal.Signals) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", SLOWLY, str(file), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment) as process:
        deadline = time.monotonic() + 60
        while len(shards(out)) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(how)
        assert process.wait(timeout=30) != 0
    before = shards(out)
    assert 5 <= len(before) < 20
    # Every file that has a shard's name is a whole one.
    assert [pq.read_metadata(out / name).num_rows for name in before] == [10] * len(before)

    said = convert(file, out, max_shard_size=80 * 10)
    after = shards(out)
    assert said[0] == f"{len(before)} of 20 shards were there already"
    assert {name: after[name] for name in before} == before
    assert sorted(each.name for each in out.iterdir() if each.name.startswith(".")) == [MANIFEST]
    rows = loaded(out)["train"].with_format("numpy")["x"][:]
    np.testing.assert_array_equal(rows, np.arange(2000).reshape(200, 10))


def test_a_half_written_file_of_a_living_process_is_left_to_it(tmp_path: Path, file: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    mine, dead = (out / part_name("a.parquet", f"{number}-0") for number in (os.getppid(), 999999999))
    mine.touch()
    dead.touch()
    convert(file, out)
    assert (mine.exists(), dead.exists()) == (True, False)


def test_a_bad_value_leaves_no_shard_with_it(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "bad.h5", {"text": np.array([b"fine"] * 99 + [b"\xff\xfe"], "S4")})
    with pytest.raises(ValueError, match="row 99"):
        convert(file, tmp_path / "out", max_shard_size=40)
    assert len(shards(tmp_path / "out")) < 100
    assert list((tmp_path / "out").glob(".*.part")) == []


def test_the_command_line_converts(tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_h5(tmp_path / "rows2.h5", {"x": np.zeros((5, 10), np.int64)})
    command = ["convert", str(file), str(other), "-o", str(tmp_path / "out"), "--max-shard-size", "8kB"]
    assert main(command) == 0
    assert "train: 205 rows" in capsys.readouterr().out
    assert loaded(tmp_path / "out")["train"].num_rows == 205
    assert main([*command[:-1], "much"]) == 2
    assert "max_shard_size" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "absent.h5"), "-o", str(tmp_path / "out")]) == 2
    assert "absent.h5" in capsys.readouterr().err
