"""What goes wrong on purpose, and a note of every request."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

__all__ = ["CUT", "DROP", "Fault", "Faults", "Seen"]

DROP = "drop"
"""The connection ends amid the request's body, without an answer."""

CUT = "cut"
"""The connection ends amid the answer's body."""


@dataclass(slots=True)
class Fault:
    """What happens to ``times`` requests whose path matches, after ``skip`` that go well; always if None."""

    method: str
    pattern: re.Pattern[str]
    how: int | str
    times: int | None
    skip: int
    message: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that was answered: bodies in bytes, and when, in seconds of ``time.perf_counter``."""

    method: str
    path: str
    status: int
    range: str | None
    n_received: int
    n_sent: int
    start_s: float
    stop_s: float


class Faults:
    """Which request meets which fault."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.method not in ("*", method) or not fault.pattern.search(path) or fault.times == 0:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None
