"""Pushes to one repository at the same time: each leaves exactly its own files in ``main``, or all of the same ones."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from . import users
from .client import Client, environment, run_command
from .files import write_flat
from .fixtures import ALICE
from .loopback import LoopbackHub

REPOSITORY = Path(__file__).resolve().parents[2]


class _StoppedError(Exception):
    """The push ends here, as by an interrupt."""


def push_texts(repo: str, texts: list[str], say: Callable[[str], None] = lambda _: None) -> None:
    """Push three shards of other content, under the same names."""
    from hf_h5.hub.push import push_files
    from hf_h5.hub.repository import open_repository

    with tempfile.TemporaryDirectory() as folder:
        files = {f"data/train-0000{number}-of-00003.parquet": Path(folder) / str(number) for number in range(3)}
        for file, text in zip(files.values(), texts, strict=True):
            file.write_text(f"{repo} {text}")
        push_files(open_repository(repo), files, lambda _: "---\n{}\n---\n", message="Push", say=say)


def push_while(repo: str, texts: list[str], others: list[str], *, at: int, stop: bool = False) -> None:
    """Push shards, and when number ``at`` is said to go up, let others be pushed; maybe only the first of them."""
    begun: list[str] = []

    def stop_at_once(_: str) -> None:
        if stop:
            raise _StoppedError

    def meanwhile(text: str) -> None:
        if text.startswith(f"data/train-0000{at}") and not begun:
            begun.append(text)
            try:
                push_texts(repo, others, stop_at_once)
            except _StoppedError:
                begun.append("stopped")

    push_texts(repo, texts, meanwhile)
    if begun[1:] != ["stopped"] * stop:
        raise AssertionError(begun)


def checksums_of(repo: str, revision: str = "main") -> dict[str, str | None]:
    from huggingface_hub import HfApi

    from hf_h5.hub.repository import Repository

    return Repository(repo, HfApi()).checksums(revision)


def expected(repo: str, texts: list[str]) -> list[str]:
    return [sha256(f"{repo} {text}".encode()).hexdigest() for text in texts]


def in_main(client: Client, repo: str) -> list[str | None]:
    found = client.call(checksums_of, repo, token=ALICE)
    return [found[name] for name in sorted(found) if name.endswith(".parquet")]


def test_a_push_that_ends_amid_another_leaves_nothing_in_it(hub: LoopbackHub, client: Client) -> None:
    repo = "alice/amid"
    client.call(push_while, repo, ["a", "a", "a"], ["b", "b", "b"], at=2, stop=True, token=ALICE)
    assert in_main(client, repo) == expected(repo, ["a", "a", "a"])


@pytest.mark.parametrize("texts", [["a", "c", "a"], ["a", "c", "d"]], ids=["one", "several"])
def test_what_was_there_already_is_there_in_the_end_too(hub: LoopbackHub, client: Client, texts: list[str]) -> None:
    repo = f"alice/there-{texts[2]}"
    client.call(push_texts, repo, ["a", "a", "a"], token=ALICE)
    client.call(push_while, repo, texts, ["b", "b", "b"], at=1, token=ALICE)
    assert in_main(client, repo) == expected(repo, texts)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_the_same_push_at_once_succeeds_twice(hub: LoopbackHub, client: Client, at: int) -> None:
    repo = f"alice/same-{at}"
    client.call(push_while, repo, ["a", "b", "c"], ["a", "b", "c"], at=at, token=ALICE)
    assert in_main(client, repo) == expected(repo, ["a", "b", "c"])
    assert client.call(users.branch_names, repo) == ["main"]


def test_a_push_that_was_interrupted_goes_on_when_others_pushed_since(hub: LoopbackHub, client: Client) -> None:
    repo = "alice/since"
    hub.fail("POST", "/preupload/hf-h5-push", 403, skip=2, times=1)
    with pytest.raises(OSError, match="may not write"):
        client.call(push_texts, repo, ["a", "b", "c"], token=ALICE)
    client.call(push_texts, repo, ["d", "e", "f"], token=ALICE)
    hub.forget()
    client.call(push_texts, repo, ["a", "b", "c"], token=ALICE)
    assert len(hub.requests("POST", "/commit/hf-h5-push")) == 1
    assert in_main(client, repo) == expected(repo, ["a", "b", "c"])
    assert client.call(users.branch_names, repo) == ["main"]


def test_a_branch_that_is_gone_is_said_to_be_gone(hub: LoopbackHub, client: Client) -> None:
    client.call(users.make_repo, "alice/left", token=ALICE)
    with pytest.raises(RuntimeError, match=r"the branch or commit is gone[\s\S]*run the same command again"):
        client.call(checksums_of, "alice/left", "hf-h5-push-0", token=ALICE)


def test_a_repository_that_is_gone_is_said_to_be_gone(hub: LoopbackHub, client: Client) -> None:
    with pytest.raises(OSError, match="the Hub shows no 'alice/removed' to this token"):
        client.call(checksums_of, "alice/removed", token=ALICE)
    client.call(users.make_repo, "alice/odd", token=ALICE)
    hub.fail("GET", "/tree/", 404, message="Not Found")
    with pytest.raises(OSError, match=r"the Hub refused \(404: Not Found\)"):
        client.call(checksums_of, "alice/odd", token=ALICE)


def test_a_run_of_the_same_command_waits_for_the_other(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    write_flat(tmp_path / "x.h5", 8000, seed=11)
    arguments = ["convert", str(tmp_path / "x.h5"), "--push-to-hub", "alice/waits", "--max-shard-size", "8kB"]
    home, left_before = client.call(users.home), client.call(users.left_over_folders)
    variables = environment(hub.url, Path(home), token=ALICE) | {"PYTHONPATH": str(REPOSITORY)}
    variables |= {name: text for name, text in os.environ.items() if not name.startswith("HF_")}
    hub.delay_s = 0.02
    first = subprocess.Popen([sys.executable, "-m", "hf_h5.cli", *arguments], env=variables)
    deadline_s = time.monotonic() + 60
    while not hub.requests("POST", "/commit/hf-h5-push") and time.monotonic() < deadline_s:
        time.sleep(0.01)
    done = client.call(run_command, *arguments, token=ALICE)
    assert first.wait() == 0
    assert done.code == 0, done.err
    assert "another run of the same push is at work here" in done.err
    assert "8 files of 8 there already" in done.err
    assert client.call(users.left_over_folders) == left_before
