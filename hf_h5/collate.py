"""Batches for a plain DataLoader: rows that remember their block, and the collate that hands the block on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence
from typing import Any, overload

__all__ = ["Rows", "collate"]


class Rows(MutableSequence[Any]):
    """Rows of one batch, cut from its block only when asked for; used like a list, and sent to processes as one.

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
        self._block = block
        self._count = count
        self._cut = cut
        self._changed: list[Any] | None = None

    def collated(self) -> Any:
        """The block; rows that were changed, or brought into another order, are collated anew."""
        return self._block if self._changed is None else collate(self._changed)

    def _list(self) -> list[Any]:
        """The rows, to be changed; the block is theirs no longer."""
        if self._changed is None:
            self._changed = list(self)
            self._block = None
        return self._changed

    def __len__(self) -> int:
        return self._count if self._changed is None else len(self._changed)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> MutableSequence[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if self._changed is not None:
            return self._changed[index]
        if isinstance(index, slice):
            return [self._cut(self._block, number) for number in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(f"row {index} of a batch of {self._count}")
        return self._cut(self._block, index % self._count)

    def __iter__(self) -> Iterator[Any]:
        if self._changed is not None:
            return iter(self._changed)
        return (self._cut(self._block, number) for number in range(self._count))

    def __setitem__(self, index: Any, value: Any) -> None:
        self._list()[index] = value

    def __delitem__(self, index: int | slice) -> None:
        del self._list()[index]

    def insert(self, index: int, value: Any) -> None:
        """Put a row before another one."""
        self._list().insert(index, value)

    def sort(self, *, key: Callable[[Any], Any] | None = None, reverse: bool = False) -> None:
        """Sort the rows in place."""
        self._list().sort(key=key, reverse=reverse)

    def copy(self) -> list[Any]:
        """The rows as a list."""
        return list(self)

    def __add__(self, others: Iterable[Any]) -> list[Any]:
        return [*self, *others]

    def __radd__(self, others: Iterable[Any]) -> list[Any]:
        return [*others, *self]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def __repr__(self) -> str:
        return repr(list(self))


def collate(rows: Any) -> Any:
    """A ``collate_fn`` that hands a view's batch through as it was read, without splitting and stacking it again.

    So it does a batch that a DataLoader with ``batch_size=None`` got whole. Other rows go through
    ``torch.utils.data.default_collate``.

    Examples
    --------
    >>> # DataLoader(view, batch_size=256, collate_fn=hf_h5.collate)
    """
    if isinstance(rows, Rows):
        return rows.collated()
    if isinstance(rows, Mapping | tuple):
        return rows
    from torch.utils.data import default_collate

    return default_collate(rows)
