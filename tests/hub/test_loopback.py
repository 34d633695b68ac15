"""Does the loopback hub do for the unmodified clients what the Hub does."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from . import users
from .client import Client
from .fixtures import ALICE, BOB, READER
from .loopback import CUT, DROP, LoopbackHub

ROWS = {"x": list(range(100)), "name": [f"row {number}" for number in range(100)]}
LARGE = os.urandom(300_000)


@pytest.fixture(params=["xet", "lfs"])
def any_client(request: pytest.FixtureRequest) -> Client:
    found: Client = request.getfixturevalue("client" if request.param == "xet" else "lfs_client")
    return found


def test_what_is_pushed_is_loaded_and_streamed(
    hub: LoopbackHub, any_client: Client, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    repo = f"alice/rows-{request.node.callspec.id}"
    any_client.call(users.push_rows, repo, ROWS, token=ALICE)
    assert any_client.call(users.load_rows, repo, tmp_path) == ROWS
    assert any_client.call(users.stream_rows, repo)[7] == {"x": 7, "name": "row 7"}


def test_large_files_go_by_the_path_that_the_client_has(hub: LoopbackHub, client: Client, lfs_client: Client) -> None:
    client.call(users.push_rows, "alice/by-xet", {"x": [1]}, token=ALICE)
    assert hub.requests("GET", "xet-write-token")
    assert not hub.requests("PUT", "/_lfs/")
    lfs_client.call(users.push_rows, "alice/by-lfs", {"x": [2]}, token=ALICE)
    assert hub.requests("PUT", "/_lfs/.*/put")


def test_a_file_of_many_parts_comes_back_whole(
    hub: LoopbackHub, lfs_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "multipart_bytes", 100_000)
    lfs_client.call(users.make_repo, "alice/parts", token=ALICE)
    lfs_client.call(users.upload_file, "alice/parts", "a.bin", LARGE, token=ALICE)
    assert len(hub.requests("PUT", "/part/")) == 3
    assert lfs_client.call(users.read_range, "alice/parts", "a.bin", 0, len(LARGE)) == LARGE


def test_a_range_costs_its_bytes(hub: LoopbackHub, client: Client) -> None:
    client.call(users.make_repo, "alice/ranges", token=ALICE)
    client.call(users.upload_file, "alice/ranges", "a.bin", LARGE, token=ALICE)
    hub.forget()
    assert client.call(users.read_range, "alice/ranges", "a.bin", 1000, 3000) == LARGE[1000:3000]
    assert sum(each.n_sent for each in hub.requests("GET", "/_lfs/")) == 2000
    assert {each.range for each in hub.requests("GET", "/_lfs/")} == {"bytes=1000-2999"}


def test_a_private_repository_is_there_for_its_owner_alone(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    client.call(users.push_rows, "alice/secret", ROWS, private=True, token=ALICE)
    # Strangers first: what is in a user's cache, clients hand out without asking.
    for token in (BOB, None):
        with pytest.raises(RuntimeError, match="DatasetNotFoundError"):
            client.call(users.load_rows, "alice/secret", tmp_path, token=token)
    assert client.call(users.load_rows, "alice/secret", tmp_path, token=ALICE) == ROWS


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("hf_nobody", 401), (BOB, 403), (READER, 403)])
def test_only_those_who_may_write_do(hub: LoopbackHub, client: Client, token: str | None, status: int) -> None:
    with pytest.raises(RuntimeError, match=rf"\b{status}\b"):
        client.call(users.make_repo, "alice/theirs", token=token)


def test_an_organisation_is_written_to_by_its_members(hub: LoopbackHub, client: Client) -> None:
    client.call(users.make_repo, "lab/ours", token=ALICE)
    assert client.call(users.file_names, "lab/ours") == [".gitattributes"]


def test_faults_come_as_often_as_asked_and_clients_try_again(hub: LoopbackHub, lfs_client: Client) -> None:
    lfs_client.call(users.make_repo, "alice/faults", token=ALICE)
    hub.fail("PUT", "/_lfs/", 500, times=1)
    hub.fail("PUT", "/_lfs/", DROP, times=1)
    lfs_client.call(users.upload_file, "alice/faults", "a.bin", LARGE[::-1], token=ALICE)
    assert [each.status for each in hub.requests("PUT", "/_lfs/")] == [500, -1, 200]


def test_an_answer_that_is_cut_is_fetched_again(hub: LoopbackHub, client: Client) -> None:
    client.call(users.make_repo, "alice/cut", token=ALICE)
    client.call(users.upload_file, "alice/cut", "a.bin", LARGE, token=ALICE)
    hub.fail("GET", "/_lfs/", CUT, times=1)
    assert client.call(users.read_range, "alice/cut", "a.bin", 0, len(LARGE)) == LARGE
    assert [each.n_sent for each in hub.requests("GET", "/_lfs/")] == [len(LARGE) // 2, len(LARGE)]


def test_each_request_waits_as_long_as_asked(hub: LoopbackHub, client: Client) -> None:
    client.call(users.make_repo, "alice/slow", token=ALICE)
    hub.delay_s = 0.05
    begun_s = time.perf_counter()
    client.call(users.file_names, "alice/slow")
    # The last request of the call before may be noted only now.
    waits_s = [each.stop_s - each.start_s for each in hub.seen if each.start_s >= begun_s]
    assert waits_s
    assert min(waits_s) >= 0.05


def test_a_request_that_the_hub_does_not_know_is_noted(running_hub: LoopbackHub) -> None:
    running_hub.forget()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{running_hub.url}/api/something-new")
    assert running_hub.unknown == ["GET /api/something-new"]


def test_repositories_outlive_a_restart(tmp_path: Path) -> None:
    with LoopbackHub(tmp_path, {}) as first:
        first.store.create("dataset", "alice/kept", private=False)
    with LoopbackHub(tmp_path, {}) as second:
        found = urllib.request.urlopen(f"{second.url}/api/datasets/alice/kept").read()
    assert b".gitattributes" in found
