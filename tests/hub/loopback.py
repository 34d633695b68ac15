"""A small Hugging Face Hub on this machine: what the unmodified clients ask of one, and nothing leaves the machine.

As a program, ``python -m tests.hub.loopback FOLDER --token hf_alice=alice``, it prints the variable that makes clients
use it, and serves until it is interrupted.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import commits, large_files, repositories  # noqa: F401  their routes
from .faults import CUT, DROP, Fault, Faults, Seen
from .handler import Server
from .replies import HubError, Request
from .store import Repo, Store
from .xet import XetFolders

__all__ = ["CUT", "DROP", "LoopbackHub", "Seen", "User"]


@dataclass(frozen=True, slots=True)
class User:
    """Whose token it is; a token of the role ``read`` writes nowhere."""

    name: str
    orgs: tuple[str, ...] = ()
    role: str = "write"

    def may_read(self, owner: str) -> bool:
        return owner in (self.name, *self.orgs)

    def may_write_to(self, owner: str) -> bool:
        return self.may_read(owner) and self.role == "write"


class LoopbackHub:
    """A hub; a context manager that serves while it is open.

    Parameters
    ----------
    root
        Where repositories are kept; a hub over the same folder has them again.
    tokens
        Token -> user, or the user's name.
    delay_s
        How long each request waits before it is answered.
    multipart_bytes
        Files larger than this are taken in parts of it.

    Attributes
    ----------
    url
        For ``HF_ENDPOINT``.
    seen
        A note of each request.
    unknown
        Requests that this hub has no answer for, and its own bugs: a test fails if there are some.
    """

    def __init__(
        self,
        root: Path,
        tokens: Mapping[str, str | User],
        *,
        port: int = 0,
        delay_s: float = 0.0,
        multipart_bytes: int = 64 << 20,
    ) -> None:
        self.store = Store(root)
        self.tokens = {token: User(user) if isinstance(user, str) else user for token, user in tokens.items()}
        self.xet = XetFolders(root / "xet", self.store.scratch) if XetFolders.is_possible() else None
        self.delay_s, self.multipart_bytes, self.page_size = delay_s, multipart_bytes, 1000
        self.faults, self.seen, self.unknown = Faults(), list[Seen](), list[str]()
        self._key = secrets.token_hex(8)
        # Large files come from another host name, as from the Hub's CDN: clients follow redirects within a host, and
        # then miss what only the first answer says.
        self._servers = [Server(self, port), Server(self, 0)]
        self.url = f"http://127.0.0.1:{self._servers[0].server_port}"
        self.cdn_url = f"http://localhost:{self._servers[1].server_port}"

    def fail(
        self,
        method: str,
        pattern: str,
        how: int | str,
        *,
        times: int | None = 1,
        skip: int = 0,
        message: str = "on purpose",
    ) -> None:
        """Let requests whose path and query match fail: with a status, or ``DROP`` or ``CUT`` connections.

        Parameters
        ----------
        method
            ``"*"`` for all.
        pattern
            A regular expression that is searched for.
        times
            How many requests; None for all that come.
        skip
            How many go well before.
        """
        self.faults.add(Fault(method, re.compile(pattern), how, times, skip, message))

    def forget(self) -> None:
        """Forget faults, delays and notes of requests; repositories stay."""
        self.faults.clear()
        self.seen.clear()
        self.unknown.clear()
        self.delay_s = 0.0

    def note(self, seen: Seen) -> None:
        self.seen.append(seen)

    def requests(self, method: str = "*", pattern: str = "") -> list[Seen]:
        """Return notes of the requests that match, in order of their ends."""
        return [each for each in self.seen if method in ("*", each.method) and re.search(pattern, each.path)]

    @property
    def n_sent(self) -> int:
        """Bytes of all answers' bodies."""
        return sum(each.n_sent for each in self.seen)

    def user(self, request: Request) -> User | None:
        """Return whose token came with a request; None if none came."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens:
            raise HubError(401, "Invalid credentials in Authorization header")
        return self.tokens.get(token)

    def need_user(self, request: Request) -> User:
        user = self.user(request)
        if user is None:
            raise HubError(401, "Invalid username or password.")
        return user

    def repo(self, request: Request, *, write: bool = False) -> Repo:
        """Return the repository that a request is about, if its user may see it, or write to it."""
        user, repo_id = self.user(request), request.groups["id"]
        kind = (request.groups.get("kind") or request.groups.get("prefix") or "models").rstrip("/").removesuffix("s")
        owner = repo_id.split("/")[0]
        repo = self.store.repos.get(f"{kind}/{repo_id}")
        if repo is None or (repo["private"] and not (user and user.may_read(owner))):
            raise HubError(404 if user else 401, "Repository not found", "RepoNotFound")
        if write and not self.need_user(request).may_write_to(owner):
            raise HubError(403, f"Forbidden: you must use a write token to upload to {repo_id}")
        return repo

    def has_blob(self, sha256: str) -> bool:
        blob = self.store.blob(sha256)
        return blob.exists() or (self.xet is not None and self.xet.fetch(sha256, blob))

    def sign(self, oid: str) -> str:
        return hashlib.sha256((self._key + oid).encode()).hexdigest()[:16]

    def __enter__(self) -> LoopbackHub:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.hub.loopback", description=__doc__)
    parser.add_argument("root", type=Path, metavar="FOLDER")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", action="append", default=[], metavar="TOKEN=USER")
    parser.add_argument("--delay-ms", type=float, default=0.0)
    given = parser.parse_args(argv)
    tokens = dict(text.split("=", 1) for text in given.token)
    with LoopbackHub(given.root, tokens, port=given.port, delay_s=given.delay_ms / 1000) as hub:
        print(f"HF_ENDPOINT={hub.url}", flush=True)  # noqa: T201  a program
        threading.Event().wait()


if __name__ == "__main__":
    main()
