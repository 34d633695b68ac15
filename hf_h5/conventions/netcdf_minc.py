"""MINC 2 pictures (medical imaging): the image with its rows along one of its dimensions, in stored or real values.

MINC names the dimensions of a dataset in its attribute ``dimorder``, and what a stored number means in two datasets
beside the image: they hold the real values of the two ends of the valid range, of the whole image or of each slice
(MINC 2.0 file format reference, "Pixel values and real values").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..describe.columns import dataset_columns
from ..describe.derived import Fetch
from ..describe.elements import Number
from ..describe.layout import Layout
from ..describe.options import Options
from ..describe.schema import Column, Part, Table
from ..describe.tree import DatasetNode, GroupNode, Tree
from ..errors import OptionError
from .found import Found
from .nodes import add_rest

__all__ = ["find_minc"]


@dataclass(frozen=True)
class RealValues:
    """Stored numbers as what they mean, in float64.

    ``low`` and ``high`` are the ends of the range of real values, per slice; they have ``n_axes`` axes besides the
    rows. Without ``by_rows`` they are the same for all rows.
    """

    image: Column
    low: Column
    high: Column
    valid: tuple[float, float]
    n_axes: int
    by_rows: bool

    @property
    def sources(self) -> tuple[Column, ...]:
        """The image and its range."""
        return self.image, self.low, self.high

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """``(n, *row_shape)``."""
        first, last = self.valid
        stored = np.clip(fetch.rows(self.image, rows).astype(np.float64), first, last)
        low, high = self._range(self.low, rows, stored.ndim, fetch), self._range(self.high, rows, stored.ndim, fetch)
        slope = (high - low) / (last - first)
        return stored * slope + (low - first * slope)

    def _range(self, column: Column, rows: NDArray[np.int64], rank: int, fetch: Fetch) -> NDArray[np.float64]:
        found = fetch.rows(column, rows) if self.by_rows else fetch.whole(column)[np.newaxis]
        numbers: NDArray[np.float64] = found.astype(np.float64)
        return numbers.reshape(*numbers.shape[: 1 + self.n_axes], *(1,) * (rank - 1 - self.n_axes))

    def __str__(self) -> str:
        return "real values: stored numbers between image-min and image-max"


def find_minc(tree: Tree, handle: h5py.Group, options: Options) -> Found | None:
    """The tables of a MINC 2 file: one for each resolution, the full one first."""
    root = tree.root.groups.get("minc-2.0")
    images = root.groups.get("image") if root is not None else None
    if root is None or images is None:
        return None
    layout, claimed = Layout(notes=list(tree.notes)), set()
    for group in sorted(images.groups.values(), key=lambda each: int(each.name) if each.name.isdigit() else 0):
        node = group.datasets.get("image")
        if node is None or not node.has_rows:
            continue
        table = _table(group, node, tree, options)
        layout.add(table, node.logical_bytes)
        claimed |= {column.path for column in table.columns.values()}
    if not layout.tables:
        return None
    sizes = root.groups.get("dimensions", GroupNode("", ""))
    values = {node.path: _dimension(node, tree) for node in sizes.walk()}
    add_rest(layout, tree, claimed | values.keys())
    version = tree.read_attrs(root.path).get("minc_version")
    return Found(f"MINC {version}" if isinstance(version, str) else "MINC 2", layout, values)


def _table(group: GroupNode, node: DatasetNode, tree: Tree, options: Options) -> Table:
    names = _dimension_names(node, tree)
    axis = _row_axis(names, options, tree.file)
    columns: dict[str, Column] = {}
    beside: dict[str, DatasetNode] = {
        name: group.datasets[name] for name in ("image-min", "image-max") if name in group.datasets
    }
    for name, each in ({"image": node} | beside).items():
        own = _dimension_names(each, tree)
        if names[axis] in own and each.has_rows:
            columns[name] = _column(each, name, own.index(names[axis]), tree)
    if options.decode and len(beside) == 2:
        columns["image"] = _real(columns["image"], node, names, axis, beside, tree)
    sizes = [f"{name} ({size:,})" for name, size in zip(names, node.shape or (), strict=True)]
    along, others = sizes[axis], sizes[:axis] + sizes[axis + 1 :]
    hint = "" if options.decode else "; numbers as stored (decode=True gives real values)"
    rule = f"rows along the dimension {along}; others: {', '.join(others)}{hint}"
    n_rows = (node.shape or (0,))[axis]
    return Table(group.path, columns, (Part(tree.file, "", n_rows, columns),), rule)


def _dimension_names(node: DatasetNode, tree: Tree) -> list[str]:
    """The names of its axes; an attribute may list more than there are."""
    given = tree.read_attrs(node.path).get("dimorder")
    rank = len(node.shape or ())
    names = given.split(",")[:rank] if isinstance(given, str) else []
    return names + [f"axis {number}" for number in range(len(names), rank)]


def _row_axis(names: list[str], options: Options, file: str) -> int:
    if options.rows is None:
        return 0
    if options.rows not in names:
        raise OptionError(
            f"rows={options.rows!r} is none of the image's dimensions: {', '.join(names)}",
            file=file,
            hint="name one of them, or leave rows= out",
        )
    return names.index(options.rows)


def _column(node: DatasetNode, name: str, axis: int, tree: Tree) -> Column:
    shape = node.shape or ()
    moved = replace(node, shape=(shape[axis], *shape[:axis], *shape[axis + 1 :]))
    column = dataset_columns(moved, name, node.path, attrs=tree.read_attrs(node.path))[0]
    return replace(column, axis=axis)


def _real(
    column: Column,
    node: DatasetNode,
    names: list[str],
    axis: int,
    beside: Mapping[str, DatasetNode],
    tree: Tree,
) -> Column:
    """The image's column with real values; as stored where the file does not say enough."""
    low, high = beside["image-min"], beside["image-max"]
    scaled = _dimension_names(high, tree)
    is_plain = isinstance(column.element, Number) and column.element.dtype.kind in "iu"
    if not is_plain or low.shape != high.shape or scaled != names[: len(scaled)] or not low.stored or not high.stored:
        return column
    by_rows = axis < len(scaled)
    ends = [
        _column(each, each.name, axis, tree)
        if by_rows
        else dataset_columns(each, each.name, each.path, take="whole")[0]
        for each in (low, high)
    ]
    valid = _valid_range(tree.read_attrs(node.path).get("valid_range"), column.dtype)
    derivation = RealValues(column, ends[0], ends[1], valid, len(scaled) - by_rows, by_rows)
    return replace(column, take="derived", element=Number(np.dtype("f8")), derived=derivation, axis=0)


def _valid_range(given: Any, dtype: np.dtype[Any]) -> tuple[float, float]:
    """The stored numbers of the lowest and highest real value: those of the type if the file names none."""
    if isinstance(given, list) and len(given) == 2 and given[0] < given[1]:
        return float(given[0]), float(given[1])
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)


def _dimension(node: DatasetNode, tree: Tree) -> dict[str, Any]:
    """What is known of a dimension: it lies in attributes, and where steps differ in the values too."""
    attrs = dict(tree.read_attrs(node.path))
    return attrs | {"values": tree.read_value(node)} if node.shape else attrs
