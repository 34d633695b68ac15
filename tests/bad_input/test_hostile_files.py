"""Files of each class of published flaws of the HDF5 library: refused, or read as the library reads them; no more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.describe.damage import check_for_damage
from hf_h5.errors import DamagedFileError
from tests.fuzz.forked import fork_processes
from tests.fuzz.run import try_mutant, write_secret

from .hostile import HOSTILE, write_hostile

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and forks as Linux has them")

_FINE = ("ok", "refused", "h5py")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_or_read_right(tmp_path: Path, name: str) -> None:
    write_secret(tmp_path)
    write_hostile(tmp_path / "a.h5", name)
    outcomes = try_mutant(tmp_path / "a.h5", tmp_path)
    assert all(outcome.startswith(_FINE) for outcome in outcomes.values()), outcomes


@pytest.mark.parametrize("name", HOSTILE)
def test_with_isolate_no_hostile_file_does_harm(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_h5.isolate.process.LibraryProcess._start", None)  # so that it is put back
    fork_processes()
    write_secret(tmp_path)
    write_hostile(tmp_path / "a.h5", name)
    # The other doors have some of them below; `make fuzz` goes through all.
    outcomes = try_mutant(tmp_path / "a.h5", tmp_path, steps=("describe", "view"), isolate=True)
    assert all(outcome in _FINE for outcome in outcomes.values()), outcomes


# One of each part of a file that the library reads: headers, types, shapes, layouts, trees, filters, heaps.
_OF_EACH_PART = (
    *("end of file far away", "a header that goes on in itself", "a type shared with itself", "65,535 fields"),
    *("255 dimensions", "2**62 rows", "one piece of 2**62 bytes", "an endless tree of chunks", "a chunk of 4 GB"),
    *("lzf of chunks of 4 GB", "a fill value of 4 GB", "more strings than references"),
)


@pytest.mark.parametrize("step", ["builder", "stream"])
@pytest.mark.parametrize("name", _OF_EACH_PART)
def test_with_isolate_no_hostile_file_harms_a_conversion_or_a_stream(
    tmp_path: Path, name: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_h5.isolate.process.LibraryProcess._start", None)  # so that it is put back
    fork_processes()
    write_secret(tmp_path)
    write_hostile(tmp_path / "a.h5", name)
    outcomes = try_mutant(tmp_path / "a.h5", tmp_path, steps=(step,), isolate=True)
    assert outcomes.keys() == {step}
    assert all(outcome in _FINE for outcome in outcomes.values()), outcomes


@pytest.mark.parametrize("libver", ["earliest", "v110", "latest"])
@pytest.mark.parametrize("user_block", [0, 512])
def test_whole_files_have_no_bad_structures(tmp_path: Path, libver: str, user_block: int) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w", libver=libver, userblock_size=user_block) as out:
        for number in range(700):
            # Trees of two levels.
            out.create_group(f"groups/{number}").attrs["n"] = number
        for number in range(40):
            out["groups"].attrs[f"a{number}"] = "x" * 300
        out.create_dataset("x", data=np.arange(20_000), chunks=(10,), maxshape=(None,))
        out.create_dataset("y", data=np.zeros((300, 300)), chunks=(10, 10), maxshape=(None, None))
        for number in range(0, 700, 3):
            del out[f"groups/{number}"]
    check_for_damage(os.fspath(file))
    assert hf_h5.describe(file).tables


def test_damage_is_found_wherever_the_file_begins(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w", libver="earliest", userblock_size=1024) as out:
        out["x"] = np.arange(3)
    content = bytearray(file.read_bytes())
    node = content.find(b"TREE")
    content[node + 16 : node + 24] = (node - 1024).to_bytes(8, "little")
    file.write_bytes(content)
    with pytest.raises(DamagedFileError, match="is its own neighbour"):
        hf_h5.describe(file)
