from __future__ import annotations

import ctypes
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from hf_h5.read import index as index_module
from hf_h5.read.direct import DirectDataset
from hf_h5.read.fingerprint import Fingerprint
from hf_h5.read.index import build_index, why_not_direct
from hf_h5.read.source import LocalSource
from hf_h5.read.stored_types import is_variable

from .stored import open_direct, read_stored, same_bytes

H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS = 2


def bytes_at(file: Path, offset: int, size: int) -> bytes:
    with open(file, "rb") as raw:
        raw.seek(offset)
        return raw.read(size)


def reason_of(file: Path, write) -> str | None:
    """Return why a dataset that ``write`` makes is not read directly."""
    with h5py.File(file, "w") as opened:
        write(opened)
    with h5py.File(file) as opened:
        return why_not_direct(opened["x"])


@pytest.mark.parametrize("user_block", [0, 512, 4096])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_offsets_count_from_the_first_byte_of_the_file(tmp_path, user_block, libver):
    file, values = tmp_path / "x.h5", np.arange(1000, 1060, dtype=">i4").reshape(20, 3)
    with h5py.File(file, "w", userblock_size=user_block, libver=libver) as opened:
        opened["plain"] = values
        opened.create_dataset("chunked", data=values, chunks=(7, 2))
    with h5py.File(file) as opened:
        plain, chunked = build_index(opened["plain"]), build_index(opened["chunked"])
    assert bytes_at(file, int(plain.offsets[0]), int(plain.sizes[0])) == values.tobytes()
    first = np.frombuffer(bytes_at(file, int(chunked.offsets[0]), int(chunked.sizes[0])), ">i4")
    assert np.array_equal(first.reshape(7, 2), values[:7, :2])
    assert chunked.grid == (3, 2)


def test_offsets_that_lack_the_user_block_are_found_out(tmp_path):
    file = tmp_path / "x.h5"
    with h5py.File(file, "w", userblock_size=1024) as opened:
        opened.create_dataset("x", data=np.arange(100), chunks=(30,))
    with h5py.File(file) as opened:
        offsets = build_index(opened["x"]).offsets
        assert index_module._user_block_shift(opened["x"], offsets) == 0
        assert index_module._user_block_shift(opened["x"], offsets - 1024) == 1024


def test_an_index_says_what_kind_of_storage_it_is(tmp_path):
    file = tmp_path / "x.h5"
    with h5py.File(file, "w") as opened:
        opened["contiguous"] = np.zeros(3)
        opened.create_dataset("unallocated", (3,), "f8")
        opened.create_dataset("chunked", (3,), "f8", chunks=(2,))
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.COMPACT)
        h5py.h5d.create(opened.id, b"compact", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((3,)), properties)
    with h5py.File(file) as opened:
        assert {name: build_index(opened[name]).kind for name in opened} == {name: name for name in opened}


def test_array_types_add_their_dimensions_to_the_rows(tmp_path):
    file = tmp_path / "x.h5"
    with h5py.File(file, "w") as opened:
        opened.create_dataset("x", (5, 2), np.dtype((np.dtype((">f4", (3,))), (2,))), chunks=(2, 1))
    with h5py.File(file) as opened:
        index = build_index(opened["x"])
    assert (index.shape, index.chunk, index.grid) == ((5, 2, 2, 3), (2, 1, 2, 3), (3, 2, 1, 1))
    assert (index.dtype, index.chunk_nbytes, index.row_nbytes) == (np.dtype(">f4"), 48, 48)


def test_an_index_pickles_small(tmp_path):
    file = tmp_path / "x.h5"
    with h5py.File(file, "w") as opened:
        opened.create_dataset("x", data=np.arange(20_000, dtype="u1"), chunks=(2,))
    with h5py.File(file) as opened:
        index = build_index(opened["x"])
    copy = pickle.loads(pickle.dumps(index))
    assert len(pickle.dumps(index)) < 13 * len(index.offsets)
    for name in ("offsets", "sizes", "masks"):
        assert same_bytes(getattr(copy, name), getattr(index, name))
    assert (copy.kind, copy.shape, copy.dtype, copy.filters) == (index.kind, index.shape, index.dtype, index.filters)


def test_a_library_without_chunk_iter_gives_the_same_index(tmp_path, monkeypatch):
    file = tmp_path / "x.h5"
    with h5py.File(file, "w") as opened:
        opened.create_dataset("x", (50, 6), "i4", chunks=(7, 4), compression=1)[10:20] = 3

    class OldId:
        def __init__(self, each):
            self.each = each

        def __getattr__(self, name):
            if name == "chunk_iter":
                raise AttributeError(name)
            return getattr(self.each, name)

    class OldDataset:
        def __init__(self, each):
            self.each, self.id = each, OldId(each.id)

        def __getattr__(self, name):
            return getattr(self.each, name)

    with h5py.File(file) as opened:
        new, old = build_index(opened["x"]), build_index(OldDataset(opened["x"]))
    assert same_bytes(old.offsets, new.offsets)
    assert same_bytes(old.sizes, new.sizes)
    assert (new.offsets >= 0).sum() == 4


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda f: f.create_dataset("x", (3,), h5py.ref_dtype), "it holds references"),
        (
            lambda f: f.create_dataset("x", (3,), [("a", "i4"), ("b", h5py.string_dtype())]),
            "it holds values of variable length (field 'b')",
        ),
        (lambda f: f.create_dataset("x", data=3), "it is a scalar"),
        (lambda f: f.create_dataset("x", data=h5py.Empty("f4")), "it has no rows"),
        (
            lambda f: f.create_dataset("x", (3,), "i4", scaleoffset=0, chunks=(3,)),
            "filter 6 (scaleoffset) is not decoded here",
        ),
        (lambda f: f.create_dataset("x", (3,), "i4", external="raw.bin"), "its bytes are in other files"),
        (lambda f: f.create_dataset("x", (10**9,), "i4", chunks=(1,)), "it is divided into 1000000000 chunks"),
        (lambda f: f.create_dataset("x", (3,), np.longdouble), "its floats are not IEEE 16, 32 or 64 bit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_dataset_that_needs_the_library_says_why(tmp_path, write, reason):
    assert reason_of(tmp_path / "x.h5", write) == reason


def make_with_type(opened, kind):
    h5py.h5d.create(opened.id, b"x", kind, h5py.h5s.create_simple((3,)))


def test_integers_of_odd_precision_need_the_library(tmp_path):
    kind = h5py.h5t.STD_I32LE.copy()
    kind.set_precision(24)
    assert reason_of(tmp_path / "x.h5", lambda f: make_with_type(f, kind)) == "its integers use 24 of 32 bits"


def test_floats_of_other_formats_need_the_library(tmp_path):
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 8, 7, 0, 7)  # sign at bit 15, 8 bits of exponent, 7 of mantissa: bfloat16
    kind.set_size(2)
    reason = reason_of(tmp_path / "x.h5", lambda f: make_with_type(f, kind))
    assert reason is not None


def test_a_virtual_dataset_needs_the_library(tmp_path):
    def write(opened):
        opened["source"] = np.arange(3)
        layout = h5py.VirtualLayout((3,), "i8")
        layout[:] = h5py.VirtualSource(opened["source"])
        opened.create_virtual_dataset("x", layout)

    assert reason_of(tmp_path / "x.h5", write) == "it is a virtual dataset"


def test_an_open_file_that_may_still_change_needs_the_library(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        opened["x"] = np.arange(3)
        assert why_not_direct(opened["x"]) == "the file is open for writing"


def test_a_file_in_memory_needs_the_library(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        opened["x"] = np.arange(3)
    with h5py.File(tmp_path / "x.h5", driver="core") as opened:
        assert why_not_direct(opened["x"]) == "the file is open with the driver 'core'"


@pytest.mark.parametrize(
    "write",
    [
        lambda f: f.create_dataset("x", (3,), "?"),
        lambda f: f.create_dataset("x", (3,), h5py.enum_dtype({"a": 0, "b": 7}, "i2")),
        lambda f: f.create_dataset("x", (3,), h5py.string_dtype(length=4)),
        lambda f: f.create_dataset("x", (3,), h5py.opaque_dtype(np.dtype("M8[s]"))),
        lambda f: f.create_dataset("x", (3,), "c16"),
        lambda f: make_with_type(f, h5py.h5t.STD_B16LE),
        lambda f: make_with_type(f, h5py.h5t.STD_I8BE),
        lambda f: make_with_type(f, getattr(h5py.h5t, "COMPLEX_IEEE_F32BE", h5py.h5t.IEEE_F32BE)),
    ],
    ids=["bool", "enum", "string", "date", "complex", "bitfield", "one byte of either order", "native complex"],
)
def test_types_that_are_stored_as_they_are_in_memory_are_read_directly(tmp_path, write):
    assert reason_of(tmp_path / "x.h5", write) is None


def hdf5_library() -> ctypes.CDLL:
    """Return the HDF5 library that h5py has loaded; h5py has no call for the option under test."""
    maps = Path("/proc/self/maps")
    loaded = {line.split()[-1] for line in maps.read_text().splitlines() if "libhdf5" in line and "_hl" not in line}
    # Other packages bring a library of their own, which knows nothing of h5py's handles.
    names = sorted(loaded, key=lambda name: "h5py" not in name)
    return ctypes.CDLL(next(name for name in names if hasattr(ctypes.CDLL(name), "H5Pset_chunk_opts")))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="finds the loaded library by /proc")
@pytest.mark.parametrize("filters", ["gzip", "shuffle", "lzf+shuffle"])
@pytest.mark.parametrize("content", ["random", "zeros"])
def test_edge_chunks_that_were_left_unfiltered_are_read(tmp_path, filters, content):
    file = tmp_path / "x.h5"
    values = np.random.default_rng(0).integers(0, 2**31 if content == "random" else 1, (10, 7)).astype("<i4")
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((4, 5))
    if "shuffle" in filters:
        properties.set_shuffle()
    if filters != "shuffle":
        properties.set_filter(*{"gzip": (1, 1, (4,)), "lzf+shuffle": (32000, 1, ())}[filters])
    set_option = hdf5_library().H5Pset_chunk_opts
    set_option.argtypes = [ctypes.c_int64, ctypes.c_uint]
    assert set_option(properties.id, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS) == 0
    with h5py.File(file, "w", libver="latest") as opened:
        space = h5py.h5s.create_simple((10, 7), (20, 20))
        dataset = h5py.Dataset(h5py.h5d.create(opened.id, b"x", h5py.h5t.STD_I32LE, space, properties))
        dataset[...] = values
    direct, expected = open_direct(file)
    assert (expected == values).all()
    assert same_bytes(direct.read_rows(slice(None)), values)


@pytest.mark.parametrize("shuffle", [True, False])
def test_edge_chunks_that_are_filtered_to_full_size_are_read(tmp_path, shuffle):
    values = np.random.default_rng(0).integers(0, 2**31, (10, 7)).astype("<i4")
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        opened.create_dataset("x", data=values, chunks=(4, 5), shuffle=shuffle)
    direct, expected = open_direct(tmp_path / "x.h5")
    assert same_bytes(direct.read_rows(slice(None)), expected)


REAL_FILES = [
    file
    for file in sorted((Path(__file__).resolve().parents[3] / "shared" / "realh5").glob("*.*"))
    if file.suffix != ".md"
]


# Where the folder is absent, the fixture skips the one case.
@pytest.mark.parametrize("file", REAL_FILES or [Path("none")], ids=lambda file: file.name)
def test_real_files_are_read_as_hdf5_reads_them(realh5, file):
    datasets = []
    with h5py.File(file) as opened:
        opened.visititems(lambda name, each: datasets.append(name) if isinstance(each, h5py.Dataset) else None)
        direct = {name: why_not_direct(opened[name]) is None and not is_variable(opened[name]) for name in datasets}
        for name in (name for name, is_direct in direct.items() if is_direct):
            reader = DirectDataset(build_index(opened[name]), LocalSource(file), file=str(file), path=name)
            expected = read_stored(opened[name])
            rows = np.random.default_rng(0).permutation(len(expected))
            assert same_bytes(reader.read_rows(slice(None)), expected)
            assert same_bytes(reader.read_rows(rows), expected[rows])
    assert datasets


def test_an_index_of_many_chunks_is_kept_for_the_next_time(tmp_path, monkeypatch):
    file, folder = tmp_path / "x.h5", tmp_path / "cache"
    monkeypatch.setenv("HF_HOME", str(folder))
    monkeypatch.setattr("hf_h5.read.saved_index._SETTLED_NS", 0)
    with h5py.File(file, "w") as opened:
        opened.create_dataset("x", data=np.arange(5000, dtype="u1"), chunks=(1,))
    fingerprint = Fingerprint.of_file(file)
    with h5py.File(file) as opened:
        made = build_index(opened["x"], file=str(file), fingerprint=fingerprint)
        monkeypatch.setattr(index_module, "_iterate_chunks", None)
        kept = build_index(opened["x"], file=str(file), fingerprint=fingerprint)
    assert same_bytes(kept.offsets, made.offsets)
    assert same_bytes(kept.sizes, made.sizes)
    assert len(list((folder / "hf_h5" / "index").iterdir())) == 1
