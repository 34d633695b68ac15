"""A file behind ``http://`` or ``https://``: what the server says of it, and its bytes by ranges."""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from ..errors import AccessError, FileChangedError, H5Error, MissingFileError, TransferError
from .connections import Answer, ask, host_of
from .patience import Patience, is_passing, seconds_of
from .secrets import conceal

__all__ = ["Facts", "HttpFile"]

_MOST_REDIRECTS = 8
# Files up to this size are read from servers too that send them only as a whole.
_WHOLE_BYTES = 16 << 20
_DROPPED = 1 << 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Facts(NamedTuple):
    """What a server says of a file.

    Attributes
    ----------
    size
        Its bytes.
    tag
        ETag, version or date: another one is another version.
    digest
        SHA-256 or git's name of the file, where the server says one.
    """

    size: int
    tag: str = ""
    digest: str = ""


class HttpFile:
    """One file of a server; used by many threads.

    Parameters
    ----------
    name
        What stands for the URL in messages.
    url
        Where it is.
    headers
        Makes the headers of requests to the URL's own host, those with a token among them.
    """

    has_versions = True
    """Whether each answer says which version of the file it is of."""

    def __init__(self, name: str, url: str, headers: Callable[[], Mapping[str, str]] | None = None) -> None:
        self.name, self.url = name, url
        self._headers = headers or dict
        self.location: str | None = None
        """Where the server sent us, which saves a round trip for each range."""
        self.modified_s: float | None = None
        self.beside_modified_s: float | None = None
        """When the file was written, and what was found beside it, as far as the server says that."""

    def look(self, head_bytes: int) -> tuple[Facts, bytes]:
        """Ask what the file is, and for its first bytes along.

        Raises
        ------
        MissingFileError, AccessError, TransferError
        """
        patience = Patience(self.name)
        while True:
            try:
                answer, seen = self._ask(self.url, f"bytes=0-{head_bytes - 1}")
                with answer:
                    problem = self._try_again(answer)
                    if problem is None:
                        return self._facts(answer, seen, head_bytes)
                    asked_s = seconds_of(answer.headers.get("Retry-After"))
            except (OSError, http.client.HTTPException) as error:
                problem, asked_s = self._no_answer(error), None
            patience.wait(problem, asked_s)

    def fetch(self, offset: int, out: memoryview, facts: Facts) -> None:
        """Fill ``out`` with the bytes from ``offset`` on; what came before a connection broke is kept.

        Raises
        ------
        FileChangedError
            If the server has another version by now.
        AccessError, TransferError
        """
        patience, done = Patience(self.name), 0
        while done < len(out):
            wanted = f"bytes={offset + done}-{offset + len(out) - 1}"
            asked_s = None
            try:
                answer = self._ask_for_range(wanted)
                with answer:
                    found = self._try_again(answer)
                    if found is not None:
                        problem, asked_s = found, seconds_of(answer.headers.get("Retry-After"))
                    else:
                        self._expect_range(answer, offset + done, len(out) - done, facts)
                        problem = f"the server sent fewer bytes from byte {offset + done} on than were asked for"
                        while done < len(out) and (count := answer.read_into(out[done:])):
                            done += count
                            patience.progress()
            except (OSError, http.client.HTTPException) as error:
                problem = self._no_answer(error)
            if done < len(out):
                patience.wait(problem, asked_s)

    def fetch_beside(self, ending: str, most_bytes: int) -> bytes | None:
        """The file of the same name with an ending, as a whole, or ``None`` if there is none that can be had."""
        if urlsplit(self.url).query:
            return None  # a signature is one of the file alone
        try:
            content, seen = self.fetch_whole(self.url + ending, most_bytes)
        except (MissingFileError, AccessError, TransferError):
            return None
        self.beside_modified_s = _modified_s(seen)
        return content

    def fetch_whole(self, url: str, most_bytes: int) -> tuple[bytes, Mapping[str, str]]:
        """What a URL holds, up to so many bytes, with the headers of the answer."""
        patience = Patience(self.name)
        while True:
            asked_s = None
            try:
                answer, seen = self._ask(url, None)
                with answer:
                    problem = self._try_again(answer)
                    asked_s = seconds_of(answer.headers.get("Retry-After"))
                    if problem is None:
                        content = answer.read(most_bytes + 1)
                        if len(content) >= min(int(answer.headers.get("Content-Length") or 0), most_bytes):
                            return content, seen
                        problem = "the server sent less than it said"
            except (OSError, http.client.HTTPException) as error:
                problem = self._no_answer(error)
            patience.wait(problem, asked_s)

    def _ask_for_range(self, wanted: str) -> Answer:
        """Ask where the server sent us last, or anew if that holds no longer."""
        if self.location is not None:
            answer = ask(self.location, {"Range": wanted})
            if answer.status in (200, 206) or is_passing(answer.status):
                return answer
            with answer:
                self.location = None
        return self._ask(self.url, wanted)[0]

    def _ask(self, url: str, wanted: str | None) -> tuple[Answer, dict[str, str]]:
        """Ask, follow redirects, and return the answer with the headers that came on the way."""
        seen: dict[str, str] = {}
        origin, at = host_of(url), url
        for _ in range(_MOST_REDIRECTS):
            # Nobody but the host that was named gets to see a token.
            headers = dict(self._headers()) if host_of(at) == origin else {}
            answer = ask(at, headers | ({"Range": wanted} if wanted else {}))
            seen |= {key.lower(): value for key, value in answer.headers.items()}
            if answer.status not in _REDIRECTS or "location" not in seen:
                if url == self.url:
                    self.location = at if at != url and answer.status == 206 else None
                return answer, seen
            with answer:
                at = urljoin(at, answer.headers["Location"])
                if urlsplit(at).scheme not in ("http", "https"):
                    break
        raise TransferError("the server sends us from place to place without end", file=self.name)

    def _facts(self, answer: Answer, seen: Mapping[str, str], head_bytes: int) -> tuple[Facts, bytes]:
        """Read size and version from an answer to the first range."""
        self.modified_s = _modified_s(seen)
        tag = _unquoted(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        if answer.status == 416:
            return Facts(0, tag), b""
        total = _total(answer)
        length = answer.headers.get("Content-Length")
        if answer.status == 200 and length is not None and int(length) <= _WHOLE_BYTES:
            total = int(length)
        if total is None:
            raise self._sends_whole()
        head = bytearray(min(head_bytes, total))
        view, done = memoryview(head), 0
        while done < len(head) and (count := answer.read_into(view[done:])):
            done += count
        return Facts(total, tag), bytes(head[:done])

    def _expect_range(self, answer: Answer, offset: int, size: int, facts: Facts) -> None:
        """Raise if the body is not of the range and the version that are wanted."""
        if answer.status == 200:
            length = int(answer.headers.get("Content-Length") or -1)
            if length != facts.size or (length > _WHOLE_BYTES and (offset, size) != (0, length)):
                raise self._sends_whole()
            while offset and (count := len(answer.read(min(offset, _DROPPED)))):
                offset -= count
        elif f"bytes {offset}-" != answer.headers.get("Content-Range", "").partition("-")[0] + "-":
            raise TransferError(
                f"the server was asked for bytes from {offset} on and sent {answer.headers.get('Content-Range')!r}",
                file=self.name,
            )
        self._expect_version(answer, facts)

    def _sends_whole(self) -> TransferError:
        return TransferError(
            "the server sends files only as a whole, so that parts of it cannot be asked for",
            file=self.name,
            hint="download it first",
        )

    def _expect_version(self, answer: Answer, facts: Facts) -> None:
        total = _total(answer)
        tag = _unquoted(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        if total is not None and total != facts.size:
            self._changed(f"size {facts.size} -> {total}")
        if tag and facts.tag and tag != facts.tag:
            self._changed(f"tag {facts.tag} -> {tag}")

    def _changed(self, how: str) -> None:
        raise FileChangedError(f"the file changed: {how}", file=self.name, hint="open it again")

    def _try_again(self, answer: Answer) -> str | None:
        """What is wrong with an answer for now; ``None`` if it is good.

        Raises
        ------
        H5Error
            If it will be no other.
        """
        if answer.status in (200, 206, 416):
            if answer.status == 416 and (_total(answer) or 0) > 0:
                self._changed(f"it has {_total(answer)} bytes")
            return None
        if is_passing(answer.status):
            return f"the server answers {answer.status} {_reason(answer)}"
        raise self._refusal(answer)

    def _refusal(self, answer: Answer) -> H5Error:
        status = answer.status
        if status in (404, 410):
            return MissingFileError("no such file", file=self.name, hint="check the URL and your access to it")
        if status in (401, 403):
            hint = (
                "the URL's signature may have expired: get a new one"
                if "***" in self.name
                else ("the server wants to know who you are: put user and password into the URL, or use a signed one")
            )
            return AccessError(f"the server refuses: {status} {_reason(answer)}", file=self.name, hint=hint)
        return TransferError(f"the server answers {status} {_reason(answer)}", file=self.name, hint="check the URL")

    def _no_answer(self, error: Exception) -> str:
        """What happened instead of an answer; an error of ours, or one that stays, is raised."""
        if isinstance(error, H5Error):
            raise error
        if isinstance(error, ssl.SSLCertVerificationError):
            raise TransferError(
                f"the server's certificate is not trusted: {error.verify_message}",
                file=self.name,
                hint="name the file of your authorities in SSL_CERT_FILE",
            ) from error
        what = str(error) or type(error).__name__
        return f"the connection to {conceal(host_of(self.url))} failed: {what}"


def _total(answer: Answer) -> int | None:
    found = re.search(r"/(\d+)\s*$", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _modified_s(seen: Mapping[str, str]) -> float | None:
    try:
        return parsedate_to_datetime(seen["last-modified"]).timestamp()
    except (KeyError, ValueError):
        return None


def _unquoted(tag: str) -> str:
    return tag.removeprefix("W/").strip('"')


def _reason(answer: Answer) -> str:
    said = answer.headers.get("X-Error-Message")
    return said[:200] if said else http.client.responses.get(answer.status, "")
