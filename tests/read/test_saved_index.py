from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest

from hf_h5.read import saved_index
from hf_h5.read.fingerprint import Fingerprint
from hf_h5.read.saved_index import find_version, load_chunks, save_chunks

GRID = (3, 2)
TABLE = (np.arange(6), np.arange(6) * 10, np.arange(6, dtype=np.uint32) % 2)
URL = "https://example.org/x.h5"


@pytest.fixture
def version():
    return find_version(URL, Fingerprint(1000, tag="abc"), "/x", GRID)


def loaded(version, folder):
    found = load_chunks(version, folder)
    return None if found is None else [column.tolist() for column in found]


def test_a_kept_table_is_loaded_as_it_was(tmp_path, version):
    assert load_chunks(version, tmp_path) is None
    save_chunks(version, TABLE, tmp_path)
    assert loaded(version, tmp_path) == [column.tolist() for column in TABLE]


@pytest.mark.parametrize(
    "other",
    [
        find_version(URL, Fingerprint(1000, tag="abd"), "/x", GRID),
        find_version(URL, Fingerprint(1001, tag="abc"), "/x", GRID),
        find_version(URL, Fingerprint(1000, tag="abc"), "/x", (2, 3)),
        find_version(URL, Fingerprint(1000, tag="abc"), "/y", GRID),
    ],
    ids=["tag", "size", "grid", "path"],
)
def test_a_table_of_another_version_is_not_used(tmp_path, version, other):
    save_chunks(version, TABLE, tmp_path)
    assert load_chunks(other, tmp_path) is None


def test_a_new_version_takes_the_place_of_the_old_one(tmp_path, version):
    save_chunks(version, TABLE, tmp_path)
    save_chunks(find_version(URL, Fingerprint(1000, tag="new"), "/x", GRID), TABLE, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_a_damaged_table_is_made_again(tmp_path, version, place):
    save_chunks(version, TABLE, tmp_path)
    file = tmp_path / version.place
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 0x55
    file.write_bytes(content)
    assert load_chunks(version, tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"[1, 2", b"\xff\xfe\n\0"])
def test_a_file_that_is_no_table_is_ignored(tmp_path, version, content):
    (tmp_path / version.place).write_bytes(content)
    assert load_chunks(version, tmp_path) is None


def test_a_truncated_table_is_made_again(tmp_path, version):
    save_chunks(version, TABLE, tmp_path)
    file = tmp_path / version.place
    file.write_bytes(file.read_bytes()[:-1])
    assert load_chunks(version, tmp_path) is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, version):
    (tmp_path / "file").write_text("in the way")
    save_chunks(version, TABLE, tmp_path / "file" / "folder")
    assert load_chunks(version, tmp_path / "file" / "folder") is None


def test_nothing_is_kept_of_a_version_that_cannot_be_told(tmp_path):
    file = tmp_path / "x.h5"
    file.write_bytes(b"123")
    just_written = Fingerprint.of_file(file)
    assert find_version(str(file), just_written, "/x", GRID) is None
    assert find_version(URL, Fingerprint(1000), "/x", GRID) is None
    assert find_version(None, None, "/x", GRID) is None


def test_a_file_that_has_rested_is_told_by_its_change_of_status_too(tmp_path, monkeypatch):
    monkeypatch.setattr(saved_index, "_SETTLED_NS", 0)
    file = tmp_path / "x.h5"
    file.write_bytes(b"123")
    fingerprint = Fingerprint.of_file(file)
    before = find_version(str(file), fingerprint, "/x", GRID)
    file.write_bytes(b"456")
    os.utime(file, ns=(fingerprint.mtime_ns, fingerprint.mtime_ns))
    assert Fingerprint.of_file(file) == fingerprint
    after = find_version(str(file), fingerprint, "/x", GRID)
    assert before.place == after.place
    assert before.facts != after.facts


def test_the_tables_written_first_make_room(tmp_path, version, monkeypatch):
    size = len(TABLE[0]) * 20
    monkeypatch.setattr(saved_index, "MAX_FOLDER_BYTES", 3 * (size + 400))
    for i in range(10):
        save_chunks(dataclasses.replace(version, place=f"{i:02}"), TABLE, tmp_path)
        os.utime(tmp_path / f"{i:02}", ns=(i, i))
    assert sorted(file.name for file in tmp_path.iterdir())[-1] == "09"
    assert 2 <= len(list(tmp_path.iterdir())) <= 6
