"""The code of the pages on clusters and ranks, as files that a reader would have."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from tests.howto.pages import REPOSITORY, python_blocks

__all__ = ["CLUSTER", "RANKS", "block_with", "environment_with_command", "shell_blocks", "write_train"]

CLUSTER = "docs/how-to/convert-on-a-cluster.md"
RANKS = "docs/how-to/distributed.md"


def shell_blocks(page: str) -> list[str]:
    """The shell blocks of a page, in order."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def block_with(text: str, blocks: list[str]) -> str:
    """The one block that holds a text."""
    (found,) = [block for block in blocks if text in block]
    return found


def write_train(folder: Path) -> None:
    """``train.py`` of the page on ranks."""
    (folder / "train.py").write_text(block_with("def train(", python_blocks(RANKS)))


def environment_with_command(folder: Path) -> dict[str, str]:
    """An environment in which ``hf-h5`` and ``torchrun`` are those of this interpreter."""
    binaries = folder / "bin"
    binaries.mkdir()
    for name, module in {"hf-h5": "hf_h5.cli", "torchrun": "torch.distributed.run"}.items():
        (binaries / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        (binaries / name).chmod(0o755)
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
