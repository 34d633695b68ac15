"""How a command tells what it does: numbered steps, and lines with the time that each took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..errors import shown

__all__ = ["Narrator"]


@dataclass
class Narrator:
    """Prints steps and what came of them.

    Attributes
    ----------
    started_s
        When the first step began.
    """

    started_s: float = field(default_factory=time.perf_counter)
    _step: int = 0
    _last_s: float = field(default_factory=time.perf_counter)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step before it runs, so that whoever waits knows for what."""
        self._step += 1
        print(f"\n{self._step}. {title}", flush=True)
        self._last_s = time.perf_counter()
        yield

    def code(self, text: str) -> None:
        """Show the code that a user would write."""
        for line in text.splitlines():
            print(f"   | {line}", flush=True)

    def quote(self, text: str) -> None:
        """Show the output of something else."""
        for line in text.splitlines():
            print(f"   {line}".rstrip(), flush=True)

    def done(self, text: str) -> None:
        """Say what came of the work since the last line, and how long it took."""
        now_s = time.perf_counter()
        print(f"   {now_s - self._last_s:6.2f} s  {shown(text)}", flush=True)
        self._last_s = now_s

    def total_s(self) -> float:
        """Seconds since the first step."""
        return time.perf_counter() - self.started_s
