"""`hf-h5 verify`: which name is the dataset, exit codes and what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest

from hf_h5.cli import main
from hf_h5.errors import OptionError
from hf_h5.tools.convert import run_convert
from hf_h5.tools.verify.command import split_names
from tests.tools.test_compare import N_ROWS, write


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """40 rows of a column of every kind, and what they convert to."""
    write(tmp_path / "x.h5")
    run_convert([str(tmp_path / "x.h5")], str(tmp_path / "parquet"))
    return tmp_path / "x.h5"


def test_the_last_name_is_the_dataset_where_it_can_be_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    assert split_names(["a.h5", "out"]) == (["a.h5"], "out")
    assert split_names(["a.h5", "user/name.v2"]) == (["a.h5"], "user/name.v2")
    assert split_names(["a.h5", "folder/b.h5"]) == (["a.h5", "folder/b.h5"], None)
    assert split_names(["a.h5", "x*.h5"]) == (["a.h5", "x*.h5"], None)
    with pytest.raises(OptionError, match="is a dataset"):
        split_names(["out"])


def test_the_command_tells_by_its_exit_code_and_in_words_and_json(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    other = file.with_name("other.h5")
    write(other)
    with h5py.File(other, "r+") as handle:
        handle["f8"][3] = 0
    folder = str(file.with_name("parquet"))
    assert main(["verify", str(file), folder]) == 0
    assert f"the same: {N_ROWS} rows of h5py, the direct mode and {folder}" in capsys.readouterr().out
    assert main(["verify", str(file), "--dataset", folder, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["verify", str(other), folder]) == 1
    assert "1 row of 'f8' differs, the first is 3:\n      h5py: 0.0\n" in capsys.readouterr().out
    assert main(["verify", str(other), folder, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["same"], found["splits"]["train"]["columns"]["f8"]["first"]["row"]) == (False, 3)
    assert main(["verify", str(other), folder, "--quiet"]) == 1
    assert "DIFFERENT" in capsys.readouterr().out
    assert main(["verify", str(file.with_name("absent.h5"))]) == 2
