"""A row read alone is the row read in a batch, however the columns lie."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import ClosedError, FileChangedError, RowError
from tests.exact import assert_exact


def write_columns(file: Path, start: int = 0) -> Path:
    random = np.random.default_rng(start)
    with h5py.File(file, "w") as handle:
        handle["plain"] = random.normal(size=(7, 3, 2)).astype("f4")
        handle.create_dataset("alone", data=random.integers(0, 9, (7, 3)), chunks=(1, 3))
        handle.create_dataset("threes", data=random.normal(size=7), chunks=(3,))
        handle.create_dataset("split", data=random.normal(size=(7, 4)), chunks=(3, 2))
        handle["swapped"] = (np.arange(7) + start).astype(">i8")
        handle["truth"] = np.arange(7) % 2 == 0
        handle["words"] = [f"w{number}" for number in range(start, start + 7)]
        handle["arrays"] = np.zeros(7, np.dtype([("a", "<u2", (2, 2)), ("b", "u1")]))
        handle.create_dataset("packed", data=random.integers(0, 9, (7, 4)), chunks=(3, 4), compression="gzip")
        for name, chunks, kind in (
            ("cut", (3, 2, 3), "<f4"),
            ("cut and swapped", (2, 3, 2), ">i2"),
            ("whole", (4, 5, 4), "u1"),
        ):
            values = random.integers(0, 99, (7, 5, 4)).astype(kind)
            handle.create_dataset(name, data=values, chunks=chunks, compression="gzip", shuffle=True)
        handle.create_dataset("in part", (7, 4), "i4", chunks=(2, 3), compression="gzip", fillvalue=-3)
        handle["in part"][1:3, :2] = 5
        handle.create_dataset("unwritten", (7, 2), "f8", fillvalue=2.5)
        handle.create_dataset("typed", data=np.arange(7), dtype=h5py.enum_dtype({"a": start, "b": start + 1}, "i1"))
        handle["typed"][...] = start + np.arange(7) % 2
    return file


@pytest.fixture
def reader(tmp_path: Path) -> hf_h5.opening.TableReader:
    files = [write_columns(tmp_path / f"{start}.h5", start) for start in (0, 10)]
    return hf_h5.open_table([str(file) for file in files])


def test_each_row_alone_is_the_row_of_the_batch(reader: hf_h5.opening.TableReader) -> None:
    names = tuple(reader.schema.columns)
    whole = reader.read(range(len(reader)))
    # Twice: chunks that were decoded for a row are kept, and the next ones come out of them.
    for row in (*range(14), *range(14)):
        found = reader.read_row(row, names)
        assert_exact({name: found[name] for name in names}, {name: whole[name][row : row + 1] for name in names})


@pytest.mark.parametrize("rows", [[], [3], [6, 0, 0, 2, 5]], ids=str)
def test_rows_put_into_the_callers_arrays_are_those_of_the_batch(tmp_path: Path, rows: list[int]) -> None:
    wanted = np.array(rows, np.int64)
    with hf_h5.open_table(write_columns(tmp_path / "x.h5")) as reader:
        expected = reader.read(rows)
        numbers = [name for name, values in expected.items() if values.dtype.kind != "O"]
        for read in (reader.read, reader.read_here):
            out = {name: np.empty_like(expected[name]) for name in numbers}
            found = read(wanted, list(expected), out)
            assert_exact({name: found[name] for name in expected}, expected)
            assert all(
                found[name] is out[name] or np.shares_memory(found[name], out[name]) or not rows for name in numbers
            )
        with pytest.raises(RowError, match="row 7 lies outside 0 to 6"):
            reader.read_here(np.array([0, 7]), numbers, {name: expected[name][:2] for name in numbers})


@pytest.mark.parametrize("rows", [[], [3], [6, 0, 0, 2, 5]], ids=str)
def test_rows_put_into_new_arrays_are_those_of_the_batch_and_the_callers(tmp_path: Path, rows: list[int]) -> None:
    with hf_h5.open_table(write_columns(tmp_path / "x.h5")) as reader:
        expected = reader.read(rows)
        made_there = reader.makes_arrays(list(expected))
        assert made_there == {"alone", "threes"}
        out = {
            name: np.empty_like(values)
            for name, values in expected.items()
            if values.dtype.kind != "O" and name not in made_there
        }
        wanted = np.array(rows, np.int64)
        for find in (lambda: reader.read_here(wanted, list(expected), out), lambda: reader.read(wanted)):
            found = find()
            assert_exact({name: found[name] for name in expected}, expected)
            for name in made_there:
                found[name] += 1
    assert reader.makes_arrays(["alone"]) == frozenset()


@pytest.mark.parametrize("name", ["plain", "whole", "cut"])
def test_the_row_is_the_callers(reader: hf_h5.opening.TableReader, name: str) -> None:
    reader.read_row(3, (name,))
    first = reader.read_row(3, (name,))[name]
    kept = first.copy()
    first += 1
    assert_exact(reader.read_row(3, (name,))[name], kept)


def test_chunks_are_decoded_once_for_single_rows(reader: hf_h5.opening.TableReader) -> None:
    for _ in range(3):
        for row in range(7):
            reader.read_row(row, ("whole", "cut"))
    assert reader.cache_info().misses == 2 + 3 * 3 * 2


def test_a_file_that_changed_and_a_reader_that_was_closed_are_errors(
    reader: hf_h5.opening.TableReader, tmp_path: Path
) -> None:
    reader.read_row(0, ("plain",))
    os.utime(tmp_path / "0.h5", (1, 1))
    with pytest.raises(FileChangedError):
        reader.read_row(0, ("plain",))
    reader.close()
    with pytest.raises(ClosedError):
        reader.read_row(0, ("plain",))
