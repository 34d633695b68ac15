"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from hf_h5.whole_file import write_whole

needs_modes = pytest.mark.skipif(os.name == "nt", reason="modes and pipes are of POSIX")


def test_a_new_file_and_its_folder_are_made_and_nothing_else(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "x", b"new")
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [tmp_path / "a" / "b" / "x"]
    assert (tmp_path / "a" / "b" / "x").read_bytes() == b"new"


def test_a_name_may_be_relative_and_as_long_as_names_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_whole("x" * 255, b"new")
    assert Path("x" * 255).read_bytes() == b"new"


@needs_modes
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_new_file_has_the_mode_that_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "x", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == mode


@needs_modes
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    (tmp_path / "x").chmod(0o640)
    write_whole(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


@needs_modes
def test_a_link_stays_and_leads_to_what_is_new(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x").write_bytes(b"old")
    (tmp_path / "link").symlink_to(Path("there") / "x")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "x").read_bytes() == b"new"


@needs_modes
def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    came: list[bytes] = []
    reader = threading.Thread(target=lambda: came.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_whole(tmp_path / "pipe", b"new")
    reader.join(10)
    assert came == [b"new"]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_was_written_in_part_is_removed_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    (tmp_path / "x").write_bytes(b"old")

    def stop(part: Path, target: Path) -> None:
        assert part.read_bytes() == b"new"
        raise error

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(type(error)):
        write_whole(tmp_path / "x", b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_bytes() == b"old"


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=r"file/x'$"):
        write_whole(tmp_path / "file" / "x", b"new")
    with pytest.raises(OSError, match=tmp_path.name + "'$") as caught:
        write_whole(tmp_path, b"new")
    assert caught.value.__cause__ is None, "the command line shows the cause"


def test_threads_that_write_one_file_leave_one_of_theirs(tmp_path: Path) -> None:
    contents = [bytes([number]) * 10_000 for number in range(8)]
    writers = [threading.Thread(target=write_whole, args=(tmp_path / "x", content)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (tmp_path / "x").read_bytes() in contents
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
