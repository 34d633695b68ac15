"""How fast one reads a file of 1 GB that stays on a hub, 50 ms away: the hub is a process of this machine.

Round trips are counted on the hub's side: the longest chain of requests each of which began after the one before had
ended. Times are side by side in one run.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hf_h5.hub.sidecar import write_index
from tests.hub.client import Client, environment
from tests.hub.loopback import LoopbackHub, Seen
from tests.hub.store import make_entry

from . import remote_work as by

N_BYTES, DELAY_S, N_SLOW_ROWS = 1 << 30, 0.05, 60
TITLE, HEADINGS = "a file of 1 GB, 50 ms away", ("work", "found", "aim")

Line = Callable[[str, tuple[str, ...], tuple[str, ...]], None]


def serve(root: Path, files: list[Path], connection: Connection) -> None:
    """Be a hub with files, and answer questions about it."""
    with LoopbackHub(root, {"hf_a": "a"}) as hub:
        hub.store.create("dataset", "a/set", private=False)
        repo = hub.store.repos["dataset/a/set"]
        tree = dict(hub.store.tree(repo, "main"))
        for file in files:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            hub.store.blob(digest).symlink_to(file)
            for folder in ("bare", "with") if file.suffix == ".h5" else ("with",):
                tree[f"{folder}/{file.name}"] = make_entry(digest, file.stat().st_size, None)
        hub.store.commit(repo, "branches", "main", tree, "files", parent=None)
        connection.send(hub.url)
        while (asked := connection.recv()) != "end":
            if asked == "seen":
                connection.send(list(hub.seen))
            else:
                hub.forget()
                hub.delay_s = float(asked)
                connection.send(None)


@dataclass
class Hub:
    url: str
    connection: Connection

    def ask(self, what: Any) -> Any:
        self.connection.send(what)
        return self.connection.recv()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("file") / "images.h5"
    by.write_file(file, N_BYTES)
    return file


@pytest.fixture(scope="module")
def hub(file: Path) -> Iterator[Hub]:
    mine, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    files = [file, write_index(file)]
    process = context.Process(target=serve, args=(file.parent / "hub", files, theirs))
    process.start()
    yield Hub(mine.recv(), mine)
    mine.send("end")
    process.join()


@pytest.fixture(scope="module")
def client(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Client(environment(hub.url, tmp_path_factory.mktemp("home"))) as found:
        yield found


def round_trips(seen: list[Seen]) -> int:
    """The longest chain of requests, each after the end of the one before."""
    chain, free_s = 0, -np.inf
    for each in sorted(seen, key=lambda one: one.stop_s):
        if each.start_s >= free_s:
            chain, free_s = chain + 1, each.stop_s
    return chain


@pytest.mark.parametrize(("folder", "aim"), [("with", 6), ("bare", 15)])
def bench_first_batch(hub: Hub, client: Client, file: Path, add_line: Line, folder: str, aim: int) -> None:
    url = f"hf://datasets/a/set/{folder}/*.h5"
    with h5py.File(file) as handle:
        images = handle["images"]
        rows = sorted(np.random.default_rng(1).choice(len(images), 32, replace=False).tolist())
        chunks = {row // by.CHUNK_ROWS for row in rows}
        needed = sum(images.id.get_chunk_info_by_coord((chunk * by.CHUNK_ROWS, 0, 0, 0)).size for chunk in chunks)
    hub.ask(DELAY_S)
    seconds = client.call(by.first_batch, url, rows)
    seen = hub.ask("seen")
    fetched = sum(each.n_sent for each in seen)
    name = f"first batch of 32 random rows, {'with' if folder == 'with' else 'without'} an index"
    add_line(TITLE, HEADINGS, (f"{name}, round trips", f"{round_trips(seen)}", f"{aim}"))
    add_line(TITLE, HEADINGS, (f"{name}, bytes for each needed", f"{fetched / needed:.2f}", "1.3"))
    add_line(TITLE, HEADINGS, (f"{name}, seconds (requests)", f"{seconds:.2f} ({len(seen)})", ""))


def bench_epoch(hub: Hub, client: Client, file: Path, add_line: Line, tmp_path: Path) -> None:
    url, size = "hf://datasets/a/set/with/images.h5", file.stat().st_size
    hub.ask(DELAY_S)
    rounds = []
    for _ in range(2):
        down_s, expected = client.call(by.download_and_epoch, url, size, tmp_path / "down.h5")
        hub.ask(DELAY_S)
        remote_s, total = client.call(by.epoch, url)
        seen = hub.ask("seen")
        assert total == expected
        rounds.append((remote_s / down_s, remote_s, down_s))
    bounded_s, _ = client.call(by.epoch, url, "256MB")
    slow_s = client.call(by.h5py_rows, url, N_SLOW_ROWS) / N_SLOW_ROWS
    ratio, remote_s, down_s = min(rounds)
    with h5py.File(file) as handle:
        n_rows = len(handle["images"])
    fetched = sum(each.n_sent for each in seen) / size
    add_line(TITLE, HEADINGS, ("shuffled epoch, of a download and a local one", f"{ratio:.2f}", "1.5"))
    add_line(TITLE, HEADINGS, ("    seconds; those of the download and its epoch", f"{remote_s:.1f}; {down_s:.1f}", ""))
    add_line(TITLE, HEADINGS, ("    with 256 MB on disk, seconds", f"{bounded_s:.1f}", ""))
    add_line(TITLE, HEADINGS, ("shuffled epoch, bytes for each stored", f"{fetched:.3f}", "1.1"))
    add_line(
        TITLE, HEADINGS, ("shuffled epoch, times h5py over HfFileSystem", f"{slow_s * n_rows / remote_s:.0f}", "20")
    )
