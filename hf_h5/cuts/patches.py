"""Patches of volumes as rows: a source over another one, each of whose rows is a block of its arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.elements import Label, Number
from ..describe.schema import Column, Table
from ..errors import DataError, OptionError
from ..read.boxes import Box
from ..read.cache import CacheInfo
from ..read.plan import Rows, as_rows
from ..read.rows import RowSource
from .patch_grid import PatchGrid, Sizes, find_block
from .window_rows import find_runs
from .windows import filler

__all__ = ["POSITION", "PatchSource"]

Arrays = dict[str, NDArray[Any]]
Numbers = NDArray[np.int64]

POSITION = "position"
"""The column that says where in its volume a patch begins."""

_SINGLE = ("constant", "counter")
_BLOCK_BYTES = 16 << 20


class PatchSource(RowSource):
    """Blocks of the arrays that another source holds one after the other; pickles with that source.

    A volume are rows of one part: its first axis are rows, the others those of the largest column. A column of rows
    ``(h, w, ...)`` becomes one of rows ``(*patch, ...)``; one with fewer axes is cut along those that it has. What no
    dataset holds stays single. The column ``position`` says where in the part a patch begins.

    Parameters
    ----------
    source
        Where the rows come from; it is closed along. Where its ``fetch_boxes`` can, only the chunks that patches
        touch are read; else whole rows.
    rows
        Those that may be in patches, in order.
    shape, stride
        Of a patch, and from one to the next, along the first axes.
    pad
        ``"edge"`` and ``"zero"``: patches cover the volume, and what lies beyond its end is its last values again, or
        zeros (-1 for class labels). None: only whole patches.
    counts_given
        Whether ``position`` counts the rows as they are given, instead of those of the part.

    Raises
    ------
    OptionError
        If a column cannot be cut, or there is not one patch.
    """

    def __init__(
        self,
        source: RowSource,
        rows: Rows,
        *,
        shape: Sizes,
        stride: Sizes,
        pad: str | None,
        counts_given: bool = False,
    ) -> None:
        self._source, self._pad = source, pad
        table = source.schema
        self._file = table.files[0] if table.files else None
        self._firsts, depths = find_runs(rows, table.starts)
        self._owners = np.searchsorted(table.starts, self._firsts, side="right") - 1
        # The position of the first row of each volume.
        self._zeros = np.cumsum(depths) - depths if counts_given else self._firsts - table.starts[self._owners]
        volume = self._find_volume(len(shape))
        sides = [self._sides(volume.name, owner, len(shape)) for owner in self._owners.tolist()]
        volumes = np.column_stack([depths, np.array(sides, np.int64).reshape(len(depths), len(shape) - 1)])
        self._check_columns(volume, len(shape))
        self._grid = PatchGrid(volumes, shape, stride, pad is not None, (1,) * len(shape))
        if len(volumes) and not len(self._grid):
            largest = tuple(volumes[volumes.prod(axis=1).argmax()].tolist())
            raise OptionError(
                f"patch={shape} is larger than the volume, which is {largest}",
                file=self._file,
                path=table.parts[0].path_of(volume),
                hint="use a smaller patch, or pad='edge' or pad='zero', which fill it",
            )
        self._single = frozenset(name for name, column in table.columns.items() if column.take in _SINGLE)
        self._position = POSITION if POSITION not in table.columns else f"@{POSITION}"
        self._table = self._cut(table)
        self._grid = replace(self._grid, block=self._find_block(volume))

    def _find_volume(self, n_axes: int) -> Column:
        """The column with the most bytes that has so many axes; where volumes differ in size, those of the first."""
        table = self._source.schema
        first = table.parts[0].columns if table.parts else table.columns
        found = [
            name
            for name, column in table.columns.items()
            if column.take not in (*_SINGLE, "whole") and len(column.row_shape) >= n_axes - 1
        ]
        if not found:
            is_whole = any(column.take == "whole" for column in table.columns.values())
            raise OptionError(
                f"patch= has {n_axes} axes, and no column has rows of {n_axes - 1}",
                file=self._file,
                hint="layout='steps' makes the slices of groups rows" if is_whole else "name as many axes as there are",
            )
        return table.columns[max(found, key=lambda name: first[name].row_bytes)]

    def _sides(self, name: str, part: int, n_axes: int) -> tuple[int, ...]:
        """The axes of a column in one part but the first, as far as patches cut them."""
        sides = self._source.schema.parts[part].columns[name].row_shape[: n_axes - 1]
        return tuple(size or 0 for size in sides)

    def _check_columns(self, volume: Column, n_axes: int) -> None:
        checked: set[int] = set()
        for owner in self._owners.tolist():
            part = self._source.schema.parts[owner]
            if id(part.columns) in checked:
                continue
            checked.add(id(part.columns))
            sides = self._sides(volume.name, owner, n_axes)
            for name, wanted in self._source.schema.columns.items():
                problem = None if wanted.take in _SINGLE else _problem(wanted, part.columns[name], sides)
                if problem is not None:
                    raise OptionError(
                        f"patch=: column {name!r} {problem}",
                        file=part.file,
                        path=part.path_of(part.columns[name]),
                        hint="choose with columns=[...]",
                    )

    def _cut(self, table: Table) -> Table:
        """The table of patches."""
        columns = {
            name: column if name in self._single else replace(column, row_shape=self._row_shape(column))
            for name, column in table.columns.items()
        }
        place = Column(
            self._position,
            "",
            "constant",
            Number(np.dtype(np.int64)),
            (len(self._grid.shape),),
            parts=(self._position,),
        )
        columns[self._position] = place
        pairs = zip(self._owners.tolist(), np.diff(self._grid.bounds).tolist(), strict=True)
        parts = tuple(replace(table.parts[owner], n_rows=count) for owner, count in pairs)
        rule = f"{table.rule}; patches of {self._grid.shape}"
        return replace(table, columns=columns, parts=parts, rule=rule, splits={})

    def _row_shape(self, column: Column) -> tuple[int | None, ...]:
        return (*self._grid.shape[: len(column.row_shape) + 1], *column.row_shape[len(self._grid.shape) - 1 :])

    def _find_block(self, volume: Column) -> Sizes:
        grid = self._grid
        chunks = volume.storage.chunks if volume.storage and volume.take == "rows" else None
        if chunks is not None:
            first = chunks[volume.axis]
            chunks = (first, *chunks[: volume.axis], *chunks[volume.axis + 1 :])[: len(grid.shape)]
            # Dimensions of an array type are not stored in chunks of their own.
            chunks += tuple(grid.volumes[:, len(chunks) :].max(axis=0, initial=1).tolist())
        counts = grid.counts.max(axis=0, initial=1).tolist()
        most = max(1, _BLOCK_BYTES // self._table.row_bytes)
        return find_block(grid.shape, grid.stride, chunks, counts, most)

    @property
    def schema(self) -> Table:
        """The table of patches; its parts count patches."""
        return self._table

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the values may have changed, or are cut otherwise."""
        grid = self._grid
        facts = (self._source.fingerprint, grid.shape, grid.stride, grid.block, self._pad)
        places = np.column_stack([self._firsts, self._zeros, grid.volumes])
        digest = hashlib.sha256(places.tobytes())
        digest.update(repr(facts).encode())
        return digest.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._grid)

    def __str__(self) -> str:
        grid = self._grid
        every = "" if grid.stride == grid.shape else f" every {grid.stride}"
        none = int((np.diff(grid.bounds) == 0).sum())
        lost = f"; {none} of {len(grid.volumes)} volumes are too small for one" if none else ""
        return f"{grid.shape}{every}{f', pad={self._pad!r}' if self._pad else ''}{lost}"

    def read(self, rows: Any, columns: Sequence[str] | None = None, out: Mapping[str, Any] | None = None) -> Arrays:
        """Read patches in any order, repeats allowed; chunks that several touch are decoded once."""
        names = list(self._table.columns) if columns is None else list(columns)
        numbers = np.asarray(as_rows(rows, len(self)), np.int64)
        volumes, corners = self._grid.locate(numbers)
        extents = self._grid.extents(volumes, corners)
        firsts, parts = self._firsts[volumes] + corners[:, 0], self._owners[volumes]
        positions = corners.copy()
        positions[:, 0] += self._zeros[volumes]
        corners[:, 0] = firsts - self._source.schema.starts[parts]
        given, found = out or {}, Arrays()
        single = [name for name in names if name in self._single]
        if single:
            found |= self._source.read(firsts, single, {name: given[name] for name in single if name in given})
        for name in names:
            if name not in found:
                target = given.get(name)
                if target is None:
                    column = self._table.columns[name]
                    target = np.empty((len(numbers), *(size or 0 for size in column.row_shape)), column.dtype)
                if name == self._position:
                    target[...] = positions
                else:
                    self._fill(name, parts, corners, extents, target)
                found[name] = target
        return {name: found[name] for name in names}

    def read_row(self, row: int, columns: tuple[str, ...]) -> Arrays:
        """Read one patch as ``read`` does."""
        return self.read(range(row, row + 1), columns)

    def read_here(self, rows: Numbers, columns: Sequence[str], out: Mapping[str, Any]) -> Arrays:
        """Read patches as ``read`` does."""
        return self.read(rows, columns, out)

    def _fill(self, name: str, parts: Numbers, corners: Numbers, extents: Numbers, target: NDArray[Any]) -> None:
        """Fill the patches of a column, those of one part together."""
        n_axes = min(len(self._grid.shape), len(self._source.schema.columns[name].row_shape) + 1)
        corners, extents = corners[:, :n_axes], extents[:, :n_axes]
        for part in np.unique(parts).tolist():
            numbers = np.flatnonzero(parts == part).tolist()
            boxes = [_box(corners[number], extents[number], target[number]) for number in numbers]
            if not (self._is_stored(name, part) and self._source.fetch_boxes(part, name, boxes)):
                self._read_rows(name, part, boxes)
        if self._pad is not None:
            wanted = np.array(target.shape[1 : n_axes + 1])
            filling = filler(self._table.columns[name]) if self._pad == "zero" else None
            for number in np.flatnonzero((extents < wanted).any(axis=1)).tolist():
                _pad_patch(target[number], extents[number].tolist(), filling)

    def _is_stored(self, name: str, part: int) -> bool:
        """Whether values of a part are numbers in the bytes of a dataset, as they are wanted or narrower."""
        column, wanted = self._source.schema.parts[part].columns[name], self._table.columns[name]
        if column.take != "rows" or column.fields or column.memory is None:
            return False
        is_number = isinstance(column.element, Number) and isinstance(wanted.element, Number)
        base = column.memory.base.newbyteorder("=")
        return is_number and base.kind in "iufb" and not column.variable and np.can_cast(base, wanted.dtype, "safe")

    def _read_rows(self, name: str, part: int, boxes: list[Box]) -> None:
        """Cut patches out of whole rows."""
        start = int(self._source.schema.starts[part])
        for box in boxes:
            rows, *others = box.places
            low, high = (start + rows.start, start + rows.stop) if isinstance(rows, slice) else (start, start)
            values = self._source.read(range(low, high), [name])[name]
            if np.ma.getmaskarray(values).any():
                raise DataError(
                    f"column {name!r} has rows without a value, which a patch cannot hold",
                    file=self._file,
                    hint="leave it out with columns=[...]",
                )
            # Of volumes of several sizes, rows come one by one.
            whole = np.stack(list(values)) if values.dtype.kind == "O" else values
            box.out[...] = whole[(slice(None), *others)]

    def row_groups(self) -> Numbers:
        """``(k + 1,)`` boundaries of patches that share chunks."""
        return self._grid.groups()

    def cache_info(self) -> CacheInfo:
        """How much the cache of decoded chunks holds, and how often it helped."""
        return self._source.cache_info()

    def check_files(self, start: int = 0, stop: int | None = None) -> None:
        """Raise ``FileChangedError`` if a file is not the one that was opened; all are looked at."""
        self._source.check_files()

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def _problem(wanted: Column, stored: Column, sides: Sizes) -> str | None:
    """Why a column of one part cannot be cut; None if it can.

    Parameters
    ----------
    wanted, stored
        The column of the table, and as the part has it.
    sides
        The axes of the part's volume but the first, as far as patches cut them.
    """
    if stored.take == "missing":
        return "has no values there"
    if None in stored.row_shape or not isinstance(stored.element, Number | Label):
        return f"is {stored.feature_text}, no numbers of one shape"
    if stored.row_shape[: len(sides)] != sides[: len(stored.row_shape)]:
        return f"has rows of shape {stored.row_shape}, and the volume has the sides {sides}"
    if None in wanted.row_shape[len(sides) :]:
        return "has further axes that differ from volume to volume"
    return None if wanted.feature is None else f"shall be {wanted.feature_text}, which a patch of it cannot be"


def _box(corner: Numbers, extent: Numbers, patch: NDArray[Any]) -> Box:
    """The part of a patch that lies inside its volume; its axes are those of rows, all others are whole."""
    places = [slice(at, at + size) for at, size in zip(corner.tolist(), extent.tolist(), strict=True)]
    inside = patch[tuple(slice(0, size) for size in extent.tolist())]
    return Box((*places, *(slice(0, size) for size in patch.shape[len(places) :])), inside)


def _pad_patch(patch: NDArray[Any], extents: list[int], filling: Any) -> None:
    """Fill what lies beyond the volume, axis by axis: the corners follow from the axes before."""
    for axis, extent in enumerate(extents):
        if extent < patch.shape[axis]:
            lead = (slice(None),) * axis
            patch[(*lead, slice(extent, None))] = (
                patch[(*lead, slice(extent - 1, extent))] if filling is None else filling
            )
