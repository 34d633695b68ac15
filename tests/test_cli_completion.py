"""`hf-h5 completion`: what shells themselves make of the scripts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hf_h5.cli import main

ASK_BASH = """
source {script}
COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _hf_h5
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


def written(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", shell]) == 0
    script = folder / f"completion.{shell}"
    script.write_text(capsys.readouterr().out)
    return script


def asked(*command: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_the_shell_takes_the_script(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(shell, "-n", str(written(shell, tmp_path, capsys)))


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hf-h5 des", ["describe"]),
        ("hf-h5 describe --col", ["--columns"]),
        ("hf-h5 describe --layout ep", ["episodes"]),
        ("hf-h5 describe x.h5 --route di", ["direct"]),
        ("hf-h5 completion z", ["zsh"]),
        ("hf-h5 describe x", []),
    ],
)
def test_bash_completes(line: str, expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = written("bash", tmp_path, capsys)
    assert asked("bash", "-c", ASK_BASH.format(script=script, line=line)) == expected


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = written("fish", tmp_path, capsys)
    words = asked("fish", "-c", f"source {script}; complete -C 'hf-h5 describe --layout ep'")
    assert words[0] == "episodes"


def test_another_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["completion", "tcsh"])
    assert stopped.value.code == 2
    assert "bash" in capsys.readouterr().err
