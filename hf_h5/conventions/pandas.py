"""Files of pandas and PyTables: a table for each key of a store, and for each table of PyTables.

Markers: ``PYTABLES_FORMAT_VERSION`` at the root, ``pandas_type`` at the group of each frame or series. What pandas and
PyTables pickled is never unpickled: names are parsed (`pickles`), columns of objects are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator

import h5py

from ..describe.options import Options
from ..describe.schema import Table
from ..describe.tree import GroupNode, Tree
from .found import Found
from .pandas_fixed import read_fixed
from .pandas_store import Store
from .pandas_table import read_table
from .pytables import is_hidden, read_pytables

__all__ = ["find_pandas"]

# Of before pandas 0.25 and 1.0.
_GONE = {
    "wide": "a Panel, which pandas has no more",
    "wide_table": "a Panel, which pandas has no more",
    "sparse_series": "a sparse series of before pandas 1.0",
    "sparse_frame": "a sparse frame of before pandas 1.0",
    "sparse_panel": "a sparse Panel, which pandas has no more",
    "ndim_table": "a panel of more dimensions, which pandas has no more",
}


def find_pandas(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """The tables of a file that PyTables wrote, with those of pandas; None if it did not."""
    version = handle.file.attrs.get("PYTABLES_FORMAT_VERSION")
    if version is None:
        return None
    store = Store(tree, handle, notes=list(tree.notes))
    claimed: set[str] = set()
    groups = list(_walk(tree.root, store))
    tables = [table for group in groups if (table := _read_key(store, group, claimed)) is not None]
    words = version.decode("ascii", "replace") if isinstance(version, bytes) else str(version)
    layout = read_pytables(store, options, tables, claimed)
    return Found(f"{'pandas, ' if groups else ''}PyTables {words}", layout)


def _walk(group: GroupNode, store: Store) -> Iterator[GroupNode]:
    """The groups that hold a frame or series; keys may lie inside of keys."""
    is_key = store.attributes.has(group.path, "pandas_type")
    if is_key:
        yield group
    for name, inner in group.groups.items():
        if not is_hidden(name) and not (is_key and name == "meta"):
            yield from _walk(inner, store)


def _read_key(store: Store, group: GroupNode, claimed: set[str]) -> Table | None:
    """The table of a frame or series; None, with a note, if it is not read. Its datasets are claimed."""
    claimed |= {node.path for node in group.datasets.values()}
    claimed |= {inner.path for name, inner in group.groups.items() if is_hidden(name) or name == "meta"}
    kind = store.text(group, "pandas_type")
    if kind in _GONE:
        store.leave_out(group.path, f"{_GONE[kind]}, is not read", "layout='raw' gives its parts")
        return None
    if "table" in kind:
        return read_table(store, group)
    if kind in ("frame", "series"):
        return read_fixed(store, group, is_series=kind == "series")
    store.leave_out(group.path, f"pandas' type {kind!r} is not known", "layout='raw' gives its parts")
    return None
