from __future__ import annotations

import os
import pickle
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import h5py
import numpy as np
import pytest

from hf_h5.errors import (
    ClosedError,
    DamagedFileError,
    FileChangedError,
    MissingFileError,
    MissingPackageError,
    TransferError,
)
from hf_h5.read import remote
from hf_h5.read.cache import ChunkCache
from hf_h5.read.direct import DirectDataset
from hf_h5.read.index import build_index
from hf_h5.read.source import RemoteSource
from hf_h5.remote import patience

from .stored import FILTERS, read_stored, same_bytes


class Server(ThreadingHTTPServer):
    """Serves one file by ranges, as object stores do, and notes what was asked for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.tag, self.asked, self.cut_bytes = b"", f"one-{id(self):x}", [], 0
        self.url = f"http://127.0.0.1:{self.server_port}/x.h5"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, stop = (int(found[1]), int(found[2]) + 1) if found else (0, len(self.server.content))
        self.server.asked.append((self.command, start, stop))
        part = self.server.content[start : stop - self.server.cut_bytes]
        exists = self.path == "/x.h5"
        self.send_response((206 if found else 200) if exists else 404)
        self.send_header("Content-Length", str(len(part) if exists else 0))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", self.server.tag)
        if found:
            self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(self.server.content)}")
        self.end_headers()
        if self.command == "GET" and exists:
            self.wfile.write(part)

    do_HEAD = do_GET

    def log_message(self, *_):
        """Stay quiet."""


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def values():
    return np.random.default_rng(0).integers(0, 50, (60, 40)).astype("<f4")


def serve(server, file, values, **keywords):
    """Serve a file with the values at ``/x``; return a function that opens them from there."""
    with h5py.File(file, "w") as opened:
        opened.create_dataset("x", data=values, **keywords)
    with h5py.File(file) as opened:
        index, expected = build_index(opened["x"]), read_stored(opened["x"])
    server.content = file.read_bytes()

    def open_remote(**options):
        return DirectDataset(index, RemoteSource(server.url), file=server.url, path="/x", **options)

    assert same_bytes(expected, values)
    return open_remote


@pytest.mark.parametrize(
    "layout",
    [{}, {"chunks": (1, 40)}, {"chunks": (7, 40)}, {"chunks": (7, 15)}, {"chunks": (7, 40), **FILTERS["gzip+shuffle"]}],
    ids=["contiguous", "one-row chunks", "chunks", "split rows", "gzip"],
)
@pytest.mark.parametrize("rows", [slice(None), slice(5, 33), [59, 0, 17, 17, 3]], ids=str)
def test_rows_behind_a_url_are_those_of_the_file(server, tmp_path, values, layout, rows):
    open_remote = serve(server, tmp_path / "x.h5", values, **layout)
    assert same_bytes(open_remote().read_rows(rows), values[rows])
    assert same_bytes(open_remote(cache=ChunkCache(10**6)).read_rows(rows), values[rows])


def test_chunks_of_a_url_are_asked_for_together_and_in_large_ranges(server, tmp_path, values):
    open_remote = serve(server, tmp_path / "x.h5", values, chunks=(2, 40), compression="gzip")
    direct = open_remote()
    server.asked.clear()
    direct.read_rows(slice(None))
    assert len(server.asked) == 1


def test_cached_chunks_of_a_url_are_not_asked_for_again(server, tmp_path, values):
    direct = serve(server, tmp_path / "x.h5", values, chunks=(7, 40), compression="gzip")(cache=ChunkCache(10**6))
    direct.read_rows([5, 59])
    server.asked.clear()
    assert same_bytes(direct.read_rows([58, 3]), values[[58, 3]])
    assert server.asked == []


def test_large_reads_are_split_into_windows(server, tmp_path, values, monkeypatch):
    monkeypatch.setattr(RemoteSource, "limit_bytes", 1000)
    monkeypatch.setattr(RemoteSource, "gap_bytes", 0)
    monkeypatch.setattr("hf_h5.read.plan.batch_ranges.__defaults__", (3000,))
    direct = serve(server, tmp_path / "x.h5", values, chunks=(2, 40), compression="gzip")()
    server.asked.clear()
    assert same_bytes(direct.read_rows(slice(None)), values)
    assert max(stop - start for command, start, stop in server.asked if command == "GET") < 2000


def test_a_url_that_changed_is_noticed_with_the_next_bytes(server, tmp_path, values):
    direct = serve(server, tmp_path / "x.h5", values)()
    direct.read_rows([1])
    server.tag = "two"
    with pytest.raises(FileChangedError, match=r"tag one-\w+ -> two.*x\.h5"):
        direct.read_rows([2])


def test_a_store_is_asked_now_and_then_for_the_version(tmp_path, values, monkeypatch):
    system = fsspec.filesystem("memory")
    system.pipe_file("/changing/x.bin", bytes(100))
    source = RemoteSource("memory://changing/x.bin")
    source.check()
    system.pipe_file("/changing/x.bin", bytes(101))
    source.check()
    monkeypatch.setattr(remote, "CHECK_INTERVAL_S", 0.0)
    with pytest.raises(FileChangedError, match=r"size 100 -> 101.*x\.bin"):
        source.check()


def test_a_pickled_source_notices_at_once_that_the_url_changed(server, tmp_path, values):
    direct = serve(server, tmp_path / "x.h5", values)()
    packed = pickle.dumps(direct)
    assert same_bytes(pickle.loads(packed).read_rows([4, 2]), values[[4, 2]])
    server.tag = "two"
    with pytest.raises(FileChangedError):
        pickle.loads(packed).read_rows([44])


def test_a_url_without_a_file_is_named(server):
    with pytest.raises(MissingFileError, match=r"other\.h5"):
        RemoteSource(server.url.replace("x.h5", "other.h5"))


def test_a_server_that_sends_too_little_is_an_error(server, tmp_path, values, monkeypatch):
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.001)
    direct = serve(server, tmp_path / "x.h5", values)()
    server.cut_bytes = 3
    with pytest.raises(TransferError, match=r"sent fewer bytes from byte \d+ on than were asked for.*x\.h5"):
        direct.read_rows([1])


def test_rows_beyond_the_end_of_a_url_are_an_error(server, tmp_path, values):
    open_remote = serve(server, tmp_path / "x.h5", values)
    server.content = server.content[:-10]
    with pytest.raises(DamagedFileError, match="the file ends at byte"):
        open_remote().read_rows([59])


def test_a_closed_source_says_so(server):
    server.content = b"1234"
    source = RemoteSource(server.url)
    source.close()
    with pytest.raises(ClosedError):
        source.read_ranges([0], [1])


def test_a_file_system_that_is_not_installed_is_named():
    with pytest.raises(MissingPackageError, match=r"needs a package.*abfs"):
        RemoteSource("abfs://container/x.h5")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_connects_anew(server):
    server.content = b"123456"
    source = RemoteSource(server.url)
    assert bytes(source.read_ranges([1], [2])[0]) == b"23"
    child = os.fork()
    if child == 0:
        os._exit(0 if bytes(source.read_ranges([1], [2])[0]) == b"23" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_any_file_system_of_fsspec_will_do(tmp_path, values):
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        opened.create_dataset("x", data=values, chunks=(7, 40), compression="gzip")
    fsspec.filesystem("memory").pipe_file("/folder/x.h5", (tmp_path / "x.h5").read_bytes())
    with h5py.File(tmp_path / "x.h5") as opened:
        index = build_index(opened["x"])
    url = "memory://folder/x.h5"
    direct = DirectDataset(index, RemoteSource(url), file=url, path="/x")
    assert same_bytes(direct.read_rows([3, 1, 59]), values[[3, 1, 59]])
