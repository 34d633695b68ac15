"""Files of a hub: patterns, revisions that are pinned, tokens, links that expire, and streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import huggingface_hub.constants
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import AccessError, H5Error, MissingFileError, TransferError
from hf_h5.hub.sidecar import write_index
from hf_h5.remote.hub_files import HubPlace, matches, parse_hub
from tests.hub.fixtures import ALICE, BOB
from tests.hub.loopback import LoopbackHub
from tests.hub.store import make_entry

from .conftest import N_ROWS

torch_data = pytest.importorskip("torch.utils.data")


def commit(hub: LoopbackHub, files: dict[str, bytes], *, repo: str = "alice/set", private: bool = False) -> str:
    """Put files into a repository of data, those of HDF5 as large ones."""
    if f"dataset/{repo}" not in hub.store.repos:
        hub.store.create("dataset", repo, private=private)
    found = hub.store.repos[f"dataset/{repo}"]
    tree = dict(hub.store.tree(found, "main"))
    for name, content in files.items():
        tree[name] = make_entry(*hub.store.put([content]), None if name.endswith(".h5") else content)
    return hub.store.commit(found, "branches", "main", tree, "files", parent=None)


@pytest.fixture
def hub(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> LoopbackHub:
    hub.store.repos.clear()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    # Processes that are started read them from the environment.
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    return hub


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("hf://datasets/me/set/a/b.h5", HubPlace("dataset", "me/set", None, "a/b.h5")),
        ("hf://datasets/me/set@v1/b.h5", HubPlace("dataset", "me/set", "v1", "b.h5")),
        ("hf://datasets/me/set@refs%2Fpr%2F3/b.h5", HubPlace("dataset", "me/set", "refs/pr/3", "b.h5")),
        ("hf://me/model/b.h5", HubPlace("model", "me/model", None, "b.h5")),
        ("hf://spaces/me/space@main/b.h5", HubPlace("space", "me/space", "main", "b.h5")),
        ("hf://datasets/set/b.h5", None),
        ("s3://bucket/b.h5", None),
    ],
)
def test_names_say_what_they_mean(url: str, place: HubPlace | None) -> None:
    assert parse_hub(url) == place
    if place is not None:
        assert parse_hub(place.url) == place


def test_patterns_stay_in_folders_but_for_two_stars() -> None:
    paths = dict.fromkeys(["a.h5", "b.txt", "x/a.h5", "x/y/a.h5", "x/b1.h5"])
    assert list(matches("*.h5", paths)) == ["a.h5"]
    assert list(matches("**/*.h5", paths)) == ["a.h5", "x/a.h5", "x/b1.h5", "x/y/a.h5"]
    assert list(matches("x/[ab]?.h5", paths)) == ["x/b1.h5"]


@pytest.mark.parametrize("isolate", [None, False])
def test_a_pattern_of_a_hub_is_a_view(
    hub: LoopbackHub, file: Path, values: dict[str, Any], isolate: bool | None
) -> None:
    content, index = file.read_bytes(), write_index(file).read_bytes()
    commit(hub, {"data/one.h5": content, "data/one.h5.index": index, "data/two.h5": content, "README.md": b"# Set"})
    with hf_h5.H5TorchView("hf://datasets/alice/set/data/*.h5", isolate=isolate) as view:
        assert len(view) == 2 * N_ROWS
        rows = [1100, 3, 500]
        found = view.with_format("numpy")[rows]
        for name, column in found.items():
            np.testing.assert_array_equal(column, values[name][[500, 3, 500]])


def test_a_name_of_a_hub_that_reads_like_a_pattern_is_that_file(hub: LoopbackHub, file: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "1.h5", "w") as handle:
        handle["x"] = np.arange(3)
    commit(hub, {"run[1].h5": (tmp_path / "1.h5").read_bytes(), "run1.h5": file.read_bytes()})
    assert len(hf_h5.H5TorchView("hf://datasets/alice/set/run[1].h5")) == 3
    assert len(hf_h5.H5TorchView("hf://datasets/alice/set/run[1-2].h5")) == N_ROWS


def test_an_epoch_of_a_hub_fetches_each_byte_once(hub: LoopbackHub, file: Path) -> None:
    commit(hub, {"one.h5": file.read_bytes(), "one.h5.index": write_index(file).read_bytes()})
    view = hf_h5.H5TorchView("hf://datasets/alice/set/one.h5", columns=["images", "labels"], isolate=False)
    hub.seen.clear()
    labels = [int(label) for batch in view.loader(50, shuffle=True) for label in batch["labels"]]
    assert sorted(labels) == list(range(N_ROWS))
    assert hub.n_sent < 1.1 * file.stat().st_size


def test_a_revision_is_pinned_when_it_is_opened(hub: LoopbackHub, file: Path, tmp_path: Path) -> None:
    first = commit(hub, {"a.h5": file.read_bytes()})
    url = "hf://datasets/alice/set@main/a.h5"
    options = {"columns": ["images", "labels"], "isolate": False, "remote_cache_bytes": 0}
    view = hf_h5.H5TorchView(url, **options)
    assert f"@{first}/" in repr(view)
    other = tmp_path / "b.h5"
    with h5py.File(other, "w") as handle:
        handle["images"] = np.ones((5, 2))
        handle["labels"] = np.arange(5)
    commit(hub, {"a.h5": other.read_bytes()})
    assert int(view[599]["labels"]) == 599
    assert len(view) == N_ROWS
    assert len(hf_h5.H5TorchView(url, **options)) == 5
    assert len(hf_h5.H5TorchView(url.replace("main", first), **options)) == N_ROWS


def test_an_index_of_another_commit_is_left_out(hub: LoopbackHub, file: Path, tmp_path: Path) -> None:
    content = bytearray(file.read_bytes())
    index = write_index(file).read_bytes()
    content[-1] ^= 1  # as large, and with the same image
    commit(hub, {"a.h5": bytes(content), "a.h5.index": index})
    with pytest.warns(hf_h5.errors.H5Warning, match="the file was replaced"):
        hf_h5.H5TorchView("hf://datasets/alice/set/a.h5", isolate=False)


def test_a_link_that_expired_is_asked_for_anew(hub: LoopbackHub, file: Path) -> None:
    commit(hub, {"a.h5": file.read_bytes()})
    view = hf_h5.H5TorchView("hf://datasets/alice/set/a.h5", columns=["labels"], isolate=False, remote_cache_bytes=0)
    view[0]
    hub.seen.clear()
    view[100]
    assert not hub.requests(pattern="/resolve/")
    hub.fail("GET", r"^/(?!datasets)", 403)
    assert int(view[300]["labels"]) == 300
    assert hub.requests(pattern="/resolve/")


@pytest.mark.parametrize("how", [500, 503, 429, "cut"])
def test_faults_of_a_hub_pass(hub: LoopbackHub, file: Path, how: int | str) -> None:
    commit(hub, {"a.h5": file.read_bytes()})
    hub.fail("GET", "", how, times=3)
    view = hf_h5.H5TorchView("hf://datasets/alice/set/a.h5", columns=["labels"], isolate=False)
    hub.fail("GET", "", how, times=3)
    assert int(view[555]["labels"]) == 555


def test_private_files_need_a_token_that_may_read_them(
    hub: LoopbackHub, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(hub, {"a.h5": file.read_bytes()}, repo="alice/private", private=True)
    url = "hf://datasets/alice/private/a.h5"
    with pytest.raises(MissingFileError, match=r"(?s)refuses: 401.*hf auth login.*HF_TOKEN"):
        hf_h5.H5TorchView(url)
    monkeypatch.setenv("HF_TOKEN", BOB)
    with pytest.raises(MissingFileError, match="refuses: 404") as caught:
        hf_h5.H5TorchView(url)
    assert BOB not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    with pytest.raises(H5Error, match="refuses: 401"):
        hf_h5.H5TorchView(url)
    monkeypatch.setenv("HF_TOKEN", ALICE)
    import pickle

    view = hf_h5.H5TorchView(url, columns=["labels"])
    assert int(view[5]["labels"]) == 5
    assert ALICE.encode() not in pickle.dumps(view)
    assert ALICE not in repr(view)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("hf://datasets/alice/none/a.h5", "RepoNotFound"),
        ("hf://datasets/alice/set/none.h5", "no such file in the repository"),
        ("hf://datasets/alice/set@v9/a.h5", "no such revision"),
        ("hf://datasets/alice/set/*.hdf5", "no file matches"),
    ],
)
def test_what_is_not_there_is_named(hub: LoopbackHub, file: Path, url: str, said: str) -> None:
    commit(hub, {"a.h5": file.read_bytes()})
    with pytest.raises(MissingFileError, match=said):
        hf_h5.H5TorchView(url)


def test_offline_is_respected(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(TransferError, match="HF_HUB_OFFLINE"):
        hf_h5.H5TorchView("hf://datasets/alice/set/a.h5")
    assert hub.seen == []


def test_gated_files_say_so(hub: LoopbackHub, file: Path) -> None:
    commit(hub, {"a.h5": file.read_bytes()})
    hub.fail("GET", "/resolve/", 403, times=None)
    with pytest.raises(AccessError, match=r"(?s)refuses: 403.*HF_TOKEN"):
        hf_h5.H5TorchView("hf://datasets/alice/set/a.h5")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_workers_read_a_hub(hub: LoopbackHub, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", ALICE)
    commit(hub, {"a.h5": file.read_bytes()}, repo="alice/private", private=True)
    view = hf_h5.H5TorchView("hf://datasets/alice/private/a.h5", columns=["labels"], isolate=False)
    view[0]
    loader = torch_data.DataLoader(view, batch_size=100, num_workers=2, multiprocessing_context="fork")
    assert [int(label) for batch in loader for label in batch["labels"]] == list(range(N_ROWS))


def stream_and_resume(n_seen: int) -> tuple[list[int], list[int]]:
    """Read a stream of a hub to its end, in two pieces; called in the process of a user."""
    import datasets

    import hf_h5  # noqa: F401  registers the builder

    url = "hf://datasets/alice/set/a.h5"
    options = {"split": "train", "streaming": True, "columns": ["labels", "images"]}
    first = datasets.load_dataset("hf_h5", data_files=url, **options)
    rows = iter(first)
    seen = [next(rows)["labels"] for _ in range(n_seen)]
    again = datasets.load_dataset("hf_h5", data_files=url, **options)
    again.load_state_dict(first.state_dict())
    return seen, [row["labels"] for row in again]


def test_a_stream_of_a_hub_fetches_what_it_needs_and_goes_on_where_it_was(
    hub: LoopbackHub, client: Any, file: Path
) -> None:
    commit(hub, {"a.h5": file.read_bytes(), "a.h5.index": write_index(file).read_bytes()})
    seen, rest = client.call(stream_and_resume, 77)
    assert seen + rest == list(range(N_ROWS))
    # The images come once, although two streams read them.
    assert hub.n_sent < 1.3 * file.stat().st_size + (600 << 10)
