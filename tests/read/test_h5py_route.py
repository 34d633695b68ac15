"""The route through the library reads everything that h5py reads, with the same values, each chunk once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.describe.columns import dataset_columns
from hf_h5.describe.schema import Storage
from hf_h5.describe.tree import DatasetNode
from hf_h5.describe.types import interpret_type
from hf_h5.errors import DamagedFileError
from hf_h5.read.h5py_route import read_rows, read_whole
from hf_h5.read.plan import as_rows

ROWS = [[0, 1, 2], [9, 0, 4, 4], [7], [], list(range(10))]


def column_of(dataset: h5py.Dataset, take: str = "rows") -> Any:
    stored = interpret_type(dataset.id.get_type())
    node = DatasetNode(dataset.name, "x", dataset.shape, stored, Storage("chunked", None, (), 0))
    return dataset_columns(node, "x", dataset.name, take=take)[0]  # type: ignore[arg-type]


def read(dataset: h5py.Dataset, rows: list[int]) -> np.ndarray[Any, Any]:
    return read_rows(dataset, column_of(dataset), as_rows(rows, len(dataset)))


def lists(*values: Any) -> np.ndarray[Any, Any]:
    out = np.empty(len(values), object)
    out[:] = values
    return out


def numbers(handle: h5py.File) -> h5py.Dataset:
    return handle.create_dataset("x", data=np.arange(60, dtype=">i4").reshape(10, 3, 2))


def chunked(handle: h5py.File) -> h5py.Dataset:
    values = np.arange(60.0).reshape(10, 6)
    return handle.create_dataset("x", data=values, chunks=(4, 4), compression="gzip", scaleoffset=None)


def scaled(handle: h5py.File) -> h5py.Dataset:
    return handle.create_dataset("x", data=np.arange(10, dtype=np.int32), chunks=(3,), scaleoffset=0)


def compound(handle: h5py.File) -> h5py.Dataset:
    values = np.zeros(10, np.dtype([("a", "<i2"), ("b", ">f8", (2,))], align=True))
    values["a"] = np.arange(10)
    values["b"] = np.arange(20).reshape(10, 2)
    return handle.create_dataset("x", data=values)


def virtual(handle: h5py.File) -> h5py.Dataset:
    handle["own"] = np.arange(10)
    layout = h5py.VirtualLayout((10,), handle["own"].dtype)
    layout[:] = h5py.VirtualSource(handle["own"])
    return handle.create_virtual_dataset("x", layout)


def unwritten(handle: h5py.File) -> h5py.Dataset:
    return handle.create_dataset("x", (10, 3), "f4", chunks=(2, 3), fillvalue=-1.5)


FIXED = [numbers, chunked, scaled, compound, virtual, unwritten]


@pytest.mark.parametrize("make", FIXED, ids=lambda make: make.__name__)
@pytest.mark.parametrize("rows", ROWS)
def test_rows_are_h5pys_to_the_last_bit(
    tmp_path: Path, make: Callable[[h5py.File], h5py.Dataset], rows: list[int]
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        dataset = make(handle)
        expected = dataset[()][rows]
        found = read(dataset, rows)
    assert found.shape == expected.shape
    for name in expected.dtype.names or [...]:  # not what lies between the fields
        one, other = found[name], expected[name]
        assert one.astype(other.dtype).tobytes() == other.tobytes()


def test_fixed_strings_keep_every_byte(tmp_path: Path) -> None:
    # A picture's first bytes hold a NUL, at which numpy would end it.
    values = np.array([b"\x89PNG\0\0\0\r", b"ab\0cd\0\0\0"], "V8")
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        kind = h5py.h5t.C_S1.copy()
        kind.set_size(8)
        dataset = h5py.Dataset(h5py.h5d.create(handle.id, b"x", kind, h5py.h5s.create_simple((2,))))
        dataset.id.write(h5py.h5s.ALL, h5py.h5s.ALL, values, kind)
        assert read(dataset, [1, 0]).tolist() == [values[1].tobytes(), values[0].tobytes()]


@pytest.mark.parametrize("order", "<>=")
@pytest.mark.parametrize("kind", ["i2", "f8", "u4"])
def test_lists_have_the_values_that_were_written_whatever_the_byte_order(tmp_path: Path, order: str, kind: str) -> None:
    values = [[1, 2, 300], [], [7]]
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        dataset = handle.create_dataset("x", (3,), h5py.vlen_dtype(np.dtype(order + kind)))
        for number, value in enumerate(values):
            dataset[number] = np.array(value, order + kind)
        found = read(dataset, [2, 0, 1])
    assert [item.tolist() for item in found] == [values[2], values[0], values[1]]
    assert found[1].astype(kind).tolist() == values[0]


def test_strings_of_any_length_come_as_they_are(tmp_path: Path) -> None:
    values = ["a", "", "ähm" * 1000, "x\ny"]
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        dataset = handle.create_dataset("x", data=values, chunks=(2,))
        found = read(dataset, [3, 2, 0, 1])
    assert [value.decode() if isinstance(value, bytes) else value for value in found] == [
        values[i] for i in (3, 2, 0, 1)
    ]


def test_references_are_paths_and_regions_say_their_selection(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        handle["g/target"] = np.arange(40).reshape(10, 4)
        target = handle["g/target"]
        objects = handle.create_dataset("x", (3,), h5py.ref_dtype)
        objects[0], objects[1] = handle["g"].ref, target.ref
        regions = handle.create_dataset("y", (3,), h5py.regionref_dtype)
        regions[0], regions[1] = target.regionref[2:5, 1:3], target.regionref[...]
        assert read(objects, [0, 1, 2]).tolist() == ["/g", "/g/target", None]
        assert read(regions, [1, 0]).tolist() == ["/g/target[0:10, 0:4]", "/g/target[2:5, 1:3]"]
        assert read(regions, [2]).tolist() == [None]


@pytest.mark.parametrize("value", [3, 2.5, np.arange(6).reshape(2, 3), np.arange(4.0), np.zeros((0, 3)), True])
def test_a_whole_dataset_is_one_row(tmp_path: Path, value: Any) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        dataset = handle.create_dataset("x", data=value)
        found = read_whole(dataset, column_of(dataset, "whole"))
    assert found.shape == (1, *np.shape(value))
    assert found[0].tolist() == np.asarray(value).tolist()


@pytest.mark.parametrize("value", ["text", "", b"a\0b"])
def test_a_scalar_string_is_one_row(tmp_path: Path, value: Any) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        dataset = handle.create_dataset("x", data=np.void(value) if isinstance(value, bytes) else value)
        found = read_whole(dataset, column_of(dataset, "whole"))
    assert found.shape == (1,)
    assert found.tolist() in ([value], [value.encode() if isinstance(value, str) else value])


def test_a_scalar_list_is_one_row(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        dataset = handle.create_dataset("x", (), h5py.vlen_dtype(np.int32))
        dataset[()] = np.array([1, 2, 3], np.int32)
        found = read_whole(dataset, column_of(dataset, "whole"))
    assert found.shape == (1,)
    assert found[0].tolist() == [1, 2, 3]


def test_rows_of_a_zero_size_dimension_are_empty_and_have_their_shape(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        dataset = handle.create_dataset("x", (10, 0, 3), "f4")
        assert read(dataset, [3, 1]).shape == (2, 0, 3)


@pytest.mark.parametrize("chunk", [(2, 3), (1, 1), (4, 4)])
def test_strings_that_were_never_written_are_the_fill_value(tmp_path: Path, chunk: tuple[int, int]) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as handle:
        dataset = handle.create_dataset("x", (9, 4), h5py.string_dtype(), chunks=chunk, fillvalue="né")
        dataset[1:4, 2] = ["a", "", "c"]
        dataset[8, 3] = "z"
        # Where the library may write to the file, it reads them.
        expected = dataset[()]
    with h5py.File(file) as handle:
        with pytest.raises(OSError, match="no write intent"):
            handle["x"][()]
        for rows in ([0], [8, 1, 1, 3], [], list(range(9)), [5, 4]):
            assert read(handle["x"], rows).tolist() == expected[rows].tolist()
        assert read_whole(handle["x"], column_of(handle["x"], "whole"))[0].tolist() == expected.tolist()


@pytest.mark.parametrize("route", ["auto", "h5py"])
def test_a_view_has_the_fill_value_of_strings_that_were_never_written(tmp_path: Path, route: str) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as handle:
        dataset = handle.create_dataset("x", (7,), h5py.string_dtype(), chunks=(2,), compression="gzip", fillvalue="?")
        dataset[:3] = ["a", "b", "c"]
        handle["y"] = np.arange(7)
    with hf_h5.H5TorchView(file, route=route) as view:
        assert view[:]["x"] == ["a", "b", "c", "?", "?", "?", "?"]
        assert view[5]["x"] == "?"
    with h5py.File(file) as handle, hf_h5.H5TorchView(handle) as view:
        assert view[[6, 0]]["x"] == ["?", "a"]


def test_a_damaged_chunk_of_strings_with_a_fill_value_is_no_fill_value(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as handle:
        dataset = handle.create_dataset("x", (6,), h5py.string_dtype(), chunks=(2,), compression="gzip", fillvalue="?")
        dataset[:2] = ["a", "b"]
        chunk = dataset.id.get_chunk_info(0)
    content = bytearray(file.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    file.write_bytes(content)
    with pytest.raises(DamagedFileError, match="cannot read rows"), hf_h5.H5TorchView(file) as view:
        view[:]
