"""Files of the Hugging Face Hub: which commit a name means, which files there are, and their bytes."""

from __future__ import annotations

import fnmatch
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote

from ..errors import AccessError, H5Error, MissingFileError, MissingPackageError, TransferError
from .connections import Answer
from .http import Facts, HttpFile

__all__ = ["HubFile", "HubPlace", "list_hub", "matches", "parse_hub", "pin_hub"]

_KINDS = {"datasets": "dataset", "spaces": "space", "models": "model"}
_SHA = re.compile(r"[0-9a-f]{40}")
_REVISION = re.compile(r"@((?:refs(?:/|%2F)(?:convert|pr)(?:/|%2F)[^/@]+)|[^/@]+)")
_MOST_ANSWER_BYTES = 64 << 20
_TOKEN_HINT = (
    "check the name; for a private or gated repository log in (hf auth login), or set HF_TOKEN to a token that may "
    "read it"
)


@dataclass(frozen=True, slots=True)
class HubPlace:
    """What ``hf://`` names: a path, or a pattern, of one revision of a repository."""

    kind: str
    repo: str
    revision: str | None
    path: str

    @property
    def url(self) -> str:
        """The name; a revision with slashes is quoted."""
        prefix = "" if self.kind == "model" else f"{self.kind}s/"
        revision = f"@{quote(self.revision, safe='')}" if self.revision else ""
        return f"hf://{prefix}{self.repo}{revision}/{self.path}"

    @property
    def is_pinned(self) -> bool:
        return self.revision is not None and _SHA.fullmatch(self.revision) is not None


def parse_hub(url: str) -> HubPlace | None:
    """The place that a name means, or ``None`` if it is no file of a repository.

    >>> parse_hub("hf://datasets/me/set@refs/pr/1/a/b.h5")
    HubPlace(kind='dataset', repo='me/set', revision='refs/pr/1', path='a/b.h5')
    """
    if not url.startswith("hf://") or "::" in url:
        return None
    rest = url.removeprefix("hf://")
    first, _, below = rest.partition("/")
    kind = _KINDS.get(first, "model")
    if first in _KINDS:
        rest = below
    found = re.fullmatch(rf"([^/@]+/[^/@]+)(?:{_REVISION.pattern})?/(.+)", rest)
    if found is None or first == "buckets":
        return None
    revision = unquote(found[2]) if found[2] else None
    return HubPlace(kind, found[1], revision, found[3])


def pin_hub(place: HubPlace, name: str) -> HubPlace:
    """The same place at the commit that its revision means now.

    Raises
    ------
    MissingFileError, AccessError, TransferError
    """
    if place.is_pinned:
        return place
    _expect_client(name)
    revision = quote(place.revision or "main", safe="")
    about = next(_asked(f"{place.kind}s/{place.repo}/revision/{revision}", name))
    sha = about.get("sha") if isinstance(about, dict) else None
    if not isinstance(sha, str) or not _SHA.fullmatch(sha):
        raise TransferError("the Hub does not say which commit the revision means", file=name)
    return replace(place, revision=sha)


def list_hub(place: HubPlace, name: str) -> dict[str, tuple[HubPlace, Facts]]:
    """The files below the first folder of a pattern, by path: a pinned place and what the Hub says of each."""
    folder = re.split(r"[*?\[]", place.path, maxsplit=1)[0].rpartition("/")[0]
    recursive = "/" in place.path[len(folder) :].lstrip("/")

    below = f"/{quote(folder)}" if folder else ""
    path = f"{place.kind}s/{place.repo}/tree/{place.revision}{below}?recursive={recursive}&expand=False"
    found = {}
    for entry in itertools.chain.from_iterable(_asked(path, name)):
        if entry.get("type") == "file":
            digest = str((entry.get("lfs") or entry)["oid"])
            found[str(entry["path"])] = replace(place, path=entry["path"]), Facts(int(entry["size"]), digest, digest)
    return found


def matches(pattern: str, paths: Mapping[str, Any]) -> Iterator[str]:
    """The paths that a pattern matches, in order; ``*`` stays inside a folder, ``**`` does not.

    >>> list(matches("data/**/*.h5", {"data/a.h5": 1, "data/x/y/b.h5": 1, "c.h5": 1}))
    ['data/a.h5', 'data/x/y/b.h5']
    """
    steps = pattern.split("/")
    return (path for path in sorted(paths) if _fits(path.split("/"), steps))


def _fits(names: list[str], steps: list[str]) -> bool:
    if not steps:
        return not names
    if steps[0] == "**":
        return any(_fits(names[count:], steps[1:]) for count in range(len(names) + 1))
    return bool(names) and fnmatch.fnmatchcase(names[0], steps[0]) and _fits(names[1:], steps[1:])


def _asked(path: str, name: str) -> Iterator[Any]:
    """The pages of what the Hub's interface answers."""
    from huggingface_hub import constants

    url: str | None = f"{constants.ENDPOINT}/api/{path}"
    while url is not None:
        content, headers = _Refusals(name, url, _headers).fetch_whole(url, _MOST_ANSWER_BYTES)
        try:
            yield json.loads(content)
        except ValueError as error:
            raise TransferError("the Hub's answer is no JSON", file=name) from error
        found = re.search(r"<([^>]+)>\s*;\s*rel=\"next\"", headers.get("link", ""))
        url = found[1] if found else None


def _expect_client(name: str) -> None:
    """The Hub's client says where the Hub is and who we are."""
    try:
        from huggingface_hub import constants
    except ImportError as error:
        raise MissingPackageError(
            f"reading from the Hub needs a package: {error}", file=name, hint="pip install huggingface_hub"
        ) from error
    if constants.HF_HUB_OFFLINE:
        raise TransferError("HF_HUB_OFFLINE is set, and the file is on the Hub", file=name, hint="unset it")


class _Refusals(HttpFile):
    """What the Hub's refusals mean."""

    def _refusal(self, answer: Answer) -> H5Error:
        code = answer.headers.get("X-Error-Code", "")
        if code == "RevisionNotFound":
            return MissingFileError("no such revision", file=self.name, hint="check what is behind the @")
        if code == "EntryNotFound":
            return MissingFileError("no such file in the repository", file=self.name, hint="check the path")
        if answer.status in (401, 403) or code in ("RepoNotFound", "GatedRepo"):
            kind = MissingFileError if code == "RepoNotFound" else AccessError
            return kind(f"the Hub refuses: {answer.status} {code}".rstrip(), file=self.name, hint=_TOKEN_HINT)
        return super()._refusal(answer)


class HubFile(_Refusals):
    """A file of a repository at one commit, which no one can change."""

    def __init__(self, name: str, place: HubPlace) -> None:
        _expect_client(name)
        from huggingface_hub import constants

        prefix = "" if place.kind == "model" else f"{place.kind}s/"
        revision = quote(place.revision or "main", safe="")
        url = f"{constants.ENDPOINT}/{prefix}{place.repo}/resolve/{revision}/{quote(place.path)}"
        super().__init__(name, url, _headers)

    def _facts(self, answer: Answer, seen: Mapping[str, str], head_bytes: int) -> tuple[Facts, bytes]:
        facts, head = super()._facts(answer, seen, head_bytes)
        digest = (seen.get("x-linked-etag") or seen.get("etag") or "").removeprefix("W/").strip('"')
        return Facts(facts.size, digest, digest), head

    def _expect_version(self, answer: Answer, facts: Facts) -> None:
        """Compare sizes only: the store that files come from names versions in its own way, and a commit is fixed."""
        super()._expect_version(answer, facts._replace(tag=""))


def _headers() -> Mapping[str, str]:
    """Asked for anew for each request, so that the token is kept nowhere."""
    from huggingface_hub.utils import build_hf_headers

    found: Mapping[str, str] = build_hf_headers(library_name="hf_h5")
    return found
