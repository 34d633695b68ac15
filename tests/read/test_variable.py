"""Strings and lists of variable length come out of the file's heap as the HDF5 library reads them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5t
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hf_h5
from hf_h5.errors import DamagedFileError
from hf_h5.read import heap as heap_module
from hf_h5.read.cache import ChunkCache
from hf_h5.read.direct import DirectDataset
from hf_h5.read.heap import Heap
from hf_h5.read.index import build_index, why_not_direct
from hf_h5.read.packed import to_objects
from hf_h5.read.source import LocalSource
from hf_h5.read.storage import REFERENCE
from hf_h5.read.stored_types import find_items
from hf_h5.read.variable import VariableDataset
from tests.threads import switching_often

ITEMS = {"bytes": "u1", "big": ">i4", "floats": "<f8", "bools": "?", "codes": "enum", "complex": "<c8", "halves": ">f2"}
LAYOUTS: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "chunks": {"chunks": (3,)},
    "gzip": {"chunks": (4,), "compression": "gzip", "shuffle": True},
    "resizable": {"chunks": (5,), "maxshape": (None,)},
}
RELAXED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def type_of(kind: str) -> Any:
    if kind in ("text", "ascii"):
        return h5py.string_dtype("utf-8" if kind == "text" else "ascii")
    item = h5py.enum_dtype({"a": 1, "b": -3}, "i2") if ITEMS[kind] == "enum" else np.dtype(ITEMS[kind])
    return h5py.vlen_dtype(item)


def value_of(kind: str, length: int, random: np.random.Generator) -> Any:
    if kind == "text":
        return "".join(random.choice(list("aé日 \x01\n"), length))
    if kind == "ascii":
        return "x" * length
    values = random.integers(0, 2, length)
    if ITEMS[kind] == "enum":
        return np.array([1, -3], "i2")[values]
    return (values if ITEMS[kind] == "?" else random.integers(0, 200, length)).astype(ITEMS[kind])


def open_variable(file: Path, path: str = "x", *, cache: ChunkCache | None = None) -> VariableDataset:
    """Open a dataset as the reader does, but without comparing its first rows with the library's."""
    with h5py.File(file) as opened:
        dataset = opened[path]
        assert why_not_direct(dataset) is None
        index, items, base = build_index(dataset), find_items(dataset), int(opened.userblock_size)
    source = LocalSource(file)
    references = DirectDataset(index, source, file=str(file), path=f"/{path}", cache=cache)
    return VariableDataset(references, Heap(source, base, cache), items)


def by_library(file: Path, path: str = "x") -> list[Any]:
    with h5py.File(file) as opened:
        return list(opened[path][...].ravel())


def expect_equal(found: np.ndarray[Any, Any], expected: list[Any]) -> None:
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        if isinstance(two, bytes):
            assert one == two
        else:
            # h5py 3.16 hands out big-endian items unswapped but labelled native.
            assert one.tobytes() == two.tobytes() or one.byteswap().tobytes() == two.tobytes()
            assert one.shape == two.shape


@RELAXED
@given(
    kind=st.sampled_from(["text", "ascii", *ITEMS]),
    layout=st.sampled_from(sorted(LAYOUTS)),
    libver=st.sampled_from(["earliest", "latest"]),
    user_block=st.sampled_from([0, 512]),
    writes=st.lists(
        st.tuples(st.integers(0, 29), st.integers(0, 40) | st.sampled_from([600, 5000])), min_size=1, max_size=60
    ),
    rows=st.lists(st.integers(0, 29), max_size=40),
)
def test_values_are_those_of_the_library_however_they_were_written(
    tmp_path, kind, layout, libver, user_block, writes, rows
):
    """Rows are written in any order and again, some never, so that the heap has holes and any order of objects."""
    file, random = tmp_path / "x.h5", np.random.default_rng(len(writes))
    with h5py.File(file, "w", libver=libver, userblock_size=user_block) as opened:
        dataset = opened.create_dataset("x", (30,), dtype=type_of(kind), **LAYOUTS[layout])
        other = opened.create_dataset("other", (30,), dtype=h5py.string_dtype())
        for row, length in writes:
            dataset[row] = value_of(kind, length, random)
            other[row] = "other" * (length % 7)
    expected = by_library(file)
    variable = open_variable(file)
    for wanted in (slice(None), rows, slice(7, 19), [3], list(range(29, -1, -1))):
        found = variable.read_rows(wanted if isinstance(wanted, slice) else np.array(wanted, int))
        chosen = expected[wanted] if isinstance(wanted, slice) else [expected[row] for row in wanted]
        expect_equal(to_objects(found).ravel(), chosen)


@pytest.mark.parametrize("route", ["direct", "h5py"])
@pytest.mark.parametrize("kind", ["text", *ITEMS])
def test_a_reader_gives_the_same_by_both_routes(tmp_path, route, kind):
    random = np.random.default_rng(0)
    values = [value_of(kind, int(length), random) for length in random.integers(0, 30, 300)]
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        dataset = opened.create_dataset("x", (300,), type_of(kind), chunks=(64,), compression="gzip")
        for row, value in enumerate(values):
            dataset[row] = value
    rows = random.integers(0, 300, 500)
    with hf_h5.open_table(tmp_path / "x.h5", route=route) as reader:
        found = reader.read(rows)["x"]
        assert reader.routes()["x"] == "direct" if route == "direct" else "was asked for" in reader.routes()["x"]
    for value, row in zip(found, rows.tolist(), strict=True):
        if kind == "text":
            assert value == values[row]
        elif kind == "codes":
            # Labels count in the order of their codes.
            assert value.tolist() == [{-3: 0, 1: 1}[code] for code in values[row].tolist()]
        elif kind == "complex":
            assert (value["real"].tolist(), value["imag"].tolist()) == (values[row].real.tolist(), [0] * len(value))
        else:
            assert value.dtype.isnative
            assert value.tolist() == values[row].tolist()


def test_lists_of_arrays_keep_the_shape_of_their_items(tmp_path):
    kind = h5t.vlen_create(h5t.array_create(h5t.STD_I16BE, (2,)))
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        space = h5py.h5s.create_simple((3,))
        h5py.h5d.create(opened.id, b"x", kind, space)
    variable = open_variable(tmp_path / "x.h5")
    assert variable.items == np.dtype((">i2", (2,)))
    assert [value.shape for value in to_objects(variable.read_rows(slice(None)))] == [(0, 2)] * 3


def test_dimensions_beside_the_rows_are_kept(tmp_path):
    words = np.array([[f"{row} {column}" * column for column in range(4)] for row in range(50)], object)
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        opened.create_dataset("x", data=words, dtype=h5py.string_dtype(), chunks=(8, 3))
    with hf_h5.open_table(tmp_path / "x.h5", route="direct") as reader:
        assert reader.read([49, 3, 3])["x"].tolist() == words[[49, 3, 3]].tolist()
        assert reader.read([])["x"].shape == (0, 4)


def write_words(file: Path, words: list[str], **keywords: Any) -> Path:
    with h5py.File(file, "w", **keywords) as opened:
        opened.create_dataset("x", data=np.array(words, object), dtype=h5py.string_dtype())
    return file


def patch(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    assert content.count(old) == 1
    file.write_bytes(content.replace(old, new))


@pytest.mark.parametrize("long", [1, 5000])
def test_a_string_ends_at_its_first_nul_as_for_the_library(tmp_path, long):
    file = write_words(tmp_path / "x.h5", ["one", "two_three", "four" * long, ""])
    patch(file, b"two_three", b"two\0three")
    assert by_library(file)[1] == b"two"
    assert to_objects(open_variable(file).read_rows(slice(None))).tolist() == by_library(file)


def test_what_pads_a_string_is_not_read(tmp_path):
    file = write_words(tmp_path / "x.h5", ["one", "two\u0001", "three_"])
    patch(file, b"one\0\0", b"one\xffz")
    patch(file, b"three_\0", b"three_\x01")
    assert to_objects(open_variable(file).read_rows(slice(None))).tolist() == [b"one", b"two\x01", b"three_"]


def test_no_utf8_names_the_row(tmp_path):
    file = write_words(tmp_path / "x.h5", [f"word {row}" for row in range(200)])
    patch(file, b"word 123", b"word\xff123")
    with (
        hf_h5.open_table(file, route="direct") as reader,
        pytest.raises(hf_h5.errors.DataError, match=r"row 123 of column 'x'"),
    ):
        reader.read(slice(None))


def references_of(file: Path) -> int:
    with h5py.File(file) as opened:
        return int(opened["x"].id.get_offset())


DAMAGE = {
    "address behind the end": ("address", 2**40),
    "address that is undefined": ("address", 2**64 - 1),
    "address in the last bytes": ("address", -3),
    "address of something else": ("address", 8),
    "number of no object": ("number", 4000),
    "number of no heap": ("number", 2**31),
    "fewer items than stored": ("count", 1),
    "more items than stored": ("count", 2**32 - 1),
}


@pytest.mark.parametrize("row", [0, 7, 19])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_reference_is_an_error_with_its_place(tmp_path, damage, row):
    file = write_words(tmp_path / "x.h5", [f"word {row:03}" for row in range(20)])
    at, content = references_of(file), bytearray(file.read_bytes())
    field, value = DAMAGE[damage]
    stored = np.frombuffer(content, REFERENCE, 20, at)
    stored[field][row] = len(content) + value if value < 0 else value
    file.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"variable length|heap") as caught:
        open_variable(file).read_rows(slice(None))
    assert (caught.value.file, caught.value.path) == (str(file), "/x")
    with pytest.raises(DamagedFileError, match=r"x\.h5::/x"), hf_h5.open_table(file) as reader:
        reader.read([19, row])


@pytest.mark.parametrize(
    ("offset", "value"), [(0, b"HEAP"), (4, b"\2"), (8, b"\xff" * 7), (8, b"\0" * 8), (24, b"\xff" * 8)]
)
def test_a_damaged_collection_is_an_error_with_its_place(tmp_path, offset, value):
    file = write_words(tmp_path / "x.h5", [f"word {row:03}" for row in range(20)])
    content = bytearray(file.read_bytes())
    at = content.index(b"GCOL") + offset
    content[at : at + len(value)] = value
    file.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"x\.h5::/x"):
        open_variable(file).read_rows(slice(None))
    with pytest.raises(DamagedFileError, match=r"x\.h5::/x"):
        open_variable(file).read_rows([10])


def test_collections_are_gone_through_at_most_once(tmp_path, monkeypatch):
    file = write_words(tmp_path / "x.h5", [f"word {row}" for row in range(9000)])
    walked: list[int] = []
    walk = heap_module._walk
    monkeypatch.setattr(heap_module, "_walk", lambda *place: walked.append(place[1]) or walk(*place))
    variable = open_variable(file)
    for start in range(0, 9000, 100):
        variable.read_rows(slice(start, start + 100))
    assert not walked
    for seed in range(20):
        variable.read_rows(np.random.default_rng(seed).integers(0, 9000, 200))
    assert len(walked) == len(set(walked)) > 2


def test_items_that_look_like_heads_of_objects_are_told_from_them(tmp_path):
    """Each list holds what the heads of all others look like."""
    lists = [np.array([number % 50, 400] * 25, "<u8") for number in range(50)]
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        dataset = opened.create_dataset("x", (50,), h5py.vlen_dtype(np.dtype("<u8")))
        for row in range(50):
            dataset[row] = np.roll(lists[row], 2 * row) + np.tile([row, 0], 25).astype("<u8")
    expected = by_library(tmp_path / "x.h5")
    for row in (31, 2, 49):
        expect_equal(to_objects(open_variable(tmp_path / "x.h5").read_rows([row])), [expected[row]])


@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
def test_a_file_that_is_not_mapped_is_read_in_ranges(tmp_path, monkeypatch, cache_bytes):
    with h5py.File(tmp_path / "x.h5", "w", userblock_size=512) as opened:
        dataset = opened.create_dataset("x", (60,), type_of("big"))
        for row in range(60):
            dataset[row] = np.arange(row * row, dtype="i4")
    monkeypatch.setattr(LocalSource, "view", lambda *_: None)
    variable = open_variable(tmp_path / "x.h5", cache=ChunkCache(cache_bytes))
    for rows in ([59, 3, 3, 0, 17], slice(None), [30]):
        wanted = range(60)[rows] if isinstance(rows, slice) else rows
        lists = to_objects(variable.read_rows(rows))
        assert [value.tolist() for value in lists] == [list(range(row * row)) for row in wanted]


def test_a_heap_pickles_and_is_read_by_many_threads_and_after_a_fork(tmp_path):
    words = [f"word {row}" * (row % 9) for row in range(2000)]
    variable = open_variable(write_words(tmp_path / "x.h5", words))

    def read(seed: int) -> bool:
        rows = np.random.default_rng(seed).integers(0, 2000, 300)
        return variable.read_rows(rows).decode() == [words[row] for row in rows]

    with switching_often(), ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(40)))
    copy = pickle.loads(pickle.dumps(variable))
    assert copy.read_rows([5, 1999]).decode() == [words[5], words[1999]]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers:
        assert workers.submit(variable.read_rows, [5, 1999]).result().decode() == [words[5], words[1999]]


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda f: f.create_dataset("x", (3,), h5py.vlen_dtype(h5py.vlen_dtype("i4"))), "lists of what is no number"),
        (lambda f: f.create_dataset("x", (3,), h5py.vlen_dtype(h5py.string_dtype())), "lists of what is no number"),
        (lambda f: f.create_dataset("x", (3,), h5py.vlen_dtype([("a", "i4")])), "lists of what is no number"),
        (lambda f: f.create_dataset("x", (3,), h5py.vlen_dtype("S3")), "lists of what is no number"),
        (lambda f: f.create_dataset("x", (3,), h5py.vlen_dtype(h5py.ref_dtype)), "lists of what is no number"),
        (lambda f: f.create_dataset("x", (3,), h5py.vlen_dtype(np.longdouble)), "not as stored (its floats"),
        (lambda f: f.create_dataset("x", (9,), h5py.string_dtype(), chunks=(2,), fillvalue="no"), "have a fill value"),
    ],
)
def test_what_the_heap_is_not_read_for_says_why(tmp_path, write, reason):
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        write(opened)
    with h5py.File(tmp_path / "x.h5") as opened:
        assert reason in why_not_direct(opened["x"])


def test_addresses_of_four_bytes_are_left_to_the_library(tmp_path):
    properties = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    properties.set_sizes(4, 8)
    name = str(tmp_path / "x.h5")
    with h5py.File(h5py.h5f.create(name.encode(), fcpl=properties)) as opened:
        opened.create_dataset("x", data=["a", "bc"], dtype=h5py.string_dtype())
    with hf_h5.open_table(name) as reader:
        assert "addresses in its file have not 8 bytes" in reader.routes()["x"]
        assert reader.read([1, 0])["x"].tolist() == ["bc", "a"]


def test_a_compact_dataset_is_left_to_the_library(tmp_path):
    kind = h5py.h5t.py_create(h5py.string_dtype(), logical=True)
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.COMPACT)
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        h5py.h5d.create(opened.id, b"x", kind, h5py.h5s.create_simple((2,)), properties)
        opened["x"][...] = ["a", "bc"]
    described = hf_h5.describe(tmp_path / "x.h5")
    assert "h5py: strings of variable length in the object header" in str(described)
    with hf_h5.open_table(tmp_path / "x.h5") as reader:
        assert "object header" in reader.routes()["x"]
        assert reader.read([1, 0])["x"].tolist() == ["bc", "a"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory in use from /proc")
def test_memory_is_one_batch_and_what_is_known_of_the_heap(tmp_path):
    # 80 MiB in the heap; the limit leaves 16 MiB for batches of 2 MiB, read in order and at random.
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        lists = opened.create_dataset("lists", (5000,), h5py.vlen_dtype(np.dtype("<i4")))
        for row in range(5000):
            lists[row] = np.full(4000, row, "<i4")
        opened["words"] = np.array([f"{row} words" * 20 for row in range(5000)], object)
    script = textwrap.dedent("""
        import resource, sys
        import numpy as np
        import hf_h5

        with hf_h5.open_table(sys.argv[1], route="direct", threads=1) as reader:
            reader.read([0, 4999])
            lines = open("/proc/self/status").read().splitlines()
            used = next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData"))
            resource.setrlimit(resource.RLIMIT_DATA, (used + (16 << 20),) * 2)
            order = np.random.default_rng(0).permutation(5000)
            for rows in [*np.split(order, 50), *np.split(np.arange(5000), 50)]:
                found = reader.read(rows)
                assert all((one == row).all() for one, row in zip(found["lists"], rows))
                assert found["words"].tolist() == [f"{row} words" * 20 for row in rows]
    """)
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script, str(tmp_path / "x.h5")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
