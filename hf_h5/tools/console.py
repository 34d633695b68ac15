"""How a command talks: results on stdout, what it does on stderr, a bar where it takes long, colour on terminals."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

import datasets
import pyarrow as pa
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from ..errors import shown

__all__ = ["LIBRARY_ERRORS", "Console", "Narrator", "Progress", "familiar", "paint"]

LIBRARY_ERRORS: tuple[type[Exception], ...] = (datasets.exceptions.DatasetsError, pa.ArrowException)
"""What `datasets` and Arrow raise about files and data."""

_QUIET_S = 2.0
"""What takes no longer than this needs no bar."""

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def paint(text: str, *styles: str, stream: TextIO | None = None) -> str:
    """Return a text in colour if it goes to a terminal, and as it is otherwise.

    ``NO_COLOR`` and ``TERM=dumb`` turn colour off, ``FORCE_COLOR`` turns it on (https://no-color.org,
    https://force-color.org).

    Parameters
    ----------
    styles
        ``bold``, ``dim``, ``red``, ``green``, ``yellow``, ``cyan``.
    stream
        Where the text goes; stdout unless said.
    """
    if not styles or not _has_colour(sys.stdout if stream is None else stream):
        return text
    return f"\x1b[{';'.join(_STYLES[style] for style in styles)}m{text}\x1b[0m"


def familiar(text: str) -> str:
    """A text with the files that it names as their user would write them: relative where they lie below this folder."""
    here = os.path.join(os.getcwd(), "")
    # Only where a name begins, and never of the root, below which everything lies.
    return text if here == os.sep else re.sub(rf"(?<![^\s\[('\"=:]){re.escape(here)}(?=[^\s\])'\"])", "", text)


def _has_colour(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and _is_terminal(stream)


def _is_terminal(stream: TextIO) -> bool:
    return not stream.closed and stream.isatty()


class Progress:
    """How far a long piece of work is; made by `Console.progress`."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def add(self, count: int) -> None:
        """Say that so much more is done."""
        self._bar.update(count)

    def tell(self, text: str) -> None:
        """Say behind the bar what is being worked on."""
        self._bar.set_postfix_str(shown(text), refresh=False)


@dataclass(frozen=True, slots=True)
class Console:
    """Where a command's words go.

    Attributes
    ----------
    json
        Results are lines of JSON.
    quiet
        Nothing but results and errors.
    """

    json: bool = False
    quiet: bool = False

    def result(self, text: str, data: Any = None, *, brief: str | None = None) -> None:
        """Print what the command was asked for on stdout.

        Parameters
        ----------
        text
            For people; what comes from a file must have gone through `errors.shown`.
        data
            The same for programs: printed as one line of JSON with ``--json``.
        brief
            Printed with ``--quiet`` instead of the text; an empty string for nothing.
        """
        if self.json:
            print(json.dumps(data, allow_nan=False))
        elif not self.quiet or brief is None:
            print(text)
        elif brief:
            print(brief)

    def say(self, text: str) -> None:
        """Print what is being done on stderr."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    @property
    def has_bars(self) -> bool:
        """Whether progress is drawn: on a terminal, unless quiet."""
        return not self.quiet and _is_terminal(sys.stderr)

    @contextmanager
    def progress(self, total: int | None, title: str, *, unit: str = "rows") -> Iterator[Progress]:
        """Draw a bar on stderr once the work inside has taken two seconds, if that is a terminal.

        Parameters
        ----------
        total
            How much there is to do; None if that is not known.
        unit
            What is counted; ``"B"`` is shown in kB, MB and GB.
        """
        from tqdm import tqdm

        with tqdm(
            total=total,
            desc=shown(title),
            unit=unit if unit == "B" else f" {unit}",
            unit_scale=True,
            delay=_QUIET_S,
            disable=not self.has_bars,
            leave=False,
            file=sys.stderr,
            dynamic_ncols=True,
        ) as bar:
            yield Progress(bar)

    @contextmanager
    def libraries_alike(self) -> Iterator[None]:
        """Keep the bars of ``datasets`` and ``huggingface_hub`` off where ours are off."""
        kept = (not datasets.are_progress_bars_disabled(), not are_progress_bars_disabled())
        if not self.has_bars:
            datasets.disable_progress_bars()
            disable_progress_bars()
        try:
            yield
        finally:
            if not self.has_bars:
                if kept[0]:
                    datasets.enable_progress_bars()
                if kept[1]:
                    enable_progress_bars()


@dataclass
class Narrator:
    """Prints steps and what came of them: for a command whose result is its story.

    Attributes
    ----------
    quiet
        Prints nothing.
    started_s
        When the first step began.
    """

    quiet: bool = False
    started_s: float = field(default_factory=time.perf_counter)
    _step: int = 0
    _last_s: float = field(default_factory=time.perf_counter)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step before it runs, so that whoever waits knows for what."""
        self._step += 1
        self._print("")
        self._print(paint(f"{self._step}. {title}", "bold"))
        self._last_s = time.perf_counter()
        yield

    def code(self, text: str) -> None:
        """Show the code that a user would write."""
        for line in text.splitlines():
            self._print(f"   | {line}")

    def quote(self, text: str) -> None:
        """Show the output of something else."""
        for line in text.splitlines():
            self._print(f"   {line}".rstrip())

    def done(self, text: str) -> None:
        """Say what came of the work since the last line, and how long it took."""
        now_s = time.perf_counter()
        self._print(f"   {now_s - self._last_s:6.2f} s  {shown(text)}")
        self._last_s = now_s

    def total_s(self) -> float:
        """Seconds since the first step."""
        return time.perf_counter() - self.started_s

    def _print(self, line: str) -> None:
        if not self.quiet:
            print(line, flush=True)
