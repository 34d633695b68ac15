"""How often, and after which wait, a server is asked again."""

from __future__ import annotations

import random
import threading
import time
from email.utils import parsedate_to_datetime

from ..errors import TransferError

__all__ = ["Patience", "is_passing", "seconds_of"]

ATTEMPTS = 7
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 20.0
LONGEST_ASKED_WAIT_S = 90.0

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524})


def is_passing(status: int) -> bool:
    """Whether an answer of this status may be another one soon."""
    return status in _PASSING


def seconds_of(retry_after: str | None) -> float | None:
    """The wait that a server asks for: seconds, or a date.

    >>> seconds_of("3"), seconds_of(None), seconds_of("soon")
    (3.0, None, None)
    """
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


class Patience:
    """The attempts at one request; each wait is drawn from a range that doubles, so that many do not return at once.

    Parameters
    ----------
    name
        The file, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._failed = 0

    def progress(self) -> None:
        """Note that some bytes came: what failed before does not count."""
        self._failed = 0

    def wait(self, problem: str, asked_s: float | None = None) -> None:
        """Wait before the next attempt.

        Raises
        ------
        TransferError
            If there were enough.
        """
        self._failed += 1
        if not threading.main_thread().is_alive():
            raise TransferError(f"{problem}, and the process is ending", file=self._name)
        if self._failed >= ATTEMPTS:
            raise TransferError(
                f"{problem}, and that {self._failed} times", file=self._name, hint="check the network; try again later"
            )
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (self._failed - 1))
        drawn = random.uniform(longest / 2, longest)
        time.sleep(drawn if asked_s is None else min(LONGEST_ASKED_WAIT_S, asked_s) + drawn / 4)
