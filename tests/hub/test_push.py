"""What ``--push-to-hub`` and ``push_to_hub`` put on the Hub comes back with the same features and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from . import users
from .client import Client, Printed, run_command
from .files import write_digits, write_flat, write_nested, write_several, write_splits
from .fixtures import ALICE
from .loopback import LoopbackHub


@pytest.fixture
def push(client: Client, hub: LoopbackHub) -> Any:
    """Push files as alice by the command; fail if that fails."""

    def run(file: Path, repo: str, *flags: str) -> Printed:
        done = client.call(run_command, "convert", str(file), "--push-to-hub", repo, *flags, token=ALICE)
        assert done.code == 0, done.err
        return done

    return run


def test_features_and_values_survive_the_round_trip(push: Any, client: Client, tmp_path: Path) -> None:
    columns = write_digits(tmp_path / "digits.h5")
    done = push(tmp_path / "digits.h5", "alice/digits")
    assert "120 rows; load it with datasets.load_dataset('alice/digits')" in done.out
    features, rows = client.call(users.load_with_features, "alice/digits", tmp_path / "cache")
    assert features == client.call(users.features_of_file, tmp_path / "digits.h5", tmp_path / "other")
    assert features["labels"]["names"] == ["zero", "one", "two"]
    assert features["cubes"]["_type"] == "Array3D"
    assert {name: rows[name] for name in columns} == columns


def test_nested_features_survive_the_round_trip(push: Any, client: Client, tmp_path: Path) -> None:
    write_nested(tmp_path / "x.h5")
    push(tmp_path / "x.h5", "alice/nested", "--nested")
    features, rows = client.call(users.load_with_features, "alice/nested", tmp_path / "cache")
    assert set(features) == {"obs", "action"}
    assert features == client.call(users.features_of_file, tmp_path / "x.h5", tmp_path / "other", nested=True)
    assert rows["obs"][3]["state"] == [9.0, 10.0, 11.0]


def test_splits_become_splits(push: Any, client: Client, tmp_path: Path) -> None:
    write_splits(tmp_path / "x.h5")
    push(tmp_path / "x.h5", "alice/splits")
    for split, n_rows in (("train", 30), ("test", 10)):
        rows = client.call(users.load_rows, "alice/splits", tmp_path / "cache", split=split)
        assert rows["y"] == list(range(n_rows))


def test_tables_become_configurations(push: Any, client: Client, tmp_path: Path) -> None:
    write_several(tmp_path / "x.h5")
    push(tmp_path / "x.h5", "alice/several")
    names = client.call(users.config_names, "alice/several")
    assert names[0] == "default"
    assert len(names) == 2
    assert len(client.call(users.load_rows, "alice/several", tmp_path / "cache")["frames/time"]) == 40
    events = client.call(users.load_rows, "alice/several", tmp_path / "cache", names[1])
    assert list(events.values()) == [[0, 1, 2, 3, 4]]


def test_a_table_that_was_chosen_is_the_only_one(push: Any, client: Client, tmp_path: Path) -> None:
    write_several(tmp_path / "x.h5")
    push(tmp_path / "x.h5", "alice/one", "--columns", "events/kind", "--table", "/events")
    assert client.call(users.config_names, "alice/one") == ["default"]
    assert client.call(users.load_rows, "alice/one", tmp_path / "cache") == {"events/kind": [0, 1, 2, 3, 4]}


def test_the_card_tells_of_the_file(push: Any, client: Client, tmp_path: Path) -> None:
    write_digits(tmp_path / "digits.h5")
    push(tmp_path / "digits.h5", "alice/told")
    card = client.call(users.read_text, "alice/told", "README.md")
    assert "pretty_name: Handwritten digits" in card
    assert "| counts | Pixels of a digit |" in card
    assert "hf-h5 convert digits.h5 --push-to-hub alice/told" in card
    assert str(tmp_path) not in card


def test_a_card_that_was_edited_keeps_its_words(push: Any, client: Client, tmp_path: Path) -> None:
    write_digits(tmp_path / "digits.h5")
    client.call(users.make_repo, "alice/edited", token=ALICE)
    words = "---\nlicense: mit\n---\n# My digits\n\nRead this.\n"
    client.call(users.upload_file, "alice/edited", "README.md", words, token=ALICE)
    push(tmp_path / "digits.h5", "alice/edited")
    card = client.call(users.read_text, "alice/edited", "README.md")
    assert "license: mit" in card
    assert "# My digits\n\nRead this.\n" in card
    assert "## Columns" in card


def test_a_second_push_replaces_the_rows_of_the_first(push: Any, client: Client, tmp_path: Path) -> None:
    write_flat(tmp_path / "x.h5", 3000)
    push(tmp_path / "x.h5", "alice/again", "--max-shard-size", "8kB")
    write_flat(tmp_path / "x.h5", 1000)
    push(tmp_path / "x.h5", "alice/again", "--max-shard-size", "8kB")
    assert client.call(users.file_names, "alice/again") == [
        ".gitattributes",
        "README.md",
        "data/train-00000-of-00001.parquet",
    ]
    assert len(client.call(users.load_rows, "alice/again", tmp_path / "cache")["x"]) == 1000


def test_splits_that_are_no_more_go(push: Any, client: Client, tmp_path: Path) -> None:
    write_splits(tmp_path / "x.h5")
    push(tmp_path / "x.h5", "alice/fewer")
    write_flat(tmp_path / "x.h5", 10)
    push(tmp_path / "x.h5", "alice/fewer")
    names = client.call(users.file_names, "alice/fewer")
    assert [name for name in names if name.endswith(".parquet")] == ["data/train-00000-of-00001.parquet"]
    assert client.call(users.load_rows, "alice/fewer", tmp_path / "cache")["x"]


def test_a_push_removes_no_file_that_it_did_not_write(push: Any, client: Client, tmp_path: Path) -> None:
    theirs = [
        "data/other/train-00000-of-00001.parquet",
        "data/raw/x-0-of-1.parquet",
        "data/x-0-of-1.parquet",
        "data/train-00000-of-00001.parquet.txt",
        "extra/train-00000-of-00001.parquet",
    ]
    client.call(users.make_repo, "alice/nearby", token=ALICE)
    for path in theirs:
        client.call(users.upload_file, "alice/nearby", path, path, token=ALICE)
    write_flat(tmp_path / "x.h5", 10)
    push(tmp_path / "x.h5", "alice/nearby")
    assert set(theirs) < set(client.call(users.file_names, "alice/nearby"))


def test_the_same_push_again_uploads_nothing(push: Any, hub: LoopbackHub, tmp_path: Path) -> None:
    write_flat(tmp_path / "x.h5", 3000)
    push(tmp_path / "x.h5", "alice/twice", "--max-shard-size", "8kB")
    hub.forget()
    push(tmp_path / "x.h5", "alice/twice", "--max-shard-size", "8kB")
    assert hub.requests("POST", "/commit/") == []
    assert hub.requests("GET", "xet-write-token") == []


def test_processes_convert_what_is_pushed(push: Any, client: Client, tmp_path: Path) -> None:
    write_flat(tmp_path / "x.h5", 4000)
    push(tmp_path / "x.h5", "alice/processes", "--max-shard-size", "16kB", "--num-proc", "2")
    assert len(client.call(users.load_rows, "alice/processes", tmp_path / "cache")["x"]) == 4000


def test_files_that_are_skipped_may_be_the_first(push: Any, client: Client, hub: LoopbackHub, tmp_path: Path) -> None:
    write_flat(tmp_path / "b.h5", 10)
    (tmp_path / "a.h5").write_bytes((tmp_path / "b.h5").read_bytes()[:1000])
    arguments = ["convert", str(tmp_path / "a.h5"), str(tmp_path / "b.h5"), "--push-to-hub", "alice/skips"]
    done = client.call(run_command, *arguments, token=ALICE)
    assert done.code == 2
    assert "DamagedFileError" in done.err
    done = client.call(run_command, *arguments, "--on-bad-files", "skip", token=ALICE)
    assert done.code == 0, done.err
    assert len(client.call(users.load_rows, "alice/skips", tmp_path / "cache")["x"]) == 10
    card = client.call(users.read_text, "alice/skips", "README.md")
    assert "| `b.h5` |" in card
    assert "| `a.h5` |" not in card
    # The second time, what was found in the files is known.
    assert client.call(run_command, *arguments, "--on-bad-files", "skip", token=ALICE).code == 0


def test_private_is_private(push: Any, client: Client, tmp_path: Path) -> None:
    write_flat(tmp_path / "x.h5", 10)
    push(tmp_path / "x.h5", "alice/mine", "--private")
    with pytest.raises(RuntimeError, match="RepositoryNotFoundError"):
        client.call(users.file_names, "alice/mine")
    assert client.call(users.file_names, "alice/mine", token=ALICE)


def test_the_folder_of_shards_goes_unless_it_was_named(push: Any, client: Client, tmp_path: Path) -> None:
    write_flat(tmp_path / "x.h5", 10)
    push(tmp_path / "x.h5", "alice/kept", "-o", str(tmp_path / "shards"))
    assert [file.name for file in (tmp_path / "shards").rglob("*.parquet")] == ["train-00000-of-00001.parquet"]
    push(tmp_path / "x.h5", "alice/not-kept")
    assert client.call(users.left_over_folders) == []


def test_a_dataset_pushes_itself(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    columns = write_digits(tmp_path / "digits.h5")
    features = client.call(users.push_dataset, tmp_path / "digits.h5", "alice/itself", tmp_path / "one", token=ALICE)
    found, rows = client.call(users.load_with_features, "alice/itself", tmp_path / "two")
    assert found == features
    assert {name: rows[name] for name in columns} == columns
