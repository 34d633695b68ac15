"""Files that are no HDF5, broken, empty or not there: the error names the file, from every front door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

import hf_h5
from hf_h5.errors import DamagedFileError, H5Warning, MissingFileError, NotHDF5Error
from tests.bad_input.doors import DOORS, cached, direct, read_all, refusal, streamed
from tests.written import write_digits

SIGNATURE = b"\x89HDF\r\n\x1a\n"
BROKEN: dict[str, tuple[Callable[[bytes], bytes], type[Exception], str]] = {
    "text": (lambda whole: b"label,x\n1,2\n" * 200, NotHDF5Error, "not HDF5"),
    "zip": (lambda whole: b"PK\x03\x04" + whole, NotHDF5Error, "not HDF5"),
    "empty": (lambda whole: b"", NotHDF5Error, "empty"),
    "one byte": (lambda whole: b"\x89", NotHDF5Error, "not HDF5"),
    "signature alone": (lambda whole: SIGNATURE, DamagedFileError, "cannot open"),
    "signature and zeros": (lambda whole: SIGNATURE + bytes(4000), DamagedFileError, "cannot open"),
    "cut in half": (lambda whole: whole[: len(whole) // 2], DamagedFileError, "truncated"),
    "last byte missing": (lambda whole: whole[:-1], DamagedFileError, "truncated"),
}

every_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@every_door
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_named_with_what_is_wrong(tmp_path: Path, door: Callable[..., Any], kind: str) -> None:
    spoil, error_class, words = BROKEN[kind]
    whole = write_digits(tmp_path / "whole.h5").read_bytes()
    file = tmp_path / "broken.h5"
    file.write_bytes(spoil(whole))

    error = refusal(door, str(file))

    assert type(error) is error_class
    assert error.file == str(file)
    assert words in str(error)
    assert error.hint


@every_door
def test_the_broken_one_of_several_files_is_named(tmp_path: Path, door: Callable[..., Any]) -> None:
    good = [str(write_digits(tmp_path / f"{number}.h5", seed=number)) for number in range(2)]
    broken = tmp_path / "2.h5"
    broken.write_bytes(Path(good[0]).read_bytes()[:-100])

    error = refusal(door, [*good, str(broken)])

    assert isinstance(error, DamagedFileError)
    assert error.file == str(broken)


@pytest.mark.parametrize("door", [direct, read_all, hf_h5.describe])
def test_a_missing_file_is_named(tmp_path: Path, door: Callable[..., Any]) -> None:
    error = refusal(door, str(tmp_path / "missing.h5"))
    assert isinstance(error, MissingFileError)
    assert error.file == str(tmp_path / "missing.h5")


@pytest.mark.parametrize("door", [cached, streamed])
@pytest.mark.parametrize("name", ["missing.h5", "folder.h5"])
def test_datasets_itself_names_a_missing_file(tmp_path: Path, door: Callable[..., Any], name: str) -> None:
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(FileNotFoundError, match=name):
        door(str(tmp_path / name))


@pytest.mark.parametrize("door", [direct, read_all, hf_h5.describe])
def test_a_folder_is_named_and_told_from_a_file(tmp_path: Path, door: Callable[..., Any]) -> None:
    error = refusal(door, str(tmp_path))
    assert isinstance(error, NotHDF5Error)
    assert "folder" in str(error)
    assert error.file == str(tmp_path)


@pytest.mark.parametrize("door", [direct, read_all])
def test_a_pattern_that_matches_nothing_is_named(tmp_path: Path, door: Callable[..., Any]) -> None:
    error = refusal(door, str(tmp_path / "no*.h5"))
    assert isinstance(error, MissingFileError)
    assert error.file == str(tmp_path / "no*.h5")


@pytest.mark.parametrize("door", [cached, streamed])
def test_a_pattern_that_matches_nothing_is_no_empty_dataset(tmp_path: Path, door: Callable[..., Any]) -> None:
    # datasets resolves patterns itself and hands on what they match, so the builder cannot quote the pattern.
    error = refusal(door, str(tmp_path / "no*.h5"))
    assert isinstance(error, MissingFileError)
    assert "data_files=" in str(error)


@every_door
def test_one_split_whose_pattern_matches_nothing_is_an_error(tmp_path: Path, door: Callable[..., Any]) -> None:
    files = {"train": str(write_digits(tmp_path / "a.h5")), "test": str(tmp_path / "no*.h5")}
    assert isinstance(refusal(door, files), MissingFileError)


@pytest.mark.parametrize("door", [direct, read_all])
@pytest.mark.parametrize("files", [[], {}, {"train": []}])
def test_no_files_at_all_are_an_error(door: Callable[..., Any], files: Any) -> None:
    assert isinstance(refusal(door, files), MissingFileError)


@pytest.mark.parametrize("door", [direct, read_all, hf_h5.describe])
@pytest.mark.parametrize("files", [3, None, [3], b"a.h5", {"train": 3}], ids=repr)
def test_what_names_no_file_is_an_error_that_shows_it(door: Callable[..., Any], files: Any) -> None:
    error = refusal(door, files)
    assert isinstance(error, ValueError)
    assert "3" in str(error) or repr(files) in str(error)


def test_a_pattern_leaves_out_what_is_no_hdf5_and_a_name_does_not(tmp_path: Path) -> None:
    write_digits(tmp_path / "a.h5")
    (tmp_path / "notes.txt").write_text("no data")

    with pytest.warns(H5Warning, match=r"skipped 1 .*notes\.txt"):
        assert len(direct(str(tmp_path / "*"))["labels"]) == 10
    assert isinstance(refusal(direct, [str(tmp_path / "a.h5"), str(tmp_path / "notes.txt")]), NotHDF5Error)


def test_a_folder_with_notes_loads_what_is_hdf5(tmp_path: Path) -> None:
    write_digits(tmp_path / "a.h5")
    (tmp_path / "notes.txt").write_text("about the data")
    with pytest.warns(H5Warning, match=r"skipped 1 .*notes\.txt"):
        assert datasets.load_dataset("hf_h5", data_dir=str(tmp_path), split="train").num_rows == 10


@pytest.mark.parametrize("door", [cached, streamed, direct, read_all])
def test_on_bad_files_skips_or_warns(tmp_path: Path, door: Callable[..., Any]) -> None:
    good = str(write_digits(tmp_path / "good.h5"))
    bad = tmp_path / "bad.h5"
    bad.write_bytes(b"nothing")

    with pytest.warns(H5Warning, match=r"1 of 2 files is left out: .*bad\.h5") as said:
        door([good, str(bad)], on_bad_files="skip")
    assert sum("left out" in str(each.message) for each in said) == 1
    with pytest.warns(H5Warning) as said:
        door([good, str(bad)], on_bad_files="warn")
    each_and_all = [str(each.message) for each in said if "bad.h5" in str(each.message)]
    assert [text.startswith("left out: ") for text in each_and_all] == [True, False]
    assert each_and_all[1].startswith("1 of 2 files")
    assert "on_bad_files" in str(refusal(door, [str(bad)], on_bad_files="skip"))


@pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")
def test_info_says_which_files_of_how_many_are_left_out(tmp_path: Path) -> None:
    good = [str(write_digits(tmp_path / f"good-{number}.h5")) for number in range(3)]
    bad = [tmp_path / f"bad-{number}.h5" for number in range(7)]
    for file in bad:
        file.write_bytes(b"nothing")
    files = {"train": [*good[:2], *map(str, bad)], "test": good[2:]}
    streamed_rows = datasets.load_dataset("hf_h5", data_files=files, streaming=True, on_bad_files="skip")
    converted = datasets.load_dataset("hf_h5", data_files=files, on_bad_files="skip")
    view = hf_h5.H5TorchView(files, split="train", on_bad_files="skip")
    for info in (streamed_rows["train"].info, converted["test"].info, view.info):
        assert "7 of 10 files are left out: " in info.description
        assert "bad-4.h5" in info.description
        assert "; and 2 more" in info.description
    assert "left out" not in hf_h5.H5TorchView(good[0]).info.description
