from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import textwrap
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.errors import ClosedError, DamagedFileError, FileChangedError, MissingFileError
from hf_h5.read import handles
from hf_h5.read.fingerprint import Fingerprint
from hf_h5.read.handles import HandlePool, open_limit
from hf_h5.read.source import LocalSource

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "x.bin"
    file.write_bytes(CONTENT)
    return file


@pytest.fixture
def source(file):
    with_file = LocalSource(file)
    yield with_file
    with_file.close()


def test_ranges_are_those_of_the_file(source):
    assert [bytes(each) for each in source.read_ranges([3, 9000, 3], [5, 100, 5])] == [
        CONTENT[3:8],
        CONTENT[9000:9100],
        CONTENT[3:8],
    ]


def test_bytes_are_read_into_the_callers_memory(source):
    out = bytearray(10)
    source.read_into(255, memoryview(out))
    assert bytes(out) == CONTENT[255:265]


def test_a_view_is_the_file_itself(source):
    view = source.view(100, 50)
    assert bytes(view) == CONTENT[100:150]
    assert view.readonly


def test_a_view_outlives_its_source(file):
    source = LocalSource(file)
    view = source.view(0, len(CONTENT))
    source.close()
    del source
    gc.collect()
    assert bytes(view) == CONTENT


@pytest.mark.parametrize("way", ["view", "read_into", "read_ranges"])
def test_a_range_beyond_the_end_names_the_file_and_both_ends(source, way):
    arguments = {
        "view": (len(CONTENT) - 5, 10),
        "read_into": (len(CONTENT) - 5, memoryview(bytearray(10))),
        "read_ranges": ([len(CONTENT) - 5], [10]),
    }
    with pytest.raises(DamagedFileError, match=r"ends at byte 10240, but rows are stored up to byte 10245.*x\.bin"):
        getattr(source, way)(*arguments[way])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"no-such\.h5"):
        LocalSource(tmp_path / "no-such.h5")


def rewrite(file):
    file.write_bytes(CONTENT + b"more")


def replace(file):
    other = file.with_suffix(".new")
    other.write_bytes(CONTENT)
    os.replace(other, file)


def touch(file):
    os.utime(file, ns=(0, 12345))


@pytest.mark.parametrize("change", [rewrite, replace, touch, os.remove])
def test_a_changed_file_is_an_error_that_says_so(source, file, change):
    source.check()
    change(file)
    with pytest.raises(FileChangedError, match=r"x\.bin"):
        source.check()


@pytest.mark.parametrize("change", [rewrite, replace, touch])
def test_a_file_that_changed_before_it_is_opened_again_is_noticed(source, file, change):
    packed = pickle.dumps(source)
    source.close()
    change(file)
    with pytest.raises(FileChangedError, match="the file changed"):
        pickle.loads(packed).read_ranges([0], [1])


def test_a_source_pickles_without_its_handle(source):
    source.view(0, 1)
    copy = pickle.loads(pickle.dumps(source))
    assert (copy.file, copy.fingerprint) == (source.file, source.fingerprint)
    assert bytes(copy.read_ranges([1], [2])[0]) == CONTENT[1:3]


def test_a_closed_source_says_so(source, file):
    source.close()
    with pytest.raises(ClosedError, match=r"x\.bin"):
        source.view(0, 1)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors by /proc")
def test_closing_gives_the_descriptors_back(file):
    before = len(os.listdir("/proc/self/fd"))
    source = LocalSource(file)
    source.view(0, 1)
    assert len(os.listdir("/proc/self/fd")) > before
    source.close()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_system_without_maps_is_read_instead(source, monkeypatch):
    monkeypatch.setattr(handles.mmap, "mmap", lambda *_, **__: (_ for _ in ()).throw(OSError("no maps here")))
    assert source.view(0, 10) is None
    assert bytes(source.read_ranges([0], [10])[0]) == CONTENT[:10]


@pytest.mark.parametrize("missing", [["preadv"], ["preadv", "pread"]])
def test_systems_without_positioned_reads_read_the_same(source, monkeypatch, missing):
    for name in missing:
        monkeypatch.delattr(os, name)
    assert bytes(source.read_ranges([7000], [3000])[0]) == CONTENT[7000:10000]


def test_a_pool_keeps_the_handles_used_last(tmp_path):
    pool, prints = HandlePool(limit=2), {}
    for name in "abc":
        (tmp_path / name).write_text(name)
        prints[name] = Fingerprint.of_file(tmp_path / name)

    def open_one(name):
        return pool.open(name, str(tmp_path / name), prints[name])

    a = open_one("a")
    open_one("b")
    assert open_one("a") is a
    open_one("c")
    assert len(pool) == 2
    assert open_one("a") is a


def test_a_handle_that_is_read_from_survives_its_place_in_the_pool(tmp_path):
    pool = HandlePool(limit=1)
    for name in "ab":
        (tmp_path / name).write_text(name * 3)
    first = pool.open("a", str(tmp_path / "a"), Fingerprint.of_file(tmp_path / "a"))
    pool.open("b", str(tmp_path / "b"), Fingerprint.of_file(tmp_path / "b"))
    out = bytearray(3)
    assert first.read_into(0, memoryview(out)) == 3
    assert out == b"aaa"


def test_the_limit_leaves_descriptors_for_others():
    assert 2 <= open_limit() <= 128


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on descriptors")
def test_thousands_of_files_are_read_with_64_descriptors(tmp_path):
    script = textwrap.dedent("""
        import pathlib, resource, sys
        from hf_h5.read.source import LocalSource
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        folder = pathlib.Path(sys.argv[1])
        sources = []
        for i in range(2000):
            (folder / str(i)).write_bytes(b"%06d" % i)
            sources.append(LocalSource(folder / str(i)))
        for _ in range(2):
            for i, source in enumerate(sources):
                source.check()
                assert bytes(source.view(0, 6)) == b"%06d" % i == bytes(source.read_ranges([0], [6])[0])
    """)
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=120)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_reads_on(source):
    source.view(0, 1)
    child = os.fork()
    if child == 0:
        is_right = bytes(source.read_ranges([5], [3])[0]) == CONTENT[5:8] and bytes(source.view(5, 3)) == CONTENT[5:8]
        source.close()
        os._exit(0 if is_right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bytes(source.view(5, 3)) == CONTENT[5:8]


def test_threads_share_sources_of_more_files_than_the_pool_holds(tmp_path, monkeypatch):
    monkeypatch.setattr("hf_h5.read.source._HANDLES", HandlePool(limit=3))
    sources, wrong = [], []
    for i in range(12):
        (tmp_path / str(i)).write_bytes(bytes([i]) * 100)
        sources.append(LocalSource(tmp_path / str(i)))

    def work():
        for _ in range(100):
            for i, source in enumerate(sources):
                parts = [bytes(source.view(0, 100)), bytes(source.read_ranges([0], [100])[0])]
                wrong.extend(part for part in parts if part != bytes([i]) * 100)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.text(max_size=3))
def test_fingerprints_say_in_what_they_differ(size, mtime_ns, inode, tag):
    one, other = Fingerprint(size, mtime_ns, inode, tag), Fingerprint(1, 2, 3, "a")
    assert (one.difference(other) == "") == (one == other)


def test_what_the_system_cannot_read_names_the_file(source, monkeypatch):
    source.view(0, 1)
    monkeypatch.setattr(handles, "_read_at", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(DamagedFileError, match=r"cannot be read: Input/output error.*x\.bin"):
        source.read_ranges([0], [1])


def test_a_read_that_stops_short_goes_on(source, monkeypatch):
    original = handles._read_at
    monkeypatch.setattr(handles, "_read_at", lambda fd, out, offset: original(fd, out[:7], offset))
    assert bytes(source.read_ranges([100], [50])[0]) == CONTENT[100:150]
