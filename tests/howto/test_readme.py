"""What the README shows and claims: its recording, its commands, its picture and the figures that it quotes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from hf_h5.cli import main
from hf_h5.cli.commands import make_parser
from hf_h5.tools.digits import write_digits
from tests.benchmarks.ratios_picture import PICTURE, draw, read_figures
from tests.howto.pages import REPOSITORY, blocks

README = (REPOSITORY / "README.md").read_text("utf-8")
BENCHMARKS = (REPOSITORY / "docs/explanation/benchmarks.md").read_text("utf-8")
RATIOS = [figure["ratio"] for figure in read_figures()]
COMMANDS = [
    line
    for block in blocks("README.md")
    for line in block.code.splitlines()
    if block.language == "sh" and line.startswith("hf-h5 ")
]

# Compressed sizes depend on the version of zlib; everything else is to the letter.
SIZES = re.compile(r" +(>=)?[\d.]+ (B|kB)| +[\d.]+x")


def stable(text: str) -> list[str]:
    return [SIZES.sub("", line).rstrip() for line in text.splitlines()]


def test_the_recording_is_what_the_commands_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_digits("digits.h5")
    capsys.readouterr()
    ((recording,),) = [re.findall(r"^```console\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)]
    for shown in re.split(r"^\$ hf-h5 ", recording, flags=re.MULTILINE)[1:]:
        command, output = shown.split("\n", 1)
        assert main(shlex.split(command)) == 0
        printed = stable(capsys.readouterr().out)
        head, *cut = output.split("...\n")
        assert (printed[: len(head.splitlines())] if cut else printed) == stable(head)


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_are_such_as_the_parser_takes(command: str) -> None:
    assert make_parser().parse_args(shlex.split(command, comments=True)[1:]).command == command.split()[1]


def test_the_picture_is_drawn_from_the_figures() -> None:
    assert PICTURE.read_text("utf-8") == draw(read_figures()), "run: make picture"


@pytest.mark.parametrize("ratio", sorted(set(RATIOS)))
def test_each_ratio_of_the_picture_is_on_the_page_of_benchmarks(ratio: float) -> None:
    assert re.search(rf"(?<![\d.]){re.escape(f'{ratio:g}')}(?![\d.]*\d)", BENCHMARKS)


def test_each_ratio_that_the_readme_quotes_is_in_the_picture() -> None:
    quoted = {float(number) for number in re.findall(r"([\d.]+) ×", README)}
    assert quoted
    assert quoted <= set(RATIOS)
