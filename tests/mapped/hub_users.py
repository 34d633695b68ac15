"""What a client of the hub does with a mapped dataset, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def push_mapped(file: Path, repo: str) -> None:
    import hf_h5

    hf_h5.open_dataset(file, strict=True).push_to_hub(repo)


def load_back(repo: str, cache: Path) -> tuple[str, dict[str, Any]]:
    import datasets

    found = datasets.load_dataset(repo, split="train", cache_dir=str(cache))
    return str(found.features), found[:]
