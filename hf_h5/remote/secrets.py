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
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

import multiprocess.context

from ..errors import OptionError

__all__ = ["conceal", "has_secret", "reveal", "seal", "unseal"]

_HIDDEN = "***"
_SECRET_KEY = re.compile(
    r"(?i)(sig|token|key|secret|password|passwd|pwd|credential|auth|policy|jwt|session|passphrase)|^x-(amz|goog)-"
)
_CONCEALED = re.compile(r"://\*\*\*@|=\*\*\*(?=[&#:]|$)")
_VARIABLE = "HF_H5_WORKER_KEY"
_SEALED, _OPEN = b"s", b"o"
_URLS: dict[str, str] = {}


def conceal(url: str) -> str:
    """The name that stands for a URL: the URL itself, with what is secret in it replaced by ``***``.

    >>> conceal("https://me:word@host/a.h5?version=3&X-Amz-Signature=12ab")
    'https://***@host/a.h5?version=3&X-Amz-Signature=***'
    """
    name = "::".join(_concealed(part) for part in url.split("::"))
    if name != url and url not in _URLS:
        _URLS[name] = url
    return name


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
        _URLS.update(json.loads(content))
        return
    key = bytes.fromhex(os.environ.get(_VARIABLE, ""))
    nonce, proof, mixed = content[:16], content[16:48], content[48:]
    if key and hmac.compare_digest(proof, hmac.digest(key, nonce + mixed, "sha256")):
        stream = _stream(key, nonce, len(mixed))
        _URLS.update(json.loads(bytes(one ^ two for one, two in zip(mixed, stream, strict=True))))


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


def _concealed(url: str) -> str:
    if "://" not in url:
        return url
    parts = urlsplit(url)
    place = parts.netloc
    if "@" in place and parts.scheme != "hf":  # there it begins a revision
        place = f"{_HIDDEN}@{place.rpartition('@')[2]}"
    pairs = [pair.partition("=") for pair in parts.query.split("&")]
    query = "&".join(
        name + sign + (_HIDDEN if sign and _SECRET_KEY.search(name) else value) for name, sign, value in pairs
    )
    if (place, query) == (parts.netloc, parts.query):
        return url
    return urlunsplit(parts._replace(netloc=place, query=query))
