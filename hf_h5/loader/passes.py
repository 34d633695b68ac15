"""What a loader and a sampler share: settings, epochs, and a state that counts global rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from ..errors import OptionError
from ..sampling import EpochOrder, Steps, make_order
from .layout import LoaderReport, find_layout, make_report

if TYPE_CHECKING:
    from ..view.state import ViewState

__all__ = ["Passes", "Place", "Settings", "find_rank"]

STATE_VERSION = 1
_AT_LEAST = {"batch_size": 1, "seed": 0, "prefetch": 1, "rank": 0, "world_size": 1, "shuffle_bytes": 1}


@dataclass(frozen=True)
class Settings:
    """What was asked of a loader or sampler; see ``H5TorchView.loader``."""

    batch_size: int
    shuffle: bool
    seed: int
    drop_last: bool
    rank: int
    world_size: int
    shuffle_bytes: int
    exact: bool
    prefetch: int = 1
    pin_memory: bool = False
    device: Any = None

    def __post_init__(self) -> None:
        for name, least in _AT_LEAST.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise OptionError(f"{name}={value!r} is not an integer from {least} on")
            # States hold some of them, and must be plain numbers for JSON and for torch.load.
            object.__setattr__(self, name, int(value))
        if self.rank >= self.world_size:
            raise OptionError(f"rank={self.rank} is not a rank of {self.world_size}")
        if self.exact and not self.shuffle:
            raise OptionError("exact=True is a way to shuffle: pass shuffle=True too")


def find_rank(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """The rank and number of ranks: those given, those of an initialized ``torch.distributed``, or 0 of 1."""
    if (rank is None) != (world_size is None):
        raise OptionError("rank= and world_size= belong together: pass both or none")
    if rank is not None and world_size is not None:
        return rank, world_size
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


class Place(NamedTuple):
    """A place in the epochs: ``row`` global rows of one have been given; steps are counted from ``origin``."""

    epoch: int
    row: int = 0
    origin: int = 0


class Passes:
    """Epoch after epoch over the rows of a view; each pass is the next one, unless ``set_epoch`` says which.

    Parameters
    ----------
    view
        The rows and columns.
    settings
        What was asked for.
    """

    def __init__(self, view: ViewState, settings: Settings) -> None:
        # A copy: set_format on the view does not change what a pass gives in its middle.
        self._view, self._settings = view._copy(), settings
        self._layout = find_layout(self._view, settings.shuffle_bytes)
        self._place = Place(0)
        # Whether the next pass is the place's epoch, not the one after; and whether it begins where a state was taken.
        self._was_set, self._was_loaded = True, False
        len(self)  # refuses rows that cannot be shared among the ranks

    @property
    def epoch(self) -> int:
        """The epoch that is under way, or that the next pass will be."""
        return self._place.epoch

    def __len__(self) -> int:
        """Number of batches of a whole epoch."""
        return len(self._steps(0))

    def set_epoch(self, epoch: int) -> None:
        """Let the next pass be this epoch, from its start, or from where a state was taken that was just loaded.

        Training loops set the epoch before each pass, also before the one that they resume.

        Raises
        ------
        OptionError
            If it is no integer from 0 on.
        """
        if not hasattr(epoch, "__index__") or isinstance(epoch, bool) or index(epoch) < 0:
            raise OptionError(f"epoch={epoch!r} is not an integer from 0 on")
        epoch = index(epoch)
        if not (self._was_loaded and epoch == self._place.epoch):
            self._place, self._was_set, self._was_loaded = Place(epoch), True, False

    def state_dict(self) -> dict[str, Any]:
        """Where the last batch ended, as a global row: any rank's state resumes all ranks, however many there are.

        After the last batch of an epoch that is the start of the next.
        """
        place = Place(self._place.epoch + 1) if self.is_at_end else self._place
        return {
            "version": STATE_VERSION,
            **place._asdict(),
            "step_rows": self._steps(0).step_rows,
            "order": self._order_facts(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next pass go on where a state was taken.

        Raises
        ------
        OptionError
            If the rows, or the order in which they come, are others.
        """
        version = state.get("version") if isinstance(state, Mapping) else None
        if version != STATE_VERSION:
            raise OptionError(f"this is no state of a loader of this version of the package (version {version!r})")
        _expect_whole(state, self._layout.groups.n_rows)
        mine, theirs = self._order_facts(), state["order"]
        for name, value in mine.items():
            if value != theirs.get(name):
                raise OptionError(
                    f"the state was taken with {name}={theirs.get(name)!r}, and here is {name}={value!r}",
                    hint="rows would be lost or repeated: use the same rows, shuffle, seed and shuffle_bytes",
                )
        place = Place(state["epoch"], state["row"], state["origin"])
        if state["step_rows"] != self._steps(0).step_rows:
            # Other steps: they begin here.
            place = place._replace(origin=place.row)
        # Of larger steps none may be left, if the last one is dropped.
        self._place = Place(place.epoch + 1) if self._ends_at(place) else place
        self._was_set = self._was_loaded = True

    @property
    def is_at_end(self) -> bool:
        """Whether all batches of an epoch have been given, and those of the next have not been begun."""
        return not self._was_set and self._ends_at(self._place)

    def _ends_at(self, place: Place) -> bool:
        steps = self._steps(place.origin)
        return steps.step_at(place.row) >= len(steps)

    def report(self) -> LoaderReport:
        """How well the rows are shuffled, and how often chunks are decoded for it over all ranks."""
        return make_report(self._order(self._place.epoch), self._steps(0), self._layout, exact=self._settings.exact)

    def _begin_pass(self) -> Place:
        """Where the pass that now begins starts.

        A pass begins with its first batch: frameworks make iterators that they throw away, and load states after.
        """
        if not self._was_set:
            self._place = Place(self._place.epoch + 1)
        self._was_set = self._was_loaded = False
        return self._place

    def _order(self, epoch: int) -> EpochOrder:
        chosen, layout = self._settings, self._layout
        return make_order(
            layout.groups,
            shuffle=chosen.shuffle,
            exact=chosen.exact,
            seed=chosen.seed,
            epoch=epoch,
            window_rows=layout.window_rows,
        )

    def _steps(self, origin: int) -> Steps:
        chosen = self._settings
        n_rows = self._layout.groups.n_rows
        return Steps(n_rows, chosen.batch_size, chosen.world_size, chosen.drop_last, origin)

    def _order_facts(self) -> dict[str, Any]:
        """What the order of an epoch follows from, besides its number."""
        groups = self._layout.groups
        digest = hashlib.sha256(np.ascontiguousarray(groups.starts).data)
        if groups.members is not None:
            digest.update(np.ascontiguousarray(groups.members).data)
        shuffled = {"seed": self._settings.seed, "window_rows": self._layout.window_rows}
        return {
            "n_rows": groups.n_rows,
            "shuffle": self._settings.shuffle,
            "exact": self._settings.exact,
            **(shuffled if self._settings.shuffle else {}),
            "rows": digest.hexdigest()[:16],
        }


def _expect_whole(state: Mapping[str, Any], n_rows: int) -> None:
    """Raise if a state lacks something, or counts rows that there are not."""
    lacks = [name for name in (*Place._fields, "step_rows", "order") if name not in state]
    if lacks:
        raise OptionError(
            f"this is no state of a loader: it lacks {', '.join(lacks)}", hint="pass on what state_dict() gave, whole"
        )
    for name, most in (("epoch", None), ("row", n_rows), ("origin", n_rows), ("step_rows", None)):
        value = state[name]
        if not isinstance(value, int) or value < 0 or (most is not None and value > most):
            bound = "from 0 on" if most is None else f"from 0 to {most}, the number of rows"
            raise OptionError(f"the state of a loader has {name}={value!r}, which is no integer {bound}")
