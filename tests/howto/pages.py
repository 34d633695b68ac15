"""The code of Markdown pages: which blocks there are, which of them run, and why the others do not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?^```(?P<language>python|sh)\n(?P<code>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """Code of a page; with a reason, nobody runs it."""

    language: str
    code: str
    reason: str | None


def blocks(page: str) -> list[Block]:
    """Return the Python and shell blocks of a page (a path from the repository's root), in order.

    A line ``<!-- not run: WHY -->`` right above a block marks one that cannot run here.
    """
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return [Block(found["language"], found["code"], found["reason"]) for found in _BLOCK.finditer(text)]


def python_blocks(page: str) -> list[str]:
    """Return the Python blocks of a page that run, in order."""
    return [block.code for block in blocks(page) if block.language == "python" and block.reason is None]


def pages_with_code() -> list[str]:
    """Return the pages of the manual, and the README, that have blocks."""
    files = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*/*.md"))]
    names = [file.relative_to(REPOSITORY).as_posix() for file in files]
    return [name for name in names if blocks(name)]
