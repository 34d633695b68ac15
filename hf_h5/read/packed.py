"""Strings and lists of variable length as they come out of a file: one after the other, not yet an object each.

Pure; no I/O.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Packed", "PackedLists", "PackedTexts", "to_objects"]


@dataclass(frozen=True, slots=True, eq=False)
class PackedTexts:
    """Strings as bytes with a NUL between each two, which none of them holds: they are split and decoded at once.

    Attributes
    ----------
    joined
        The strings in C order of ``shape``.
    shape
        Rows first.
    """

    joined: bytes
    shape: tuple[int, ...]

    def split(self) -> list[bytes]:
        """The bytes of each string."""
        return self.joined.split(b"\0") if 0 not in self.shape else []

    def decode(self) -> list[str]:
        """Each string; raises `UnicodeDecodeError` if one of them is no UTF-8."""
        return self.joined.decode().split("\0") if 0 not in self.shape else []

    def as_one_row(self) -> PackedTexts:
        """The same strings, all in one row."""
        return replace(self, shape=(1, *self.shape))


@dataclass(frozen=True, slots=True, eq=False)
class PackedLists:
    """Lists whose items lie one after the other.

    Attributes
    ----------
    items
        ``(n, ...)``, as they are stored, dimensions of each item last.
    offsets
        ``(k + 1,)`` int64: list ``i`` in C order of ``shape`` is ``items[offsets[i]:offsets[i + 1]]``.
    shape
        Rows first.
    """

    items: NDArray[Any]
    offsets: NDArray[np.int64]
    shape: tuple[int, ...]

    def as_one_row(self) -> PackedLists:
        """The same lists, all in one row."""
        return replace(self, shape=(1, *self.shape))

    def split(self, items: NDArray[Any] | None = None) -> list[NDArray[Any]]:
        """Each list as an array of its own over one memory; of other items by the same offsets, if given."""
        source = self.items if items is None else items
        bounds = self.offsets.tolist()
        return [source[start:stop] for start, stop in itertools.pairwise(bounds)]

    def list_of(self, position: int) -> int:
        """Which list holds a value, by its position among those of all items."""
        item = position // max(1, math.prod(self.items.shape[1:]))
        return int(np.searchsorted(self.offsets, item, side="right")) - 1


Packed = PackedTexts | PackedLists


def to_objects(packed: Packed) -> NDArray[Any]:
    """One object for each string or list, as the HDF5 library gives them."""
    values: list[Any] = packed.split()
    return np.fromiter(values, object, len(values)).reshape(packed.shape)
