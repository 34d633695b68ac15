"""Small files that claim to be huge: refused at every door, with the budget's name; honest large ones are not."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import LimitError

from .doors import DOORS, refusal

Door = Callable[..., Any]
Write = Callable[[h5py.File], None]

_CHUNK = 400 << 20


def trillion_rows(out: h5py.File) -> None:
    out.create_dataset("x", (10**12,), "u1", chunks=(1 << 20,), compression="gzip")
    out["y"] = [1, 2]


def zeros_in_gzip(out: h5py.File) -> None:
    dataset = out.create_dataset("x", (4, _CHUNK), "u1", chunks=(1, _CHUNK), compression="gzip")
    dataset.id.write_direct_chunk((0, 0), zlib.compress(bytes(16 << 20), 9))


def wide_row(out: h5py.File) -> None:
    out.create_dataset("x", (2, 1 << 33), "u1", chunks=(1, 1 << 20), compression="gzip")[0, :8] = 1


def huge_chunk(out: h5py.File) -> None:
    # The row is small: only the chunk is not.
    out.create_dataset("x", (_CHUNK,), "u1", chunks=(_CHUNK,), compression="gzip")


def deep_type(out: h5py.File) -> None:
    kind = np.dtype([("a", "i4")])
    for _ in range(40):
        kind = np.dtype([("a", kind)])
    out.create_dataset("x", (3,), kind)


def deep_groups(out: h5py.File) -> None:
    out["/".join("g" * 70)] = [1, 2]


BOMBS: dict[str, tuple[Write, str]] = {
    "trillion rows": (trillion_rows, "expansion"),
    "zeros in gzip": (zeros_in_gzip, "chunk bytes|row bytes"),
    "wide row": (wide_row, "row bytes"),
    "huge chunk": (huge_chunk, "chunk bytes"),
    "deep type": (deep_type, "dtype depth"),
    "deep groups": (deep_groups, "depth"),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_by_the_budget_that_it_breaks(tmp_path: Path, bomb: str, door: Door) -> None:
    write, budget = BOMBS[bomb]
    file = tmp_path / "bomb.h5"
    with h5py.File(file, "w") as out:
        write(out)
    assert file.stat().st_size < 1 << 20
    error = refusal(door, str(file))
    assert isinstance(error, LimitError)
    assert error.problem.startswith(tuple(budget.split("|")))
    assert "limits={" in (error.hint or "")


def test_columns_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        for number in range(30):
            out[f"x{number}"] = [1, 2]
    with pytest.raises(LimitError, match="columns: more than 20"):
        hf_h5.describe(file, limits={"columns": 20})
    assert len(hf_h5.describe(file, limits={"columns": 30}).tables) == 1


def test_a_raised_budget_lets_the_file_in(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        trillion_rows(out)
    with hf_h5.H5TorchView(file, columns="x", limits={"expansion": 10**15}) as view:
        assert len(view) == 10**12
        assert view[10**12 - 3 : 10**12 - 1]["x"].tolist() == [0, 0]


@pytest.mark.parametrize("filters", [{}, {"compression": "gzip"}], ids=["bare", "gzip"])
def test_large_rows_that_are_stored_are_no_bomb(tmp_path: Path, filters: dict[str, str]) -> None:
    file = tmp_path / "a.h5"
    values = np.random.default_rng(0).integers(0, 9, (2, 1 << 20), np.uint8)
    with h5py.File(file, "w") as out:
        out.create_dataset("x", data=values, chunks=(1, 1 << 20), **filters)
    budgets = {"row_bytes": 1 << 10, "chunk_bytes": 1 << 10}
    with hf_h5.open_table(file, limits=budgets) as table:
        assert np.array_equal(table.read([1])["x"], values[1:])
