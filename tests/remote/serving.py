"""A server with ranges on this machine, and what goes wrong there on purpose."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Fault:
    """What the next request for a range of a file meets."""

    status: int = 206
    headers: dict[str, str] = field(default_factory=dict)
    cut_to: int | None = None
    wait_s: float = 0.0


class Server(ThreadingHTTPServer):
    """Files by name, also the value in ``/get?any=name``; what was asked for, with the headers; and faults to come."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, int, int]] = []
        self.authorizations: list[str | None] = []
        self.faults: deque[Fault] = deque()
        self.sends_ranges = True
        self.names_versions = True
        self.dates: dict[str, float] = {}
        self.delay_s = 0.0
        self.times: list[tuple[float, float]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()

    def round_trips(self) -> int:
        """The longest chain of answers, each to a request that came after the answer before."""
        chain, free_s = 0, 0.0
        for start_s, stop_s in sorted(self.times, key=lambda each: each[1]):
            if start_s >= free_s:
                chain, free_s = chain + 1, stop_s
        return chain

    def n_bytes(self, name: str) -> int:
        return sum(stop - start for _, each, start, stop in self.asked if each == name)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        name = query.partition("=")[2] if path == "/get" else path.lstrip("/")
        self.server.authorizations.append(self.headers.get("Authorization"))
        content = self.server.files.get(name)
        if content is None:
            self._answer(404, {}, b"")
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if self.server.sends_ranges else None
        start, stop = (int(found[1]), min(int(found[2]) + 1, len(content))) if found else (0, len(content))
        with self.server.lock:
            fault = self.server.faults.popleft() if found and self.server.faults else Fault()
        start_s = time.perf_counter()
        time.sleep(fault.wait_s + self.server.delay_s)
        if fault.status != 206:
            self._answer(fault.status, fault.headers, b"")
            return
        self.server.asked.append((self.command, name, start, stop))
        tag = hashlib.sha256(content).hexdigest()[:16]
        headers = {"Accept-Ranges": "bytes"}
        if self.server.names_versions:
            headers["ETag"] = f'"{tag}"'
        if name in self.server.dates:
            headers["Last-Modified"] = formatdate(self.server.dates[name], usegmt=True)
        if found:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
        self.server.times.append((start_s, time.perf_counter()))
        self._answer(206 if found else 200, headers, content[start:stop], fault.cut_to)

    def _answer(self, status: int, headers: dict[str, str], body: bytes, cut_to: int | None = None) -> None:
        self.send_response(status)
        for name, text in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, text)
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body[:cut_to])
        self.close_connection = cut_to is not None

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    """Serve files by HTTP."""
    with Server() as server:
        server.files.update(files)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
