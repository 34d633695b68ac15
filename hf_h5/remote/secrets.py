"""URLs with passwords, tokens or signatures: what is shown, logged and pickled is a name without them.

The name of such a URL stands for it everywhere in the package; the URL itself is known here alone. A process that is
being started gets it over the pipe that starts it; any other pickle has it sealed with a key that only this process and
its children have.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import multiprocessing.context
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit, urlunsplit

import multiprocess.context

from ..errors import OptionError

__all__ = ["conceal", "has_secret", "kept_as", "learn", "reveal", "seal", "unseal"]

_HIDDEN = "***"
# Words of the name of a parameter; ``signal``, ``keyword`` and ``author`` are none of them.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_WORD = re.compile(
    r"sig|auth|authorization|policy|jwt|pwd|passwd|passphrase|credentials?|(j|php)?sess(ion)?id"
    r"|((access|account|api|app|auth|client|master|private|rl|sas|secret|security|shared|sign|signing|user)?key)"
    r"|\w*(token|secret|password|signature)"
)
_SESSION_ID = re.compile(r"(?i)session[-_.]?id")
# What says that the rest of the URL may be asked for: another one leads to the same file.
_SIGNATURE = re.compile(r"(?i)x-(amz|goog)-.*|sig|signature|policy|key-pair-id")
_STORE = re.compile(r"(?i)x-(amz|goog)-")
_IS_HIDDEN = re.compile(r"\*\*\*\d*")
_CONCEALED = re.compile(r"://\*\*\*\d*@|=\*\*\*\d*(?=[&#:]|$)")
_VARIABLE = "HF_H5_WORKER_KEY"
_SEALED, _OPEN = b"s", b"o"
_URLS: dict[str, str] = {}
_NAMES: dict[str, str] = {}
_COUNTS: Counter[str] = Counter()


def conceal(url: str) -> str:
    """The name that stands for a URL: the URL itself, with what is secret in it replaced by ``***``.

    Where two URLs differ in secrets alone, the second one has ``***2``: a token may be all that says which file is
    meant.

    >>> conceal("https://me:word@host/a.h5?version=3&X-Amz-Signature=12ab")
    'https://***@host/a.h5?version=3&X-Amz-Signature=***'
    """
    first = _with_secrets_as(_HIDDEN, url)
    if first == url or url in _URLS:
        return url
    name = _NAMES.get(url, first)
    while _URLS.setdefault(name, url) != url:
        _COUNTS[first] += 1
        name = _with_secrets_as(f"{_HIDDEN}{_COUNTS[first] + 1}", url)
    return _NAMES.setdefault(url, name)


def kept_as(name: str) -> str:
    """What stands for the file of a name in what is kept on disk.

    A signature, a user and a password are no part of it: the same file is signed anew for each run. What a token or a
    key leads to is known only in this process and its children, and is kept for them alone.
    """
    url = reveal(name)
    if url == name:
        return name
    same = _with_secrets_as(_HIDDEN, url)
    if _with_secrets_as(_HIDDEN, url, only=_SIGNATURE) == same:
        return same
    return f"{same} {hmac.digest(_worker_key(), url.encode(), 'sha256').hex()}"


def learn(urls: Mapping[str, str]) -> None:
    """Know the URLs that some names stand for in the process that sent them.

    Raises
    ------
    OptionError
        If a name stands for another URL here.
    """
    for name, url in urls.items():
        if _URLS.setdefault(name, url) != url:
            raise OptionError(
                "this process has opened another URL by the same name",
                file=name,
                hint="open the URLs in the process that starts the workers",
            )
        _NAMES.setdefault(url, name)


def reveal(name: str) -> str:
    """The URL that a name stands for.

    Raises
    ------
    OptionError
        If this process does not know it.
    """
    if name not in _URLS and _CONCEALED.search(name):
        raise OptionError(
            "the secret part of the URL is known only to the process that opened it, and to its workers",
            file=name,
            hint="open the URL again in this process",
        )
    return _URLS.get(name, name)


def has_secret(name: str) -> bool:
    """Whether a name stands for a URL of which a part is secret, known here or not.

    >>> has_secret("https://host/a.h5?X-Amz-Signature=***"), has_secret("https://host/a.h5?version=3")
    (True, False)
    """
    return name in _URLS or bool(_CONCEALED.search(name))


def seal(names: Iterable[str]) -> bytes:
    """The secrets of some names, for worker processes of this one; empty if there are none."""
    known = {name: _URLS[name] for name in names if name in _URLS}
    if not known:
        return b""
    content = json.dumps(known).encode()
    if _starts_a_process():
        return _OPEN + content
    key, nonce = _worker_key(), secrets.token_bytes(16)
    mixed = bytes(one ^ two for one, two in zip(content, _stream(key, nonce, len(content)), strict=True))
    return _SEALED + nonce + hmac.digest(key, nonce + mixed, "sha256") + mixed


def unseal(sealed: bytes) -> None:
    """Learn sealed secrets; in a process that has not the key they stay unknown."""
    kind, content = sealed[:1], sealed[1:]
    if kind == _OPEN:
        learn(json.loads(content))
        return
    key = bytes.fromhex(os.environ.get(_VARIABLE, ""))
    nonce, proof, mixed = content[:16], content[16:48], content[48:]
    if key and hmac.compare_digest(proof, hmac.digest(key, nonce + mixed, "sha256")):
        stream = _stream(key, nonce, len(mixed))
        learn(json.loads(bytes(one ^ two for one, two in zip(mixed, stream, strict=True))))


def _starts_a_process() -> bool:
    """Whether what is pickled now goes to a child that is being started, whose server may lack the key."""
    return any(each.get_spawning_popen() is not None for each in (multiprocessing.context, multiprocess.context))


def _worker_key() -> bytes:
    """A key that child processes inherit: a pickle that is kept or sent elsewhere is of no use to others."""
    if not os.environ.get(_VARIABLE):
        os.environ[_VARIABLE] = secrets.token_hex(32)
    return bytes.fromhex(os.environ[_VARIABLE])


def _stream(key: bytes, nonce: bytes, size: int) -> bytes:
    blocks = (hmac.digest(key, nonce + number.to_bytes(8, "big"), hashlib.sha256) for number in range(-(-size // 32)))
    return b"".join(blocks)[:size]


def _with_secrets_as(hidden: str, url: str, *, only: re.Pattern[str] | None = None) -> str:
    """A URL, which may be a chain, with what is secret in it replaced; ``only``: of parameters, those of such names."""
    return "::".join(_part_with_secrets_as(hidden, part, only) for part in url.split("::"))


def _part_with_secrets_as(hidden: str, url: str, only: re.Pattern[str] | None) -> str:
    if "://" not in url:
        return url
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    # There it begins a revision.
    place = f"{hidden}@{host}" if at and parts.scheme != "hf" and not _IS_HIDDEN.fullmatch(user) else parts.netloc
    pairs = [pair.partition("=") for pair in parts.query.split("&")]
    query = "&".join(
        name + sign + (hidden if sign and _is_secret(name, value) and (not only or only.fullmatch(name)) else value)
        for name, sign, value in pairs
    )
    if (place, query) == (parts.netloc, parts.query):
        return url
    return urlunsplit(parts._replace(netloc=place, query=query))


def _is_secret(name: str, value: str) -> bool:
    """Whether the value of a parameter of a URL is one, by the name of the parameter."""
    if _IS_HIDDEN.fullmatch(value):
        return False
    words = (word.lower() for word in _WORD.findall(name))
    return bool(_STORE.match(name) or _SESSION_ID.search(name)) or any(map(_SECRET_WORD.fullmatch, words))
