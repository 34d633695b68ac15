"""What users of a hub do, as functions that a client's process calls: each imports what it needs itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = [
    "convert_by_plan",
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


def copy_file(repo: str, name: str, target: str) -> None:
    """Copy within a repository, where clients do not look at what it is."""
    from huggingface_hub import CommitOperationCopy, HfApi

    copies = [CommitOperationCopy(name, target)]
    HfApi().create_commit(repo, copies, commit_message="Copy", repo_type="dataset")


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


def load_with_features(repo: str, cache_dir: Path, *args: Any, **options: Any) -> tuple[dict[str, Any], Rows]:
    """Load all rows; return their features, as a plain dict, and the rows."""
    from datasets import load_dataset

    found = load_dataset(repo, *args, split="train", cache_dir=str(cache_dir), **options)
    return found.features.to_dict(), found[:]


def features_of_file(file: Path, cache_dir: Path, **options: Any) -> dict[str, Any]:
    """The features that a local file has."""
    import hf_h5

    found: dict[str, Any] = hf_h5.load_dataset(str(file), split="train", cache_dir=str(cache_dir), **options).features
    return found.to_dict()  # type: ignore[attr-defined,no-any-return]


def config_names(repo: str) -> list[str]:
    from datasets import get_dataset_config_names

    names: list[str] = get_dataset_config_names(repo)
    return names


def push_dataset(file: Path, repo: str, cache_dir: Path) -> dict[str, Any]:
    """Load a file by the builder, let the dataset push itself; return its features."""
    from datasets import load_dataset

    import hf_h5  # noqa: F401  registers the builder

    found = load_dataset("hf_h5", data_files=str(file), split="train", cache_dir=str(cache_dir))
    found.push_to_hub(repo)
    features: dict[str, Any] = found.features.to_dict()
    return features


def left_over_folders() -> list[str]:
    """Folders in which shards were made for a push, and which are there still."""
    import os

    from datasets import config

    folder = Path(config.HF_DATASETS_CACHE) / "hf_h5_pushes"
    return os.listdir(folder) if folder.exists() else []


def branch_names(repo: str) -> list[str]:
    from huggingface_hub import HfApi

    return [branch.name for branch in HfApi().list_repo_refs(repo, repo_type="dataset").branches]


def home() -> str:
    """Where the clients of this process keep what they keep."""
    import os

    return os.environ["HF_HOME"]


def load_registered(
    repo: str, cache_dir: Path, *args: Any, split: str = "train", streaming: bool = False
) -> tuple[dict[str, Any], Rows]:
    """Load a repository of HDF5 files with this package's builder; return features and rows."""
    from datasets import load_dataset

    import hf_h5

    hf_h5.register(extensions=(".h5",))
    try:
        found = load_dataset(repo, *args, split=split, streaming=streaming, cache_dir=str(cache_dir))
        rows = list(found) if streaming else found
        return found.features.to_dict(), {name: [row[name] for row in rows] for name in found.features}
    finally:
        hf_h5.unregister()


def view_column(name: str, column: str) -> list[Any]:
    """All values of a column of a view of a file."""
    import hf_h5

    with hf_h5.H5TorchView(name) as view:
        values: list[Any] = view[:][column].tolist()
    return values


def run_blocks(blocks: list[str], folder: Path) -> dict[str, str]:
    """Run the Python of a page in a folder; return what its last lines speak of."""
    import contextlib

    import hf_h5

    names: dict[str, Any] = {}
    with contextlib.chdir(folder):
        for block in blocks:
            exec(compile(block, "page", "exec"), names)  # the page's own code, from this repository
        shown = ("ds.features", "len(ds)", "view[0]['labels']", "next(iter(rows))['labels']")
        found = {text: repr(eval(text, names)) for text in shown}
    names["view"].close()
    hf_h5.unregister()
    return found


def convert_by_plan(file: Path, out: Path, repo: str) -> str | None:
    """Convert a file shard by shard and push what comes out; return the address of the repository."""
    from hf_h5 import distributed

    plan = distributed.make_plan([str(file)], "1KB")
    for number in range(len(plan.shards)):
        distributed.convert_shard(plan, number, out)
    return distributed.finalize(plan, out, push_to=repo, private=True).url
