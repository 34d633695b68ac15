"""Many references to one large value: a small file whose attributes and strings would fill memory."""

from __future__ import annotations

import re
import resource
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.conventions.attributes import NodeAttributes
from hf_h5.describe.attribute_sizes import UNKNOWN_BYTES, HeldBytes
from hf_h5.describe.values import plain_attrs
from hf_h5.errors import DamagedFileError

from .doors import DOORS, refusal

_LARGE = 1 << 20
_NAMES = np.array([f"name {number}" * (number % 3) for number in range(100)], object)


def held_bytes(file: Path, name: str = "names") -> int:
    with h5py.File(file) as opened:
        group = opened["g"]
        return HeldBytes(group.id).count(h5py.h5a.open(group.id, name.encode()))


@pytest.mark.parametrize("user_block", [0, 1024])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("is_ordered", [False, True])
def test_the_header_tells_what_an_attribute_holds(
    tmp_path: Path, libver: Any, user_block: int, is_ordered: bool
) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w", libver=libver, userblock_size=user_block) as out:
        group = out.create_group("g", track_order=is_ordered)
        for number in range(5):
            # The header grows piece by piece.
            group.attrs[f"other {number}"] = np.arange(300)
        group.attrs["names"] = _NAMES
    expected = sum(len(name) for name in _NAMES)
    assert held_bytes(file) in (expected, expected + len(_NAMES))  # strings may be stored with their NUL
    with h5py.File(file) as opened:
        assert plain_attrs(opened["g"].id, opened["g"], 1 << 16)["names"] == _NAMES.tolist()


def test_lists_count_with_the_size_of_their_items(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        lists = np.empty(21, object)
        lists[:] = [np.arange(number, dtype=np.int64) for number in range(21)]
        out.create_group("g").attrs.create("names", lists, dtype=h5py.vlen_dtype(np.int64))
    assert held_bytes(file) == 8 * 210


def test_other_attributes_hold_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        group = out.create_group("g")
        group.attrs.update({"names": np.bytes_("one"), "numbers": np.arange(100)})
        group.attrs.create("none", [], (0,), h5py.string_dtype())
        group.attrs["empty"] = h5py.Empty(h5py.string_dtype())
    assert [held_bytes(file, name) for name in ("names", "numbers", "none", "empty")] == [0, 0, 0, 0]
    with h5py.File(file) as opened:
        assert plain_attrs(opened["g"].id, opened["g"], 1 << 16)["none"] == []


def test_what_the_header_does_not_tell_is_unknown_unless_it_is_little(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w", libver="latest") as out:
        group = out.create_group("g")
        for number in range(20):
            # More than eight attributes lie in a heap of their own.
            group.attrs[f"other {number}"] = number
        group.attrs["names"] = _NAMES
        group.attrs["little"] = _NAMES[:50]
    assert held_bytes(file) == UNKNOWN_BYTES
    assert held_bytes(file, "little") == 0
    with h5py.File(file) as opened:
        found = plain_attrs(opened["g"].id, opened["g"], 1 << 16)
    assert found["names"] == "<values of unknown sizes>"
    assert found["little"] == _NAMES[:50].tolist()


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    """1 MB of heap and 64 kB of references to it: 4 GB."""
    file = tmp_path / "bomb.h5"
    with h5py.File(file, "w") as out:
        large = out.create_dataset("large", (1,), h5py.string_dtype())
        large[0] = "x" * _LARGE
        out["x"] = np.arange(5)
        out["meta/few"] = ["ab"] * 4000
        out["g/inner"] = np.arange(5)
        out["g"].attrs["names"] = np.array(["ab"] * 4000, object)
        place = large.id.get_offset()
    content = file.read_bytes()
    reference = content[place : place + 16]
    assert struct.unpack("<IQI", reference)[0] == _LARGE
    short = re.compile(rb"(?:\x02\0\0\0.{12}){4000}", re.DOTALL)
    content = short.sub(lambda _: 4000 * reference, content)
    assert content.count(reference) == 8001
    file.write_bytes(content)
    return file


def test_attributes_and_metadata_are_not_read_beyond_the_budget(bomb: Path) -> None:
    tracemalloc.start()
    try:
        schema = hf_h5.describe(bomb)
        with h5py.File(bomb) as opened:
            shown = plain_attrs(opened["g"].id, opened["g"], 1 << 16)
            assert NodeAttributes(opened).get("/g", "names") is None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert shown["names"].endswith("bytes>")
    assert schema.tables
    assert peak < 200 << 20


def test_a_length_that_the_heap_does_not_have_is_never_believed(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        out["x"] = np.arange(5)
        out["x"].attrs["title"] = "a text of some length"
    content = bytearray(file.read_bytes())
    at = content.find(struct.pack("<I", 21))
    content[at : at + 4] = b"\xf0\xff\xff\xff"
    file.write_bytes(content)
    with h5py.File(file) as opened:
        assert plain_attrs(opened["x"].id, opened, 1 << 16)["title"] == "<4,294,967,288 bytes>"
    assert hf_h5.describe(file).tables["/"].num_rows == 5


@pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_a_damaged_length_of_a_row_is_an_error_and_takes_no_memory(tmp_path: Path, door: Any) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        rows = out.create_dataset("s", data=["some text of a length"] * 10, dtype=h5py.string_dtype())
        out["scalar"] = "another text"
        places = [rows.id.get_offset(), out["scalar"].id.get_offset()]
    with open(file, "r+b") as raw:
        for place in places:
            raw.seek(place)
            raw.write(b"\xf0\xff\xff\xff")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "scalar" in str(hf_h5.describe(file))
    assert isinstance(refusal(door, str(file)), DamagedFileError)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20
