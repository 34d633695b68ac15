from __future__ import annotations

import contextlib
import pickle
import sys
import zlib

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_h5.errors import DamagedFileError, FilterError
from hf_h5.read import codecs
from hf_h5.read.codecs import Decoder, why_not_decodable
from hf_h5.read.index import build_index
from tests.threads import in_threads

from .stored import FILTERS, read_stored

rng = np.random.default_rng(0)
GZIP_SHUFFLE_FLETCHER32 = ((2, 1, (4,)), (1, 1, (4,)), (3, 0, ()))

CONTENTS = {
    "smooth": np.arange(13 * 96, dtype="<f4").reshape(13, 8, 12),
    "noise": rng.integers(0, 256, (13, 8, 12, 4), dtype=np.uint8).view("<f4")[..., 0],
    "zeros": np.zeros((13, 8, 12), "<f4"),
    "constant": np.full((13, 8, 12), 7.25, "<f4"),
    "nan": np.full((13, 8, 12), np.nan, "<f4"),
}


def stored_chunk(file, array, chunk, keywords):
    """Return a chunk's decoder, bytes, filter mask and values."""
    with h5py.File(file, "w") as opened:
        opened.create_dataset("x", data=array, chunks=chunk, **keywords)
    with h5py.File(file) as opened:
        index, values = build_index(opened["x"]), read_stored(opened["x"])
        mask, raw = opened["x"].id.read_direct_chunk((0,) * len(chunk))
    first = values[tuple(slice(size) for size in chunk)]
    return Decoder(index.filters, index.chunk_nbytes), memoryview(bytes(raw)), mask, first


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("pipeline", FILTERS)
def test_each_pipeline_unpacks_what_hdf5_packed(tmp_path, pipeline, content):
    array = CONTENTS[content]
    decoder, raw, mask, expected = stored_chunk(tmp_path / "x.h5", array, (5, 8, 12), FILTERS[pipeline])
    out = np.empty(expected.nbytes, np.uint8)
    decoder.decode(raw, mask, out)
    assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("pipeline", FILTERS)
@pytest.mark.parametrize("dtype", ["u1", "<u2", ">i4", "<f8"])
@pytest.mark.parametrize("size", [1, 2, 7, 9, 129, 5000])
def test_pipelines_unpack_chunks_of_any_size(tmp_path, pipeline, dtype, size):
    # szip packs no fewer values than one of its blocks holds.
    size = max(size, 8) if pipeline == "szip" else size
    array = rng.integers(0, 9, size).astype(dtype)
    decoder, raw, mask, expected = stored_chunk(tmp_path / "x.h5", array, (size,), FILTERS[pipeline])
    out = np.empty(expected.nbytes, np.uint8)
    decoder.decode(raw, mask, out)
    assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("pipeline", [name for name in FILTERS if name != "szip"])
@pytest.mark.parametrize(
    "dtype",
    [np.dtype("S5"), np.dtype([("a", ">f4", (2,)), ("b", "u1")]), np.dtype("V300")],
    ids=["string", "compound", "opaque"],
)
def test_pipelines_unpack_items_of_any_size(tmp_path, pipeline, dtype):
    array = rng.integers(1, 9, (30, dtype.itemsize), dtype=np.uint8).view(dtype)[:, 0]
    decoder, raw, mask, expected = stored_chunk(tmp_path / "x.h5", array, (11,), FILTERS[pipeline])
    out = np.empty(expected.nbytes, np.uint8)
    decoder.decode(raw, mask, out)
    assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("shape", [(64, 64, 64, 3), (70, 130, 90), (3, 1000, 333), (1, 700, 701), (1 << 20,)])
@pytest.mark.parametrize("dtype", ["u1", "<i2", "<f8"])
def test_blosc2_blocks_of_multidimensional_chunks_come_out_in_c_order(tmp_path, shape, dtype):
    array = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    decoder, raw, mask, expected = stored_chunk(tmp_path / "x.h5", array, shape, FILTERS["blosc2+zstd"])
    out = np.empty(expected.nbytes, np.uint8)
    decoder.decode(raw, mask, out)
    assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("mask", range(8))
def test_filters_that_the_mask_skips_are_not_undone(mask):
    values = rng.integers(0, 256, 400, dtype=np.uint8)
    raw = values if mask & 1 else values.reshape(-1, 4).T.ravel()
    packed = raw.tobytes() if mask & 2 else zlib.compress(raw.tobytes())
    packed += b"" if mask & 4 else codecs._wheel().h5checksum_fletcher32(packed).to_bytes(4, "little")
    out = np.empty(400, np.uint8)
    Decoder(GZIP_SHUFFLE_FLETCHER32, 400).decode(memoryview(packed), mask, out)
    assert out.tobytes() == values.tobytes()


def test_a_checksum_below_the_compression_is_verified_too():
    values = rng.integers(0, 256, 400, dtype=np.uint8).tobytes()
    checked = values + codecs._wheel().h5checksum_fletcher32(values).to_bytes(4, "little")
    decoder, out = Decoder(((3, 0, ()), (1, 1, (4,))), 400), np.empty(400, np.uint8)
    decoder.decode(memoryview(zlib.compress(checked)), 0, out)
    assert out.tobytes() == values
    with pytest.raises(DamagedFileError, match="checksum"):
        decoder.decode(memoryview(zlib.compress(values + b"\1\2\3\4")), 0, out)


def test_the_byte_swapped_checksum_of_old_files_is_accepted():
    values = rng.integers(0, 256, 400, dtype=np.uint8).tobytes()
    a, b, c, d = codecs._wheel().h5checksum_fletcher32(values).to_bytes(4, "little")
    out = np.empty(400, np.uint8)
    Decoder(((3, 0, ()),), 400).decode(memoryview(values + bytes((b, a, d, c))), 0, out)
    assert out.tobytes() == values


# libaec does not notice that the end of a szip stream is missing, neither here nor inside HDF5.
DAMAGES = [
    (pipeline, change)
    for pipeline in FILTERS
    for change in ("cut", "cut to nothing", "longer chunk expected", "shorter chunk expected")
    if (pipeline, change) != ("szip", "cut")
]


@pytest.mark.parametrize(("pipeline", "change"), DAMAGES)
def test_a_chunk_that_unpacks_to_another_size_is_damaged(tmp_path, pipeline, change):
    decoder, raw, mask, expected = stored_chunk(tmp_path / "x.h5", CONTENTS["smooth"], (5, 8, 12), FILTERS[pipeline])
    raw = {"cut": raw[: len(raw) // 2], "cut to nothing": raw[:0]}.get(change, raw)
    nbytes = expected.nbytes + {"longer chunk expected": 96, "shorter chunk expected": -96}.get(change, 0)
    with pytest.raises(DamagedFileError):
        Decoder(decoder.filters, nbytes).decode(raw, mask, np.empty(nbytes, np.uint8))


@given(st.sampled_from(sorted(FILTERS)), st.integers(0, 2**32), st.integers(0, 255))
def test_a_flipped_byte_is_an_error_or_other_values_but_never_a_crash(tmp_path_factory, pipeline, place, value):
    # The files of all examples are the same, so that one is written per pipeline.
    folder = tmp_path_factory.getbasetemp()
    file = folder / f"flip-{sorted(FILTERS).index(pipeline)}.h5"
    decoder, raw, mask, expected = stored_chunk(file, CONTENTS["smooth"], (5, 8, 12), FILTERS[pipeline])
    changed = bytearray(raw)
    changed[place % len(raw)] = value
    guarded = np.full(expected.nbytes + 64, 0xA5, np.uint8)
    with contextlib.suppress(DamagedFileError, FilterError):
        decoder.decode(memoryview(changed), mask, guarded[: expected.nbytes])
    assert (guarded[expected.nbytes :] == 0xA5).all()


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        (((6, 0, (2,)),), "filter 6 (scaleoffset) is not decoded here"),
        (((5, 0, ()),), "filter 5 (nbit) is not decoded here"),
        (((32013, 0, ()),), "filter 32013 is not decoded here"),
        (((32001, 1, (2, 2, 4, 2496, 5, 1, 3)),), "Blosc codec 3 is not decoded here"),
        (((32026, 1, (1, 0, 4, 2496, 5, 1, 34)),), "Blosc codec 34 is not decoded here"),
        (((32008, 1, (0, 4, 4, 0, 9)),), "bitshuffle compression 9 is not decoded here"),
        (((4, 1, ()),), "szip without its parameters is not decoded here"),
        (((1, 1, (4,)), (2, 1, (4,))), "shuffle comes after deflate, so that the size of what it holds is not known"),
        (((1, 1, (4,)), (32000, 1, ())), "lzf comes after deflate, so that the size of what it holds is not known"),
    ],
)
def test_a_pipeline_that_is_not_understood_says_why(filters, reason):
    assert why_not_decodable(filters, 1000) == reason


def test_filtered_chunks_beyond_32_bit_lengths_are_left_to_hdf5():
    assert why_not_decodable(((1, 1, (4,)),), 2**31) == "its filtered chunks are larger than 2 GiB"
    assert why_not_decodable((), 2**31) is None


@pytest.fixture
def without_wheel(monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    codecs._wheel.cache_clear()
    yield
    codecs._wheel.cache_clear()


@pytest.mark.usefixtures("without_wheel")
@pytest.mark.parametrize("pipeline", ["none", "gzip", "gzip+shuffle", "bzip2", "shuffle"])
def test_without_the_wheel_the_standard_library_unpacks(tmp_path, pipeline):
    decoder, raw, mask, expected = stored_chunk(tmp_path / "x.h5", CONTENTS["smooth"], (5, 8, 12), FILTERS[pipeline])
    assert why_not_decodable(decoder.filters, decoder.chunk_nbytes) is None
    out = np.empty(expected.nbytes, np.uint8)
    decoder.decode(raw, mask, out)
    assert out.tobytes() == expected.tobytes()


@pytest.mark.usefixtures("without_wheel")
@pytest.mark.parametrize("pipeline", ["gzip", "bzip2"])
@pytest.mark.parametrize("nbytes", [1919, 1921])
def test_without_the_wheel_another_size_is_damaged_too(tmp_path, pipeline, nbytes):
    decoder, raw, mask, _ = stored_chunk(tmp_path / "x.h5", CONTENTS["smooth"], (5, 8, 12), FILTERS[pipeline])
    with pytest.raises(DamagedFileError):
        Decoder(decoder.filters, nbytes).decode(raw, mask, np.empty(nbytes, np.uint8))


@pytest.mark.usefixtures("without_wheel")
@pytest.mark.parametrize("code", [3, 32000, 32001, 32004, 32008, 32015, 32026])
def test_without_the_wheel_other_filters_name_it(code):
    assert why_not_decodable(((code, 1, (0, 0, 4, 0, 0)),), 100).endswith("needs the package imagecodecs")


def test_a_decoder_pickles_and_serves_many_threads_at_once(tmp_path):
    decoder, raw, mask, expected = stored_chunk(
        tmp_path / "x.h5", CONTENTS["noise"], (5, 8, 12), FILTERS["zstd+shuffle+fletcher32"]
    )
    decoder = pickle.loads(pickle.dumps(decoder))
    wrong = []

    def unpack(_):
        for _ in range(200):
            out = np.zeros(expected.nbytes, np.uint8)
            decoder.decode(raw, mask, out)
            wrong.extend([] if out.tobytes() == expected.tobytes() else [out])

    in_threads(4, unpack)
    assert not wrong
