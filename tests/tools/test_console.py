"""How commands talk: which words go where, and what they look like on a terminal."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hf_h5.tools.console import Console, Narrator, paint

REPOSITORY = Path(__file__).resolve().parents[2]


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_colour_is_for_terminals() -> None:
    assert paint("x", "bold", "red", stream=Terminal()) == "\x1b[1;31mx\x1b[0m"
    assert paint("x", "red", stream=io.StringIO()) == "x"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colour_is_respected(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert paint("x", "red", stream=Terminal()) == "x"


def test_colour_can_be_forced_into_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert paint("x", "red", stream=io.StringIO()) == "\x1b[31mx\x1b[0m"


def test_results_go_to_stdout_and_what_is_done_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.say("reading")
    console.result("3 rows", {"rows": 3})
    assert capsys.readouterr() == ("3 rows\n", "reading\n")


def test_json_is_the_result_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    Console(json=True).result("3 rows", {"rows": 3})
    assert json.loads(capsys.readouterr().out) == {"rows": 3}


@pytest.mark.parametrize(("brief", "printed"), [(None, "long\n"), ("short", "short\n"), ("", "")])
def test_quiet_prints_the_brief_result_alone(
    brief: str | None, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console(quiet=True)
    console.say("reading")
    console.result("long", brief=brief)
    assert capsys.readouterr() == (printed, "")


def drawn(console: Console, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    with console.progress(10, "reading", unit="rows") as progress:
        progress.tell("x.h5")
        for _ in range(10):
            progress.add(1)
    return stream.getvalue()


def test_a_bar_is_drawn_once_work_takes_long_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(Console(), Terminal(), monkeypatch).strip() == ""
    monkeypatch.setattr("hf_h5.tools.console._QUIET_S", 0.0)
    assert "reading" in drawn(Console(), Terminal(), monkeypatch)


@pytest.mark.parametrize(("console", "stream"), [(Console(), io.StringIO()), (Console(quiet=True), Terminal())])
def test_no_bar_is_drawn_into_a_pipe_or_when_quiet(
    console: Console, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_h5.tools.console._QUIET_S", 0.0)
    assert drawn(console, stream, monkeypatch) == ""


BARS = """
import datasets
from hf_h5.tools.console import Console
with Console().libraries_alike():
    print(datasets.are_progress_bars_disabled())
print(datasets.are_progress_bars_disabled())
"""


def test_the_bars_of_libraries_are_off_where_ours_are_and_left_as_they_were() -> None:
    environment = {name: value for name, value in os.environ.items() if "PROGRESS_BARS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", BARS], capture_output=True, text=True, timeout=60, env=environment, cwd=REPOSITORY
    )
    assert (done.stdout.split(), done.stderr) == (["True", "False"], "")


def test_a_quiet_story_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    narrator = Narrator(quiet=True)
    with narrator.step("Write a file"):
        narrator.code("write()")
        narrator.quote("written")
        narrator.done("there it is")
    assert capsys.readouterr() == ("", "")
