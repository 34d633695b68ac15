"""HTTP: requests in, answers out, ranges of files, connections that break."""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import time
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from .faults import CUT, DROP, Fault, Seen
from .replies import HubError, Reply, Request
from .routes import find_route

if TYPE_CHECKING:
    from .loopback import LoopbackHub

__all__ = ["Server"]

_PIECE = 1 << 18
_BROKEN = -1


class Server(ThreadingHTTPServer):
    """A server of this machine alone."""

    daemon_threads = True
    # With the default of 5, clients that connect at once wait a second to try again.
    request_queue_size = 256

    def __init__(self, hub: LoopbackHub, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.hub = hub

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet: a client that closed its kept connection."""


class _BrokenConnectionError(Exception):
    """The connection is to end here, on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "loopback-hub/1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        hub, start_s = self.server.hub, time.perf_counter()
        parts = urlsplit(self.path)
        self.status, self.n_received, self.n_sent, self.fault = _BROKEN, 0, 0, None
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(self.command, parts.path, query, self.headers, self._body_pieces)
        try:
            time.sleep(hub.delay_s)
            self._answer(hub, request)
        except (_BrokenConnectionError, ConnectionError):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
        finally:
            seen = (self.command, self.path, self.status, self.headers.get("Range"), self.n_received, self.n_sent)
            hub.note(Seen(*seen, start_s, time.perf_counter()))

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Stay quiet: the hub keeps notes."""

    def _answer(self, hub: LoopbackHub, request: Request) -> None:
        self.fault = hub.faults.take(request.method, self.path)
        try:
            reply = self._route(hub, request, self.fault)
        except HubError as error:
            code = {"X-Error-Code": error.code} if error.code else {}
            headers = {"X-Error-Message": error.message.replace("\n", " "), **code, **error.headers}
            reply = Reply({"error": error.message}, error.status, headers)
        # A body that was not asked for would be taken for the next request on this connection.
        request.body()
        self._send(reply)

    def _route(self, hub: LoopbackHub, request: Request, fault: Fault | None) -> Reply:
        if fault is not None and fault.how == DROP:
            self.rfile.read(min(int(self.headers.get("Content-Length") or 0) // 2, _PIECE))
            raise _BrokenConnectionError
        if fault is not None and fault.how != CUT:
            raise HubError(int(fault.how), fault.message)
        answer = find_route(request)
        if answer is None:
            hub.unknown.append(f"{self.command} {self.path}")
            raise HubError(404, "Sorry, we can't find the page you are looking for.")
        try:
            return answer(hub, request)
        except (HubError, ConnectionError):
            raise
        except Exception as error:  # a bug of this server must fail the test, and not hang its client
            hub.unknown.append(traceback.format_exc())
            raise HubError(500, f"loopback hub: {error!r}") from error

    def _send(self, reply: Reply) -> None:
        headers, first, count = dict(reply.headers), 0, len(reply.body())
        status = reply.status
        if reply.file is not None:
            status, first, count, headers = self._range(reply.file.stat().st_size, headers)
        elif not isinstance(reply.content, bytes):
            headers.setdefault("Content-Type", "application/json")
        self.status = status
        self.send_response(status)
        for name, text in {"X-Request-Id": secrets.token_hex(6), **headers, "Content-Length": str(count)}.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            for piece in self._pieces(reply, first, count):
                self.wfile.write(piece)
                self.n_sent += len(piece)
        if self.n_sent != count and self.command != "HEAD":
            raise _BrokenConnectionError

    def _range(self, size: int, headers: dict[str, str]) -> tuple[int, int, int, dict[str, str]]:
        """Return the status, first byte and number of bytes of what was asked for, and the headers that say so."""
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", **headers}
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range") or "")
        if found is None or not (found[1] or found[2]):
            return 200, 0, size, headers
        first = int(found[1]) if found[1] else max(0, size - int(found[2]))
        stop = min(size, int(found[2]) + 1) if found[1] and found[2] else size
        if first >= size:
            return 416, 0, 0, headers | {"Content-Range": f"bytes */{size}"}
        return 206, first, stop - first, headers | {"Content-Range": f"bytes {first}-{stop - 1}/{size}"}

    def _pieces(self, reply: Reply, first: int, count: int) -> Iterator[bytes]:
        """The body; half of it where the connection is to be cut."""
        left = count // 2 if self.fault is not None and self.fault.how == CUT else count
        if reply.file is None:
            yield reply.body()[:left]
        else:
            yield from _read_pieces(reply.file, first, left)

    def _body_pieces(self) -> Iterator[bytes]:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield from self._read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            yield from self._read(int(self.headers.get("Content-Length") or 0))

    def _read(self, count: int) -> Iterator[bytes]:
        while count:
            piece = self.rfile.read(min(count, _PIECE))
            if not piece:
                raise ConnectionError("the client hung up")
            self.n_received += len(piece)
            count -= len(piece)
            yield piece


def _read_pieces(file: Path, first: int, count: int) -> Iterator[bytes]:
    with open(file, "rb") as stream:
        stream.seek(first)
        while count > 0:
            piece = stream.read(min(count, _PIECE))
            count -= len(piece)
            yield piece
