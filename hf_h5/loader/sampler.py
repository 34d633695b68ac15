"""The order of a loader as samplers for torch's DataLoader."""

from __future__ import annotations

from collections.abc import Iterator

from torch.utils.data import Sampler

from ..sampling import deal_steps
from .passes import Passes, Place

__all__ = ["BatchSampler", "RowSampler"]


class BatchSampler(Passes, Sampler[list[int]]):
    """Batches of positions; made by ``H5TorchView.sampler(batch_size)``, for ``DataLoader(batch_sampler=...)``."""

    def __iter__(self) -> Iterator[list[int]]:
        return self._pass(self._begin_pass())

    def _pass(self, place: Place) -> Iterator[list[int]]:
        order, steps = self._order(place.epoch), self._steps(place.origin)
        for dealt in deal_steps(order, steps, steps.step_at(place.row)):
            self._place = place._replace(row=steps.bounds(dealt.step)[1])
            yield dealt.of_rank(self._settings.rank)[0].tolist()


class RowSampler(Passes, Sampler[int]):
    """Positions one by one; made by ``H5TorchView.sampler()``, for ``DataLoader(sampler=...)``."""

    def __iter__(self) -> Iterator[int]:
        return self._pass(self._begin_pass())

    def _pass(self, place: Place) -> Iterator[int]:
        order = self._order(place.epoch)
        for number in range(order.n_windows):
            if order.window_starts[number + 1] <= place.row:
                continue
            rows, _ = order.window(number)
            for row, position in enumerate(rows.tolist(), start=int(order.window_starts[number])):
                if row >= place.row:
                    self._place = place._replace(row=row + 1)
                    yield position
