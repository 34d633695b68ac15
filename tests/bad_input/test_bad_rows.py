"""on_bad_rows="skip": rows that cannot be read are left out, named and counted; by default they are an error."""

from __future__ import annotations

import re
import warnings
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import DamagedFileError, H5Warning, OptionError

from .doors import cached, direct, refusal

_N = 60
_GOOD = [row for row in range(_N) if not 10 <= row < 20]


@pytest.fixture
def file(tmp_path: Path) -> str:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        x = out.create_dataset("x", data=np.arange(_N), chunks=(10,), compression="gzip")
        x.id.write_direct_chunk((10,), zlib.compress(b"short"))
    return str(tmp_path / "a.h5")


def test_by_default_they_are_an_error_with_their_place(file: str) -> None:
    error = refusal(cached, file)
    assert isinstance(error, DamagedFileError)
    assert "rows 10 to 19" in str(error)
    assert error.file == file


@pytest.mark.parametrize("num_proc", [None, 2])
def test_conversion_leaves_them_out_and_counts_them(file: str, num_proc: int | None) -> None:
    with pytest.warns(H5Warning) as caught:
        found = cached(file, on_bad_rows="skip", num_proc=num_proc, batch_size=20)
    assert found["x"][:] == _GOOD
    said = [str(each.message) for each in caught]
    assert any("10 rows of the split 'train' cannot be read and were left out" in text for text in said)
    if num_proc is None:
        assert any(re.match(r"rows 10 to 19 left out: .*chunk", text) for text in said)
    assert "10 rows of the split 'train'" in found.info.description


def test_a_stream_leaves_them_out_and_says_so(file: str) -> None:
    rows = hf_h5.load_dataset(file, split="train", streaming=True, on_bad_rows="skip")
    with pytest.warns(H5Warning) as caught:
        assert [row["x"] for row in rows] == _GOOD
    said = [str(each.message) for each in caught]
    assert said[0].startswith("rows 10 to 19 left out")
    assert said[-1] == f"10 rows of {file} cannot be read and were left out (on_bad_rows='skip')"


def test_a_file_of_bad_rows_only_has_none(file: str) -> None:
    with h5py.File(file, "a") as out:
        for first in range(0, _N, 10):
            out["x"].id.write_direct_chunk((first,), zlib.compress(b"short"))
    with pytest.warns(H5Warning) as caught:
        assert len(cached(file, on_bad_rows="skip")) == 0
    assert any("60 rows of the split" in str(each.message) for each in caught)


def test_whole_files_are_read_without_a_word(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["x"] = np.arange(_N)
    with warnings.catch_warnings():
        warnings.simplefilter("error", H5Warning)
        assert len(cached(str(tmp_path / "a.h5"), on_bad_rows="skip")) == _N


def test_a_view_has_all_rows_or_an_error(file: str) -> None:
    with pytest.raises(OptionError, match="on_bad_rows"):
        direct(file, on_bad_rows="skip")
