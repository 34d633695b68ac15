"""Which dimensions the variables of a netCDF-4 file have.

netCDF writes a dimension as an HDF5 dimension scale, and lists of a variable's scales as references in its attribute
``DIMENSION_LIST`` (netCDF-4 file format, "Dimensions"; HDF5 dimension scale specification).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import h5py
import numpy as np
from h5py import h5a

from ..describe.elements import Text
from ..describe.tree import DatasetNode, Tree
from .nodes import open_object

__all__ = ["Dataset", "Dimension", "Variable", "find_dataset"]

_PURE = "This is a netCDF dimension but not a netCDF variable"
# What the library keeps for itself; the rest says something about the values.
_OWN = frozenset({"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "DIMENSION_LABELS"})
# A file that states its dimensions does so early; one attribute of 100,000 datasets would be looked up for seconds.
_PROBED = 256


@dataclass(frozen=True)
class Dimension:
    """A named length that variables share.

    ``path`` is that of its scale, and empty where no scale belongs to an axis: such axes are one another's if they
    have one length.
    """

    path: str
    size: int
    is_unlimited: bool = False

    @property
    def name(self) -> str:
        """The last part of its path; empty without a scale."""
        return self.path.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.name} ({self.size:,})" if self.name else f"{self.size:,}"


@dataclass(frozen=True)
class Variable:
    """A dataset with its dimensions, one for each axis, and the attributes that a user reads.

    ``is_text``: its last axis are the characters of strings.
    """

    node: DatasetNode
    dimensions: tuple[Dimension, ...]
    attrs: Mapping[str, Any]
    is_scale: bool
    is_text: bool = False

    @property
    def outer(self) -> tuple[Dimension, ...]:
        """The dimensions along which values lie: those of a string's characters are none."""
        return self.dimensions[:-1] if self.is_text else self.dimensions

    @property
    def shape(self) -> tuple[int, ...]:
        """Its size by the dimensions; datasets that were not written to their end are smaller."""
        return tuple(dimension.size for dimension in self.dimensions)

    @property
    def is_coordinate(self) -> bool:
        """Whether it is the variable of its one dimension."""
        return self.is_scale and len(self.outer) == 1 and self.outer[0].path == self.node.path


@dataclass(frozen=True)
class Dataset:
    """The variables of a file, in its order, and how sure it is that the netCDF library would see them so."""

    variables: tuple[Variable, ...]
    is_netcdf: bool

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """All named dimensions, each once, in the order of the variables."""
        return tuple(dict.fromkeys(each for one in self.variables for each in one.dimensions if each.path))


def find_dataset(tree: Tree, handle: h5py.Group) -> Dataset | None:
    """The variables of a file that states its dimensions; None if it does not."""
    is_named = "_NCProperties" in handle.attrs
    if not is_named and not _has_scales(tree.root.walk(), handle):
        return None
    attrs = {node.path: tree.read_attrs(node.path) for node in tree.root.walk()}
    is_netcdf = is_named or any(_is_netcdf(each) for each in attrs.values())
    nodes = [node for node in tree.root.walk() if not _is_pure(attrs[node.path])]
    if not is_netcdf and not all(_has_dimensions(node, attrs[node.path]) for node in nodes if node.shape):
        # Scales beside datasets that have none: the general rules know more about those.
        return None
    found = _Dimensions({node.path: node for node in tree.root.walk()}, attrs, handle, is_netcdf)
    return Dataset(tuple(found.variable(node) for node in nodes), is_netcdf)


def _has_scales(nodes: Iterable[DatasetNode], handle: h5py.Group) -> bool:
    return any(
        h5a.exists(handle.id, name, obj_name=node.path.strip("/").encode("utf-8", "surrogateescape"))
        for node in islice(nodes, _PROBED)
        for name in (b"DIMENSION_LIST", b"_Netcdf4Dimid")
    )


def _is_netcdf(attrs: Mapping[str, Any]) -> bool:
    return "_Netcdf4Dimid" in attrs or _is_pure(attrs)


def _is_pure(attrs: Mapping[str, Any]) -> bool:
    """Whether a dataset is a dimension only, without values."""
    return _is_scale(attrs) and str(attrs.get("NAME", "")).startswith(_PURE)


def _is_scale(attrs: Mapping[str, Any]) -> bool:
    return attrs.get("CLASS") == "DIMENSION_SCALE"


def _has_dimensions(node: DatasetNode, attrs: Mapping[str, Any]) -> bool:
    return _is_scale(attrs) or any(_paths(node, attrs)) or not node.has_rows


def _paths(node: DatasetNode, attrs: Mapping[str, Any]) -> list[str | None]:
    """The path of each axis's first scale."""
    listed = attrs.get("DIMENSION_LIST")
    rank = len(node.shape or ())
    if not isinstance(listed, list) or len(listed) != rank:
        return [None] * rank
    firsts = [each[0] if isinstance(each, list) and each else None for each in listed]
    return [each if isinstance(each, str) else None for each in firsts]


class _Dimensions:
    """Finds the dimensions of variables; the sizes of unlimited ones are the largest of all variables."""

    def __init__(
        self,
        nodes: Mapping[str, DatasetNode],
        attrs: Mapping[str, Mapping[str, Any]],
        handle: h5py.Group,
        is_netcdf: bool,
    ) -> None:
        self._nodes, self._attrs, self._handle = nodes, attrs, handle
        self._is_netcdf = is_netcdf
        self._by_number = {
            each["_Netcdf4Dimid"]: path
            for path, each in attrs.items()
            if _is_scale(each) and isinstance(each.get("_Netcdf4Dimid"), int) and nodes[path].shape
        }
        self._axes = {path: self._find_axes(node) for path, node in nodes.items()}
        # A dimension that others have is no length of strings.
        self._of_numbers = {
            axis
            for path, axes in self._axes.items()
            for axis in axes
            if axis and not _holds_letters(nodes[path]) and not _is_pure(attrs[path])
        }
        self._sizes: dict[str, int] = {}
        self._unlimited: set[str] = set()
        for path, axes in self._axes.items():
            self._measure(nodes[path], axes)

    def variable(self, node: DatasetNode) -> Variable:
        """A dataset as a variable."""
        axes, shape = self._axes[node.path], node.shape or ()
        dimensions = tuple(self._dimension(path, size) for path, size in zip(axes, shape, strict=True))
        attrs = {name: value for name, value in self._attrs[node.path].items() if not _is_own(name)}
        if any(each.path for each in dimensions):
            attrs.setdefault("dimensions", ", ".join(map(str, dimensions)))
        is_text = _holds_letters(node) and bool(dimensions) and dimensions[-1].path not in self._of_numbers
        return Variable(node, dimensions, attrs, _is_scale(self._attrs[node.path]), is_text)

    def _find_axes(self, node: DatasetNode) -> list[str | None]:
        attrs, rank = self._attrs[node.path], len(node.shape or ())
        if not _is_scale(attrs):
            return [self._local(path) for path in _paths(node, attrs)]
        numbers = attrs.get("_Netcdf4Coordinates")
        if isinstance(numbers, list) and len(numbers) == rank:
            # The variable of its own first dimension, with others besides: the library gives their numbers.
            found = [self._by_number.get(number) for number in numbers]
            if all(found):
                return found
        return [node.path, *([None] * (rank - 1))] if rank else []

    def _local(self, path: str | None) -> str | None:
        """References are paths in the file; those of the tree begin at the open group."""
        start = self._handle.name or "/"
        if path and start != "/" and path.startswith(f"{start}/"):
            return path[len(start) :]
        return path

    def _measure(self, node: DatasetNode, axes: list[str | None]) -> None:
        if not any(axes):
            return
        maximum = open_object(self._handle, node.path).maxshape
        for path, size, limit in zip(axes, node.shape or (), maximum, strict=True):
            if path is None:
                continue
            if limit is None:
                self._unlimited.add(path)
                self._sizes[path] = max(size, self._sizes.get(path, 0))
            elif path not in self._nodes or path == node.path or path not in self._sizes:
                self._sizes[path] = max(size, self._sizes.get(path, 0))

    def _dimension(self, path: str | None, size: int) -> Dimension:
        if path is None:
            return Dimension("", size)
        is_unlimited = path in self._unlimited
        found = Dimension(path, self._sizes[path], is_unlimited)
        if found.size == size or (self._is_netcdf and is_unlimited and size < found.size):
            return found
        return Dimension("", size)  # the file contradicts itself: an axis of its own


def _holds_letters(node: DatasetNode) -> bool:
    """Whether it is of netCDF's type ``char``."""
    stored = node.stored
    return stored is not None and isinstance(stored.element, Text) and stored.full_memory == np.dtype("V1")


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith(("_Netcdf4", "_NC"))
