"""The parent's side: a process with the HDF5 library, and what to say when it dies or hangs."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
import weakref
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from ..describe.limits import Limits
from ..errors import DamagedFileError, LimitError, OptionError

__all__ = ["LibraryProcess"]

# The package's __init__ imports datasets, which the child has no need of: a bare package of that name takes its place.
_START = """
import sys, types
package = types.ModuleType("hf_h5")
package.__path__ = [sys.argv[1]]
sys.modules["hf_h5"] = package
from hf_h5.isolate.child import serve
serve(int(sys.argv[2]), int(sys.argv[3]))
"""
_PACKAGE = str(Path(__file__).parents[1])


class LibraryProcess:
    """Starts the process when it is first needed, and anew after it ended; thread-safe and fork-safe.

    Parameters
    ----------
    file
        The name to use in messages.
    limits
        ``memory_bytes`` and ``seconds`` bound the process and each of its answers.
    """

    def __init__(self, file: str, limits: Limits) -> None:
        if os.name != "posix":
            raise OptionError("isolate=True needs a POSIX system", file=file, hint="leave isolate= out")
        self._file, self._limits = file, limits
        self._lock = threading.RLock()
        self._pid = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._generation = 0

    @property
    def generation(self) -> int:
        """Counts the processes: what was opened in one is gone with it."""
        self._forget_after_fork()
        with self._lock:
            self._running()
            return self._generation

    def call(self, name: str, *arguments: Any) -> Any:
        """Ask for something and wait for the answer.

        Raises
        ------
        DamagedFileError
            If the library ended the process.
        LimitError
            If it takes longer or needs more memory than allowed.
        H5Error
            What the library's side raised.
        """
        self._forget_after_fork()
        with self._lock:
            connection = self._running()
            try:
                connection.send((name, arguments))
                worked, result, said = pickle.loads(self._wait(connection, name))
            except (EOFError, ConnectionError) as error:
                raise self._died() from error
            except BaseException:
                # An answer that nobody waits for any more would be taken for that of the next question.
                self.close()
                raise
        for category, message in said:
            warnings.warn(message, category, stacklevel=3)
        if worked:
            return result
        if isinstance(result, MemoryError):
            raise LimitError(
                f"memory bytes: reading needs more than {self._limits.memory_bytes:,}",
                file=self._file,
                hint="if you trust the file, raise the budget with limits={'memory_bytes': N}",
            )
        raise result

    def _wait(self, connection: Connection, name: str) -> bytes:
        """The answer; until it comes there are signs of life, which stop where the library does not come back."""
        deadline = time.monotonic() + self._limits.seconds
        while connection.poll(min(self._limits.silent_seconds, max(0.0, deadline - time.monotonic()))):
            answer = connection.recv_bytes()
            if answer:
                return answer
        budget = "seconds" if time.monotonic() >= deadline else "silent_seconds"
        raise LimitError(
            f"{budget.replace('_', ' ')}: no answer to {name!r} in {getattr(self._limits, budget):,}",
            file=self._file,
            hint=f"if you trust the file, raise the budget with limits={{{budget!r}: N}}",
        )

    def close(self) -> None:
        """End the process."""
        self._forget_after_fork()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            if self._process is not None:
                _end(self._process, self._pid)
            self._process = self._connection = None

    def _forget_after_fork(self) -> None:
        """Leave the parent's process to it; its lock may be held for ever by a thread that the fork left behind."""
        if self._process is not None and self._pid != os.getpid():
            self._process = self._connection = None
            self._lock = threading.RLock()

    def _running(self) -> Connection:
        if self._connection is None:
            self._start()
        if self._connection is None:
            raise ValueError("the process did not start")
        return self._connection

    def _start(self) -> None:
        mine, theirs = Pipe()
        with theirs:
            arguments = [_PACKAGE, str(theirs.fileno()), str(self._limits.memory_bytes)]
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, *arguments], stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )
        self._connection, self._pid = mine, os.getpid()
        self._generation += 1
        weakref.finalize(self, _end, self._process, self._pid)

    def _died(self) -> DamagedFileError:
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        code = process.wait() if process else 0
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return DamagedFileError(
            f"the HDF5 library ended the process that read the file ({name})",
            file=self._file,
            hint="the file is corrupt or hostile; do not open it without isolate=True",
        )

    def __getstate__(self) -> tuple[str, Limits]:
        return self._file, self._limits

    def __setstate__(self, state: tuple[str, Limits]) -> None:
        self.__init__(*state)  # type: ignore[misc]


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    """Kill the process where it still runs, and let the system forget it; nothing in a fork of its owner."""
    if os.getpid() != owner:
        return
    with contextlib.suppress(OSError):
        process.kill()
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        process.wait(5)
