"""Which function answers which request: a table of methods and patterns of paths."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from .replies import Reply, Request

if TYPE_CHECKING:
    from .loopback import LoopbackHub

__all__ = ["ID", "KIND", "PATH", "REVISION", "Answer", "find_route", "route"]

Answer = Callable[["LoopbackHub", Request], Reply]

KIND = r"(?P<kind>datasets|models|spaces)"
ID = r"(?P<id>[^/]+/[^/]+)"
# Slashes of a revision come quoted, but for these two.
REVISION = r"(?P<revision>refs/(?:pr|convert)/[^/]+|[^/]+)"
PATH = r"(?P<path>.+)"

_ROUTES: list[tuple[str, re.Pattern[str], Answer]] = []


def route(method: str, pattern: str) -> Callable[[Answer], Answer]:
    """Let a function answer the requests whose whole path fits the pattern; GET answers HEAD as well."""

    def add(answer: Answer) -> Answer:
        _ROUTES.append((method, re.compile(pattern), answer))
        return answer

    return add


def find_route(request: Request) -> Answer | None:
    """Return the function for a request, and fill the request's ``groups``."""
    method = "GET" if request.method == "HEAD" else request.method
    for each, pattern, answer in _ROUTES:
        found = pattern.fullmatch(request.path) if each == method else None
        if found:
            request.groups = {name: unquote(text or "") for name, text in found.groupdict().items()}
            return answer
    return None
