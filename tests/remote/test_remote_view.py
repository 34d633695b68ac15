"""Are the rows of a file behind a URL those of the file, with an index and without, and in few requests."""

from __future__ import annotations

import gc
import os
import pickle
import threading
import warnings
import zipfile
from pathlib import Path
from typing import Any

import fsspec
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import FileChangedError, H5Warning, OptionError
from hf_h5.hub.sidecar import write_index
from hf_h5.read.source import fingerprint_of
from hf_h5.remote import secrets, structure
from hf_h5.remote.http import HttpFile
from hf_h5.remote.known import name_files, open_file

from .conftest import N_ROWS
from .serving import Server

torch_data = pytest.importorskip("torch.utils.data")


def rows_of(view: Any) -> dict[str, Any]:
    return {name: np.asarray(column) for name, column in view.with_format("numpy")[:].items()}


def assert_same(found: dict[str, Any], values: dict[str, Any], rows: Any = slice(None)) -> None:
    assert set(found) == set(values)
    for name, column in found.items():
        np.testing.assert_array_equal(column, values[name][rows], err_msg=name)


@pytest.mark.parametrize("has_index", [False, True])
def test_the_rows_are_those_of_the_file(server: Server, file: Path, values: dict[str, Any], has_index: bool) -> None:
    if has_index:
        server.files["a.h5.index"] = write_index(file).read_bytes()
    with hf_h5.H5TorchView(f"{server.url}/a.h5") as view:
        assert_same(rows_of(view), values)
        rows = [599, 3, 3, 250]
        assert_same(view.with_format("numpy")[rows], values, rows)
        assert "'http://127.0.0.1" in repr(view)


def test_a_shuffled_epoch_has_each_row_once_and_each_byte_once(server: Server, file: Path) -> None:
    server.files["a.h5.index"] = write_index(file).read_bytes()
    view = hf_h5.H5TorchView(f"{server.url}/a.h5", columns=["labels", "images", "signal"])
    server.asked.clear()
    labels = [int(label) for batch in view.loader(32, shuffle=True) for label in batch["labels"]]
    assert sorted(labels) == list(range(N_ROWS))
    assert labels != sorted(labels)
    assert server.n_bytes("a.h5") < 1.1 * file.stat().st_size
    server.asked.clear()
    assert sorted(int(label) for batch in view.loader(32, shuffle=True) for label in batch["labels"]) == sorted(labels)
    assert server.asked == []


def test_with_an_index_opening_takes_few_requests(server: Server, file: Path) -> None:
    server.files["a.h5.index"] = write_index(file).read_bytes()
    view = hf_h5.H5TorchView(f"{server.url}/a.h5", columns=["images"])
    # Its first bytes, the index, and what the index says of the file, to know that they belong together.
    assert server.n_bytes("a.h5") < (64 << 10) + 9 * 4096
    server.asked.clear()
    view[[3, 300]]
    assert len(server.asked) <= 4


def test_without_an_index_the_trees_of_chunks_are_followed_level_by_level(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(tmp_path / "deep.h5", "w") as handle:
        images = handle.create_dataset("images", (9000, 300), "u1", chunks=(1, 300), compression="gzip")
        for number in range(9000):
            images.id.write_direct_chunk((number, 0), bytes(300), 1)
    server.files["deep.h5"] = (tmp_path / "deep.h5").read_bytes()
    rounds: list[int] = []
    follow = structure.next_blocks
    monkeypatch.setattr("hf_h5.remote.file.next_blocks", lambda *args: rounds.append(1) or follow(*args))
    with hf_h5.H5TorchView(f"{server.url}/deep.h5") as view:
        before = len(server.asked)
        assert not view[8999]["images"].any()
        assert len(server.asked) - before <= 2
    assert len(rounds) > 9000 // 64
    assert before < 200


def test_many_columns_are_asked_for_together(server: Server, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "many.h5", "w") as handle:
        for number in range(30):
            handle.create_dataset(f"c{number}", data=np.arange(5000) + number, chunks=(500,), compression="gzip")
    server.files["many.h5"] = (tmp_path / "many.h5").read_bytes()
    view = hf_h5.H5TorchView(f"{server.url}/many.h5")
    server.times.clear()
    server.delay_s = 0.1
    assert int(view[[4999, 3]]["c7"][0]) == 5006
    assert server.round_trips() <= 8
    server.times.clear()
    assert int(view[[3000, 2000]]["c7"][0]) == 3007
    assert server.round_trips() <= 3


@pytest.mark.parametrize("damage", ["other version", "other size", "torn", "nonsense"])
def test_an_index_that_does_not_belong_is_left_out_with_a_warning(
    server: Server, file: Path, values: dict[str, Any], tmp_path: Path, damage: str
) -> None:
    other = tmp_path / "other.h5"
    other.write_bytes(file.read_bytes())
    with h5py.File(other, "r+") as handle:
        handle["images"].attrs["unit"] = "meters"
        if damage == "other size":
            handle["more"] = np.arange(1000)
    content = write_index(other).read_bytes()
    contents = {"torn": content[:-7], "nonsense": b"nonsense"}
    server.files["a.h5.index"] = contents.get(damage, content)
    with pytest.warns(H5Warning, match=r"a\.h5\.index is not used"):
        view = hf_h5.H5TorchView(f"{server.url}/a.h5")
    assert_same(rows_of(view), values)
    assert "counts" in str(hf_h5.describe(file).tables["/"].columns["images"].attrs)


@pytest.mark.parametrize("number", [37, 58, 99])
def test_all_that_an_index_says_of_a_file_is_compared_with_it(server: Server, tmp_path: Path, number: int) -> None:
    file = tmp_path / "groups.h5"
    with h5py.File(file, "w") as handle:
        for group in range(100):
            handle[f"g{group:02}/rows"] = np.zeros(20_000, "i4")
            handle[f"g{group:02}/rows"].attrs["unit"] = "counts"
    server.files["groups.h5.index"] = write_index(file).read_bytes()
    server.files["groups.h5"] = file.read_bytes()
    hf_h5.H5TorchView(f"{server.url}/groups.h5")
    with h5py.File(file, "r+") as handle:
        handle[f"g{number}/rows"].attrs.modify("unit", "meters")
    server.files["groups.h5"] = file.read_bytes()
    with pytest.warns(H5Warning, match="rewritten since it was made"):
        hf_h5.H5TorchView(f"{server.url}/groups.h5")


def test_an_index_that_is_older_than_the_file_is_left_out(server: Server, file: Path) -> None:
    server.files["a.h5.index"] = write_index(file).read_bytes()
    server.dates = {"a.h5": 1e9, "a.h5.index": 1e9}
    hf_h5.H5TorchView(f"{server.url}/a.h5")
    server.dates["a.h5"] += 2
    with pytest.warns(H5Warning, match="the file was written after it"):
        hf_h5.H5TorchView(f"{server.url}/a.h5")


def test_a_file_that_was_replaced_is_an_error_and_open_anew_it_is_read(server: Server, file: Path) -> None:
    view = hf_h5.H5TorchView(f"{server.url}/a.h5", columns=["images"], remote_cache_bytes=0)
    view[0]
    content = bytearray(server.files["a.h5"])
    content[-1] ^= 1
    server.files["a.h5"] = bytes(content)
    with pytest.raises(FileChangedError, match="open it again"):
        view[500]
    assert len(hf_h5.H5TorchView(f"{server.url}/a.h5", columns=["images"])[500]["images"]) == 16


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_workers_read_it_by_themselves(server: Server, method: str) -> None:
    url = server.url.replace("127.0.0.1", "me:pass-word@127.0.0.1") + "/a.h5?sig=5ec7e7"
    view = hf_h5.H5TorchView(url, columns=["labels", "images"])
    view[0]
    loader = torch_data.DataLoader(view, batch_size=50, num_workers=2, multiprocessing_context=method)
    labels = [int(label) for batch in loader for label in batch["labels"]]
    assert labels == list(range(N_ROWS))


def test_no_secret_is_shown_or_pickled(server: Server) -> None:
    url = server.url.replace("127.0.0.1", "me:pass-word@127.0.0.1") + "/a.h5?sig=5ec7e7"
    view = hf_h5.H5TorchView(url)
    assert "Basic bWU6cGFzcy13b3Jk" in server.authorizations
    pickled = pickle.dumps(view)
    shown = repr(view) + str(view.info) + str(hf_h5.describe(url))
    with pytest.raises(hf_h5.errors.MissingFileError) as caught:
        hf_h5.H5TorchView(url.replace("a.h5", "b.h5"))
    shown += str(caught.value) + repr(pickle.dumps(caught.value))
    for secret in ("pass-word", "5ec7e7"):
        assert secret not in shown
        assert secret.encode() not in pickled
    # What was opened here is opened again here, and nowhere else.
    assert len(pickle.loads(pickled)[0]) == 4
    secrets._URLS.clear()
    with pytest.raises(OptionError, match="known only to the process"):
        secrets.reveal(open_file.__module__ and view._table.files[0])


@pytest.mark.parametrize("key", ["signal", "token", "sig"])
@pytest.mark.parametrize("isolate", [False, True])
def test_files_that_differ_in_a_query_alone_are_told_apart(
    server: Server, tmp_path: Path, key: str, isolate: bool
) -> None:
    for number in (1, 2):
        with h5py.File(tmp_path / f"{number}.h5", "w") as handle:
            handle["x"] = np.full(3, number)
        server.files[f"{number}.h5"] = (tmp_path / f"{number}.h5").read_bytes()
    urls = [f"{server.url}/get?{key}={number}.h5" for number in (1, 2)]
    with hf_h5.H5TorchView(urls, isolate=isolate) as both:
        assert both[:]["x"].tolist() == [1, 1, 1, 2, 2, 2]
        loader = torch_data.DataLoader(both, batch_size=6, num_workers=1, multiprocessing_context="spawn")
        assert next(iter(loader))["x"].tolist() == [1, 1, 1, 2, 2, 2]
    one, two = (hf_h5.H5TorchView(url, isolate=isolate) for url in urls)
    assert (one[0]["x"], two[0]["x"]) == (1, 2)


def filled_with(value: int, file: Path) -> bytes:
    """A file of two columns that has as many bytes for any value."""
    with h5py.File(file, "w", track_order=False) as handle:
        handle["x"], handle["y"] = np.full((2, 100_000), value, "i4")
    return file.read_bytes()


@pytest.mark.parametrize("isolate", [False, True])
def test_a_file_without_a_version_is_read_anew_each_time_it_is_opened(
    server: Server, tmp_path: Path, isolate: bool
) -> None:
    server.names_versions = False
    for value in (1, 2):
        server.files["a.h5"] = filled_with(value, tmp_path / "a.h5")
        view = hf_h5.H5TorchView(f"{server.url}/a.h5", columns=["x", "y"][:value], isolate=isolate)
        assert {int(each) for column in view[:].values() for each in np.unique(column)} == {value}


def test_what_is_read_of_a_file_without_a_version_is_kept_while_it_is_open(server: Server, tmp_path: Path) -> None:
    server.names_versions = False
    server.files["a.h5"] = filled_with(1, tmp_path / "a.h5")
    view = hf_h5.H5TorchView(f"{server.url}/a.h5")
    view[:]
    server.asked.clear()
    view[:]
    assert server.asked == []


@pytest.mark.parametrize("place", ["{}", "file://{}"])
def test_a_member_of_an_archive_that_was_replaced_is_another_file(tmp_path: Path, place: str) -> None:
    archive, tags = tmp_path / "a.zip", set()
    for value in (1, 2):
        with zipfile.ZipFile(archive, "w") as members:
            members.writestr("a.h5", filled_with(value, tmp_path / "a.h5"))
        url = f"zip://a.h5::{place.format(archive)}"
        with hf_h5.H5TorchView(url, columns=["x", "y"][:value]) as view:
            assert {int(each) for column in view[:].values() for each in np.unique(column)} == {value}
        tags.add(fingerprint_of(url).tag)
        # The member is the same, and the archive is another one.
        os.utime(archive, (10**9, 10**9))
        tags.add(fingerprint_of(name_files(url)[0]).tag)
    assert len(tags) == 4


def test_any_file_system_of_fsspec_will_do(file: Path, values: dict[str, Any]) -> None:
    system = fsspec.filesystem("memory")
    for name in ("one", "two"):
        system.pipe_file(f"/patterns/{name}.h5", file.read_bytes())
    system.pipe_file("/patterns/one.h5.index", write_index(file).read_bytes())
    with hf_h5.H5TorchView("memory://patterns/*.h5") as view:
        assert len(view) == 2 * N_ROWS
        rows = [0, 1199, 600]
        np.testing.assert_array_equal(view[rows]["labels"], [0, 599, 0])
        np.testing.assert_array_equal(view[rows]["images"], values["images"][[0, 599, 0]])


def test_a_name_of_a_store_that_reads_like_a_pattern_is_that_file(file: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "1.h5", "w") as handle:
        handle["x"] = np.arange(3)
    system = fsspec.filesystem("memory")
    system.pipe_file("/brackets/run[1].h5", (tmp_path / "1.h5").read_bytes())
    system.pipe_file("/brackets/run1.h5", file.read_bytes())
    assert len(hf_h5.H5TorchView("memory://brackets/run[1].h5")) == 3
    assert len(hf_h5.H5TorchView("memory://brackets/run[1-2].h5")) == N_ROWS


def test_a_pattern_in_an_archive_is_its_members(file: Path, values: dict[str, Any], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("one.h5", "two.h5"):
            archive.write(file, name)
    for url in (f"zip://*.h5::{tmp_path}/a.zip", f"simplecache::zip://*.h5::file://{tmp_path}/a.zip"):
        view = hf_h5.H5TorchView(url, columns=["labels"])
        np.testing.assert_array_equal(view[:]["labels"], np.tile(values["labels"], 2))


def test_with_isolate_rows_are_the_same(server: Server, values: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", H5Warning)
        with hf_h5.H5TorchView(f"{server.url}/a.h5", isolate=True) as view:
            assert_same(view.with_format("numpy")[[5, 500]], values, [5, 500])


@pytest.mark.timeout(60)
def test_a_thread_that_fetches_does_not_collect_what_belongs_to_h5py(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for the lock of `h5py`, held by the call that waits for this thread."""
    with h5py.File(tmp_path / "many.h5", "w") as handle:
        for number in range(30):
            handle.create_dataset(f"c{number}", data=np.arange(5000) + number, chunks=(500,), compression="gzip")
    server.files["many.h5"] = (tmp_path / "many.h5").read_bytes()
    spaces, in_threads = [h5py.h5s.create_simple((1,)) for _ in range(1000)], []
    fetch = HttpFile.fetch

    def fetch_with_litter(self: HttpFile, *arguments: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            cycle: list[Any] = [spaces.pop()]
            cycle.append(cycle)
            del cycle
            in_threads.append([[] for _ in range(5000)])  # so many that it is time to collect
        fetch(self, *arguments)

    monkeypatch.setattr(HttpFile, "fetch", fetch_with_litter)
    with hf_h5.H5TorchView(f"{server.url}/many.h5", isolate=False) as view:
        assert in_threads
        assert int(view[4999]["c7"]) == 5006
    assert gc.isenabled()
