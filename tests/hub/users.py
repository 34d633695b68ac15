"""What users of a hub do, as functions that a client's process calls: each imports what it needs itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = [
    "file_names",
    "load_rows",
    "make_repo",
    "push_rows",
    "read_range",
    "read_text",
    "stream_rows",
    "upload_file",
]

Rows = dict[str, list[Any]]


def make_repo(repo: str, *, private: bool = False) -> None:
    from huggingface_hub import HfApi

    HfApi().create_repo(repo, repo_type="dataset", private=private)


def push_rows(repo: str, rows: Rows, **options: Any) -> None:
    from datasets import Dataset

    Dataset.from_dict(rows).push_to_hub(repo, **options)


def upload_file(repo: str, name: str, content: bytes | str | Path) -> None:
    from huggingface_hub import HfApi

    given = content.encode() if isinstance(content, str) else content
    HfApi().upload_file(path_or_fileobj=given, path_in_repo=name, repo_id=repo, repo_type="dataset")


def load_rows(repo: str, cache_dir: Path, *args: Any, split: str = "train", **options: Any) -> Rows:
    from datasets import load_dataset

    rows: Rows = load_dataset(repo, *args, split=split, cache_dir=str(cache_dir), **options)[:]
    return rows


def stream_rows(repo: str, *args: Any, split: str = "train", **options: Any) -> list[dict[str, Any]]:
    from datasets import load_dataset

    return list(load_dataset(repo, *args, split=split, streaming=True, **options))


def file_names(repo: str) -> list[str]:
    from huggingface_hub import HfApi

    return sorted(HfApi().list_repo_files(repo, repo_type="dataset"))


def read_text(repo: str, name: str) -> str:
    from huggingface_hub import HfFileSystem

    text: str = HfFileSystem(use_listings_cache=False).read_text(f"datasets/{repo}/{name}")
    return text


def read_range(repo: str, name: str, start: int, stop: int) -> bytes:
    from huggingface_hub import HfFileSystem

    # Without a cache, which would read ahead.
    with HfFileSystem(use_listings_cache=False).open(f"datasets/{repo}/{name}", cache_type="none") as file:
        file.seek(start)
        part: bytes = file.read(stop - start)
    return part
