"""Which files an argument names, and whether they are HDF5."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import pytest

from hf_h5.describe.opening import expand_files, has_signature, open_hdf5
from hf_h5.errors import H5Warning, MissingFileError, NotHDF5Error, OptionError
from tests.written import write_digits


@pytest.mark.parametrize("block", [0, 512, 1024, 4096])
def test_a_signature_is_found_behind_a_user_block(tmp_path: Path, block: int) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w", userblock_size=block) as handle:
        handle["x"] = [1, 2, 3]
    assert has_signature(str(file))
    with open_hdf5(str(file)) as handle:
        assert handle["x"][:].tolist() == [1, 2, 3]


@pytest.mark.parametrize("content", [b"", b"\x89HDF", b"x" * 511 + b"\x89HDF\r\n\x1a\n", b"\x89HDF\n\x1a\n    " * 100])
def test_what_has_no_signature_at_its_place_is_no_hdf5(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.h5").write_bytes(content)
    assert not has_signature(str(tmp_path / "a.h5"))


def test_a_file_is_opened_for_reading_only(tmp_path: Path) -> None:
    file = write_digits(tmp_path / "a.h5")
    with open_hdf5(str(file)) as handle:
        assert handle.mode == "r"


def test_files_come_as_named_and_patterns_sorted(tmp_path: Path) -> None:
    names = [str(write_digits(tmp_path / f"{name}.h5")) for name in ("b", "a", "c")]
    assert expand_files(names) == names
    assert expand_files(f"{tmp_path}/*.h5") == sorted(names)
    assert expand_files([names[2], f"{tmp_path}/[ab].h5"]) == [names[2], names[1], names[0]]
    assert expand_files(Path(names[0])) == [names[0]]


def test_a_pattern_goes_into_folders_with_two_stars(tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    file = write_digits(tmp_path / "x" / "y" / "a.h5")
    assert expand_files(f"{tmp_path}/**/*.h5") == [str(file)]


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path: Path) -> None:
    file = write_digits(tmp_path / "run[1].h5")
    assert expand_files(str(file)) == [str(file)]


def test_a_pattern_of_folders_and_other_files_leaves_them_out(tmp_path: Path) -> None:
    file = write_digits(tmp_path / "a.h5")
    (tmp_path / "folder.h5").mkdir()
    (tmp_path / "README.md").write_text("about")
    with pytest.warns(H5Warning, match=r"skipped 1 .*README\.md"):
        assert expand_files(f"{tmp_path}/*") == [str(file)]


def test_indices_beside_their_files_are_not_told_of(tmp_path: Path) -> None:
    h5py.File(tmp_path / "a.h5", "w").close()
    (tmp_path / "a.h5.index").write_bytes(b"index")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert expand_files(str(tmp_path / "*")) == [str(tmp_path / "a.h5")]


def test_a_pattern_without_hdf5_is_an_error_that_counts(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text("about")
    with pytest.raises(NotHDF5Error, match="none of 2 files is HDF5"):
        expand_files(f"{tmp_path}/*")


def test_nothing_is_an_error() -> None:
    with pytest.raises(MissingFileError, match="no file was named"):
        expand_files([])
    with pytest.raises(OptionError, match="files=3"):
        expand_files(3)
