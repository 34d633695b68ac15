"""What can go wrong with a push says what to do next, and what was uploaded is not uploaded again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import pytest

from . import users
from .client import Client, Printed, environment, run_command
from .files import write_flat
from .fixtures import ALICE, BOB, READER
from .loopback import DROP, LoopbackHub

REPOSITORY = Path(__file__).resolve().parents[2]
FULL = "Private repository storage limit reached, please upgrade your plan"


@pytest.fixture
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A file of 4000 rows, of other values in each test: the hub knows content that it had before."""
    write_flat(tmp_path / "x.h5", 4000, seed=zlib.crc32(request.node.nodeid.encode()))
    return tmp_path / "x.h5"


def push(client: Client, file: Path, repo: str, *flags: str, token: str | None = ALICE) -> Printed:
    size = ("--max-shard-size", "8kB")
    return client.call(run_command, "convert", str(file), "--push-to-hub", repo, *size, *flags, token=token)


@pytest.mark.parametrize(
    ("token", "repo", "problem", "hint"),
    [
        (None, "alice/x", "pushing to the Hub needs a token, and there is none", "hf auth login"),
        ("hf_mistyped", "alice/x", "the Hub does not know the token", "hf auth login"),
        (BOB, "alice/x", "the token may not write to 'alice/x'", "push under your own name"),
        (READER, "alice/x", "the token may not write to 'alice/x'", "take a token that may write"),
        (ALICE, "no-owner", "'no-owner' is no name of a dataset repository", "USER/NAME"),
        (ALICE, "alice/a b", "'alice/a b' is no name of a dataset repository", "USER/NAME"),
    ],
    ids=["no token", "bad token", "of another", "read only", "no owner", "bad name"],
)
def test_who_may_not_push_is_told_at_once_what_to_do(
    hub: LoopbackHub, client: Client, file: Path, token: str | None, repo: str, problem: str, hint: str
) -> None:
    done = push(client, file, repo, token=token)
    assert (done.code, done.out) == (2, "")
    assert problem in done.err
    assert "hint: " in done.err
    assert hint in done.err
    assert "rows" not in done.err
    assert token is None or token not in done.err


def test_a_repository_of_another_that_is_there_is_not_written_to(hub: LoopbackHub, client: Client, file: Path) -> None:
    client.call(users.make_repo, "alice/theirs", token=ALICE)
    done = push(client, file, "alice/theirs", token=BOB)
    assert done.code == 2
    assert "the token may not write to 'alice/theirs'" in done.err
    assert "shards" not in done.err


def test_what_should_be_private_is_not_pushed_to_a_public_repository(
    hub: LoopbackHub, client: Client, file: Path
) -> None:
    client.call(users.make_repo, "alice/public", token=ALICE)
    done = push(client, file, "alice/public", "--private")
    assert done.code == 2
    assert "'alice/public' is there already, and public" in done.err
    assert client.call(users.file_names, "alice/public") == [".gitattributes"]


@pytest.mark.parametrize(("status", "message"), [(403, FULL), (507, "Insufficient Storage")], ids=["quota", "507"])
def test_no_space_on_the_hub_says_so(
    hub: LoopbackHub, lfs_client: Client, file: Path, status: int, message: str
) -> None:
    hub.fail("POST", "/objects/batch", status, times=None, message=message)
    done = push(lfs_client, file, f"alice/full-{status}")
    assert done.code == 2
    assert f"the Hub has no room for more (it said: {message}" in done.err
    assert "run the same command again" in done.err


def test_a_hub_that_does_not_answer_is_named(hub: LoopbackHub, client: Client, file: Path) -> None:
    hub.fail("*", "", DROP, times=None)
    done = push(client, file, "alice/silent")
    assert done.code == 2
    assert "the Hub could not be reached" in done.err
    assert hub.url in done.err


def test_errors_that_pass_are_waited_for(hub: LoopbackHub, client: Client, file: Path, tmp_path: Path) -> None:
    hub.fail("POST", "/commit/hf-h5-push", 503)
    hub.fail("POST", "/commit/main", 500)
    assert push(client, file, "alice/patient").code == 0
    assert len(client.call(users.load_rows, "alice/patient", tmp_path)["x"]) == 4000


def test_somebody_else_who_writes_meanwhile_costs_a_try(
    hub: LoopbackHub, client: Client, file: Path, tmp_path: Path
) -> None:
    hub.fail("POST", "/commit/main", 412)
    assert push(client, file, "alice/busy").code == 0
    assert len(client.call(users.load_rows, "alice/busy", tmp_path)["x"]) == 4000


@pytest.mark.parametrize("kind", ["client", "lfs_client"], ids=["xet", "lfs"])
def test_an_interrupted_push_uploads_no_finished_shard_again(
    hub: LoopbackHub, request: pytest.FixtureRequest, file: Path, kind: str, tmp_path: Path
) -> None:
    client, repo = request.getfixturevalue(kind), f"alice/half-{kind}"
    hub.fail("POST", "/preupload/hf-h5-push", 403, skip=2, times=None)
    assert push(client, file, repo).code == 2
    assert client.call(users.file_names, repo) == [".gitattributes"]
    hub.forget()
    done = push(client, file, repo)
    assert done.code == 0
    assert "2 files of 4 uploaded already" in done.err
    assert len(hub.requests("POST", "/commit/hf-h5-push")) == 2
    assert len(hub.requests("PUT", "/_lfs/") or hub.requests("GET", "xet-write-token")) == 2
    assert len(client.call(users.load_rows, repo, tmp_path)["x"]) == 4000
    assert not any("hf-h5-push" in name for name in client.call(users.branch_names, repo))


def test_a_push_that_was_killed_goes_on_where_it_was(
    hub: LoopbackHub, lfs_client: Client, file: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "hf_h5.cli", "convert", str(file), "--push-to-hub", "alice/killed"]
    variables = environment(hub.url, tmp_path / "home", xet=False, token=ALICE) | {"PYTHONPATH": str(REPOSITORY)}
    hub.delay_s = 0.03
    flags = ["--max-shard-size", "8kB", "-o", str(tmp_path / "shards")]
    process = subprocess.Popen([*command, *flags], env=os.environ | variables | {"HF_HUB_OFFLINE": "0"})
    deadline_s = time.monotonic() + 60
    while len(hub.requests("POST", "/commit/hf-h5-push")) < 2 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = push(lfs_client, file, "alice/killed", *flags[2:])
    assert done.code == 0, done.err
    uploads = Counter(each.path for each in hub.requests("PUT", "/_lfs/") if each.status == 200)
    assert len({path.split("?")[0] for path in uploads}) == 4
    assert sum(uploads.values()) == 4
    assert len(lfs_client.call(users.load_rows, "alice/killed", tmp_path)["x"]) == 4000


def test_a_branch_that_could_not_be_removed_is_removed_the_next_time(
    hub: LoopbackHub, client: Client, file: Path
) -> None:
    hub.fail("DELETE", "/branch/", 403)
    assert push(client, file, "alice/litter").code == 2
    assert len(client.call(users.branch_names, "alice/litter")) == 2
    assert push(client, file, "alice/litter").code == 0
    assert client.call(users.branch_names, "alice/litter") == ["main"]


def test_two_pushes_of_different_tables_do_not_meet(
    hub: LoopbackHub, client: Client, file: Path, tmp_path: Path
) -> None:
    hub.fail("POST", "/preupload/hf-h5-push", 403, skip=1, times=1)
    assert push(client, file, "alice/two").code == 2
    write_flat(tmp_path / "y.h5", 3000, seed=5)
    assert push(client, tmp_path / "y.h5", "alice/two").code == 0
    assert len(client.call(users.load_rows, "alice/two", tmp_path)["x"]) == 3000
