"""Files that change under an open view, reader or stream: an error that says so, never rows of two files."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from datasets.arrow_writer import ArrowWriter

import hf_h5
from hf_h5 import batching
from hf_h5.errors import FileChangedError, H5Error, MissingFileError
from tests.bad_input.doors import assert_readable, cached, refusal
from tests.written import digits, write_digits


def replaced(file: Path) -> None:
    os.replace(write_digits(file.with_name("other.h5"), seed=2), file)


def rewritten_in_place(file: Path) -> None:
    # The same inode and the same size: only the time tells.
    content = write_digits(file.with_name("other.h5"), seed=1).read_bytes()
    assert len(content) == file.stat().st_size
    with file.open("r+b") as stream:
        stream.write(content)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def deleted(file: Path) -> None:
    file.unlink()


CHANGES = {change.__name__: change for change in (replaced, rewritten_in_place, cut, deleted)}

every_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_digits(tmp_path / "digits.h5")


def read_view(view: Any) -> Any:
    return view[3]


def read_slice(view: Any) -> Any:
    return view[2:5]


def iterate(view: Any) -> Any:
    return next(iter(view))


@every_change
@pytest.mark.parametrize("read", [read_view, read_slice, iterate])
@pytest.mark.parametrize("was_read", [True, False])
def test_a_view_says_that_its_file_changed(
    file: Path, change: Callable[[Path], None], read: Callable[[Any], Any], was_read: bool
) -> None:
    with hf_h5.H5TorchView(str(file)) as view:
        _ = view[0] if was_read else None
        change(file)
        with pytest.raises((FileChangedError, MissingFileError)) as caught:
            read(view)
    assert caught.value.file == str(file)
    assert_readable(caught.value)


@every_change
def test_a_reader_says_that_its_file_changed(file: Path, change: Callable[[Path], None]) -> None:
    with hf_h5.open_table(str(file)) as reader:
        reader.read([0])
        change(file)
        with pytest.raises((FileChangedError, MissingFileError), match=r"digits\.h5"):
            reader.read([1])


@every_change
def test_a_pickled_view_says_that_its_file_changed(file: Path, change: Callable[[Path], None]) -> None:
    with hf_h5.H5TorchView(str(file)) as view:
        pickled = pickle.dumps(view)
    change(file)
    with pickle.loads(pickled) as other, pytest.raises((FileChangedError, MissingFileError)):
        other[0]


def test_the_error_says_what_changed_and_what_to_do(file: Path) -> None:
    with hf_h5.H5TorchView(str(file)) as view:
        cut(file)
        with pytest.raises(FileChangedError) as caught:
            view[0]
    assert "size" in str(caught.value)
    assert "open it again" in str(caught.value)


def test_a_view_goes_on_where_another_of_its_files_changed(tmp_path: Path) -> None:
    files = [write_digits(tmp_path / f"{number}.h5", seed=number) for number in range(2)]
    with hf_h5.H5TorchView([str(each) for each in files]) as view:
        replaced(files[0])
        assert view[15]["labels"] == 1005
        with pytest.raises(FileChangedError, match=r"0\.h5"):
            view[[15, 3]]


@every_change
def test_a_stream_says_that_its_file_changed_since_it_was_opened(file: Path, change: Callable[[Path], None]) -> None:
    stream = datasets.load_dataset("hf_h5", data_files=str(file), split="train", streaming=True)
    change(file)
    with pytest.raises((H5Error, FileNotFoundError), match=r"digits\.h5") as caught:
        list(stream)
    assert_readable(caught.value)


def test_a_changed_file_is_converted_anew(file: Path) -> None:
    assert cached(str(file))["labels"][:] == digits()["labels"].tolist()
    rewritten_in_place(file)
    np.testing.assert_array_equal(cached(str(file)).with_format("numpy")["images"][:], digits(seed=1)["images"])


def test_an_unchanged_file_is_not_converted_again(file: Path) -> None:
    first = cached(str(file)).cache_files
    assert first == cached(str(file)).cache_files
    os.utime(file, ns=(1, 1))
    assert first != cached(str(file)).cache_files


@pytest.mark.parametrize(
    ("change", "isolate"), [*[(change, False) for change in CHANGES.values()], (rewritten_in_place, True)]
)
def test_a_file_that_changes_while_its_last_batch_is_written_leaves_no_cache(
    file: Path, change: Callable[[Path], None], isolate: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = ArrowWriter.write_table

    def write_and_change(self: ArrowWriter, table: Any, *options: Any) -> None:
        write(self, table, *options)
        if file.exists() and file.stat().st_mtime_ns == before:
            change(file)

    before = file.stat().st_mtime_ns
    monkeypatch.setattr(ArrowWriter, "write_table", write_and_change)
    error = refusal(cached, str(file), cache_dir=str(tmp_path / "cache"), isolate=isolate)
    assert isinstance(error, FileChangedError)
    assert list((tmp_path / "cache").rglob("dataset_info.json")) == []


def test_a_file_that_changes_while_a_view_is_written_leaves_no_cache(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = ArrowWriter.write_table

    def write_and_change(self: ArrowWriter, table: Any, *options: Any) -> None:
        write(self, table, *options)
        rewritten_in_place(file)

    monkeypatch.setattr(ArrowWriter, "write_table", write_and_change)
    for options in ({}, {"window": 2}):
        with hf_h5.H5TorchView(str(file), **options) as view, pytest.raises(FileChangedError):
            view.to_dataset(cache_dir=tmp_path / "cache")
    assert list((tmp_path / "cache").rglob("*.arrow")) == []


def test_a_file_that_changes_while_a_stream_reads_it_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = batching._read

    def read_and_change(*arguments: Any, **options: Any) -> Any:
        found = make(*arguments, **options)
        rewritten_in_place(file)
        return found

    stream = datasets.load_dataset("hf_h5", data_files=str(file), split="train", streaming=True)
    monkeypatch.setattr(batching, "_read", read_and_change)
    with pytest.raises(FileChangedError, match=r"digits\.h5"):
        list(stream)


def test_only_files_of_the_rows_in_question_are_looked_at(tmp_path: Path) -> None:
    files = [write_digits(tmp_path / f"{number}.h5", seed=number) for number in range(3)]
    with hf_h5.open_table([str(each) for each in files]) as reader:
        replaced(files[1])
        reader.check_files(0, 10)
        reader.check_files(20, 30)
        for rows in [(0, 11), (10, 11), (19, 20), (0, None)]:
            with pytest.raises(FileChangedError, match=r"1\.h5"):
                reader.check_files(*rows)
