"""Do the pages hang together: every link of a page leads to a file of the repository."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import hf_h5
from hf_h5.cli.commands import make_parser
from hf_h5.describe.options import Options

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
KINDS = {"added", "changed", "fixed", "removed"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_page_is_reached_from_the_index() -> None:
    reached, new = set(), {REPOSITORY / "docs" / "index.md"}
    while new:
        reached |= new
        links = {(page, link) for page in new for link in re.findall(r"\]\(([^):#\s]+\.md)", page.read_text("utf-8"))}
        new = {(page.parent / link).resolve() for page, link in links} - reached
    pages = {page for page in PAGES if page.is_relative_to(REPOSITORY / "docs") and page.parent.name != "changes"}
    assert pages - reached == set()


def test_commands_of_the_reference_are_those_of_the_tool() -> None:
    text = (REPOSITORY / "docs" / "reference" / "command-line.md").read_text("utf-8")
    (commands,) = (action for action in make_parser()._actions if action.dest == "command")
    headings = re.findall(r"^## hf-h5 ([\w-]+)$", text, re.MULTILINE)
    assert sorted(headings) == sorted(commands.choices)


def test_every_option_is_in_the_reference_with_its_flag() -> None:
    text = (REPOSITORY / "docs" / "reference" / "options.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `--([\w-]+)", text, re.MULTILINE)
    assert {name: flag.removeprefix("no-") for name, flag in rows} == {
        field.name: field.name.replace("_", "-") for field in dataclasses.fields(Options)
    }


def test_every_target_of_the_makefile_is_named_at_its_top_and_in_the_table_for_contributors() -> None:
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    table = re.findall(r"^\| (`make .+?) \|", (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    head = "\n".join(line for line in makefile.splitlines() if line.startswith("#"))
    for text in ("\n".join(table), head):
        assert set(targets.split()) - set(re.findall(r"make (\w+)", text)) == set()


def test_every_public_name_is_in_the_reference() -> None:
    text = (REPOSITORY / "docs" / "reference" / "api.md").read_text("utf-8")
    named = {line.split(".")[-1] for line in re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)}
    assert set(hf_h5.__all__) - named == set()


def test_the_site_needs_nothing_from_elsewhere() -> None:
    settings = (REPOSITORY / "mkdocs.yml").read_text("utf-8")
    assert "font: false" in settings
    assert re.findall(r"https?://\S+", settings) == []


def test_change_fragments_are_named_by_subject_and_kind() -> None:
    fragments = [file for file in (REPOSITORY / "docs" / "changes").iterdir() if file.name != "README.md"]
    assert [file.name for file in fragments if not re.fullmatch(rf"[\w-]+\.({'|'.join(KINDS)})\.md", file.name)] == []
