from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hf_h5.errors import DamagedFileError, FileChangedError, FilterError, RowError
from hf_h5.read.cache import ChunkCache
from hf_h5.read.direct import DirectDataset
from hf_h5.read.index import build_index
from hf_h5.read.source import LocalSource
from tests.threads import in_threads

from .stored import FILTERS, open_direct, pick_rows, same_bytes

DTYPES = {
    "bool": np.dtype("?"),
    "u1": np.dtype("u1"),
    "i2, big endian": np.dtype(">i2"),
    "f2": np.dtype("<f2"),
    "f4": np.dtype("<f4"),
    "f8, big endian": np.dtype(">f8"),
    "c8": np.dtype("<c8"),
    "string": np.dtype("S5"),
    "opaque": np.dtype("V3"),
    "date": np.dtype("<M8[us]"),
    "array": np.dtype((">f4", (2, 3))),
    "compound": np.dtype([("a", ">f4", (2,)), ("b", "u1"), ("c", [("d", "<i8")])]),
    "padded compound": np.dtype([("a", "u1"), ("b", "<f8")], align=True),
}
NEEDS_NUMBERS = ("szip",)


@st.composite
def layouts(draw):
    """Draw shape, chunk shape (possibly splitting rows, possibly larger than the shape) and a region to write."""
    shape = (draw(st.integers(1, 20)), *draw(st.lists(st.integers(1, 6), max_size=3)))
    whole_rows = st.tuples(st.integers(1, 5), *(st.just(size) for size in shape[1:]))
    any_chunk = st.tuples(*(st.integers(1, size + 2) for size in shape))
    chunk = draw(st.one_of(whole_rows, any_chunk, st.none()))
    written = tuple(slice(*sorted(draw(st.tuples(*[st.integers(0, size)] * 2)))) for size in shape)
    return shape, chunk, draw(st.one_of(st.none(), st.just(written)))


@st.composite
def requests(draw, n_rows):
    start, stop = sorted(draw(st.tuples(*[st.integers(0, n_rows)] * 2)))
    numbers = st.lists(st.integers(0, n_rows - 1), max_size=40)
    return draw(st.one_of(st.just(slice(start, stop)), numbers))


def write_example(file, dtype, shape, chunk, written, filters, seed, user_block=0):
    """Write small random bytes as values of the type, as they are, to a whole dataset or a region of it."""
    region = written or tuple(slice(0, size) for size in shape)
    count = tuple(side.stop - side.start for side in region)
    noise = np.random.default_rng(seed).integers(0, 2, (*count, dtype.itemsize), dtype=np.uint8)
    with h5py.File(file, "w", userblock_size=user_block) as opened:
        keywords = {**filters, "chunks": chunk, "maxshape": (None,) * len(shape)} if chunk else {}
        kind = h5py.opaque_dtype(dtype) if dtype.kind == "M" else dtype
        dataset = opened.create_dataset("x", shape, kind, **keywords)
        if noise.size:
            target = dataset.id.get_space()
            target.select_hyperslab(tuple(side.start for side in region), count)
            dataset.id.write(h5py.h5s.create_simple(count), target, noise, dataset.id.get_type())


@given(
    st.data(),
    layouts(),
    st.sampled_from(sorted(DTYPES)),
    st.sampled_from(sorted(set(FILTERS) - set(NEEDS_NUMBERS))),
    st.booleans(),
    st.sampled_from([0, 512]),
)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_equal_those_of_hdf5_for_any_layout_filter_type_and_order(
    tmp_path, data, layout, dtype_name, pipeline, is_cached, user_block
):
    shape, chunk, written = layout
    file = tmp_path / "x.h5"
    seed = data.draw(st.integers(0, 99))
    write_example(file, DTYPES[dtype_name], shape, chunk, written, FILTERS[pipeline], seed, user_block)
    cache = ChunkCache(1 << 20) if is_cached else None
    direct, expected = open_direct(file, cache=cache, threads=2)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            rows = data.draw(requests(shape[0]))
            assert same_bytes(direct.read_rows(rows, pool=pool), pick_rows(expected, rows))


@pytest.mark.parametrize("pipeline", FILTERS)
@pytest.mark.parametrize("chunk", [(1, 8, 12), (16, 8, 12), (7, 5, 12), (40, 8, 7)], ids=str)
def test_every_filter_and_layout_is_read_directly(tmp_path, pipeline, chunk):
    values = np.random.default_rng(0).integers(0, 50, (40, 8, 12)).astype("<f4")
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        opened.create_dataset("x", data=values, chunks=chunk, **FILTERS[pipeline])
    direct, _ = open_direct(tmp_path / "x.h5")
    rows = [39, 0, 17, 17, 3]
    assert same_bytes(direct.read_rows(rows), values[rows])
    assert same_bytes(direct.read_rows(slice(5, 33)), values[5:33])


@pytest.mark.parametrize("content", ["contiguous", "chunked", "gzip", "compact", "nothing"])
def test_rows_go_into_the_callers_array(tmp_path, content):
    values = np.arange(60, dtype=">i4").reshape(20, 3)
    expected = np.zeros_like(values) if content == "nothing" else values
    make_layout(tmp_path / "x.h5", content, values)
    direct, _ = open_direct(tmp_path / "x.h5")
    rows = [7, 19, 7, 0]
    for out in (
        np.empty((4, 3), ">i4"),
        np.empty((4, 3), "<i4"),
        np.empty((4, 3), "<i8"),
        np.empty((8, 6), "<i4")[::2, ::2],
        np.empty((3, 4), "<i4").T,
    ):
        assert direct.read_rows(rows, out) is out
        assert np.array_equal(out, expected[rows])


def make_layout(file, content, values):
    with h5py.File(file, "w") as opened:
        if content == "compact":
            properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            properties.set_layout(h5py.h5d.COMPACT)
            space, kind = h5py.h5s.create_simple(values.shape), h5py.h5t.py_create(values.dtype)
            h5py.h5d.create(opened.id, b"x", kind, space, properties)
            opened["x"][...] = values
        elif content == "nothing":
            opened.create_dataset("x", values.shape, values.dtype)
        else:
            keywords = {"contiguous": {}, "chunked": {"chunks": (6, 3)}, "gzip": {"chunks": (6, 3), "compression": 4}}
            opened.create_dataset("x", data=values, **keywords[content])


@pytest.mark.parametrize("content", ["contiguous", "chunked", "gzip", "compact", "nothing"])
def test_no_rows_are_an_empty_array_of_the_right_shape(tmp_path, content):
    make_layout(tmp_path / "x.h5", content, np.arange(60, dtype="<i4").reshape(20, 3))
    direct, _ = open_direct(tmp_path / "x.h5")
    for rows in ([], slice(4, 4), range(0)):
        found = direct.read_rows(rows)
        assert found.shape == (0, 3)
        assert found.dtype == np.dtype("<i4")


@pytest.mark.parametrize("shape", [(0, 3), (5, 0), (5, 0, 2)])
@pytest.mark.parametrize("chunk", [None, True])
def test_datasets_without_values_are_read(tmp_path, shape, chunk):
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        opened.create_dataset("x", shape, "f4", chunks=chunk, maxshape=(None,) * len(shape) if chunk else None)
    direct, expected = open_direct(tmp_path / "x.h5")
    assert same_bytes(direct.read_rows(slice(None)), expected)


@pytest.mark.parametrize("pipeline", ["none", "gzip+shuffle"])
@pytest.mark.parametrize("chunk", [(7, 4), (3, 6)])
def test_chunks_that_were_never_written_are_the_fill_value(tmp_path, pipeline, chunk):
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        dataset = opened.create_dataset("x", (40, 6), ">i4", chunks=chunk, fillvalue=-5, **FILTERS[pipeline])
        dataset[15:17] = 3
    direct, expected = open_direct(tmp_path / "x.h5")
    rows = [39, 15, 0, 16, 15]
    assert -5 in expected
    assert same_bytes(direct.read_rows(rows), expected[rows])
    assert same_bytes(direct.read_rows(slice(2, 38)), expected[2:38])


@pytest.mark.parametrize("pipeline", ["none", "gzip+shuffle"])
def test_a_dataset_that_grew_and_shrank_is_read(tmp_path, pipeline):
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        dataset = opened.create_dataset(
            "x", (10, 5), "f4", chunks=(4, 3), maxshape=(None, None), fillvalue=9, **FILTERS[pipeline]
        )
        dataset[...] = np.arange(50).reshape(10, 5)
        dataset.resize((6, 4))
        dataset.resize((30, 7))
    direct, expected = open_direct(tmp_path / "x.h5")
    assert same_bytes(direct.read_rows(slice(None)), expected)


def test_chunks_that_skipped_a_filter_are_read(tmp_path):
    values = np.arange(100, dtype="<i4").reshape(20, 5)
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        dataset = opened.create_dataset("x", (20, 5), "<i4", chunks=(4, 5), shuffle=True, compression="gzip")
        for i in range(0, 20, 8):
            dataset.id.write_direct_chunk((i, 0), values[i : i + 4].tobytes(), 0b11)
            dataset[i + 4 : i + 8] = values[i + 4 : i + 8]
    direct, expected = open_direct(tmp_path / "x.h5")
    assert (expected == values).all()
    assert same_bytes(direct.read_rows([19, 3, 4, 8]), values[[19, 3, 4, 8]])


def test_row_groups_are_the_chunks_along_the_rows(tmp_path):
    make_layout(tmp_path / "x.h5", "gzip", np.zeros((20, 3), "u1"))
    assert open_direct(tmp_path / "x.h5")[0].row_groups().tolist() == [0, 6, 12, 18, 20]


def test_row_groups_of_a_contiguous_dataset_are_about_a_mebibyte(tmp_path):
    make_layout(tmp_path / "x.h5", "contiguous", np.zeros((5, 400_000), "u1"))
    assert open_direct(tmp_path / "x.h5")[0].row_groups().tolist() == [0, 2, 4, 5]


@pytest.mark.parametrize("rows", [[20], [-1], range(15, 25)])
def test_a_row_that_is_not_there_names_file_and_path(tmp_path, rows):
    make_layout(tmp_path / "x.h5", "gzip", np.zeros((20, 3), "u1"))
    direct, _ = open_direct(tmp_path / "x.h5")
    with pytest.raises(RowError, match=r"x\.h5::/x"):
        direct.read_rows(rows)


def test_an_array_of_another_shape_is_refused(tmp_path):
    make_layout(tmp_path / "x.h5", "gzip", np.zeros((20, 3), "u1"))
    with pytest.raises(ValueError, match=r"out has shape \(2, 3\), but the rows have \(1, 3\)"):
        open_direct(tmp_path / "x.h5")[0].read_rows([3], np.empty((2, 3), "u1"))


@pytest.mark.parametrize("pipeline", ["fletcher32", "gzip+shuffle+fletcher32", "gzip", "zstd", "lz4"])
def test_a_damaged_chunk_is_an_error_that_names_its_rows_and_spares_the_others(tmp_path, pipeline):
    values = np.random.default_rng(0).integers(0, 256, (20, 50), dtype=np.uint8)
    file = tmp_path / "x.h5"
    with h5py.File(file, "w") as opened:
        opened.create_dataset("x", data=values, chunks=(5, 50), **FILTERS[pipeline])
        place = opened["x"].id.get_chunk_info_by_coord((10, 0))
    with open(file, "r+b") as raw:
        raw.seek(place.byte_offset)
        raw.write(b"\xff" * 16)
    direct, _ = open_direct_without_oracle(file)
    with pytest.raises(DamagedFileError, match=r"rows 10 to 14.*x\.h5::/x") as caught:
        direct.read_rows(slice(None))
    assert caught.value.path == "/x"
    rows = [0, 9, 15, 19]
    assert same_bytes(direct.read_rows(rows), values[rows])


def open_direct_without_oracle(file, **keywords):
    """Open a damaged file, of which the HDF5 library cannot read all rows."""
    with h5py.File(file) as opened:
        index = build_index(opened["x"])
    return DirectDataset(index, LocalSource(file), file=str(file), path="/x", **keywords), index


@pytest.mark.parametrize("content", ["contiguous", "chunked", "gzip"])
@pytest.mark.parametrize("rows", [slice(None), [0, 19, 3]], ids=str)
def test_a_truncated_file_is_an_error_that_names_it(tmp_path, content, rows):
    file = tmp_path / "x.h5"
    make_layout(file, content, np.random.default_rng(0).integers(0, 256, (20, 3)).astype("u1"))
    _, index = open_direct_without_oracle(file)
    with open(file, "r+b") as raw:
        raw.truncate(int(index.offsets.max()) + 1)
    direct = DirectDataset(index, LocalSource(file), file=str(file), path="/x")
    with pytest.raises(DamagedFileError, match=r"the file ends at byte.*x\.h5::/x"):
        direct.read_rows(rows)


def test_a_file_that_changes_under_the_reader_is_an_error(tmp_path):
    make_layout(tmp_path / "x.h5", "contiguous", np.zeros((20, 3), "u1"))
    direct, _ = open_direct(tmp_path / "x.h5")
    direct.read_rows([1])
    with open(tmp_path / "x.h5", "ab") as raw:
        raw.write(b"more")
    with pytest.raises(FileChangedError, match=r"size.*x\.h5"):
        direct.read_rows([1])


@pytest.mark.parametrize("content", ["contiguous", "chunked", "gzip", "compact", "nothing"])
def test_a_reader_pickles_small_and_reads_the_same(tmp_path, content):
    make_layout(tmp_path / "x.h5", content, np.arange(60, dtype="<i4").reshape(20, 3))
    direct, expected = open_direct(tmp_path / "x.h5", cache=ChunkCache(1000))
    direct.read_rows([3, 1])
    packed = pickle.dumps(direct)
    assert len(packed) < 3000
    assert same_bytes(pickle.loads(packed).read_rows([3, 1]), expected[[3, 1]])


@pytest.mark.parametrize("content", ["contiguous", "chunked", "gzip"])
def test_threads_that_share_a_reader_get_only_right_rows(tmp_path, content):
    values = np.random.default_rng(0).integers(0, 2**31, (200, 16)).astype("<i4")
    make_layout(tmp_path / "x.h5", content, np.ascontiguousarray(values[:, :3]))
    direct, expected = open_direct(tmp_path / "x.h5", cache=ChunkCache(500), threads=4)
    wrong = []

    def read(seed, pool):
        rng = np.random.default_rng(seed)
        for _ in range(150):
            rows = rng.integers(0, 200, 60)
            found = direct.read_rows(rows, pool=pool)
            wrong.extend([] if np.array_equal(found, expected[rows]) else [rows])

    with ThreadPoolExecutor(4) as pool:
        in_threads(4, lambda seed: read(seed, pool))
    assert not wrong


def test_large_batches_are_shared_among_threads(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (3000, 4096), dtype=np.uint8)
    for content, chunk in (("contiguous", None), ("chunked", (7, 4096)), ("large rows", (1, 4096))):
        file = tmp_path / f"{content}.h5"
        with h5py.File(file, "w") as opened:
            opened.create_dataset("x", data=values, chunks=chunk)
        direct, expected = open_direct(file, threads=3)
        rows = np.random.default_rng(1).permutation(3000)
        with ThreadPoolExecutor(2) as pool:
            assert same_bytes(direct.read_rows(rows, pool=pool), expected[rows])
            assert same_bytes(direct.read_rows(slice(1, 2999), pool=pool), expected[1:2999])


@pytest.mark.parametrize("start", [0, 1, 5])
@pytest.mark.parametrize("stop", [17, 36, 60])
@pytest.mark.parametrize("width", [3, 30_000])
def test_rows_in_order_out_of_many_unfiltered_chunks(tmp_path, start, stop, width):
    values = np.random.default_rng(0).integers(0, 256, (60, width), dtype=np.uint8)
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        # Chunks written from the end on do not follow each other in the file.
        dataset = opened.create_dataset("x", values.shape, "u1", chunks=(3, width))
        for row in range(57, -1, -3):
            dataset[row : row + 3] = values[row : row + 3]
    direct, _ = open_direct(tmp_path / "x.h5")
    assert same_bytes(direct.read_rows(slice(start, stop)), values[start:stop])


def test_without_maps_rows_are_read_all_the_same(tmp_path, monkeypatch):
    values = np.random.default_rng(0).integers(0, 256, (60, 7), dtype=np.uint8)
    monkeypatch.setattr(LocalSource, "view", lambda *_: None)
    for content, chunk in (("contiguous", None), ("chunked", (3, 7)), ("split", (3, 4))):
        with h5py.File(tmp_path / f"{content}.h5", "w") as opened:
            opened.create_dataset("x", data=values, chunks=chunk)
        direct, _ = open_direct(tmp_path / f"{content}.h5")
        assert same_bytes(direct.read_rows(slice(5, 50)), values[5:50])
        assert same_bytes(direct.read_rows([59, 0, 30, 30]), values[[59, 0, 30, 30]])


def test_each_chunk_is_decoded_once_for_a_batch(tmp_path, monkeypatch):
    make_layout(tmp_path / "x.h5", "gzip", np.arange(60, dtype="<i4").reshape(20, 3))
    direct, expected = open_direct(tmp_path / "x.h5")
    decoded = []
    original = type(direct._rows.decoder).decode
    monkeypatch.setattr(type(direct._rows.decoder), "decode", lambda *a: (decoded.append(1), original(*a))[1])
    rows = np.random.default_rng(0).permutation(20)
    assert same_bytes(direct.read_rows(rows), expected[rows])
    assert len(decoded) == 4


def test_cached_chunks_are_not_decoded_again(tmp_path):
    make_layout(tmp_path / "x.h5", "gzip", np.arange(60, dtype="<i4").reshape(20, 3))
    cache = ChunkCache(1 << 20)
    direct, expected = open_direct(tmp_path / "x.h5", cache=cache)
    for _ in range(3):
        assert same_bytes(direct.read_rows([19, 1, 8, 2]), expected[[19, 1, 8, 2]])
    info = cache.info()
    assert (info.misses, info.n_chunks, info.hits) == (3, 3, 6)


def test_one_pass_in_order_leaves_the_cache_alone(tmp_path):
    make_layout(tmp_path / "x.h5", "gzip", np.arange(72, dtype="<i4").reshape(24, 3))
    cache = ChunkCache(1 << 20)
    direct, expected = open_direct(tmp_path / "x.h5", cache=cache)
    assert same_bytes(direct.read_rows(slice(None)), expected)
    assert cache.info().n_chunks == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory in use from /proc")
def test_memory_is_the_cache_one_batch_and_some_chunks_per_thread(tmp_path):
    # 96 MiB of rows; the limit leaves 24 MiB for a cache of 8, a batch of 4 and chunks of 0.5 MiB in two threads.
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        dataset = opened.create_dataset("x", (1536, 65536), "u1", chunks=(8, 65536), compression="gzip", shuffle=True)
        for start in range(0, 1536, 512):
            dataset[start : start + 512] = np.repeat(np.arange(start, start + 512) % 251, 65536).reshape(512, 65536)
    script = textwrap.dedent("""
        import resource, sys
        from concurrent.futures import ThreadPoolExecutor
        import h5py, numpy as np
        from hf_h5.read.cache import ChunkCache
        from hf_h5.read.direct import DirectDataset
        from hf_h5.read.index import build_index
        from hf_h5.read.source import LocalSource

        with h5py.File(sys.argv[1]) as opened:
            index = build_index(opened["x"])
        source, cache = LocalSource(sys.argv[1]), ChunkCache(8 << 20)
        direct = DirectDataset(index, source, file=sys.argv[1], path="/x", cache=cache, threads=2)
        with ThreadPoolExecutor(1) as pool:
            direct.read_rows([0, 9], pool=pool)
            pool.submit(len, "").result()
            lines = open("/proc/self/status").read().splitlines()
            used = next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData"))
            resource.setrlimit(resource.RLIMIT_DATA, (used + (24 << 20),) * 2)
            order = np.random.default_rng(0).permutation(1536)
            for rows in [*np.split(order, 24)[:6], *(slice(i, i + 64) for i in range(0, 1536, 64))]:
                found = direct.read_rows(rows, pool=pool)
                assert (found[:, 0] == np.arange(1536)[rows] % 251).all()
    """)
    # Arenas of other threads would each reserve 64 MiB of addresses, used or not.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script, str(tmp_path / "x.h5")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_an_array_that_cannot_hold_the_values_is_refused(tmp_path):
    make_layout(tmp_path / "x.h5", "gzip", np.full((20, 3), 3_000_000_000, "<u4"))
    with pytest.raises(TypeError, match="Cannot cast"):
        open_direct(tmp_path / "x.h5")[0].read_rows([3], np.empty((1, 3), "<i4"))


@pytest.mark.parametrize("content", ["contiguous", "chunked", "gzip"])
@pytest.mark.parametrize("field", ["offsets", "sizes"])
@pytest.mark.parametrize("rows", [slice(None), [0, 19, 3]], ids=str)
def test_an_absurd_place_in_the_file_is_an_error_and_takes_no_memory(tmp_path, content, field, rows):
    make_layout(tmp_path / "x.h5", content, np.zeros((20, 3), "u1"))
    _, index = open_direct_without_oracle(tmp_path / "x.h5")
    absurd = np.full_like(getattr(index, field), 2**63 - 1)
    index = dataclasses.replace(index, **{field: absurd})
    source = LocalSource(tmp_path / "x.h5")
    with pytest.raises(DamagedFileError, match=r"x\.h5::/x"):
        DirectDataset(index, source, file=str(tmp_path / "x.h5"), path="/x").read_rows(rows)


@pytest.mark.parametrize("way", [way for way in ("fork", "forkserver", "spawn") if way in get_all_start_methods()])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_workers_read_on_with_a_reader_that_was_used_before(tmp_path, way):
    make_layout(tmp_path / "x.h5", "gzip", np.arange(60, dtype="<i4").reshape(20, 3))
    direct, expected = open_direct(tmp_path / "x.h5", cache=ChunkCache(1000), threads=2)
    direct.read_rows([1, 19])
    with ProcessPoolExecutor(1, mp_context=get_context(way)) as workers:
        assert same_bytes(workers.submit(direct.read_rows, [19, 3]).result(), expected[[19, 3]])


def test_a_chunk_that_only_hdf5_understands_says_how_to_read_it(tmp_path):
    values = np.arange(4000, dtype="<f8").reshape(2, 2000)
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        dataset = opened.create_dataset("x", data=values, chunks=(1, 2000), **FILTERS["blosc2+zstd"])
        mask, stored = dataset.id.read_direct_chunk((1, 0))
        frame = bytearray(stored)
        frame[26] = 1  # the type of frame that is spread over files
        dataset.id.write_direct_chunk((1, 0), bytes(frame), mask)
    direct, _ = open_direct_without_oracle(tmp_path / "x.h5")
    assert same_bytes(direct.read_rows([0]), values[:1])
    with pytest.raises(FilterError, match=r"rows 1 to 1.*x\.h5::/x\]\n  hint: route='h5py'"):
        direct.read_rows([1])
