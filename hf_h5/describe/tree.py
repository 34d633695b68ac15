"""The tree of a file as the scan saw it: groups and datasets with their types, without their data.

Pure; no I/O of its own: attributes and small values are fetched by the functions that the scan hands in, while the
file is open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .schema import Note, Storage
from .types import Stored

__all__ = ["DatasetNode", "GroupNode", "Tree", "common_group"]


@dataclass(frozen=True, slots=True)
class DatasetNode:
    """One HDF5 dataset.

    Attributes
    ----------
    path, name
        Its path in the file and its last part.
    shape
        Its dimensions; None for a null dataspace.
    stored
        Its type; None where ``unreadable`` says why there is none.
    axis
        Along which axis its rows lie.
    missing
        Sources of a virtual dataset that are not there, ``FILE::/PATH``, without a name for its own file.
    first
        The path by which the same object was met first, if it has several names and this is a further one.
    """

    path: str
    name: str
    shape: tuple[int, ...] | None
    stored: Stored | None
    storage: Storage
    unreadable: str | None = None
    axis: int = 0
    missing: tuple[str, ...] = ()
    first: str = ""

    @property
    def length(self) -> int:
        """Size of the axis of its rows; scalars have none."""
        if not self.shape:
            raise ValueError(f"{self.path} has no first axis")
        return self.shape[self.axis]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The other axes in their order."""
        shape = self.shape or ()
        return shape[: self.axis] + shape[self.axis + 1 :]

    @property
    def has_rows(self) -> bool:
        return bool(self.shape) and self.stored is not None

    @property
    def logical_bytes(self) -> int:
        """Bytes of the decoded values."""
        count = self.stored.full_memory.itemsize if self.stored else 0
        for size in self.shape or ():
            count *= size
        return count


@dataclass(slots=True)
class GroupNode:
    """One HDF5 group and what lies in it, in the order of the names; ``first`` as for datasets."""

    path: str
    name: str
    groups: dict[str, GroupNode] = field(default_factory=dict)
    datasets: dict[str, DatasetNode] = field(default_factory=dict)
    first: str = ""

    def walk(self) -> Iterator[DatasetNode]:
        """All datasets below, this group's own first."""
        yield from self.datasets.values()
        for group in self.groups.values():
            yield from group.walk()


@dataclass(frozen=True, slots=True)
class Tree:
    """A file's root, and how to fetch what the scan left out."""

    file: str
    root: GroupNode
    read_attrs: Callable[[str], Mapping[str, Any]]
    read_value: Callable[[DatasetNode], Any]
    notes: tuple[Note, ...] = ()
    file_bytes: int = 0


def common_group(paths: Iterable[str]) -> str:
    """Return the path of the innermost group that all of these lie in.

    >>> common_group(["/a/b/x", "/a/b/c/y", "/a/bc/z"]), common_group(["/a/x", "/y"])
    ('/a', '/')
    """
    parents = [path.split("/")[:-1] for path in paths]
    # What the first and the last in order share, all between share.
    low, high = min(parents), max(parents)
    n_shared = next(
        (number for number, pair in enumerate(zip(low, high, strict=False)) if pair[0] != pair[1]), len(low)
    )
    return "/".join(low[:n_shared]) or "/"
