"""Where chunks begin, for every kind of index that HDF5 has: what is listed is what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.cli import main
from hf_h5.describe.corners import list_corners

UNLIMITED = [
    ((12, 9), (4, 3), (12, None)),
    ((12, 9), (5, 2), (30, None)),
    ((12, 9), (4, 3), (None, 9)),
    ((12, 9), (4, 3), (None, None)),
    ((12, 9), (12, 3), (12, None)),
    ((6, 5, 7), (2, 2, 3), (6, None, 7)),
    ((6, 5, 7), (2, 2, 3), (9, None, 11)),
    ((6, 5, 7), (2, 2, 3), (7, 6, None)),
    ((6, 5, 7), (2, 2, 3), (None, 6, 9)),
    ((6, 5, 7), (2, 2, 3), None),
]
WRITTEN: list[Any] = [np.s_[:], np.s_[:2], np.s_[-1:], np.s_[:, 3:], np.s_[:2, :2], np.s_[:0]]


def write(file: Path, shape: tuple[int, ...], where: Any, **storage: Any) -> np.ndarray[Any, Any]:
    values = np.zeros(shape, "i4")
    values[where] = np.arange(1, values.size + 1).reshape(shape)[where]
    with h5py.File(file, "w", libver=storage.pop("libver")) as out:
        dataset = out.create_dataset("x", shape, "i4", **storage)
        if values[where].size:
            dataset[where] = values[where]
    return values


@pytest.mark.filterwarnings("error")  # that rows read differently without the library
@pytest.mark.parametrize("libver", ["earliest", ("v108", "v108"), "latest"])
@pytest.mark.parametrize(("shape", "chunks", "maxshape"), UNLIMITED)
def test_each_stored_chunk_is_listed_where_it_is(
    tmp_path: Path, shape: tuple[int, ...], chunks: tuple[int, ...], maxshape: tuple[int, ...] | None, libver: Any
) -> None:
    for number, where in enumerate(WRITTEN):
        for codec in (None, "gzip"):
            file = tmp_path / f"{number}{codec}.h5"
            values = write(file, shape, where, chunks=chunks, maxshape=maxshape, compression=codec, libver=libver)
            places = np.argwhere(values) // chunks * chunks
            with h5py.File(file) as opened:
                assert {*map(tuple, list_corners(opened["x"].id).tolist())} >= {*map(tuple, places.tolist())}
            with hf_h5.open_table(file, layout="raw") as reader:
                assert np.array_equal(reader.read(slice(None))["x"], values)


@pytest.mark.filterwarnings("error")
def test_signals_of_many_channels_that_grow_in_time(tmp_path: Path) -> None:
    """Where more chunks are stored than the first rows show, which are compared with what the library reads."""
    file = tmp_path / "a.h5"
    values = write(file, (40, 6000), np.s_[:], chunks=(20, 500), maxshape=(40, None), libver="latest", shuffle=True)
    with hf_h5.open_table(file) as reader:
        assert np.array_equal(reader.read([39, 0, 21])["x"], values[[39, 0, 21]])
    with hf_h5.open_table(file, axis=-1) as reader:
        assert np.array_equal(reader.read([5999, 3])["x"], values[:, [5999, 3]].T)
    assert main(["repack", str(file), str(tmp_path / "b.h5"), "-q"]) == 0
    with h5py.File(tmp_path / "b.h5") as repacked:
        assert np.array_equal(repacked["x"][()], values)
