"""Files behind URLs of this machine that note which bytes were asked for: a server with ranges, and a file system."""

from __future__ import annotations

import io
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

_PIECE = 1 << 16

Asked = list[tuple[str, int, int]]
"""Name, first byte and the byte after the last of each request."""


def n_bytes(asked: Asked) -> int:
    return sum(stop - start for _, start, stop in asked)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: Asked = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        # What lies in buffers when a client hangs up did not travel as far as any network is concerned.
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PIECE)
        super().setup()

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start, stop = (int(found[1]), int(found[2] or len(content) - 1) + 1) if found else (0, len(content))
        part = content[start:stop]
        self.send_response(206 if found else 200)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{hash(content)}"')
        if found:
            self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(content)}")
        self.end_headers()
        if self.command == "GET":
            self._send(name, start, part)

    def _send(self, name: str, start: int, part: bytes) -> None:
        """Send in pieces: a client may hang up before it has all, and only what it took counts."""
        sent = 0
        with suppress(ConnectionError):
            while sent < len(part):
                self.wfile.write(part[sent : sent + _PIECE])
                sent += _PIECE
        self.close_connection = sent < len(part)
        self.server.asked.append((name, start, start + min(sent, len(part))))

    do_HEAD = do_GET

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


@contextmanager
def http_files(files: dict[str, bytes]) -> Iterator[tuple[str, Asked]]:
    """Serve files by HTTP; yield the URL of their folder, and what is asked for."""
    with _Server(files) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", server.asked
        server.shutdown()
        thread.join()


class _NotedFile(io.RawIOBase):
    """A file whose reads are noted; seeking costs nothing, as with an object store."""

    def __init__(self, name: str, content: bytes, asked: Asked) -> None:
        self.name, self.content, self.asked, self.place = name, content, asked, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: len(self.content)}[whence]
        return self.place

    def readinto(self, out: Any) -> int:
        part = self.content[self.place : self.place + len(out)]
        out[: len(part)] = part
        self.asked.append((self.name, self.place, self.place + len(part)))
        self.place += len(part)
        return len(part)


class NotedFileSystem(MemoryFileSystem):
    """The memory file system of `fsspec` under ``noted://``, with a note of what is read."""

    protocol = "noted"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    asked: ClassVar[Asked] = []

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix("noted:/"))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode != "rb":
            return super()._open(path, mode, **options)
        return _NotedFile(path, self.store[path].getvalue(), self.asked)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        part: bytes = super().cat_file(path, start, end, **options)
        self.asked.append((path, start or 0, (start or 0) + len(part)))
        return part


@contextmanager
def noted_files(files: dict[str, bytes]) -> Iterator[tuple[str, Asked]]:
    """Keep files in memory; yield the URL of their folder, and what is asked for."""
    fsspec.register_implementation("noted", NotedFileSystem, clobber=True)
    system = NotedFileSystem()
    system.store.clear()
    for name, content in files.items():
        system.pipe_file(f"/folder/{name}", content)
    system.asked.clear()
    yield "noted://folder", system.asked
    system.store.clear()
