"""Which groups repeat in other files of a set: one of them alone, as in a last file, is then an episode too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import h5py

from ..describe.opening import open_hdf5
from ..describe.repeated import Known, find_alone, name_pattern
from ..describe.schema import Schema, Table
from ..describe.tree import Tree
from ..errors import DamagedFileError, NotHDF5Error

__all__ = ["Repeating", "repeated_groups"]


def repeated_groups(tables: Iterable[Table]) -> Known:
    """The groups whose members are rows of the tables, or hold them."""
    return frozenset(name_pattern(part.prefix) for table in tables for part in table.parts if part.prefix)


class Repeating:
    """What repeats in the files that were looked at so far, and in others where one must know.

    Parameters
    ----------
    files
        All of the set.
    describe
        What looks at an open file.
    """

    def __init__(self, files: Sequence[str], describe: Callable[[h5py.File, str], tuple[Schema, Tree]]) -> None:
        self._files, self._describe = files, describe
        self._known: Known | None = None

    def find(self, schema: Schema, tree: Tree) -> Known:
        """Groups of a file that are alone in it and repeat in others; none if what it holds is clear."""
        found = repeated_groups(schema.tables.values())
        alone = find_alone(tree.root) if schema.convention is None else frozenset()
        if found:
            self._known = (self._known or frozenset()) | found
        if not alone or found:
            return frozenset()
        if self._known is None:
            self._known = self._look_ahead(schema.file)
        return alone & self._known

    def _look_ahead(self, file: str) -> Known:
        """What repeats in the next file that does not hold single groups only."""
        for name in self._files[self._files.index(file) + 1 :]:
            try:
                with open_hdf5(name) as handle:
                    schema, tree = self._describe(handle, name)
            except (DamagedFileError, NotHDF5Error):
                continue
            found = repeated_groups(schema.tables.values())
            if found or not find_alone(tree.root):
                return found
        return frozenset()
