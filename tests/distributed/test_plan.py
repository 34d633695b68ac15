"""Plans: the same for the same files, readable, checked when they are read, and their shards cover each row once."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.distributed import Plan, convert_shard, finalize, load_plan, make_plan, save_plan, storage
from hf_h5.distributed.storage import open_folder_of
from hf_h5.errors import FileChangedError, H5Warning, MissingFileError, OptionError
from hf_h5.sharding import cut_by_bytes
from tests.distributed.sources import write_files
from tests.written import write_h5


def test_the_same_files_give_the_same_plan(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    first, again = make_plan(files, 1000), make_plan(files, 1000)
    assert first == again
    assert first.id == again.id
    assert make_plan(files, 2000).id != first.id
    assert make_plan(files, 1000, columns=["uid"]).id != first.id


def test_a_plan_of_many_files_is_the_same_from_saved_schemas(tmp_path: Path) -> None:
    files = write_files(tmp_path, [9] * 70)
    cold = make_plan(files, 2000)
    time.sleep(2.1)  # files count as settled then, and are kept
    kept, warm = make_plan(files, 2000), make_plan(files, 2000)
    assert cold == kept == warm


def test_a_plan_comes_back_from_its_file(tmp_path: Path) -> None:
    options: dict[str, Any] = {"class_labels": {"uid": [str(each) for each in range(125)]}, "limits": {"seconds": 9}}
    plan = make_plan(write_files(tmp_path), "1kB", **options)
    save_plan(plan, tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json") == plan


@pytest.mark.parametrize(
    ("file", "folder"), [("plan.json", "."), ("/plan.json", "/"), ("a/plan.json", "a"), ("s3://b/plan.json", "s3://b")]
)
def test_a_plan_is_written_where_it_is_looked_for(file: str, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[str] = []
    monkeypatch.setattr(storage, "open_folder", places.append)
    assert open_folder_of(file)[1] == "plan.json"
    assert places == [folder]


def test_a_person_can_read_a_plan(tmp_path: Path) -> None:
    files = write_files(tmp_path, [16])
    save_plan(make_plan(files, 800, columns=["uid", "images"]), tmp_path / "plan.json")
    lines = (tmp_path / "plan.json").read_text().splitlines()
    shards = [json.loads(line.rstrip(",")) for line in lines if line.startswith('  {"name": "train-')]
    assert [shard["ranges"] for shard in shards] == [[[files[0], 0, 8]], [[files[0], 8, 16]]]
    assert '"options": {"columns": ["uid", "images"]},' in lines


def test_ranges_are_the_rows_of_the_files_in_order_and_end_where_chunks_do(tmp_path: Path) -> None:
    counts = (40, 25, 60)
    files = write_files(tmp_path, counts)
    plan = make_plan(files, 1500)
    pieces = [piece for shard in plan.shards for piece in shard.ranges]
    for file, count in zip(files, counts, strict=True):
        own = [(start, stop) for name, start, stop in pieces if name == file]
        assert [row for start, stop in own for row in range(start, stop)] == list(range(count))
        assert all(start % 8 == 0 for start, _ in own)
    assert [name for name, _, _ in pieces] == sorted(name for name, _, _ in pieces)


def test_shards_are_balanced_by_stored_bytes(tmp_path: Path) -> None:
    dense = np.random.default_rng(0).integers(0, 255, (512, 100), np.uint8)
    for name, rows in {"a": np.zeros_like(dense), "b": dense}.items():
        with h5py.File(tmp_path / f"{name}.h5", "w") as handle:
            handle.create_dataset("x", data=rows, chunks=(4, 100), compression="gzip")
    shards = make_plan([tmp_path / "a.h5", tmp_path / "b.h5"], 20_000).shards
    stored = [shard.stored_bytes for shard in shards]
    assert len(shards) >= 5
    # All but the last; a row group more or less.
    assert max(stored) - min(stored[:-1]) < 1000
    assert shards[0].stop - shards[0].start > 512


def test_splits_found_inside_have_shards_of_their_own(tmp_path: Path) -> None:
    rows = {"train/x": np.arange(20.0), "test/x": np.arange(5.0)}
    plan = make_plan(write_h5(tmp_path / "a.h5", rows), 80)
    assert plan.num_rows == {"train": 20, "test": 5}
    assert {shard.split for shard in plan.shards} == {"train", "test"}


def test_files_without_rows_are_named(tmp_path: Path) -> None:
    files = write_files(tmp_path, [9, 9])
    broken = tmp_path / "broken.h5"
    broken.write_bytes(Path(files[0]).read_bytes()[:3000])
    with pytest.warns(H5Warning, match=r"1 of 3 files is left out: .*broken\.h5"):
        plan = make_plan([files[0], broken, files[1]], on_bad_files="skip")
    assert plan.skipped == (str(broken),)
    assert [version.file for version in plan.files] == files


def test_relative_names_hold_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = write_files(tmp_path, [9])
    monkeypatch.chdir(tmp_path)
    assert make_plan("part-0.h5").files[0].file == file


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"stop": 16', '"stop": 12'), "changed after it was made"),
        (lambda text: text.replace("hf_h5 plan 1", "hf_h5 plan 9"), "no plan of the format"),
        (lambda text: text.replace('"version": "', '"version": "9'), "made by hf-h5 9"),
        (lambda text: text[:-20], "this is no plan"),
        (lambda text: "[]", "no plan of the format"),
        (
            lambda text: json.dumps({name: json.loads(text)[name] for name in ("plan", "version")}),
            r"not whole(?s:.*)plan.json",
        ),
        (lambda text: json.dumps(json.loads(text) | {"options": None}), "not whole"),
    ],
    ids=["edited", "format", "version", "cut short", "other JSON", "header", "no options"],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    save_plan(make_plan(write_files(tmp_path, [16]), 10_000), tmp_path / "plan.json")
    (tmp_path / "plan.json").write_text(change((tmp_path / "plan.json").read_text()))
    with pytest.raises(OptionError, match=message):
        load_plan(tmp_path / "plan.json")


def test_a_plan_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="hf-h5 plan"):
        load_plan(tmp_path / "plan.json")


def test_a_format_that_there_is_none_of(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'parquet', 'arrow'"):
        make_plan(write_files(tmp_path, [9]), format="csv")


def test_a_file_that_changed_or_went_is_an_error_and_not_other_rows(tmp_path: Path) -> None:
    files = write_files(tmp_path / "in", [16, 16])
    plan = make_plan(files, 10)
    os.utime(files[0], ns=(1, 1))
    Path(files[1]).unlink()
    with pytest.raises(FileChangedError, match="mtime_ns"):
        convert_shard(plan, 0, tmp_path / "out")
    with pytest.raises(MissingFileError, match="every machine"):
        convert_shard(plan, len(plan.shards) - 1, tmp_path / "out")


@pytest.mark.parametrize("name", ["x-0", "x-1", "y-0", "y-1"])
def test_each_file_of_each_joined_side_counts(tmp_path: Path, name: str) -> None:
    for each in ("x-0", "x-1", "y-0", "y-1"):
        write_h5(tmp_path / f"{each}.h5", {each[0]: np.arange(6)})
    plan = make_plan(sorted(map(str, tmp_path.glob("*.h5"))), join="columns")
    os.utime(tmp_path / f"{name}.h5", ns=(1, 1))
    with pytest.raises(FileChangedError, match=f"{name}.h5"):
        convert_shard(plan, 0, tmp_path / "out")


def test_a_file_that_a_link_leads_to_counts(tmp_path: Path) -> None:
    (target,) = write_files(tmp_path / "outside", [16])
    with h5py.File(tmp_path / "links.h5", "w") as handle:
        handle["uid"] = h5py.ExternalLink(target, "/uid")
    plan = make_plan(tmp_path / "links.h5", allow_external=[str(tmp_path / "outside")])
    assert [(version.file, version.read_by) for version in plan.files][1:] == [(target, str(tmp_path / "links.h5"))]
    os.utime(target, ns=(1, 1))
    with pytest.raises(FileChangedError, match="part-0"):
        convert_shard(plan, 0, tmp_path / "out")


def test_tables_that_are_no_json_are_looked_up_again(tmp_path: Path) -> None:
    for name, column in {"a": "x", "b": "y"}.items():
        write_h5(tmp_path / f"{name}.h5", {column: np.arange(6)})
    plan = make_plan([tmp_path / "a.h5", tmp_path / "b.h5"], join="columns")
    assert plan.tables is None
    assert convert_shard(plan, 0, tmp_path / "out").rows == 6
    assert finalize(plan, tmp_path / "out").rows == {"train": 6}


def test_plans_say_how_much_there_is(tmp_path: Path) -> None:
    plan = make_plan(write_files(tmp_path, [16]), 400)
    assert isinstance(plan, Plan)
    assert str(plan) == f"plan {plan.id}: 1 file, {len(plan.shards)} shards, train: 16 rows"


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(1, 200))
def test_cuts_hold_each_row_once_and_exceed_the_budget_by_single_groups_only(sizes: list[int], budget: int) -> None:
    groups = np.arange(len(sizes) + 1, dtype=np.int64)
    at_groups = np.concatenate([[0.0], np.cumsum(sizes)])
    cuts = cut_by_bytes(groups, at_groups, budget)
    assert [row for start, stop in cuts for row in range(start, stop)] == list(range(len(sizes)))
    for start, stop in cuts:
        assert stop - start == 1 or sum(sizes[start:stop]) <= budget * 1.001
