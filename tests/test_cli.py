"""The command line: exit codes, streams and messages, mostly as a process of its own, as a shell sees it."""

from __future__ import annotations

import argparse
import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import datasets
import h5py
import numpy as np
import pytest

from hf_h5.cli import main, messages, options
from hf_h5.cli.commands import make_parser
from hf_h5.cli.style import CommandParser
from hf_h5.describe.options import CHOICES, Options, make_options
from hf_h5.errors import DamagedFileError
from hf_h5.registry import make_list
from hf_h5.tools.console import familiar

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["x"], handle["y"], handle["names"] = np.zeros((20, 3)), np.arange(20) % 2, [b"a", b"b"]
    return tmp_path / "x.h5"


def hf_h5(*arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run the command in the folder and environment given."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "hf_h5.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, **settings)


def test_help_fits_one_screen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert stopped.value.code == 0
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(("command", "most"), [("describe", 48), ("convert", 72), ("demo", 48)])
def test_help_of_a_command_fits_two_screens_or_three(
    command: str, most: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert len(capsys.readouterr().out.splitlines()) <= most


def test_version_names_the_packages_that_count(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("hf-h5 ")
    assert f"h5py {h5py.__version__}" in out


def test_without_a_command_help_is_printed_and_the_exit_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "describe" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["describ"], ["describe"], ["describe", "x.h5", "--colums", "x"], ["demo", "a", "b"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: hf-h5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["convert", "a.h5", "--columns", "x", "b.h5", "-o", "out"], {"files": ["a.h5", "b.h5"], "output": "out"}),
        (["verify", "a.h5", "--sample", "3", "out"], {"files": ["a.h5", "out"], "sample": 3}),
        (["repack", "a.h5", "--codec", "lz4", "b.h5"], {"file": "a.h5", "output": "b.h5", "codec": "lz4"}),
        (["demo", "-o", "out", "a.h5"], {"file": "a.h5", "output": "out"}),
        (["convert", "--plan", "p.json", "-o", "out"], {"files": [], "plan": "p.json"}),
    ],
)
def test_files_may_come_before_and_after_flags(arguments: list[str], found: dict[str, object]) -> None:
    parsed = vars(make_parser().parse_args(arguments))
    assert {name: parsed[name] for name in found} == found


def test_options_are_those_of_the_package() -> None:
    given = ["--columns", "a,b", "--columns", "c/*", "--table", "/t", "--layout", "steps", "--no-splits"]
    given += ["--class-labels", "y=cat,dog", "--class-labels", "z=/names@attribute", "--allow-external", "data"]
    given += ["--rows", "time", "--decode", "--dense", "--isolate", "--nested", "--route", "direct", "--threads", "2"]
    given += ["--limits", "seconds=600", "--limits", "columns=5", "--axis", "-1"]
    given += ["--features", '{"a": {"_type": "Value", "dtype": "int8"}}']
    arguments = make_parser().parse_args(["describe", "x.h5", *given])
    assert options.given_options(arguments) == {
        "columns": ["a", "b", "c/*"],
        "table": "/t",
        "layout": "steps",
        "splits": False,
        "class_labels": {"y": ["cat", "dog"], "z": "/names@attribute"},
        "allow_external": ["data"],
        "rows": "time",
        "decode": True,
        "dense": True,
        "isolate": True,
        "nested": True,
        "route": "direct",
        "threads": 2,
        "limits": {"seconds": 600, "columns": 5},
        "axis": -1,
        "features": datasets.Features({"a": datasets.Value("int8")}),
    }


CONVERTING = frozenset({"batch_size", "on_bad_rows"})
SEVERAL = frozenset({"join", "on_bad_files"})
EVERY = frozenset(field.name for field in dataclasses.fields(Options))
MEANINGLESS = {
    "describe": CONVERTING | SEVERAL,
    "convert": frozenset(),
    "plan": frozenset(),
    # Rows that are left out would be a difference.
    "verify": {"on_bad_rows"},
    "doctor": CONVERTING | SEVERAL,
    "bench": CONVERTING,
    "demo": SEVERAL | {"on_bad_rows"},
    # The files stay as they are.
    "upload": CONVERTING | SEVERAL | {"arrays"},
    "repack": EVERY - {"columns", "allow_external", "limits"},
    "index": EVERY - {"limits"},
    "completion": EVERY,
}
"""The options of the package that say nothing in a command; whoever adds an option says here where it is no flag."""


def flags_of(command: str) -> dict[str, argparse.Action]:
    (commands,) = (action for action in make_parser()._actions if action.dest == "command")
    actions = commands.choices[command]._actions
    return {action.dest: action for action in actions if action.option_strings}


@pytest.mark.parametrize("command", MEANINGLESS)
def test_each_option_of_the_package_is_a_flag_where_it_has_a_meaning(command: str) -> None:
    assert EVERY - set(flags_of(command)) == MEANINGLESS[command]


def test_no_command_is_left_out_of_the_table_above() -> None:
    (commands,) = (action for action in make_parser()._actions if action.dest == "command")
    assert set(commands.choices) == set(MEANINGLESS)


def test_choices_of_flags_are_those_of_the_options() -> None:
    choices = {name: action.choices for name, action in flags_of("convert").items() if action.choices and name in EVERY}
    assert choices == {name: values for name, values in CHOICES.items() if name != "splits"}


@pytest.mark.parametrize("name", sorted(EVERY))
def test_what_a_flag_takes_comes_out_as_the_option(name: str) -> None:
    texts = {"axis": "-1", "class_labels": "y=a,b", "features": "{}", "limits": "columns=5", "splits": "a=/b"}
    action = flags_of("convert")[name]
    text = texts.get(name, "4" if action.type is int else (action.choices or ["4MB"])[-1])
    flag = [action.option_strings[0], *([] if action.nargs == 0 else [text])]
    given = options.given_options(make_parser().parse_args(["convert", "x.h5", "-o", "out", *flag]))
    assert set(given) == {name}
    make_options(**given)


def test_arrays_as_lists_go_through_every_command_that_has_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with h5py.File("x.h5", "w") as handle:
        handle["x"] = np.arange(120, dtype="u1").reshape(10, 4, 3)
    lists = ["--arrays", "list"]
    assert main(["convert", "x.h5", "-o", "out", *lists]) == 0
    assert main(["plan", "x.h5", "-o", "plan.json", *lists]) == 0
    assert main(["convert", "--plan", "plan.json", "-o", "planned"]) == 0
    for folder in ("out", "planned"):
        found = datasets.load_dataset("parquet", data_files=f"{folder}/*.parquet", split="train").features["x"]
        assert found == make_list(make_list(datasets.Value("uint8"), 3), 4)
        assert main(["verify", "x.h5", folder, *lists]) == 0
    assert main(["verify", "x.h5", *lists]) == 0
    capsys.readouterr()
    assert main(["verify", "x.h5", "out"]) == 1
    assert "--arrays list" in capsys.readouterr().out
    assert main(["describe", "x.h5", *lists]) == 0
    assert "List(List(Value('uint8'), length=3), length=4)" in capsys.readouterr().out.replace("Sequence", "List")


def test_splits_and_axes_of_named_columns_are_mappings() -> None:
    given = ["--splits", "train=/mask/a", "--splits", "test=/mask/b", "--axis", "eeg=-1", "--axis", "emg=1"]
    arguments = make_parser().parse_args(["describe", "x.h5", *given])
    assert options.given_options(arguments) == {
        "splits": {"train": "/mask/a", "test": "/mask/b"},
        "axis": {"eeg": -1, "emg": 1},
    }


def test_options_that_are_not_given_are_left_out() -> None:
    assert options.given_options(make_parser().parse_args(["describe", "x.h5"])) == {}


def test_the_process_describes_a_file_and_is_quiet_on_stderr(file: Path) -> None:
    done = hf_h5("describe", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert "20 rows, 2 columns" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["describe", "absent.h5"], "MissingFileError"),
        (["describe", "*.nothing"], "MissingFileError"),
        (["describe", "."], "NotHDF5Error"),
        (["describe", "text.h5"], "NotHDF5Error"),
        (["describe", "x.h5", "--columns", "z"], "ColumnError"),
        (["describe", "x.h5", "--table", "/z"], "TableError"),
        (["describe", "x.h5", "--class-labels", "y"], "OptionError"),
        (["describe", "x.h5", "--limits", "columns=many"], "OptionError"),
        (["describe", "x.h5", "--limits", "colums=3"], "OptionError"),
        (["describe", "x.h5", "--axis", "x=last"], "OptionError"),
        (["describe", "x.h5", "--features", "absent.json"], "MissingFileError"),
        (["describe", "x.h5", "--features", "x.h5"], "OptionError"),
        (["describe", "x.h5", "--features", "{"], "OptionError"),
        (["describe", "x.h5", "--features", '{"x": "int8"}'], "OptionError"),
        (["demo", "absent.h5"], "MissingFileError"),
        (["demo", "text.h5"], "NotHDF5Error"),
    ],
)
def test_an_error_is_two_lines_on_stderr_without_a_traceback(
    file: Path, arguments: list[str], kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    Path("text.h5").write_text("no HDF5")
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"hf-h5: {kind}: ")
    assert "\n  hint: " in err
    assert len(err.splitlines()) == 2
    assert not Path("demo-output").exists()


def test_debug_shows_where_an_error_was_raised(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", str(file), "--columns", "z", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_the_other_files_are_described_when_one_is_bad(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "absent.h5", str(file)]) == 2
    out, err = capsys.readouterr()
    assert "20 rows" in out
    assert "absent.h5" in err


def test_json_is_one_line_per_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", str(file), str(file), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["tables"]["/"]["num_rows"] for line in lines] == [20, 20]


def test_a_reader_that_stops_early_ends_the_command_quietly(file: Path) -> None:
    command = f"'{sys.executable}' -m hf_h5.cli describe {' '.join([str(file)] * 50)} | head -n 1"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=100)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_an_interrupt_ends_the_command_with_one_word(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-u", "-m", "hf_h5.cli", "demo", "-o", str(tmp_path / "out")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("1."):
                break
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert err == "\ninterrupted\n"


def test_an_interrupt_while_modules_are_imported_ends_as_quietly() -> None:
    code = """
import sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "hf_h5.cli.commands":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from hf_h5.cli import main
sys.exit(main(["--version"]))
"""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\ninterrupted\n")


def test_each_warning_is_printed_once_as_a_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printer = messages.WarningPrinter()
    for _ in range(3):
        printer("left\u202eout", UserWarning, "somewhere.py", 1)
    assert capsys.readouterr().err == "hf-h5: warning: left\\u202eout\n"


def test_describing_leaves_torch_out(file: Path) -> None:
    code = f"import sys; from hf_h5.cli import main; main(['describe', {str(file)!r}]); print('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=100)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("False", "")


@pytest.mark.parametrize("flag", ["--json", "--quiet", "-q", "--debug"])
def test_every_command_has_the_flags_of_the_style(flag: str) -> None:
    given = vars(CommandParser(prog="any").parse_args([flag]))
    assert [name for name, value in given.items() if value] == [{"-q": "quiet"}.get(flag, flag.strip("-"))]


def test_files_below_this_folder_are_named_from_here(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    Path("text.h5").write_text("no HDF5")
    given = ["convert", "x.h5", "--columns", "x"]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["convert", "x.h5", "text.h5", *given[2:], "-o", "out/a", "--on-bad-files", "warn"]) == 0
    out, err = capsys.readouterr()
    assert out == "out/a: train: 20 rows; 1 file skipped: text.h5; load it with datasets.load_dataset('out/a')\n"
    assert "[text.h5]" in err
    assert main([*given, "-o", "out/a"]) == 2
    assert "[out/a]" in capsys.readouterr().err
    assert main([*given, "-o", "parquet"]) == 0
    out = capsys.readouterr().out
    assert "datasets.load_dataset('./parquet')" in out
    assert len(datasets.load_dataset("./parquet", split="train")) == 20
    assert str(file.parent) not in out + err
    assert main([*given, "-o", "../elsewhere"]) == 0
    assert str(file.parent.parent / "elsewhere") in capsys.readouterr().out


def test_json_names_files_in_full(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    assert main(["convert", "x.h5", "-o", "out", "--columns", "x", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["place"] == str(file.parent / "out")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/a/b/c.h5", "c.h5"),
        ("left out [/a/b/c.h5::/x]: see '/a/b/d'", "left out [c.h5::/x]: see 'd'"),
        ("/z/a/b/c.h5, /a/b and /a/b/", "/z/a/b/c.h5, /a/b and /a/b/"),
        ("s3://bucket/a/b/c.h5", "s3://bucket/a/b/c.h5"),
    ],
)
def test_only_names_of_files_in_this_folder_are_shortened(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getcwd", lambda: "/a/b")
    assert familiar(text) == said
    monkeypatch.setattr(os, "getcwd", lambda: "/")
    assert familiar(text) == text


def test_an_error_of_a_library_is_told_by_its_cause(capsys: pytest.CaptureFixture[str]) -> None:
    error = datasets.exceptions.DatasetGenerationError("An error occurred")
    error.__cause__ = DamagedFileError("cut short", file="x.h5")
    messages.print_error(error)
    assert capsys.readouterr().err == "hf-h5: DamagedFileError: cut short [x.h5]\n"


def test_a_flag_that_a_command_lacks_is_refused_with_the_usage_of_that_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["index", "x.h5", "--output", "y"])
    printed = capsys.readouterr().err
    assert stopped.value.code == 2
    assert printed.startswith("usage: hf-h5 index ")
    assert "unrecognized arguments: --output y (see hf-h5 index --help)" in printed


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.EROFS, "name a place that may be written"), (errno.ENOSPC, "make room"), (errno.EACCES, "see who may")],
)
def test_errors_of_the_system_get_a_hint(number: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    messages.print_error(OSError(number, os.strerror(number), "out/a"))
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(": 'out/a'")
    assert second.startswith(f"  hint: {said}")
