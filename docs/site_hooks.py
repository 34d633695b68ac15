"""What the site takes from elsewhere: its navigation from the index pages, and the help of commands from the parser."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

SECTIONS = {"Tutorial": "tutorial", "How-to": "how-to", "Reference": "reference", "Explanation": "explanation"}
COMMANDS_PAGE = "reference/command-line.md"


def on_config(config: Any) -> Any:
    """Each section lists its pages in the order in which its index links to them."""
    folder = Path(config["docs_dir"])
    sections = [{title: _pages(folder, name)} for title, name in SECTIONS.items()]
    config["nav"] = ["index.md", *sections, {"Changes": "changes/README.md"}]
    return config


def _pages(folder: Path, section: str) -> list[str]:
    links = re.findall(r"\]\(([\w-]+\.md)[^)]*\)", (folder / section / "index.md").read_text(encoding="utf-8"))
    return [f"{section}/{name}" for name in ["index.md", *dict.fromkeys(links)]]


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put the help of a command below its heading, and the fragments of changes below theirs."""
    if page.file.src_uri == COMMANDS_PAGE:
        return _with_helps(markdown)
    if page.file.src_uri == "changes/README.md":
        fragments = sorted(Path(page.file.abs_src_path).parent.glob("*.*.md"))
        return markdown + "\n" + "\n".join(f"- {each.read_text(encoding='utf-8').strip()}" for each in fragments)
    return markdown


def _with_helps(markdown: str) -> str:
    """Each command below its heading; those that have none come last."""
    from hf_h5.cli.commands import make_parser

    os.environ["COLUMNS"] = "86"
    (commands,) = (action for action in make_parser()._actions if action.dest == "command")
    for name in commands.choices:
        if f"## hf-h5 {name}\n" not in markdown:
            markdown += f"\n## hf-h5 {name}\n"
    return re.sub(
        r"^## hf-h5 ([\w-]+)$",
        lambda heading: f"{heading.group()}\n\n```text\n{commands.choices[heading.group(1)].format_help()}```",
        markdown,
        flags=re.MULTILINE,
    )
