"""HDF5 files that lie on the Hub as they are load by name, with the options of their card, in both modes."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from . import users
from .client import Client, Printed, run_command
from .files import write_digits, write_several, write_splits
from .fixtures import ALICE, BOB
from .loopback import LoopbackHub


@pytest.fixture
def upload(client: Client, hub: LoopbackHub) -> Any:
    """Upload files as alice by the command; fail if that fails."""

    def run(repo: str, *arguments: str | Path) -> Printed:
        done = client.call(run_command, "upload", *map(str, arguments), "--repo", repo, token=ALICE)
        assert done.code == 0, done.err
        return done

    return run


def test_files_lie_there_as_they_are_beside_their_indices(upload: Any, client: Client, tmp_path: Path) -> None:
    write_digits(tmp_path / "digits.h5")
    done = upload("alice/as-it-is", tmp_path / "digits.h5")
    assert "H5TorchView('hf://datasets/alice/as-it-is/digits.h5')" in done.out
    names = client.call(users.file_names, "alice/as-it-is")
    assert names == [".gitattributes", "README.md", "digits.h5", "digits.h5.index"]
    stored = (tmp_path / "digits.h5").read_bytes()
    assert client.call(users.read_range, "alice/as-it-is", "digits.h5", 0, len(stored)) == stored


def test_a_repository_of_hdf5_comes_to_this_builder_once_registered(
    upload: Any, client: Client, tmp_path: Path
) -> None:
    columns = write_digits(tmp_path / "digits.h5")
    upload("alice/by-name", tmp_path / "digits.h5")
    features, rows = client.call(users.load_registered, "alice/by-name", tmp_path / "cache")
    assert features["labels"] == {"names": ["zero", "one", "two"], "_type": "ClassLabel"}
    assert {name: rows[name] for name in columns} == columns
    streamed = client.call(users.load_registered, "alice/by-name", tmp_path / "cache", streaming=True)[1]
    assert {name: streamed[name] for name in columns} == columns


def test_options_of_the_card_are_followed(upload: Any, client: Client, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["x"], handle["y"], handle["z"] = np.arange(6.0), np.arange(6) % 2, np.zeros(6)
    upload("alice/options", tmp_path / "x.h5", "--columns", "x,y", "--class-labels", "y=cat,dog")
    features, rows = client.call(users.load_registered, "alice/options", tmp_path / "cache")
    assert list(features) == ["x", "y"]
    assert features["y"]["names"] == ["cat", "dog"]
    assert rows["x"] == [0, 1, 2, 3, 4, 5]


def test_options_that_the_owner_wrote_into_the_card_are_followed(
    hub: LoopbackHub, client: Client, tmp_path: Path
) -> None:
    write_several(tmp_path / "x.h5")
    client.call(users.make_repo, "alice/by-hand", token=ALICE)
    client.call(users.upload_file, "alice/by-hand", "x.h5", (tmp_path / "x.h5").read_bytes(), token=ALICE)
    card = "---\nconfigs:\n- config_name: events\n  data_files: x.h5\n  table: /events\n---\n"
    client.call(users.upload_file, "alice/by-hand", "README.md", card, token=ALICE)
    rows = client.call(users.load_registered, "alice/by-hand", tmp_path / "cache")[1]
    assert rows == {"events/kind": [0, 1, 2, 3, 4]}


def test_splits_and_tables_inside_the_files_are_found_there(upload: Any, client: Client, tmp_path: Path) -> None:
    write_splits(tmp_path / "splits.h5")
    upload("alice/inside", tmp_path / "splits.h5")
    for split, n_rows in (("train", 30), ("test", 10)):
        rows = client.call(users.load_registered, "alice/inside", tmp_path / "cache", split=split)[1]
        assert rows["y"] == list(range(n_rows))
    write_several(tmp_path / "several.h5")
    upload("alice/tables", tmp_path / "several.h5")
    assert client.call(users.load_registered, "alice/tables", tmp_path / "cache", "events")[1] == {
        "events/kind": [0, 1, 2, 3, 4]
    }


def test_several_files_are_one_table(upload: Any, client: Client, tmp_path: Path) -> None:
    for number in range(3):
        with h5py.File(tmp_path / f"part{number}.h5", "w") as handle:
            handle["x"] = np.arange(4) + 10 * number
    upload("alice/parts-of-one", tmp_path / "part*.h5")
    rows = client.call(users.load_registered, "alice/parts-of-one", tmp_path / "cache")[1]
    assert rows["x"] == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]


def test_a_second_upload_sends_what_is_new_and_says_what_is_left_out(
    upload: Any, hub: LoopbackHub, tmp_path: Path
) -> None:
    for name in "ab":
        with h5py.File(tmp_path / f"{name}.h5", "w") as handle:
            handle["x"] = np.arange(4) + ord(name)
    upload("alice/growing", tmp_path / "a.h5")
    done = upload("alice/growing", tmp_path / "b.h5")
    assert "1 file of the repository (a.h5) will not be in what is loaded" in done.err
    done = upload("alice/growing", tmp_path / "a.h5", tmp_path / "b.h5")
    assert "4 files of 4 there already" in done.err
    # All of them, not the first alone.
    files = [f"hf://datasets/alice/growing/{name}.h5" for name in "ab"]
    assert f"8 rows in 2 files; read them there with hf_h5.H5TorchView({files!r})" in done.out


@pytest.mark.parametrize(
    ("name", "other"),
    [("run[1].h5", "run1.h5"), ("a*b?.h5", "aXbY.h5"), ("[x].h5", "x.h5"), ("r[.h5", "s.h5"), ("r].h5", "r.h5")],
)
def test_a_name_that_is_a_pattern_too_is_that_of_one_file(
    upload: Any, client: Client, tmp_path: Path, name: str, other: str
) -> None:
    for number, each in enumerate((other, name)):
        with h5py.File(tmp_path / each, "w") as handle:
            handle["x"] = np.full(3, number)
    repo = f"alice/pattern-{other[:-3]}-{ord(name[1])}"
    upload(repo, tmp_path / other)
    done = upload(repo, tmp_path / name)
    assert client.call(users.load_registered, repo, tmp_path / "cache")[1] == {"x": [1, 1, 1]}
    suggested = ast.literal_eval(done.out.split("H5TorchView(")[1].split(")")[0])
    assert f'H5TorchView("{suggested}")' in client.call(users.read_text, repo, "README.md")
    assert client.call(users.view_column, suggested, "x") == [1, 1, 1]


def test_files_load_that_take_the_place_of_pushed_rows(upload: Any, client: Client, tmp_path: Path) -> None:
    write_digits(tmp_path / "pushed.h5")
    done = client.call(
        run_command, "convert", str(tmp_path / "pushed.h5"), "--push-to-hub", "alice/instead", token=ALICE
    )
    assert done.code == 0, done.err
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["x"] = np.arange(4)
    upload("alice/instead", tmp_path / "x.h5")
    assert client.call(users.load_registered, "alice/instead", tmp_path / "cache")[1] == {"x": [0, 1, 2, 3]}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["a.h5", "b/a.h5"], "two files are named 'a.h5'"),
        (["a.h5", "--features", '{"x": {"dtype": "int64", "_type": "Value"}}'], "a card cannot say features="),
        (["missing.h5"], "missing.h5"),
        (["README.md"], "'README.md' is the name of the card"),
        (["a.h5", "a.h5.index"], "'a.h5.index' is the name of the index of another file"),
        (["a.h5", "noext"], "'noext' has no extension"),
        (["https://127.0.0.1:9/a.h5"], "only files of this machine are uploaded"),
    ],
    ids=["same name", "features", "missing", "card", "index", "no extension", "url"],
)
def test_what_cannot_be_uploaded_is_said_before_a_repository_is_made(
    hub: LoopbackHub, client: Client, tmp_path: Path, arguments: list[str], problem: str
) -> None:
    (tmp_path / "b").mkdir()
    for name in ("a.h5", "b/a.h5", "README.md", "a.h5.index", "noext"):
        with h5py.File(tmp_path / name, "w") as handle:
            handle["x"] = np.arange(4)
    names = ("a.h5", "b/a.h5", "missing.h5", "README.md", "a.h5.index", "noext")
    given = [str(tmp_path / each) if each in names else each for each in arguments]
    done = client.call(run_command, "upload", *given, "--repo", "alice/refused", token=ALICE)
    assert done.code == 2
    assert problem in done.err
    assert hub.seen == []


def test_who_may_not_upload_is_told_what_to_do(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    write_digits(tmp_path / "a.h5")
    done = client.call(run_command, "upload", str(tmp_path / "a.h5"), "--repo", "alice/x", token=BOB)
    assert done.code == 2
    assert "the token may not write to 'alice/x'" in done.err
    assert "hint: push under your own name" in done.err


def test_a_card_that_is_no_text_is_named(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    write_digits(tmp_path / "a.h5")
    client.call(users.make_repo, "alice/no-text", token=ALICE)
    client.call(users.upload_file, "alice/no-text", "a.bin", b"\x89HDF", token=ALICE)
    client.call(users.copy_file, "alice/no-text", "a.bin", "README.md", token=ALICE)
    done = client.call(run_command, "upload", str(tmp_path / "a.h5"), "--repo", "alice/no-text", token=ALICE)
    assert done.code == 2
    assert "the dataset's card is no text in UTF-8 [hf://datasets/alice/no-text/README.md]" in done.err
