"""Reading past bad rows leaves out those and no others."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hf_h5
from hf_h5.errors import ClosedError
from hf_h5.read.reader import TableReader
from hf_h5.read.skipping import BadRows, read_past

_N = 40


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TableReader]:
    """Chunk 2 of ``x`` (rows 14 to 20) is broken; rows 12 and 30 of ``name`` are no UTF-8."""
    file = tmp_path_factory.mktemp("skipping") / "a.h5"
    with h5py.File(file, "w") as out:
        x = out.create_dataset("x", data=np.arange(_N * 2).reshape(_N, 2), chunks=(7, 2), compression="gzip")
        x.id.write_direct_chunk((14, 0), zlib.compress(b"short"))
        names = np.array([b"%d" % row for row in range(_N)], "S4")
        names[[12, 30]] = b"\xff\xfe"
        out.create_dataset("name", data=names)
    with hf_h5.open_table(file, columns=["x", "name"], class_labels=None) as reader:
        yield reader


_BAD = {12, 30, *range(14, 21)}


def bad_rows(bad: list[BadRows]) -> list[int]:
    return [row for each in bad for row in range(each.start, each.stop)]


def test_the_bad_ones_are_told_with_their_problem(damaged: TableReader) -> None:
    batch, bad = read_past(damaged, 0, _N)
    assert bad_rows(bad) == sorted(_BAD)
    assert [len(each) for each in bad] == [1, 7, 1]
    assert "row 12 " in bad[0].problem
    assert "rows 14 to 20" in bad[1].problem
    good = [row for row in range(_N) if row not in _BAD]
    assert batch["x"][:, 0].tolist() == [2 * row for row in good]
    assert batch["name"].tolist() == [str(row) for row in good]


@given(bounds=st.tuples(st.integers(0, _N - 1), st.integers(1, _N)).filter(lambda pair: pair[0] < pair[1]))
def test_any_piece_loses_just_its_own(damaged: TableReader, bounds: tuple[int, int]) -> None:
    batch, bad = read_past(damaged, *bounds)
    expected = [row for row in range(*bounds) if row not in _BAD]
    assert batch["name"].tolist() == [str(row) for row in expected]
    assert batch["x"].shape == (len(expected), 2)
    assert bad_rows(bad) == [row for row in range(*bounds) if row in _BAD]


def test_what_is_wrong_with_the_reader_is_no_bad_row(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["x"] = [1, 2]
    reader = hf_h5.open_table(tmp_path / "a.h5")
    reader.close()
    with pytest.raises(ClosedError):
        read_past(reader, 0, 2)
