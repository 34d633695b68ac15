"""Which mode to take for shuffled epochs, from predicted speeds and sizes; rows in any order are ``modes``' to judge.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...describe.wording import bytes_text
from ...modes.choose import Choice
from .facts import TableFacts, Verdict

__all__ = ["choose_mode", "of_choice"]

# A mode that is not slower than this part of the fastest is fast enough to spare the copy.
_ENOUGH = 0.5
# Another file must be so much faster to be worth writing.
_WORTH = 2.0
# Who waits no longer than this for an epoch needs no copy.
_SHORT_S = 1.0
# Copies in the cache up to this size are no matter.
_SMALL_BYTES = 20 << 30


def choose_mode(table: TableFacts, predicted: Mapping[str, Mapping[str, float]]) -> Verdict:
    """Choose the mode that needs no copy where it is fast enough, else the copy that is.

    Parameters
    ----------
    predicted
        What ``predict`` returned.
    """
    speeds = {mode: rates["shuffled"] for mode, rates in predicted.items()}
    best, direct = max(speeds.values()), speeds["direct"]
    arrow, epoch_s = table.n_rows * table.arrow_row_bytes, table.n_rows / direct if direct else 0.0
    if direct >= _ENOUGH * best:
        is_mapped = "; open_dataset gives a Dataset over the same bytes" if "mapped" in predicted else ""
        return _direct(table, f"nothing is copied, and no copy would be twice as fast{is_mapped}")
    if epoch_s < _SHORT_S:
        return _direct(table, f"an epoch takes {epoch_s * 1000:.0f} ms, for which no copy is worth making")
    is_worth = speeds["repacked"] >= _WORTH * direct
    if is_worth and (speeds["repacked"] >= _ENOUGH * best or arrow > _SMALL_BYTES):
        why = f"{_times(speeds['repacked'], direct)} times as fast as the file as it is, and stays HDF5"
        return Verdict("repack", why, f"hf-h5 repack {table.file} repacked.h5 --for training")
    if arrow <= _SMALL_BYTES:
        why = (
            f"{_times(speeds['cached view'], direct)} times as fast as the direct mode, for {bytes_text(arrow)} of disk"
        )
        code = f"hf_h5.H5TorchView.from_dataset(hf_h5.load_dataset({table.file!r}, split={table.split!r}))"
        return Verdict("cached", why, code)
    return _direct(table, f"a copy in the cache would take {bytes_text(arrow)}")


def of_choice(choice: Choice, file: str) -> Verdict:
    """What ``hf_h5.load`` chooses for a file, as the doctor says it."""
    return Verdict(choice.mode, choice.reason, f"hf_h5.load({file!r})")


def _direct(table: TableFacts, why: str) -> Verdict:
    split = "" if table.split == "train" else f", split={table.split!r}"
    return Verdict("direct", why, f"hf_h5.H5TorchView({table.file!r}{split}).loader(256, shuffle=True)")


def _times(one: float, other: float) -> str:
    return f"{one / other:.3g}" if other else "many"
