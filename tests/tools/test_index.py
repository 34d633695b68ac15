"""Does the command write the index beside each file, and say so."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest

from hf_h5.cli import main
from hf_h5.remote.index_file import unpack_index
from tests.written import write_digits


def test_an_index_is_written_beside_each_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [write_digits(tmp_path / f"{name}.h5") for name in "ab"]
    assert main(["index", str(tmp_path / "*.h5"), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["index"] for line in lines] == [f"{file}.index" for file in files]
    for file in files:
        index = unpack_index(Path(f"{file}.index").read_bytes(), str(file))
        assert index.size == file.stat().st_size


@pytest.mark.parametrize("file", ["none.h5", "https://host/a.h5"])
def test_what_has_no_index_is_named(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", file]) == 2
    assert file in capsys.readouterr().err


def test_budgets_are_raised_as_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(tmp_path / "deep.h5", "w") as out:
        out["/".join(["g"] * 80) + "/x"] = [1, 2, 3]
    assert main(["index", str(tmp_path / "deep.h5")]) == 2
    assert "depth" in capsys.readouterr().err
    assert main(["index", str(tmp_path / "deep.h5"), "--limits", "depth=100"]) == 0
