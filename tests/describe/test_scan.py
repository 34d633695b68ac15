"""The tree of a file: each object once, with type, shape and storage, and nothing of its data."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.describe.limits import Limits
from hf_h5.describe.scan import scan_tree
from hf_h5.describe.tree import Tree
from hf_h5.errors import DamagedFileError
from hf_h5.resolve.describing import describe


def scanned(file: Path) -> Tree:
    with h5py.File(file) as handle:
        return scan_tree(handle, str(file), limits=Limits(), allowed=())


def paths(tree: Tree) -> list[str]:
    return sorted(node.path for node in tree.root.walk())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.h5"


def test_shape_type_and_storage_are_known_without_reading(file: Path) -> None:
    with h5py.File(file, "w") as handle:
        handle.create_dataset("g/x", (100, 8), ">i2", chunks=(10, 8), compression="gzip", shuffle=True, fletcher32=True)
        handle["plain"] = np.zeros((7, 3), np.float32)
    root = scanned(file).root
    packed, plain = root.groups["g"].datasets["x"], root.datasets["plain"]
    assert (packed.shape, packed.storage.chunks) == ((100, 8), (10, 8))
    assert packed.storage.filters == ("shuffle", "gzip", "fletcher32")
    assert (plain.storage.layout, plain.storage.stored_bytes, plain.logical_bytes) == ("contiguous", 84, 84)
    assert (packed.storage.layout, packed.storage.stored_bytes, packed.logical_bytes) == ("chunked", 0, 1600)


def test_compact_scalar_and_null_datasets_are_told_apart(file: Path) -> None:
    with h5py.File(file, "w") as handle:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(handle.id, b"small", h5py.h5t.STD_I32LE, space, plist)
        handle["scalar"] = 3
        handle["null"] = h5py.Empty("f4")
    found = scanned(file).root.datasets
    assert found["small"].storage.layout == "compact"
    assert (found["scalar"].shape, found["scalar"].has_rows) == ((), False)
    assert found["null"].shape is None


def test_hard_links_are_followed_once_per_object(file: Path) -> None:
    with h5py.File(file, "w") as handle:
        handle["x"] = [1, 2]
        handle["again"] = handle["x"]
        handle["g/inner"] = handle["x"]
    assert len(paths(scanned(file))) == 1


def test_cycles_of_groups_end(file: Path) -> None:
    with h5py.File(file, "w") as handle:
        handle["g/x"] = [1, 2]
        handle["g/h/back"] = handle["g"]
        handle["g/root"] = handle["/"]
        handle["soft"] = h5py.SoftLink("/g")
    assert len(paths(scanned(file))) == 1


def test_links_that_lead_nowhere_are_noted(file: Path) -> None:
    with h5py.File(file, "w") as handle:
        handle["x"] = [1, 2]
        handle["gone"] = h5py.SoftLink("/nowhere")
        handle["circle"] = h5py.SoftLink("/circle")
    tree = scanned(file)
    assert paths(tree) == ["/x"]
    assert sorted(note.path for note in tree.notes) == ["/circle", "/gone"]
    assert "/nowhere" in tree.notes[1].why


def test_groups_that_share_members_in_many_ways_are_walked_quickly(file: Path) -> None:
    # 24 groups, each linked twice from the one before: 2^24 paths.
    with h5py.File(file, "w") as handle:
        groups = [handle.create_group(f"level{number}") for number in range(24)]
        for one, other in itertools.pairwise(groups):
            one["left"] = one["right"] = other
        groups[-1]["x"] = np.arange(3)
    assert len(paths(scanned(file))) == 1


def test_names_that_are_no_utf8_or_odd_are_kept(file: Path) -> None:
    with h5py.File(file, "w") as handle:
        handle.create_dataset(b"caf\xe9", data=[1, 2])
        handle["a b.c"] = [3, 4]
        handle["日本"] = [5, 6]
    table = describe(file).table
    assert table is not None
    assert sorted(table.columns) == sorted(["caf\\xe9", "a b.c", "日本"])


def test_attributes_and_values_are_plain_python(file: Path) -> None:
    with h5py.File(file, "w") as handle:
        dataset = handle.create_dataset("x", data=[1.0, 2.0])
        handle.attrs.update(
            {"text": "a", "bytes": np.bytes_(b"b"), "number": np.float32(0.5), "many": [1, 2], "none": h5py.Empty("f4")}
        )
        dataset.attrs["unit"] = "m"
        handle["version"] = 3
        handle["title"] = "of the file"
        handle["matrix"] = np.eye(2)[:1]
    schema = describe(file)
    assert schema.attrs == {"text": "a", "bytes": "b", "number": 0.5, "many": [1, 2], "none": None}
    assert schema.metadata == {"/version": 3, "/title": "of the file", "/matrix": [[1.0, 0.0]]}
    assert schema.table is not None
    assert schema.table.columns["x"].attrs == {"unit": "m"}


def test_a_type_that_nothing_holds_is_a_note_and_not_an_error(file: Path) -> None:
    with h5py.File(file, "w") as handle:
        handle["x"] = [1, 2]
        kind = h5py.h5t.STD_I64LE.copy()
        kind.set_size(16)
        h5py.h5d.create(handle.id, b"wide", kind, h5py.h5s.create_simple((2,)))
    schema = describe(file)
    assert list(schema.tables["/"].columns) == ["x"]
    assert [note.path for note in schema.notes] == ["/wide"]


@pytest.mark.parametrize("bits", [32, 64])
def test_unix_times_are_the_integers_that_are_stored(file: Path, bits: int) -> None:
    stored = np.array([3, -(1 << (bits - 2))], f"<i{bits // 8}")
    with h5py.File(file, "w") as handle:
        kind = getattr(h5py.h5t, f"UNIX_D{bits}LE")
        dataset = h5py.h5d.create(handle.id, b"time", kind, h5py.h5s.create_simple((2,)))
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, stored, kind)
    with hf_h5.open_table(file) as table:
        assert table.read([1, 0])["time"].tolist() == stored[::-1].tolist()


def test_damage_in_a_header_is_said_with_file_and_place(file: Path) -> None:
    with h5py.File(file, "w", libver="earliest") as handle:
        handle["x"] = np.arange(5)
        address = h5py.h5o.get_info(handle["x"].id).addr
    content = bytearray(file.read_bytes())
    content[address : address + 16] = b"\xff" * 16
    file.write_bytes(bytes(content))
    with pytest.raises(DamagedFileError) as caught:
        describe(file)
    assert caught.value.file == str(file)
    assert caught.value.hint


def test_an_attribute_without_values_is_an_empty_list(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["x"] = np.zeros(3)
        handle["x"].attrs["words"] = np.array([], h5py.string_dtype())
        handle["x"].attrs["numbers"] = np.zeros(0)
    column = describe(str(tmp_path / "x.h5")).table.columns["x"]
    assert {name: list(value) for name, value in column.attrs.items()} == {"words": [], "numbers": []}
