"""Ways to train from a view: batches made by threads, and the same order for a DataLoader."""

from __future__ import annotations

from inspect import signature
from typing import Any, Never

from ..errors import OptionError
from ..loader import BatchSampler, Loader, RowSampler
from ..loader.passes import Settings, find_rank
from ..opening import count_bytes
from .state import ViewState

__all__ = ["LoadingMethods"]

DEFAULT_SHUFFLE = "64MB"

# What stands in the place of a DataLoader's other arguments.
_INSTEAD = {
    "num_workers": "threads of this process read ahead, without it",
    "prefetch_factor": "prefetch= is how many batches are made ahead",
    "collate_fn": "pass the function to view.with_transform",
    "sampler": "view.select chooses rows, shuffle= and seed= their order",
}


class LoadingMethods(ViewState):
    """Loaders and samplers."""

    def loader(
        self,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        seed: int = 0,
        prefetch: int = 4,
        drop_last: bool = False,
        rank: int | None = None,
        world_size: int | None = None,
        shuffle_bytes: int | str = DEFAULT_SHUFFLE,
        exact: bool = False,
        pin_memory: bool = False,
        device: Any = None,
        **others: Never,
    ) -> Loader:
        """An iterable of batches in the view's format, made ahead by threads, without worker processes.

        Parameters
        ----------
        batch_size
            Rows of a batch, on each rank.
        shuffle
            Whether to mix the rows: chunks in random order, then rows inside a window of at most half of
            ``shuffle_bytes``; the other half is for the window that is read meanwhile.
        seed
            The order of an epoch is a function of this and the epoch's number alone.
        prefetch
            Batches that are made ahead.
        drop_last
            Whether to leave out a last step of fewer rows; if not, it is shared out evenly among the ranks.
        rank, world_size
            Which part of each global step; those of ``torch.distributed`` where it is initialized.
        shuffle_bytes
            Bound of the memory for both windows.
        exact
            Whether to shuffle by a uniform permutation; each batch then decodes what its rows lie in.
        pin_memory, device
            Where the tensors of a batch shall be.

        Returns
        -------
        Loader
            ``len``, ``iter``, ``set_epoch``, ``state_dict``, ``load_state_dict``, ``report``. Each pass is the next
            epoch. A function given to ``with_transform`` is called in the thread that asks for the batch.

        Raises
        ------
        OptionError
            If an argument makes no sense or there is none of the name, or there are fewer rows than ranks.
        """
        for name in others:
            raise OptionError(f"loader() has no argument {name}=", hint=_hint_for(name))
        place = find_rank(rank, world_size)
        window = count_bytes(shuffle_bytes, "shuffle_bytes")
        chosen = (batch_size, shuffle, seed, drop_last, *place, window, exact, prefetch, pin_memory, device)
        return Loader(self, Settings(*chosen))

    def sampler(
        self,
        batch_size: int | None = None,
        shuffle: bool = True,
        *,
        seed: int = 0,
        drop_last: bool = False,
        rank: int | None = None,
        world_size: int | None = None,
        shuffle_bytes: int | str = DEFAULT_SHUFFLE,
        exact: bool = False,
    ) -> RowSampler | BatchSampler:
        """The order of ``loader`` for a DataLoader over this view.

        With ``batch_size`` it is a ``batch_sampler``; without, a ``sampler``. The arguments are those of ``loader``.
        """
        place = find_rank(rank, world_size)
        window = count_bytes(shuffle_bytes, "shuffle_bytes")
        if batch_size is None and place[1] > 1:
            raise OptionError("over several ranks a sampler deals batches", hint="pass batch_size=")
        size = 1 if batch_size is None else batch_size
        chosen = (size, shuffle, seed, drop_last, *place, window, exact)
        return (RowSampler if batch_size is None else BatchSampler)(self, Settings(*chosen))


def _hint_for(name: str) -> str:
    if name in _INSTEAD:
        return f"{_INSTEAD[name]}; torch's DataLoader(view, batch_sampler=view.sampler(...)) takes it"
    own = [each for each in signature(LoadingMethods.loader).parameters if each not in ("self", "others")]
    return f"its arguments are {', '.join(own)}"
