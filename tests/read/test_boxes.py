"""Blocks of any dataset, and rows along any axis, against numpy over what the HDF5 library reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hf_h5
from hf_h5.describe.options import make_options
from hf_h5.errors import DamagedFileError
from hf_h5.read.boxes import Box, read_along, read_boxes
from hf_h5.read.cache import ChunkCache
from hf_h5.read.direct import DirectDataset
from hf_h5.read.index import build_index
from hf_h5.read.plan import as_rows
from hf_h5.read.reader import TableReader
from hf_h5.read.source import LocalSource

from .stored import open_direct, same_bytes
from .test_direct import DTYPES, layouts, write_example

FILTERS = {"none": {}, "gzip": {"compression": "gzip"}, "shuffle+fletcher32": {"shuffle": True, "fletcher32": True}}


class Unmapped(LocalSource):
    """A file that answers as a server does: no map, all ranges at once."""

    answers_at_once = True

    def __reduce__(self):
        return Unmapped, (self.file, self.fingerprint)

    def view(self, offset, size):
        return None


@st.composite
def stored_arrays(draw):
    """Draw how an array is stored, as arguments of ``write_example``."""
    shape, chunk, written = draw(layouts())
    filters = FILTERS[draw(st.sampled_from(sorted(FILTERS)))]
    return DTYPES[draw(st.sampled_from(sorted(DTYPES)))], shape, chunk, written, filters, draw(st.integers(0, 99)), 0


@st.composite
def places_of(draw, size: int):
    start, stop = sorted(draw(st.tuples(*[st.integers(0, size)] * 2)))
    return slice(start, stop)


def opaque(values: np.ndarray) -> np.ndarray:
    """The same values as cells that numpy copies with their padding."""
    return values.view(np.dtype((np.void, values.dtype.itemsize)))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(stored=stored_arrays(), with_cache=st.booleans(), remote=st.booleans(), data=st.data())
def test_boxes_are_what_numpy_slices(tmp_path: Path, stored, with_cache: bool, remote: bool, data) -> None:
    file = tmp_path / "x.h5"
    write_example(file, *stored)
    dataset, expected = open_direct(file, cache=ChunkCache(1 << 20) if with_cache else None)
    if remote:
        dataset = DirectDataset(dataset.index, Unmapped(file), file=str(file), path="/x", cache=dataset.cache)
    boxes = []
    for _ in range(data.draw(st.integers(1, 4))):
        places = tuple(data.draw(places_of(size)) for size in expected.shape)
        boxes.append(Box(places, np.empty(expected[places].shape, dataset.dtype)))
    read_boxes(dataset, boxes)
    for box in boxes:
        assert same_bytes(box.out, opaque(expected)[box.places].copy().view(expected.dtype))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(stored=stored_arrays(), with_cache=st.booleans(), data=st.data())
def test_rows_along_any_axis_are_what_numpy_takes(tmp_path: Path, stored, with_cache: bool, data) -> None:
    file = tmp_path / "x.h5"
    write_example(file, *stored)
    dataset, expected = open_direct(file, cache=ChunkCache(1 << 20) if with_cache else None)
    axis = data.draw(st.integers(0, expected.ndim - 1))
    size = expected.shape[axis]
    rows = data.draw(st.one_of(places_of(size), st.lists(st.integers(0, size - 1), max_size=30)))
    found = read_along(dataset, as_rows(rows, size), axis)
    taken = np.moveaxis(opaque(expected), axis, 0)[rows if isinstance(rows, slice) else np.array(rows, int)]
    assert same_bytes(found, np.ascontiguousarray(taken).view(expected.dtype))


@pytest.mark.parametrize("route", ["auto", "h5py"])
@pytest.mark.parametrize("storage", [{}, {"chunks": (2, 7, 3), "compression": "gzip"}], ids=["contiguous", "gzip"])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "?"])
def test_a_reader_reads_columns_along_their_axis(tmp_path: Path, route: str, storage, axis: int, dtype: str) -> None:
    stored = np.arange(3 * 50 * 4).reshape(3, 50, 4).astype(dtype)
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("x", data=stored, **storage)
    table = turned(hf_h5.describe(tmp_path / "x.h5").table, axis)
    along = np.moveaxis(stored, axis, 0)
    with TableReader(table, make_options(route=route)) as reader:
        assert len(reader) == len(along)
        for rows in (range(len(along)), range(1, 3), [1, 1, 2, 0], []):
            found = reader.read(rows)["x"]
            np.testing.assert_array_equal(found, along[np.array(rows, int)])
            assert found.dtype == along.dtype.newbyteorder("=")
        assert reader.read_row(2, ("x",))["x"].tolist() == along[2:3].tolist()


def turned(table, axis: int):
    """The table of one dataset with its rows along another axis."""
    shape = (table.num_rows, *table.columns["x"].row_shape)
    column = replace(table.columns["x"], axis=axis, row_shape=shape[:axis] + shape[axis + 1 :])
    part = replace(table.parts[0], n_rows=shape[axis], columns={"x": column})
    return replace(table, columns={"x": column}, parts=(part,))


@pytest.mark.parametrize("route", ["auto", "h5py"])
@pytest.mark.parametrize(("shape", "axis"), [((1, 20), 1), ((20, 1), 0), ((1, 20, 1), 1)])
def test_boxes_of_a_vector_that_is_stored_as_a_matrix(tmp_path: Path, route: str, shape, axis: int) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("x", data=np.arange(20.0).reshape(shape))
    table = turned(hf_h5.describe(tmp_path / "x.h5").table, axis)
    column = replace(table.columns["x"], row_shape=())
    table = replace(table, columns={"x": column}, parts=(replace(table.parts[0], columns={"x": column}),))
    with TableReader(table, make_options(route=route)) as reader:
        out = np.empty((2, 5))
        reader.fetch_boxes(0, "x", [Box((slice(3, 8),), out[0]), Box((slice(15, 20),), out[1])])
        assert out.tolist() == [[3, 4, 5, 6, 7], [15, 16, 17, 18, 19]]


def test_strings_along_another_axis_are_read(tmp_path: Path) -> None:
    words = np.array([[f"{row} {column}" for column in range(5)] for row in range(3)], object)
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("x", data=words, dtype=h5py.string_dtype(), chunks=(2, 2))
    with TableReader(turned(hf_h5.describe(tmp_path / "x.h5").table, 1)) as reader:
        assert reader.read([4, 0])["x"].tolist() == words.T[[4, 0]].tolist()


def test_a_chunk_that_several_boxes_touch_is_decoded_once(tmp_path: Path) -> None:
    stored = np.arange(16**3, dtype="<i4").reshape(16, 16, 16)
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("x", data=stored, chunks=(8, 8, 8), compression="gzip")
    cache = ChunkCache(0)
    dataset, _ = open_direct(tmp_path / "x.h5", cache=cache)
    corners = [(start, 4, 4) for start in range(8)]
    boxes = [Box(tuple(slice(at, at + 8) for at in corner), np.empty((8, 8, 8), "<i4")) for corner in corners]
    read_boxes(dataset, boxes)
    assert cache.info().misses == 8
    for box in boxes:
        np.testing.assert_array_equal(box.out, stored[box.places])


def test_boxes_of_whole_chunks_are_not_kept(tmp_path: Path) -> None:
    stored = np.arange(16**2, dtype="<i4").reshape(16, 16)
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("x", data=stored, chunks=(4, 8), compression="gzip")
    cache = ChunkCache(1 << 20)
    dataset, _ = open_direct(tmp_path / "x.h5", cache=cache)
    out = np.empty((16, 16), "<i8")
    read_boxes(dataset, [Box((slice(0, 16), slice(0, 16)), out)])
    np.testing.assert_array_equal(out, stored)
    assert cache.info().n_chunks == 0


def test_a_damaged_chunk_is_named_by_its_corner(tmp_path: Path) -> None:
    file = tmp_path / "x.h5"
    with h5py.File(file, "w") as handle:
        handle.create_dataset("x", data=np.arange(64.0).reshape(8, 8), chunks=(4, 4), compression="gzip")
    with h5py.File(file) as handle:
        index = build_index(handle["x"])
    with open(file, "r+b") as raw:
        raw.seek(int(index.offsets[1]))
        raw.write(b"\xff" * 8)
    dataset = DirectDataset(index, LocalSource(file), file=str(file), path="/x")
    with pytest.raises(DamagedFileError, match=r"the chunk at \(0, 4\) cannot be read.*x.h5::/x"):
        read_along(dataset, range(5, 7), 1)
    assert read_along(dataset, range(2), 1).shape == (2, 8)
