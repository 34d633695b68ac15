"""Repositories on disk: commits whose trees name files by their content."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .replies import HubError

__all__ = ["LFS_SUFFIXES", "Store", "git_oid", "make_entry"]

LFS_SUFFIXES = (".arrow", ".bin", ".gz", ".h5", ".npy", ".npz", ".parquet", ".pt", ".safetensors", ".tar", ".zip")
_ATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES).encode()

Tree = dict[str, dict[str, Any]]
Repo = dict[str, Any]


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def make_entry(sha256: str, size: int, content: bytes | None) -> dict[str, Any]:
    """One file of a tree; ``content`` is None for a large file, of which git holds a pointer."""
    if content is not None:
        return {"sha256": sha256, "size": size, "oid": git_oid(content)}
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    return {"sha256": sha256, "size": size, "oid": git_oid(pointer), "lfs": len(pointer)}


class Store:
    """Blobs are files named by their SHA-256; repositories are one JSON file, so that a hub can be started again."""

    def __init__(self, root: Path) -> None:
        self.blobs, self.scratch = root / "blobs", root / "scratch"
        for folder in (self.blobs, self.scratch):
            folder.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self._file = root / "repositories.json"
        self.repos: dict[str, Repo] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def save(self) -> None:
        part = self.scratch_file()
        part.write_text(json.dumps(self.repos))
        part.replace(self._file)

    def scratch_file(self) -> Path:
        return self.scratch / secrets.token_hex(8)

    def blob(self, sha256: str) -> Path:
        return self.blobs / sha256

    def put(self, pieces: Iterable[bytes], expected: str | None = None) -> tuple[str, int]:
        """Keep content; return its SHA-256 and size."""
        part, digest, size = self.scratch_file(), hashlib.sha256(), 0
        try:
            with open(part, "wb") as stream:
                for piece in pieces:
                    digest.update(piece)
                    size += stream.write(piece)
            if expected not in (None, digest.hexdigest()):
                raise HubError(400, "the content has another SHA-256")
            part.replace(self.blob(digest.hexdigest()))
        finally:
            part.unlink(missing_ok=True)
        return digest.hexdigest(), size

    def create(self, kind: str, repo_id: str, *, private: bool) -> None:
        with self.lock:
            if f"{kind}/{repo_id}" in self.repos:
                raise HubError(409, f"You already created this {kind} repo: {repo_id}")
            repo: Repo = {"id": repo_id, "kind": kind, "private": private, "created": _now()}
            repo |= {"branches": {}, "tags": {}, "pulls": {}, "commits": {}}
            self.repos[f"{kind}/{repo_id}"] = repo
            tree = {".gitattributes": make_entry(*self.put([_ATTRIBUTES]), _ATTRIBUTES)}
            self.commit(repo, "branches", "main", tree, "initial commit", parent=None)

    def commit(
        self, repo: Repo, space: str, name: str, tree: Tree, title: str, *, parent: str | None, message: str = ""
    ) -> str:
        """Add a commit and let the branch, tag or pull request ``name`` point to it; return its id."""
        made = {"parent": parent, "title": title, "message": message, "date": _now(), "tree": tree}
        oid = hashlib.sha1(json.dumps([made, secrets.token_hex(8)]).encode()).hexdigest()
        for entry in tree.values():
            entry.setdefault("last", {"id": oid, "title": title, "date": made["date"]})
        repo["commits"][oid] = made
        repo[space][name] = oid
        self.save()
        return oid

    def resolve(self, repo: Repo, revision: str) -> str:
        """Return the commit of a branch, tag, pull request or (part of) itself."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        # What clients send for "the default branch".
        name = "main" if name in ("HEAD", "None", "") else name
        found = repo["pulls"].get(name.removeprefix("refs/pr/")) if name.startswith("refs/pr/") else None
        found = found or repo["branches"].get(name) or repo["tags"].get(name)
        if found is None and name in repo["commits"]:
            found = name
        if found is None:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return str(found)

    def tree(self, repo: Repo, revision: str) -> Tree:
        tree: Tree = repo["commits"][self.resolve(repo, revision)]["tree"]
        return tree


def _now() -> str:
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"
