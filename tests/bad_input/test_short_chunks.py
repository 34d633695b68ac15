"""A chunk that unpacks to fewer bytes than it should: the HDF5 library returns old memory, this package an error."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import DamagedFileError

from .doors import DOORS, refusal

SHORT = {
    "bare": (bytes(100), {}),
    "gzip": (zlib.compress(bytes(100)), {"compression": "gzip"}),
    "shuffle": (bytes(100), {"shuffle": True}),
}


@pytest.fixture(params=SHORT, ids=SHORT)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    content, filters = SHORT[request.param]
    path = tmp_path / "short.h5"
    with h5py.File(path, "w") as out:
        dataset = out.create_dataset("x", (8, 1000), "u1", chunks=(1, 1000), **filters)
        dataset[...] = np.arange(8000).reshape(8, 1000) % 251
        dataset.id.write_direct_chunk((0, 0), content)
    return path


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_it_is_damage_with_its_place(file: Path, door: Callable[..., Any]) -> None:
    error = refusal(door, str(file))
    assert isinstance(error, DamagedFileError)
    assert error.path == "/x"


def test_other_rows_can_be_read(file: Path) -> None:
    if h5py.File(file)["x"].id.get_create_plist().get_nfilters() == 0:
        pytest.skip("the sizes of bare chunks are checked when the file is opened")
    with hf_h5.open_table(file) as table:
        assert np.array_equal(table.read(slice(1, 8))["x"].ravel(), np.arange(1000, 8000) % 251)
        with pytest.raises(DamagedFileError, match="chunk"):
            table.read([0])


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_a_block_that_is_too_short_for_its_type_is_damage(tmp_path: Path, door: Callable[..., Any]) -> None:
    file = tmp_path / "short.h5"
    with h5py.File(file, "w", libver="earliest") as out:
        out["x"] = np.arange(40, dtype=np.int32)
        place = out["x"].id.get_offset()
    content = bytearray(file.read_bytes())
    # The layout message: where the block lies, and its bytes (HDF5 file format, section IV.A.2.i).
    at = content.find(place.to_bytes(8, "little") + (160).to_bytes(8, "little"))
    assert at > 0
    content[at + 8 : at + 16] = (100).to_bytes(8, "little")
    file.write_bytes(content)
    error = refusal(door, str(file))
    assert isinstance(error, DamagedFileError)
    assert "40 values need 160" in str(error)
