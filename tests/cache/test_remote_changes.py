"""A file behind a URL that changed is downloaded and converted anew."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hf_h5.cache_key import cache_key, lacks_version
from hf_h5.describe.options import Options
from tests.written import write_digits

pytest.importorskip("aiohttp", reason="fsspec reads http with it")

ROOT = Path(__file__).resolve().parents[2]


class Tagged(SimpleHTTPRequestHandler):
    """Names each version of a file by an ETag, as servers of data do."""

    def end_headers(self) -> None:
        file = Path(self.translate_path(self.path))
        if file.is_file():
            self.send_header("ETag", f'"{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}"')
        super().end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


class Dated(Tagged):
    """Names no version; when a file was changed is all that is said of it."""

    def send_header(self, keyword: str, value: str) -> None:
        if keyword != "ETag":
            super().send_header(keyword, value)


@pytest.fixture(params=[Tagged, Dated])
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, str]]:
    """Yield a folder and the URL under which a server on this machine has it."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(request.param, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


# In a process of its own: the tests' own is offline, and datasets reads that once.
LOAD = """
import sys
import datasets
import hf_h5

loaded = datasets.load_dataset("hf_h5", data_files=sys.argv[1], cache_dir=sys.argv[2], split="train")
print(loaded["labels"][:2], [each["filename"] for each in loaded.cache_files])
"""


def load(url: str, cache: Path) -> str:
    environment = {**os.environ, "HF_HUB_OFFLINE": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", LOAD, url, str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_cache_of_a_url_follows_the_file_behind_it(tmp_path: Path, served: tuple[Path, str]) -> None:
    folder, url = served
    write_digits(folder / "digits.h5")
    first = load(f"{url}/digits.h5", tmp_path / "cache")
    assert first.startswith("[0, 1]")
    assert load(f"{url}/digits.h5", tmp_path / "cache") == first
    write_digits(folder / "digits.h5", seed=1)
    os.utime(folder / "digits.h5", (10**9, 10**9))
    assert load(f"{url}/digits.h5", tmp_path / "cache").startswith("[1000, 1001]")


def test_the_key_of_the_cache_follows_a_file_whose_origin_is_not_told(served: tuple[Path, str]) -> None:
    folder, url = served
    keys = set()
    for seed in (0, 1):
        file = write_digits(folder / "digits.h5", seed=seed)
        os.utime(file, (10**9 + seed, 10**9 + seed))
        keys |= {cache_key(Options(), {"train": [f"{url}/digits.h5"]}) for _ in range(2)}
    assert len(keys) == 2
    assert lacks_version({"train": [f"{url}/digits.h5"]})
    assert not lacks_version({"train": [str(file)]})


def test_the_key_of_the_cache_follows_the_archive_that_a_file_lies_in(tmp_path: Path) -> None:
    keys = set()
    for seed in (0, 1):
        file = write_digits(tmp_path / "digits.h5", seed=seed)
        with zipfile.ZipFile(tmp_path / "digits.zip", "w") as archive:
            archive.write(file, "digits.h5")
        os.utime(tmp_path / "digits.zip", (10**9, 10**9))
        named = {"train": [f"zip://digits.h5::{tmp_path}/digits.zip"]}
        keys |= {cache_key(Options(), named) for _ in range(2)}
    assert len(keys) == 2
