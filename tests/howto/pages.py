"""The code of a Markdown page."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def python_blocks(page: str) -> list[str]:
    """Return the Python blocks of a page (a path from the repository's root), in order."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
