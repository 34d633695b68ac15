"""`hf-h5 describe`: the schema as asked for, and the lines that load it."""

from __future__ import annotations

import re
from pathlib import Path

import datasets
import fsspec
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5 import describe
from hf_h5.cli import main
from hf_h5.tools.console import Console
from hf_h5.tools.describe import run_describe


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["train/x"], handle["train/y"] = np.zeros((20, 3)), np.arange(20) % 2
        handle["test/x"], handle["test/y"] = np.zeros((5, 3)), np.arange(5) % 2
        handle["names"] = [b"a", b"b", b"c"]
    return tmp_path / "x.h5"


def described(file: Path, capsys: pytest.CaptureFixture[str], **options: object) -> str:
    assert run_describe([str(file)], Console(), on_error=pytest.fail, options=options) == 0
    return capsys.readouterr().out


def test_without_options_it_is_the_schema(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert described(file, capsys).startswith(str(hf_h5.describe(file)))


def test_the_lines_that_load_a_url_name_it_as_it_is(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = "memory://described//x.h5"
    fsspec.filesystem("memory").pipe_file(url, file.read_bytes())
    assert run_describe([url], Console(), on_error=pytest.fail, options={"isolate": False}) == 0
    assert f"H5TorchView({url!r}, split='train'" in capsys.readouterr().out


def test_columns_and_class_labels_narrow_the_table_and_keep_its_splits(file: Path) -> None:
    schema = describe(str(file), columns=["y"], class_labels={"y": ["no", "yes"]})
    (table,) = schema.tables.values()
    assert {name: split.num_rows for name, split in table.splits.items()} == {"train": 20, "test": 5}
    assert table.num_rows == 25
    assert {name: column.feature_text for name, column in table.columns.items()} == {
        "y": "ClassLabel(names=['no', 'yes'])"
    }


def test_another_table_is_shown_alone(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = described(file, capsys, table="/names")
    assert "3 rows, 1 column" in text
    assert "25 rows" not in text


@pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")
@pytest.mark.parametrize("options", [{}, {"columns": ["y"]}, {"table": "/names"}])
def test_the_lines_that_it_shows_load_the_file(
    file: Path, options: dict[str, object], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(file.parent / "cache"))
    text = described(file, capsys, **options)
    load, view = re.findall(r"^    ((?:datasets|hf_h5)\..*?)  #", text, re.MULTILINE)
    names = {"datasets": datasets, "hf_h5": hf_h5}
    loaded = eval(load, names)
    with eval(view, names) as opened:
        assert len(opened) == len(loaded[next(iter(loaded))])


def test_a_pattern_describes_each_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file.parent / "y.h5").write_bytes(file.read_bytes())
    run_describe([str(file.parent / "*.h5")], Console(), on_error=pytest.fail, options={})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines if line.startswith(str(file.parent))] == [
        str(file.parent / "x.h5"),
        str(file.parent / "y.h5"),
    ]


def test_on_a_terminal_names_of_tables_stand_out_and_nothing_else_changes(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = described(file, capsys)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = described(file, capsys)
    assert "\x1b[1m* /" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain


def test_splits_by_name_are_looked_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "robot.h5"
    with h5py.File(file, "w") as out:
        for number in range(3):
            out[f"data/demo_{number}/x"] = np.arange(3 + number)
        out["mask/train"], out["mask/test"] = [b"demo_0", b"demo_2"], [b"demo_1"]
    assert main(["describe", str(file), "--splits", "train=/mask/train", "--splits", "test=/mask/test"]) == 0
    printed = capsys.readouterr().out
    assert "splits: train 2 rows, test 1 row" in printed
    # Splits share what the file stores.
    assert "3 rows, 2 columns, 96 B in the file" in printed
    assert main(["describe", str(file), "--splits", "train=/mask/none"]) == 2
    assert "splits=False" in capsys.readouterr().err
