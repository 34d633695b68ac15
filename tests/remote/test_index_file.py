"""Does an index say what the file says, and is one that lies, is damaged or asks for too much refused."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hf_h5.errors import DamagedFileError, H5Error, LimitError, MissingFileError, NotHDF5Error
from hf_h5.hub.sidecar import write_index
from hf_h5.remote import index_file
from hf_h5.remote.index_file import FileIndex, Image, pack_index, unpack_index

numbers = st.integers(0, 2**40)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as handle:
        handle.attrs["title"] = "A title"
        images = handle.create_dataset("deep/images", (100, 8, 8), "u1", chunks=(7, 8, 8), compression="gzip")
        images[:60] = np.random.default_rng(0).integers(0, 255, (60, 8, 8))
        handle["labels"] = np.arange(100)
        handle["words"] = np.array(["a", "b"], object)
    return file


@pytest.fixture
def packed(file: Path) -> bytes:
    return write_index(file).read_bytes()


def read_index(file: Path) -> FileIndex:
    return unpack_index(write_index(file).read_bytes(), str(file))


def test_chunks_and_blocks_are_where_the_library_says(file: Path) -> None:
    index = read_index(file)
    with h5py.File(file) as handle:
        stored = {}
        handle["deep/images"].id.chunk_iter(lambda info: stored.update({info.chunk_offset[0] // 7: info}))
        assert index.contiguous["/labels"] == (handle["labels"].id.get_offset(), 800)
    offsets, sizes, masks = index.chunks["/deep/images"]
    assert len(offsets) == 15
    assert {number for number in range(15) if offsets[number] >= 0} == set(stored)
    for number, info in stored.items():
        assert (offsets[number], sizes[number], masks[number]) == (info.byte_offset, info.size, info.filter_mask)


def test_an_image_agrees_with_its_file_and_with_no_byte_that_differs(file: Path) -> None:
    image, content = read_index(file).image, file.read_bytes()
    assert image.agrees_with(0, content)
    for offset in np.concatenate([image.starts, image.starts + image.sizes - 1]).tolist():
        other = bytearray(content[offset : offset + 1])
        assert image.agrees_with(offset, other)
        other[0] ^= 1
        assert not image.agrees_with(offset, other)
    here = np.zeros(len(content), bool)
    for offset, size in image.spans(0, 0):
        assert image.agrees_with(offset, content[offset : offset + size])
        here[offset : offset + size] = True
    assert here.sum() == len(image.content)
    assert image.spans(len(content), 0) == []
    assert image.spans(100, 1 << 20) == [(100, int(image.starts[-1] + image.sizes[-1]) - 100)]


def test_the_image_is_of_the_file(file: Path) -> None:
    index, content = read_index(file), file.read_bytes()
    assert index.size == len(content)
    for start, size in zip(index.image.starts.tolist(), index.image.sizes.tolist(), strict=True):
        assert index.image.read(start, size) == content[start : start + size]
    assert index.image.read(0, len(content)) is None


def test_an_index_goes_where_it_is_asked_for(file: Path, tmp_path: Path) -> None:
    assert write_index(file) == file.with_name("a.h5.index")
    assert write_index(file, tmp_path / "new" / "b.index").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "a.h5.index", "new"]


def test_what_is_no_hdf5_has_no_index(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(NotHDF5Error):
        write_index(tmp_path / "a.txt")
    with pytest.raises(MissingFileError):
        write_index(tmp_path / "none.h5")


@given(
    runs=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=8),
    counts=st.lists(st.integers(0, 9), max_size=4),
    seed=st.integers(0, 2**31),
)
def test_what_is_packed_comes_back(runs: list[tuple[int, int]], counts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    gaps, sizes = (np.array([run[part] for run in runs], np.int64) for part in (0, 1))
    starts = np.cumsum(gaps + sizes) - sizes
    image = Image(starts, sizes, random.bytes(int(sizes.sum())))
    chunks = {}
    for number, count in enumerate(counts):
        offsets = np.where(random.random(count) < 0.2, -1, random.integers(0, 2**40, count))
        chunks[f"/{number}"] = offsets, random.integers(0, 2**32, count), random.integers(0, 2**32, count, np.uint32)
    index = FileIndex(2**42, "a" * 64, "", image, chunks, {"/x": (5, 10)})
    found = unpack_index(pack_index(index, "test"), "x")
    assert (found.size, found.sha256, found.contiguous) == (2**42, "a" * 64, {"/x": (5, 10)})
    assert found.image.content == image.content
    np.testing.assert_array_equal(found.image.starts, starts)
    assert list(found.chunks) == list(chunks)
    for path, table in chunks.items():
        for mine, theirs in zip(found.chunks[path], table, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_a_damaged_index_is_refused(packed: bytes, data: st.DataObject) -> None:
    content = bytearray(packed)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(H5Error):
        unpack_index(bytes(content), "x")
    with pytest.raises(H5Error):
        unpack_index(bytes(content[:place]), "x")


def encode(values: Any) -> bytes:
    return index_file._encode(np.array(values, np.int64))


def hostile(**changed: Any) -> bytes:
    """An index whose checksum is right and whose contents are not."""
    sections = {
        "image_starts": encode([0]),
        "image_sizes": encode([4]),
        "chunk_counts": encode([1]),
        "chunk_offsets": encode([0]),
        "chunk_sizes": encode([10]),
        "chunk_masks": encode([0]),
        "block_offsets": encode([0]),
        "block_sizes": encode([10]),
        "image": b"abcd",
    }
    sections |= {name: value for name, value in changed.items() if name in sections}
    packed = {name: zlib.compress(value) for name, value in sections.items()}
    header = {
        "file": {"size": 100, "sha256": "", "git_oid": ""},
        "chunked": ["/x"],
        "contiguous": ["/y"],
        "sections": [[name, len(packed[name]), len(value)] for name, value in sections.items()],
    }
    header |= {name: value for name, value in changed.items() if name not in sections}
    top = zlib.compress(json.dumps(header).encode())
    body = top + b"".join(packed.values())
    return struct.pack("<8sIII", b"\x89H5IDX\r\n", 1, len(top), zlib.crc32(body)) + body


def test_the_hostile_index_is_good_where_nothing_is_changed() -> None:
    assert unpack_index(hostile(), "x").contiguous == {"/y": (0, 10)}


@pytest.mark.parametrize(
    "changed",
    [
        {"chunk_offsets": encode([95])},
        {"chunk_offsets": encode([-2])},
        {"chunk_offsets": encode([2**63 - 1])},
        {"chunk_sizes": encode([-1])},
        {"chunk_sizes": encode([2**62])},
        {"chunk_masks": encode([2**32])},
        {"chunk_counts": encode([2])},
        {"chunk_counts": encode([-1])},
        {"chunk_counts": encode([1, 0])},
        {"block_offsets": encode([91])},
        {"block_sizes": encode([-1])},
        {"image_starts": encode([98])},
        {"image_starts": encode([-1])},
        {"image_sizes": encode([5])},
        {"image_starts": encode([0, 2]), "image_sizes": encode([2, 2]), "image": b"abc"},
        {"image_starts": encode([2, 0]), "image_sizes": encode([2, 2])},
        {"image_starts": b"abc"},
        {"file": None},
        {"file": {"size": -1, "sha256": "", "git_oid": ""}},
        {"file": {"size": "100", "sha256": "", "git_oid": ""}},
        {"chunked": [["/x"]]},
        {"chunked": "/x"},
        {"chunked": ["/x", "/z"]},
        {"sections": []},
        {"sections": [["image", 1, -1]]},
        {"sections": 5},
    ],
    ids=str,
)
def test_an_index_that_lies_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(DamagedFileError, match=r"the index .*x"):
        unpack_index(hostile(**changed), "x")


def test_an_index_that_unpacks_to_more_than_memory_is_refused_before() -> None:
    with pytest.raises(LimitError):
        unpack_index(hostile(sections=[["image", 10, 2**50]]), "x")
    bomb = zlib.compress(bytes(50 << 20))
    body = zlib.compress(json.dumps({"file": {"size": 1}, "sections": [["image", len(bomb), 4]]}).encode())
    top, body = len(body), body + bomb
    with pytest.raises(DamagedFileError):
        unpack_index(struct.pack("<8sIII", b"\x89H5IDX\r\n", 1, top, zlib.crc32(body)) + body, "x")


def test_an_index_of_a_later_version_says_so(file: Path) -> None:
    content = bytearray(write_index(file).read_bytes())
    content[8] = 2
    with pytest.raises(DamagedFileError, match="version 2"):
        unpack_index(bytes(content), "x")
