"""Connections by HTTP that are used again: one thread at a time each, and none shared with a fork."""

from __future__ import annotations

import base64
import functools
import http.client
import os
import ssl
import threading
from collections.abc import Mapping
from types import TracebackType
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

__all__ = ["Answer", "ask", "host_of"]

TIMEOUT_S = 30.0
_MOST_IDLE = 64
# What is left of an answer up to this size is read, so that its connection can be used again.
_DRAINED_BYTES = 64 << 10

Place = tuple[str, str, int]


class _Idle:
    """The connections that nobody uses now, by scheme, host and port."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[Place, list[http.client.HTTPConnection]] = {}

    def take(self, place: Place) -> http.client.HTTPConnection | None:
        with self._lock:
            waiting = self._idle.get(place)
            return waiting.pop() if waiting else None

    def give(self, place: Place, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            waiting = self._idle.setdefault(place, [])
            if len(waiting) < _MOST_IDLE:
                waiting.append(connection)
                return
        connection.close()


_IDLE = _Idle()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_IDLE.__init__)  # type: ignore[misc]


class Answer:
    """What a server answered: status and headers, and a body that is read into memory of the caller."""

    def __init__(
        self, place: Place, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        self._place, self._connection, self._response = place, connection, response
        self.status = response.status
        self.headers = response.headers

    def read_into(self, out: memoryview) -> int:
        """Read bytes of the body; 0 at its end."""
        return self._response.readinto(out)

    def read(self, most: int) -> bytes:
        """The body, up to so many bytes."""
        return self._response.read(most)

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the connection if the body was read to its end; what is left of a long one is not waited for."""
        try:
            if kind is None and not self._response.isclosed() and 0 < (self._response.length or 0) <= _DRAINED_BYTES:
                self._response.read()
        except (OSError, http.client.HTTPException):
            kind = OSError
        is_read = self._response.isclosed() or self._response.length == 0
        # It holds the socket by itself where the server says that it is the last answer.
        self._response.close()
        if kind is None and is_read and self._connection.sock:
            _IDLE.give(self._place, self._connection)
        else:
            self._connection.close()


def host_of(url: str) -> str:
    """Host and port of a URL, which tell to whom a token may be shown."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def ask(url: str, headers: Mapping[str, str], *, method: str = "GET") -> Answer:
    """Send a request and return the answer; redirects are the caller's business.

    Raises
    ------
    OSError, http.client.HTTPException
        If there is no answer.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    place = parts.scheme, host, parts.port or (443 if parts.scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"Host": host_of(url), "Accept-Encoding": "identity", "User-Agent": "hf_h5", **headers}
    if parts.username is not None and "Authorization" not in sent:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        sent["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    proxy = _proxy_of(parts.scheme, host)
    if proxy and parts.scheme == "http":
        target = f"http://{host_of(url)}{target}"
    connection = _IDLE.take(place)
    if connection is not None:
        try:
            return _send(place, connection, method, target, sent)
        except (ConnectionError, http.client.HTTPException):
            # The server closed it while nobody used it.
            connection.close()
        except BaseException:
            connection.close()
            raise
    connection = _connect(place, proxy)
    try:
        return _send(place, connection, method, target, sent)
    except BaseException:
        connection.close()
        raise


def _send(
    place: Place, connection: http.client.HTTPConnection, method: str, target: str, headers: Mapping[str, str]
) -> Answer:
    connection.request(method, target, headers=dict(headers))
    return Answer(place, connection, connection.getresponse())


def _connect(place: Place, proxy: str | None) -> http.client.HTTPConnection:
    scheme, host, port = place
    if proxy:
        through = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        address = through.hostname or "", through.port or 3128
        if scheme == "http":
            return http.client.HTTPConnection(*address, timeout=TIMEOUT_S)
        connection = http.client.HTTPSConnection(*address, timeout=TIMEOUT_S, context=_context())
        user = f"{unquote(through.username or '')}:{unquote(through.password or '')}"
        proof = {"Proxy-Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if through.username else {}
        connection.set_tunnel(host, port, proof)
        return connection
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=_context())


def _proxy_of(scheme: str, host: str) -> str | None:
    proxies = getproxies()
    return proxies.get(scheme) if proxies and not proxy_bypass(host) else None


@functools.cache
def _context() -> ssl.SSLContext:
    """How certificates are checked: by the authorities that ``requests`` and ``curl`` are told to trust, if any."""
    return ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE"))
