"""The process that holds the HDF5 library: it answers requests until its parent is gone.

Whatever goes wrong in here, the parent sees an answer, or the end of this process.
"""

from __future__ import annotations

import pickle
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from ..describe.options import Options
from ..describe.schema import Table
from ..errors import H5Error
from ..read.reader import TableReader
from ..remote.known import hand_over, take_over
from ..resolve.describing import describe
from ..resolve.tables import resolve_splits, resolve_tables

__all__ = ["serve"]

# Enough for the probes of packages that look for a place for temporary files.
_MAX_FILE_BYTES = 1 << 20
_LIFE_S = 0.5


class _Library:
    """What may be asked for; rows come from readers that stay open."""

    def __init__(self) -> None:
        self._readers: dict[int, TableReader] = {}

    def take_over(self, handed: bytes) -> None:
        # Nothing is kept on disk in here, where files are bounded too.
        take_over(handed, cache_bytes=0)

    def hand_over(self, names: list[str]) -> bytes:
        return hand_over(names)

    def describe(self, file: str, given: dict[str, Any]) -> Any:
        return describe(file, **given)

    def resolve_tables(self, files: Any, options: Options) -> Any:
        return resolve_tables(files, options)

    def resolve_splits(self, files: Any, options: Options) -> Any:
        return resolve_splits(files, options)

    def open(self, table: Table, options: Options, cache_bytes: int) -> tuple[int, str]:
        number = len(self._readers)
        reader = self._readers[number] = TableReader(table, options, cache_bytes=cache_bytes)
        return number, reader.fingerprint

    def read(self, number: int, rows: Any, columns: Any) -> Any:
        return self._readers[number].read(rows, columns)

    def routes(self, number: int) -> dict[str, str]:
        return self._readers[number].routes()

    def cache_info(self, number: int) -> Any:
        return self._readers[number].cache_info()

    def check_first_rows(self, number: int) -> None:
        self._readers[number].check_first_rows()

    def check_files(self, number: int, start: int, stop: int | None) -> None:
        self._readers[number].check_files(start, stop)

    def close(self, number: int) -> None:
        self._readers[number].close()


def serve(descriptor: int, max_bytes: int) -> None:
    """Answer requests on a connection: ``(name, arguments)``, answered by ``(worked, result or error, warnings)``."""
    # The parent decides what Ctrl-C means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit(max_bytes)
    library = _Library()
    with Connection(descriptor) as connection:
        # One writer at a time.
        turn, busy = threading.Lock(), threading.Event()
        threading.Thread(target=_show_life, args=(connection, turn, busy), daemon=True).start()
        while True:
            try:
                name, arguments = connection.recv()
            except EOFError:
                return
            busy.set()
            answer = _answer(getattr(library, name), arguments)
            busy.clear()
            with turn:
                connection.send_bytes(answer)


def _show_life(connection: Connection, turn: threading.Lock, busy: threading.Event) -> None:
    """Send something empty now and then: while the library does not come back from a call, no thread runs."""
    while True:
        time.sleep(_LIFE_S)
        busy.wait()
        try:
            with turn:
                connection.send_bytes(b"")
        except OSError:
            return


def _answer(go: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = go(*arguments)
        return pickle.dumps((True, result, [(each.category, str(each.message)) for each in caught]), protocol=5)
    except H5Error as error:
        return pickle.dumps((False, error, []))
    except MemoryError:
        return pickle.dumps((False, MemoryError("more memory is needed than the limit allows"), []))
    except Exception as error:  # noqa: BLE001 - the parent raises it
        # Errors of other packages may not pickle; those of Python are told apart by who asked (OSError is expected).
        is_own = type(error).__module__ == "builtins"
        return pickle.dumps((False, error if is_own else RuntimeError(f"{type(error).__name__}: {error}"), []))


def _limit(max_bytes: int) -> None:
    """Bound the memory that is written to (mapped files do not count), and what is written to files."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (max_bytes, max_bytes))
