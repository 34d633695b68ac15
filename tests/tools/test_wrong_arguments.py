"""What a stranger may type: each wrong argument is one error that says what, where, and what next."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from hf_h5.cli import main


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with h5py.File("x.h5", "w") as handle:
        handle["x"] = np.arange(12.0).reshape(4, 3)
    with h5py.File("norows.h5", "w") as handle:
        handle["x"] = np.zeros((0, 3))
    Path("text.h5").write_text("no HDF5")
    Path("folder").mkdir()
    Path("empty.parquet").touch()
    Path("settings").mkdir()
    Path("settings/plan.json").write_text("{")


@pytest.mark.parametrize(
    ("command", "kind", "said"),
    [
        ("convert x.h5 -o out --num-proc 0", "OptionError", "num_proc=0 is not a positive integer"),
        ("convert x.h5 -o text.h5", "OptionError", "this is a file, and a folder is needed [text.h5]"),
        ("convert x.h5 -o text.h5/below/it", "OptionError", "this is a file, and a folder is needed [text.h5]"),
        ("convert x.h5 -o out --axis 7", "OptionError", "axis=7: no dataset has more than 2 axes [x.h5]"),
        ("convert x.h5 -o out --axis -3", "OptionError", "axis=-3: no dataset has more than 2 axes [x.h5]"),
        ("convert --plan x.h5 -o out", "OptionError", "this is no plan, and no text [x.h5]"),
        ("convert --plan text.h5 -o out", "OptionError", "this is no plan: "),
        ("convert --plan folder -o out", "OptionError", "a plan is a file, and this is a folder [folder]"),
        ("plan x.h5 -o folder", "OptionError", "a plan is a file, and this is a folder [folder]"),
        ("plan x.h5 -o text.h5/plan.json", "OptionError", "this is a file, and a folder is needed [text.h5]"),
        ("bench x.h5 --seconds 0", "OptionError", "seconds=0.0 is not a positive number of seconds"),
        ("bench x.h5 --seconds nan", "OptionError", "seconds=nan is not a positive number of seconds"),
        ("bench x.h5 --split test", "OptionError", "there is no split 'test' [x.h5]"),
        ("bench norows.h5", "LayoutError", "there are no rows to measure [norows.h5]"),
        ("bench x.h5 --plot folder", "OptionError", "this is a folder [folder]"),
        ("bench x.h5 --plot speeds", "OptionError", "--plot 'speeds' does not end with .png or .svg or .pdf"),
        ("bench x.h5 --report folder", "OptionError", "this is a folder [folder]"),
        (
            "bench x.h5 --report text.h5/a.html",
            "OptionError",
            "this is a file, and would have to be a folder [text.h5]",
        ),
        ("describe x.h5 --html page", "OptionError", "--html 'page' does not end with .html or .htm"),
        ("doctor x.h5 --html folder", "OptionError", "this is a folder [folder]"),
        ("verify x.h5 --dataset text.h5", "DamagedFileError", "this is no whole Parquet file: "),
        ("verify x.h5 empty.parquet", "DamagedFileError", "this is no whole Parquet file: "),
        ("verify x.h5 settings", "DataError", "what lies there cannot be read as rows: "),
        ("verify x.h5 absent.parquet", "MissingFileError", "there is no such file [absent.parquet]"),
        ("demo x.h5 -o text.h5", "OptionError", "this is a file, and a folder is needed [text.h5]"),
    ],
)
def test_a_wrong_argument_is_an_error_with_its_place_before_any_work(
    command: str, kind: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in Path().iterdir())
    assert main(command.split()) == 2
    out, err = capsys.readouterr()
    assert out.strip() == ""
    assert f"hf-h5: {kind}: {said}" in err
    assert sorted(path.name for path in Path().iterdir()) == before


def test_folders_of_pictures_and_pages_are_made(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["x.h5", "--seconds", "0.001", "--plot", "a/b/speeds.png", "--report", "c/speeds.html"]
    assert main(["bench", *given]) == 0
    assert Path("a/b/speeds.png").read_bytes().startswith(b"\x89PNG")
    assert Path("c/speeds.html").read_text("utf-8").startswith("<!")


@pytest.mark.parametrize("command", ["convert one.h5 -o out", "doctor one.h5", "bench one.h5 --seconds 0.001"])
def test_one_row_is_no_rows(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File("one.h5", "w") as handle:
        handle["x"] = np.ones((1, 3))
    assert main(command.split()) == 0
    out = capsys.readouterr().out
    assert "1 row" in out
    assert " 1 rows" not in out


def test_verify_says_that_class_names_were_not_passed(capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File("y.h5", "w") as handle:
        handle["y"] = [0, 1, 0]
    assert main(["convert", "y.h5", "-o", "out", "--class-labels", "y=cat,dog"]) == 0
    assert main(["verify", "y.h5", "out"]) == 1
    assert "if it was converted with --class-labels" in capsys.readouterr().out
    assert main(["verify", "y.h5", "out", "--class-labels", "y=cat,dog"]) == 0
