"""The order of a loader as samplers for torch's DataLoader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from torch.utils.data import Sampler

from ..sampling import deal_steps
from .passes import Passes

__all__ = ["BatchSampler", "RowSampler"]

Given = TypeVar("Given")


class BatchSampler(Passes, Sampler[list[int]]):
    """Batches of positions; made by ``H5TorchView.sampler(batch_size)``, for ``DataLoader(batch_sampler=...)``."""

    def __iter__(self) -> Iterator[list[int]]:
        return _Pass(self, self._batches())

    def _batches(self) -> Iterator[list[int]]:
        place = self._begin_pass()
        order, steps = self._order(place.epoch), self._steps(place.origin)
        for dealt in deal_steps(order, steps, steps.step_at(place.row)):
            self._place = place._replace(row=steps.bounds(dealt.step)[1])
            yield dealt.of_rank(self._settings.rank)[0].tolist()


class RowSampler(Passes, Sampler[int]):
    """Positions one by one; made by ``H5TorchView.sampler()``, for ``DataLoader(sampler=...)``."""

    def __iter__(self) -> Iterator[int]:
        return _Pass(self, self._positions())

    def _positions(self) -> Iterator[int]:
        place = self._begin_pass()
        order = self._order(place.epoch)
        for number in range(order.n_windows):
            if order.window_starts[number + 1] <= place.row:
                continue
            rows, _ = order.window(number)
            for row, position in enumerate(rows.tolist(), start=int(order.window_starts[number])):
                if row >= place.row:
                    self._place = place._replace(row=row + 1)
                    yield position


class _Pass(Iterator[Given], Generic[Given]):
    """One pass of a sampler, with a state as torchdata's ``StatefulDataLoader`` wants it: whether it has ended.

    That loader restores the pass which had ended, draws from it ahead, and then begins the one that it hands out. So
    the first must give nothing, while the sampler's state is the start of the next epoch.
    """

    def __init__(self, sampler: Passes, given: Iterator[Given]) -> None:
        self._sampler, self._given = sampler, given

    def __next__(self) -> Given:
        return next(self._given)

    def state_dict(self) -> dict[str, Any]:
        return {"ended": self._sampler.is_at_end}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state["ended"]:
            self._given = iter(())
