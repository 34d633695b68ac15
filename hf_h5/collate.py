"""Batches for a plain DataLoader: rows that remember their block, and the collate that hands the block on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

__all__ = ["Rows", "collate"]


class Rows(Sequence[Any]):
    """Rows of one batch, cut from its block only when asked for.

    Parameters
    ----------
    block
        The batch: a dict of columns, or a tuple of them.
    count
        Number of rows.
    cut
        ``cut(block, i)`` gives row ``i``.
    """

    def __init__(self, block: Any, count: int, cut: Callable[[Any, int], Any]) -> None:
        self.block = block
        self._count = count
        self._cut = cut

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self._cut(self.block, number) for number in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(f"row {index} of a batch of {self._count}")
        return self._cut(self.block, index % self._count)

    def __iter__(self) -> Iterator[Any]:
        return (self._cut(self.block, number) for number in range(self._count))


def collate(rows: Any) -> Any:
    """A ``collate_fn`` that hands a view's batch through as it was read, without splitting and stacking it again.

    Other rows go through ``torch.utils.data.default_collate``.

    Examples
    --------
    >>> # DataLoader(view, batch_size=256, collate_fn=hf_h5.collate)
    """
    if isinstance(rows, Rows):
        return rows.block
    from torch.utils.data import default_collate

    return default_collate(rows)
