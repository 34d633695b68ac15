"""Shards: the same bytes whenever they are written, whole or not there, and together the rows of `load_dataset`."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import datasets
import fsspec
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.distributed import Plan, convert_shard, finalize, make_plan, save_plan, shards
from hf_h5.distributed.manifest import open_output
from hf_h5.distributed.shards import find_shard
from hf_h5.distributed.storage import open_folder, part_name
from hf_h5.errors import DataError, H5Warning, MissingFileError, OptionError
from tests.distributed.sources import assert_same_rows, hidden_files, write_files
from tests.written import write_h5

ROOT = Path(hf_h5.__file__).parents[1]


def convert_all(plan: Plan, out: Any) -> Any:
    for number in reversed(range(len(plan.shards))):
        convert_shard(plan, number, out)
    return finalize(plan, out)


def load(plan: Plan, folder: Path) -> Any:
    if plan.format == "arrow":
        return datasets.load_from_disk(str(folder))
    return datasets.load_dataset(str(folder), cache_dir=str(folder.parent / "parquet_cache"))


@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize("size", [300, 1500, "500MB"])
def test_all_shards_together_are_what_load_dataset_gives(tmp_path: Path, format: str, size: Any) -> None:
    files = write_files(tmp_path / "in")
    plan = make_plan(files, size, format=format)
    finished = convert_all(plan, tmp_path / "out")
    assert finished.rows == {"train": 125}
    assert_same_rows(load(plan, tmp_path / "out"), files)


@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("splits", {}),
        ("steps", {"layout": "steps"}),
        ("episodes", {"layout": "episodes"}),
        ("nested", {"nested": True}),
        ("none", {}),
    ],
)
def test_splits_options_and_tables_without_rows(
    tmp_path: Path, name: str, options: dict[str, Any], format: str
) -> None:
    demos = {f"data/demo_{number}/obs/x": np.full((number + 2, 3), number, "f4") for number in range(5)}
    contents = {
        "splits": {"train/x": np.arange(12.0).reshape(2, 2, 3), "test/x": np.ones((1, 2, 3))},
        "steps": demos,
        "episodes": demos,
        "nested": {"a/x": np.arange(9).reshape(3, 3, 1), "a/y": np.arange(3)},
        "none": {"a/x": np.zeros((0, 3, 2), "f4"), "a/y": np.zeros(0)},
    }
    file = write_h5(tmp_path / "a.h5", contents[name])
    plan = make_plan(file, 30, format=format, **options)
    convert_all(plan, tmp_path / "out")
    if name != "none" or format == "arrow":
        assert_same_rows(load(plan, tmp_path / "out"), file, **options)
    else:
        assert finalize(plan, tmp_path / "out").rows == {"train": 0}


def test_a_shard_has_the_same_bytes_whenever_it_is_written(tmp_path: Path) -> None:
    plan = make_plan(write_files(tmp_path / "in"), 1500)
    for out in ("one", "two"):
        assert not convert_shard(plan, 1, tmp_path / out).was_there
    name = plan.shards[1].name
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_was_written_is_reported_again_and_not_written_again(tmp_path: Path) -> None:
    plan = make_plan(write_files(tmp_path / "in"), 1500)
    first = convert_shard(plan, 1, tmp_path / "out")
    written_ns = (tmp_path / "out" / first.name).stat().st_mtime_ns
    again = convert_shard(plan, 1, tmp_path / "out")
    assert again.was_there
    assert (again.rows, again.n_bytes, again.checksum) == (first.rows, first.n_bytes, first.checksum)
    assert (tmp_path / "out" / first.name).stat().st_mtime_ns == written_ns


@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other shard"])
def test_a_shard_that_is_not_whole_is_written_again(tmp_path: Path, damage: str, format: str) -> None:
    plan = make_plan(write_files(tmp_path / "in"), 1500, format=format)
    good = convert_shard(plan, 1, tmp_path / "out")
    other = convert_shard(plan, 2, tmp_path / "out")
    file = tmp_path / "out" / good.name
    content = file.read_bytes()
    damaged = {
        "cut": content[: len(content) // 2],
        "flipped": content[:600] + bytes([content[600] ^ 1]) + content[601:],
        "empty": b"",
        "other shard": (tmp_path / "out" / other.name).read_bytes(),
    }
    file.write_bytes(damaged[damage])
    assert not convert_shard(plan, 1, tmp_path / "out").was_there
    assert file.read_bytes() == content


def test_a_folder_behind_a_url_is_written_alike(tmp_path: Path) -> None:
    plan = make_plan(write_files(tmp_path / "in"), 1500)
    memory = fsspec.filesystem("memory")
    try:
        convert_all(plan, "memory://bucket/out")
        convert_all(plan, tmp_path / "out")
        found = sorted(Path(name).name for name in memory.find("/bucket/out"))
        assert found == sorted(each.name for each in (tmp_path / "out").iterdir())
        for shard in plan.shards:
            assert memory.cat(f"/bucket/out/{shard.name}") == (tmp_path / "out" / shard.name).read_bytes()
    finally:
        memory.rm("/bucket", recursive=True)


def test_nothing_is_finished_while_shards_are_missing(tmp_path: Path) -> None:
    plan = make_plan(write_files(tmp_path / "in"), 1500)
    for number in range(len(plan.shards)):
        if number not in (1, 3):
            convert_shard(plan, number, tmp_path / "out")
    with pytest.raises(MissingFileError, match=rf"2 of {len(plan.shards)} shards are missing.*\n.*numbers: 1, 3"):
        finalize(plan, tmp_path / "out")
    assert not (tmp_path / "out" / "README.md").exists()


@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize("place", ["middle", "end"])
def test_a_shard_with_a_flipped_byte_is_found_before_it_is_finished(tmp_path: Path, place: str, format: str) -> None:
    plan = make_plan(write_files(tmp_path / "in"), 1500, format=format)
    convert_all(plan, tmp_path / "out")
    file = tmp_path / "out" / plan.shards[1].name
    content = file.read_bytes()
    offset = {"middle": 600, "end": len(content) - 60}[place]
    file.write_bytes(content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :])
    with pytest.raises(MissingFileError, match=rf"1 of {len(plan.shards)} shards are missing or not whole.*\n.*: 1$"):
        finalize(plan, tmp_path / "out", verify=True)
    assert not convert_shard(plan, 1, tmp_path / "out").was_there
    assert finalize(plan, tmp_path / "out", verify=True).rows == {"train": 125}


@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_no_byte_of_a_shard_is_outside_of_its_checksums(tmp_path: Path, format: str) -> None:
    plan = make_plan(write_files(tmp_path / "in", [9]), format=format)
    convert_shard(plan, 0, tmp_path / "out")
    file = tmp_path / "out" / plan.shards[0].name
    content, folder = bytearray(file.read_bytes()), open_folder(tmp_path / "out")
    for offset in range(0, len(content), 7):
        content[offset] ^= 1
        file.write_bytes(content)
        assert find_shard(plan, 0, folder, whole=True) is None, offset
        content[offset] ^= 1


def test_leftovers_are_swept_and_those_of_living_processes_stay(tmp_path: Path) -> None:
    plan = make_plan(write_files(tmp_path / "in", [9]))
    out = tmp_path / "out"
    convert_shard(plan, 0, out)
    name = plan.shards[0].name
    (out / part_name(name, "999999999-0")).touch()
    (out / f".{name}.elsewhere.1-0.part").touch()
    (out / ".notes.part").touch()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        kept = part_name(name, f"{living.pid}-0")
        (out / kept).touch()
        finalize(plan, out)
        assert hidden_files(out) == sorted([kept, ".hf-h5-convert.json", ".notes.part"])
        living.communicate(b"\n")
    finalize(plan, out)
    assert hidden_files(out) == [".hf-h5-convert.json", ".notes.part"]


def test_a_plan_does_not_write_into_the_folder_of_another(tmp_path: Path) -> None:
    files = write_files(tmp_path / "in")
    convert_all(make_plan(files, 1500), tmp_path / "out")
    with pytest.raises(OptionError, match="other files, options or sizes"):
        convert_shard(make_plan(files, 300), 0, tmp_path / "out")


def test_a_folder_that_another_conversion_is_writing_is_refused_until_that_one_is_gone(tmp_path: Path) -> None:
    files = write_files(tmp_path / "in")
    first, second = make_plan(files, 1500), make_plan(files, 300)
    out = tmp_path / "out"
    open_output(first, out)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        (out / part_name(first.shards[0].name, f"{living.pid}-0")).touch()
        with pytest.raises(OptionError, match=rf"is writing into the folder(?s:.*){living.pid}(?s:.*)remove that file"):
            convert_shard(second, 0, out)
        assert convert_shard(first, 1, out).number == 1
        (out / first.shards[1].name).unlink()
        living.communicate(b"\n")
    convert_all(second, out)
    assert hidden_files(out) == [".hf-h5-convert.json"]


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_no_shard_takes_the_place_of_one_of_a_conversion_that_has_the_folder_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    first = make_plan(write_files(tmp_path / "first", [9]))
    second = make_plan(write_files(tmp_path / "second", [16]))
    out = f"{scheme}{tmp_path}/out"
    write = shards._write

    def write_slowly(*arguments: Any) -> Any:
        monkeypatch.undo()
        # As one that began at the same moment, and saw no half-written file.
        open_output(second, out, overwrite=True)
        convert_all(second, out)
        return write(*arguments)

    monkeypatch.setattr(shards, "_write", write_slowly)
    with pytest.raises(OptionError, match="given to another conversion"):
        convert_shard(first, 0, out)
    assert finalize(second, out, verify=True).rows == {"train": 16}
    assert hidden_files(tmp_path / "out") == [".hf-h5-convert.json"]


def test_there_is_no_such_shard(tmp_path: Path) -> None:
    plan = make_plan(write_files(tmp_path / "in", [9]))
    with pytest.raises(OptionError, match="the plan has 1"):
        convert_shard(plan, 1, tmp_path / "out")


def test_many_threads_may_write_one_shard(tmp_path: Path) -> None:
    plan = make_plan(write_files(tmp_path / "in"), 1500)
    threads = [threading.Thread(target=convert_shard, args=(plan, 1, tmp_path / "out")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert convert_shard(plan, 1, tmp_path / "out").was_there
    assert hidden_files(tmp_path / "out") == [".hf-h5-convert.json"]


def test_rows_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    file = write_h5(tmp_path / "bad.h5", {"text": np.array([b"fine"] * 9 + [b"\xff\xfe"], "S4"), "x": np.arange(10)})
    plan = make_plan(file, 10_000, on_bad_rows="skip")
    with pytest.warns(H5Warning, match="row 9 left out"):
        report = convert_shard(plan, 0, tmp_path / "out")
    assert (report.rows, report.rows_left_out) == (9, 1)
    finished = finalize(plan, tmp_path / "out")
    assert (finished.rows, finished.rows_left_out) == ({"train": 9}, 1)
    with pytest.raises(DataError, match="row 9"):
        convert_shard(make_plan(file), 0, tmp_path / "strict")
    assert hidden_files(tmp_path / "strict") == [".hf-h5-convert.json"]


def test_an_error_says_where_its_rows_are_counted_from(tmp_path: Path) -> None:
    files = write_files(tmp_path / "in", [8, 8])
    with h5py.File(files[1], "r+") as handle:
        del handle["text"]
        handle["text"] = np.array([b"fine"] * 7 + [b"\xff\xfe"], "S4")
    for file in files[:1]:
        with h5py.File(file, "r+") as handle:
            del handle["text"]
            handle["text"] = np.array([b"fine"] * 8, "S4")
    plan = make_plan(files, 10)
    with pytest.raises(DataError, match=r"row 7 .*counted from row 8 of the split 'train'"):
        convert_shard(plan, len(plan.shards) - 1, tmp_path / "out")


def test_an_own_card_is_written_anew_and_that_of_a_person_stays(tmp_path: Path) -> None:
    files = write_files(tmp_path / "in", [9])
    plan = make_plan(files)
    convert_all(plan, tmp_path / "out")
    card = tmp_path / "out" / "README.md"
    first = card.read_text()
    # The name alone may be that of something else to `datasets`: parquet, json.
    assert "datasets.load_dataset('./out')" in first
    assert "num_examples: 9" in first
    card.write_text(first + "\nstale\n")
    finalize(plan, tmp_path / "out")
    assert card.read_text() == first
    card.write_text("My own words.")
    finalize(plan, tmp_path / "out")
    assert card.read_text() == "My own words."


KILLED = """
import sys, time
from hf_h5.distributed import convert_shard, load_plan, rows

made = rows.to_arrow_table

def slow(*args, **kwargs):
    print("reading", flush=True)
    time.sleep(60)

rows.to_arrow_table = slow
convert_shard(load_plan(sys.argv[1]), 0, sys.argv[2])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_process_that_is_killed_leaves_no_shard_and_finishing_sweeps_up(tmp_path: Path) -> None:
    plan = make_plan(write_files(tmp_path / "in", [9]))
    save_plan(plan, tmp_path / "plan.json")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "plan.json"), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"reading\n"
        process.send_signal(signal.SIGKILL)
    assert len(hidden_files(tmp_path / "out")) == 2
    assert list((tmp_path / "out").glob("*.parquet")) == []
    convert_all(plan, tmp_path / "out")
    assert hidden_files(tmp_path / "out") == [".hf-h5-convert.json"]
