"""The end of ``make demo``: push a file to a hub on this machine, in both forms, and load it back in both modes.

Run it as ``python -m tests.hub.demo FILE``; nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .client import become_user, environment
from .loopback import LoopbackHub

TOKEN, USER = "hf_demo", "demo"
FLAGS = ["--columns", "images,labels", "--class-labels", "labels=/class_names"]
OPTIONS: dict[str, Any] = {"columns": ["images", "labels"], "class_labels": {"labels": "/class_names"}}


def run_push_demo(file: str) -> int:
    """Push, upload, load back and compare, saying what is done; return 0, or 1 if a value differs."""
    with tempfile.TemporaryDirectory(prefix="hf-h5-demo-hub-") as folder:
        root = Path(folder)
        with LoopbackHub(root / "hub", {TOKEN: USER}) as hub:
            # Before anything imports the clients, which look once where the Hub is.
            become_user(environment(hub.url, root / "home", token=TOKEN))
            return _run(hub, file)


def _run(hub: LoopbackHub, file: str) -> int:
    import datasets

    import hf_h5
    from hf_h5.cli import main
    from hf_h5.tools.console import Narrator

    narrator = Narrator()
    stem = Path(file).stem
    commands = {
        f"{USER}/{stem}": ["convert", file, "--push-to-hub", f"{USER}/{stem}", *FLAGS],
        f"{USER}/{stem}-hdf5": ["upload", file, "--repo", f"{USER}/{stem}-hdf5", *FLAGS],
    }
    with narrator.step(f"Push it to a Hub on this machine, {hub.url}"):
        for repo, words in commands.items():
            narrator.code(f"hf-h5 {' '.join(words)}")
            if main([*words, "-q"]) != 0:
                return 1
            narrator.done(f"{repo}: {', '.join(_files(hub, repo))}")
    with narrator.step("Load it back from there"):
        pushed, raw = commands
        local = datasets.load_dataset("hf_h5", data_files=file, split="train", **OPTIONS)
        narrator.code(f"load_dataset({pushed!r})")
        if not _same(narrator, local, datasets.load_dataset(pushed, split="train"), "pushed as Parquet, a Dataset"):
            return 1
        hf_h5.register(extensions=[".h5"])
        narrator.code(f'hf_h5.register(extensions=[".h5"])\nload_dataset({raw!r})')
        if not _same(narrator, local, datasets.load_dataset(raw, split="train"), "uploaded as HDF5, a Dataset"):
            return 1
        url = f"hf://datasets/{raw}/{Path(file).name}"
        narrator.code(f"hf_h5.H5TorchView({url!r}, ...)")
        with hf_h5.H5TorchView(url, **OPTIONS) as view:
            if not _same(narrator, local, view, "uploaded as HDF5, a view that reads it there"):
                return 1
    print(f"\nDone in {narrator.total_s():.1f} s: what came back from the Hub is what the file holds.")  # noqa: T201
    return 0


def _files(hub: LoopbackHub, repo: str) -> list[str]:
    stored = hub.store.repos[f"dataset/{repo}"]
    return [f"{path} ({entry['size']:,} bytes)" for path, entry in sorted(hub.store.tree(stored, "main").items())]


def _same(narrator: Any, local: Any, found: Any, what: str) -> bool:
    """Compare features and every value with those of the local file."""
    import numpy as np

    count = 0
    same = found.features == local.features and len(found) == len(local)
    for start in range(0, len(local) if same else 0, 256):
        rows = range(start, min(start + 256, len(local)))
        ours, theirs = (each.with_format("numpy")[list(rows)] for each in (local, found))
        same = same and all(np.array_equal(ours[name], theirs[name]) for name in local.column_names)
        count += sum(np.asarray(values).size for values in ours.values())
    narrator.done(f"{what}: same features, all {count:,} values equal" if same else f"{what}: NOT the same")
    return same


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hub.demo", description=__doc__)
    parser.add_argument("file", metavar="FILE")
    return run_push_demo(parser.parse_args(argv).file)


if __name__ == "__main__":
    sys.exit(main())
