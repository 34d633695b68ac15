"""Messages that stand for those of other headers: found where they lead back, and nowhere else."""

from __future__ import annotations

import ctypes
import errno
import mmap
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5py import h5a, h5f, h5l, h5o, h5p

import hf_h5
from hf_h5.describe.shared_messages import find_endless_sharing
from tests.bad_input.hostile import SPACE, TYPE, Content, fill, header_of, message, write_hostile

LIBRARY = ctypes.CDLL(h5a.__file__)
# SHMESG: types, shapes, fill values, filters and attributes.
_ALL_KINDS = 0x2 | 0x8 | 0x20 | 0x800 | 0x1000


def addresses_of(file: Path) -> tuple[list[int], int]:
    with h5py.File(file) as opened:
        found = [h5o.get_info(opened.id).addr]

        def visit(_: bytes, info: h5l.LinkInfo) -> None:
            found.append(info.u)

        opened.id.links.visit(visit, info=True)
        return found, opened.userblock_size


def found_in(file: Path) -> int | None:
    addresses, base = addresses_of(file)
    return find_endless_sharing(file.read_bytes(), base, addresses)


@pytest.mark.parametrize("libver", ["earliest", "v108", "latest"])
@pytest.mark.parametrize("user_block", [0, 512])
def test_types_with_names_and_headers_of_many_pieces_are_fine(tmp_path: Path, libver: str, user_block: int) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w", libver=libver, userblock_size=user_block) as out:
        fill(out)
        out["type"] = np.dtype([("a", "<i4"), ("b", "<f8")])
        out["type"].attrs["of"] = np.zeros(3, "S2")
        for number in range(20):
            made = out.create_dataset(f"typed/{number}", (4,), out["type"], track_order=number % 2 == 0)
            for name in range(30):
                made.attrs.create(f"a{name}", np.zeros((), out["type"].dtype), dtype=out["type"])
    assert found_in(file) is None
    assert hf_h5.describe(file).tables


def test_messages_in_the_heap_of_shared_ones_are_fine(tmp_path: Path) -> None:
    created, access = h5p.create(h5p.FILE_CREATE), h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_LATEST)
    for name, *numbers in (("nindexes", 1), ("index", 0, _ALL_KINDS, 1)):
        set_messages = getattr(LIBRARY, f"H5Pset_shared_mesg_{name}")
        assert set_messages(ctypes.c_int64(created.id), *map(ctypes.c_uint, numbers)) >= 0
    file = tmp_path / "a.h5"
    with h5py.File(h5f.create(bytes(file), h5f.ACC_TRUNC, created, access)) as out:
        fill(out)
        for number in range(20):
            out.create_dataset(f"more/{number}", data=np.arange(40.0), chunks=(8,), compression="gzip")
    with h5py.File(file) as opened:
        assert h5o.get_info(opened["more/7"].id).hdr.mesg.shared
    assert found_in(file) is None
    assert hf_h5.describe(file).tables


@pytest.mark.parametrize("user_block", [0, 1024])
@pytest.mark.parametrize("kind", [SPACE, TYPE])
def test_what_leads_back_is_found_with_its_place(tmp_path: Path, user_block: int, kind: int) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w", libver="earliest", userblock_size=user_block) as out:
        out["plain"] = np.arange(20, dtype="i2")
        out["other"] = np.arange(20, dtype="i2")
    addresses, base = addresses_of(file)
    content = Content(file.read_bytes())
    inner = content[base:]
    header, place = header_of(inner, "/plain"), base + message(inner, "/plain", kind)
    content[place - 4] |= 2
    content[place : place + 10] = b"\x02\x02" + header.to_bytes(8, "little")
    file.write_bytes(content)
    assert find_endless_sharing(bytes(content), base, addresses) == header
    with pytest.raises(hf_h5.errors.DamagedFileError, match=rf"the header at byte {base + header:,} shares a message"):
        hf_h5.describe(file)


def test_a_file_system_that_maps_no_files_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENODEV, "No such device")

    with h5py.File(tmp_path / "a.h5", "w") as out:
        fill(out)
    with h5py.File(tmp_path / "a.h5") as opened:
        monkeypatch.setattr(mmap, "mmap", refuse)
        assert hf_h5.describe(opened).tables


def test_a_header_that_goes_on_in_itself_ends(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    write_hostile(file, "a header that goes on in itself")
    content = file.read_bytes()
    for start in range(0, len(content), 8):
        find_endless_sharing(content, 0, [start, 1 << 62, len(content) - 1])
    with pytest.raises(hf_h5.errors.DamagedFileError):
        hf_h5.describe(file)
