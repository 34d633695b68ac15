"""The budgets of a file: what it may cost to look at it, and what it may claim to hold.

Pure; no I/O. A file of two kilobytes can declare a trillion rows, and two megabytes of gzip can unpack to gigabytes:
what a file claims is held against what it stores, so that honest large files pass and bombs do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..errors import LimitError, OptionError

__all__ = ["Limits", "make_limits"]

# Rows and chunks this many times larger than what is stored are no real data: gzip itself reaches 1,000 at most.
_PIECE_EXPANSION = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """Budgets of a file; each can be raised with ``limits={name: value}``.

    Attributes
    ----------
    objects
        Groups, datasets and links in a file.
    depth
        Groups inside groups.
    columns
        Datasets of which columns are made.
    dtype_depth
        Types inside types.
    chunk_bytes, row_bytes
        Bytes of one decoded chunk, and of one row; larger ones pass where the dataset stores a hundredth of them.
    expansion
        Decoded bytes of a dataset of more than 1 GiB for each stored byte.
    metadata_bytes
        Size of a scalar or attribute that is kept as metadata; what it refers to, strings and lists of variable length,
        may take 256 times as much.
    turned_bytes
        Decoded bytes of a sparse matrix by columns, which is turned round in memory to have its rows.
    seconds
        Time of a scan; with ``isolate=True`` of any question to the library.
    silent_seconds
        Time without a sign of life of the process of ``isolate=True``: how long one call into the library may last.
    memory_bytes
        Memory of the process of ``isolate=True``, without mapped files.
    """

    objects: int = 1_000_000
    depth: int = 64
    columns: int = 200_000
    dtype_depth: int = 32
    chunk_bytes: int = 256 << 20
    row_bytes: int = 256 << 20
    expansion: int = 10_000
    metadata_bytes: int = 1 << 16
    turned_bytes: int = 4 << 30
    seconds: int = 300
    silent_seconds: int = 8
    memory_bytes: int = 2 << 30

    def check(self, name: str, value: float, *, file: str, path: str | None = None) -> None:
        """Raise if ``value`` exceeds the budget called ``name``."""
        allowed = getattr(self, name)
        if value > allowed:
            self._refuse(name, f"more than {allowed:,}", file, path)

    def check_dataset(
        self,
        shape: tuple[int, ...],
        item_bytes: int,
        chunks: tuple[int, ...] | None,
        stored_bytes: int,
        *,
        file: str,
        path: str,
    ) -> None:
        """Hold what a dataset declares against what it stores.

        Parameters
        ----------
        shape, item_bytes, chunks
            Dimensions, bytes of one element in memory, and dimensions of a chunk.
        stored_bytes
            What its data takes in the file.

        Raises
        ------
        LimitError
            With the name of the budget.
        """
        total, row, chunk = (
            _product(shape) * item_bytes,
            _product(shape[1:]) * item_bytes,
            _product(chunks) * item_bytes,
        )
        for name, size in (("row_bytes", row if total else 0), ("chunk_bytes", chunk if chunks else 0)):
            if size > getattr(self, name) and size > _PIECE_EXPANSION * stored_bytes:
                self._refuse(name, f"{size:,} in a dataset that stores {stored_bytes:,}", file, path)
        if total > 1 << 30 and total > self.expansion * max(1, stored_bytes):
            self._refuse("expansion", f"{total:,} bytes are declared and {stored_bytes:,} stored", file, path)

    def _refuse(self, name: str, problem: str, file: str, path: str | None) -> None:
        raise LimitError(
            f"{name.replace('_', ' ')}: {problem}",
            file=file,
            path=path,
            hint=f"if you trust the file, raise the budget with limits={{{name!r}: N}}",
        )


def _product(sizes: tuple[int, ...] | None) -> int:
    # Not numpy's, which would overflow without a word.
    count = 1
    for size in sizes or ():
        count *= size
    return count


def make_limits(given: Limits | Mapping[str, Any] | None) -> Limits:
    """Turn the option ``limits`` into budgets.

    Raises
    ------
    OptionError
        If a budget is unknown or no number.
    """
    if given is None:
        return Limits()
    if isinstance(given, Limits):
        return given
    if not isinstance(given, Mapping):
        raise OptionError(f"limits={given!r} is not a mapping of budgets to numbers")
    known = [item.name for item in fields(Limits)]
    for name, value in given.items():
        if name not in known:
            raise OptionError(f"limits has no budget {name!r}", hint=f"the budgets are: {', '.join(known)}")
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise OptionError(f"limits[{name!r}]={value!r} is not a number of things")
    return Limits(**given)
