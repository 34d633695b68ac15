"""Which mode suits files whose rows are asked for in any order, from a few facts about them.

Pure; no I/O. ``hf_h5.load`` and ``hf-h5 doctor`` both ask here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..describe.wording import bytes_text

__all__ = ["BATCH_ROWS", "MODES", "Choice", "Facts", "choose_mode"]

MODES = ("auto", "mapped", "cached", "direct")

BATCH_ROWS = 256
# A batch of random rows that comes as fast as this keeps up with most training steps, whatever the mode.
_QUICK_BATCH_S = 0.05
# Decoding all rows once is no more than what many files take to be looked at.
_SHORT_S = 10.0
# Converting is worth a while; beyond this nobody would wait without having been asked.
_LONGEST_CONVERSION_S = 3600.0
# What a conversion must leave free on the disk, as a part of what is free now.
_LEFT_FREE = 0.2


@dataclass(frozen=True)
class Facts:
    """What is known of files before they are loaded.

    Attributes
    ----------
    arrow_bytes
        What the converted table takes on disk.
    mapped_bytes
        Those of its columns that can be mapped.
    unmapped
        The first column that can be neither mapped nor kept in memory, and why; None if there is none.
    kept
        The columns that are kept in memory instead of being mapped.
    fits_memory
        Whether the direct mode decodes each chunk once, and keeps all of them.
    free_bytes
        Of the disk where conversions are kept.
    is_cached
        Whether the conversion is there already.
    row_s
        Seconds that one random row takes out of the files.
    bytes_per_s
        Decoded bytes in a second when the rows are read in order.
    """

    arrow_bytes: int
    mapped_bytes: int
    unmapped: str | None
    free_bytes: int
    is_cached: bool = False
    row_s: float = 0.0
    bytes_per_s: float = 1e9
    kept: str = ""
    fits_memory: bool = False

    @property
    def batch_s(self) -> float:
        """Seconds of a batch of random rows; what several of them need is decoded once."""
        return min(self.row_s * BATCH_ROWS, self.conversion_s)

    @property
    def conversion_s(self) -> float:
        """Seconds of a conversion."""
        return self.arrow_bytes / max(1.0, self.bytes_per_s)


class Choice(NamedTuple):
    """A mode, and why, as the end of a sentence."""

    mode: str
    reason: str


def choose_mode(facts: Facts) -> Choice:
    """Choose a mode for random rows; to go through whole epochs, the loader of the direct mode needs no copy.

    Mapped where nothing needs to be converted; cached where random rows are slow to decode, again and again, and the
    disk and an hour are enough to convert them; direct for all else.

    Examples
    --------
    >>> choose_mode(Facts(10**12, 10**12, None, free_bytes=10**9)).mode
    'mapped'
    >>> choose_mode(Facts(10**10, 0, "x: its rows are not one block of the file", 10**12, row_s=0.01)).mode
    'cached'
    """
    if facts.unmapped is None:
        kept = f"; small ones, which do not, are kept in memory ({facts.kept})" if facts.kept else ""
        return Choice("mapped", f"the columns lie in the file as Arrow wants them{kept}")
    if facts.is_cached:
        return Choice("cached", "the files were converted before")
    batch = f"{BATCH_ROWS} random rows take about {_time_text(facts.batch_s)}"
    rest = facts.arrow_bytes - facts.mapped_bytes
    fits_rest = rest <= facts.free_bytes * (1 - _LEFT_FREE)
    if facts.mapped_bytes > rest and fits_rest and rest / max(1.0, facts.bytes_per_s) <= _LONGEST_CONVERSION_S:
        return Choice(
            "mapped", f"most of the bytes lie as Arrow wants them; the rest goes to the cache ({facts.unmapped})"
        )
    if facts.batch_s <= _QUICK_BATCH_S:
        return Choice("direct", f"{batch} out of the files as they are")
    if facts.fits_memory and facts.conversion_s <= _SHORT_S:
        return Choice(
            "direct", f"all rows are decoded within {_time_text(facts.conversion_s)}, and then kept in memory"
        )
    if facts.arrow_bytes > facts.free_bytes * (1 - _LEFT_FREE):
        size, free = bytes_text(facts.arrow_bytes), bytes_text(facts.free_bytes)
        return Choice("direct", f"converted they would take {size}, and {free} are free")
    if facts.conversion_s > _LONGEST_CONVERSION_S:
        return Choice("direct", f"a conversion would take about {_time_text(facts.conversion_s)}")
    once = f"converting them takes about {_time_text(facts.conversion_s)} and {bytes_text(facts.arrow_bytes)}, once"
    return Choice("cached", f"{batch} out of the files; {once}")


def _time_text(seconds: float) -> str:
    if seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
