"""Indexes of chunks and headers that some wrong bytes make inconsistent: an error, never rows that the library lacks.

Each was found by ``make fuzz``.
"""

from __future__ import annotations

import resource
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import DamagedFileError

from .doors import DOORS, read_all, refusal

every_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


def write_chunks(file: Path, **options: Any) -> bytearray:
    with h5py.File(file, "w", libver="earliest", **options) as out:
        out.create_dataset("x", data=np.arange(40.0), chunks=(16,), compression="gzip")
    return bytearray(file.read_bytes())


def last_key(content: bytearray) -> int:
    """Where the key behind the last chunk stands (HDF5 file format, section III.A.1 "B-trees, version 1")."""
    node = content.rfind(b"TREE\x01")
    count = struct.unpack_from("<H", content, node + 6)[0]
    assert count == 3
    # Size, filter mask, and an offset for the axis and for the element; then the address of the chunk.
    return node + 24 + count * (8 + 16 + 8)


@every_door
def test_a_chunk_that_is_listed_and_not_found_is_an_error(tmp_path: Path, door: Any) -> None:
    file = tmp_path / "a.h5"
    content = write_chunks(file)
    struct.pack_into("<Q", content, last_key(content) + 8, 16)
    file.write_bytes(content)
    with h5py.File(file) as opened:
        assert opened["x"][39] == 0  # the library reads a fill value
    error = refusal(door, str(file))
    assert isinstance(error, DamagedFileError)
    assert "listed and not found" in str(error)
    assert (error.file, error.path) == (str(file), "/x")


@every_door
def test_a_chunk_that_is_listed_twice_is_an_error(tmp_path: Path, door: Any) -> None:
    file = tmp_path / "a.h5"
    content = write_chunks(file)
    struct.pack_into("<Q", content, last_key(content) - 32 + 8, 16)
    file.write_bytes(content)
    assert isinstance(refusal(door, str(file)), DamagedFileError)


@every_door
def test_a_chunk_larger_than_its_file_takes_no_memory(tmp_path: Path, door: Any) -> None:
    file = tmp_path / "a.h5"
    content = write_chunks(file, userblock_size=512)
    struct.pack_into("<I", content, last_key(content) - 3 * 32, 0xFFFFFF00)
    file.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert isinstance(refusal(door, str(file)), DamagedFileError)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20


def test_what_chunks_claim_to_store_raises_no_budget(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    content = write_chunks(file)
    struct.pack_into("<I", content, last_key(content) - 3 * 32, 0xFFFFFF00)
    file.write_bytes(content)
    storage = hf_h5.describe(file).tables["/"].columns["x"].storage
    assert storage is not None
    assert storage.stored_bytes <= len(content)


def test_many_chunks_are_looked_for_in_passing(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w", libver="earliest") as out:
        out.create_dataset("x", data=np.arange(5000), chunks=(1,))
    assert np.array_equal(read_all(str(file))["x"], np.arange(5000))


def test_fields_whose_names_are_no_text_leave_their_dataset_out(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        out["table"] = np.zeros(4, [("name of a field", "i4"), ("b", "f8")])
        out["x"] = np.arange(4)
    file.write_bytes(file.read_bytes().replace(b"name of a field", b"name \xff of field"))
    schema = hf_h5.describe(file)
    assert [(note.path, "UTF-8" in note.why) for note in schema.notes] == [("/table", True)]
    assert list(schema.tables["/"].columns) == ["x"]
