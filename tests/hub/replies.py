"""What a request asks for and what is answered, without sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

__all__ = ["HubError", "Reply", "Request"]


class HubError(Exception):
    """An answer of 4xx or 5xx; ``code`` is the ``X-Error-Code`` by which clients tell errors apart."""

    def __init__(self, status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, dict(headers or {})


@dataclass
class Request:
    """One request; ``groups`` are what the pattern of its route found in the path, unquoted."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    pieces: Callable[[], Iterator[bytes]]
    groups: dict[str, str] = field(default_factory=dict)
    _body: bytes | None = None

    def body(self) -> bytes:
        if self._body is None:
            self._body = b"".join(self.pieces())
        return self._body

    def stream(self) -> Iterator[bytes]:
        """The body in pieces, for what is too large to be held."""
        self._body = b""
        yield from self.pieces()

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body() or b"{}")
        return found

    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body().decode())

    def is_set(self, name: str) -> bool:
        """Whether a flag of the query is on: clients write True, true and 1."""
        return self.query.get(name, "").lower() in ("1", "true")


@dataclass
class Reply:
    """An answer: JSON, text, or the asked-for range of ``file``."""

    content: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    file: Path | None = None

    def body(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()
