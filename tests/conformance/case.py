"""What one animal of the zoo is: files to write, and what must come out of them.

Expectations are literals, or come from the code that writes the file; never from the package under test.
Pure but for the builder functions, which write into the folder that they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import h5py

__all__ = [
    "ABSENT",
    "ALL_DOORS",
    "ANY_LENGTH",
    "Case",
    "Either",
    "Holding",
    "Picture",
    "Zoo",
    "array",
    "label",
    "list_of",
    "table",
    "value",
]

ALL_DOORS = ("builder", "streaming", "view", "reader")
ANY_LENGTH = object()
Row = dict[str, Any]
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Either:
    """Any of several values is right, where the contract leaves it open."""

    options: tuple[Any, ...]

    def __init__(self, *options: Any) -> None:
        object.__setattr__(self, "options", options)


@dataclass(frozen=True)
class Holding:
    """A string that holds each of some parts, where the contract gives no exact form."""

    parts: tuple[str, ...]

    def __init__(self, *parts: str) -> None:
        object.__setattr__(self, "parts", parts)


@dataclass(frozen=True)
class Picture:
    """A decoded image: a nested list of its pixels, grey or of three colours, 8 bits each."""

    pixels: list[Any]

    @property
    def mode(self) -> str:
        """The mode of the image as Pillow calls it."""
        return "RGB" if isinstance(self.pixels[0][0], list) else "L"


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
"""The row has no such column, or None in it."""


@dataclass(frozen=True)
class Case:
    """One or more HDF5 files and what they become.

    Parameters
    ----------
    name
        Unique in the zoo.
    write
        Writes the files into an empty folder; returns those that are handed to the front doors, in order.
    mapping
        The key in ``rules.RULES`` of what this case proves.
    features
        Expected ``datasets`` feature per column; ``None``: not compared.
    rows
        Expected rows as Python values, or, for files with several splits, rows per split; a split may be a slice
        or a sum, as in ``load_dataset(split=...)``.
    options
        Options of the front doors, or a function that makes them from the folder.
    data_files
        What the builder gets as ``data_files``, made from the written files (default: their list).
    data_dir
        The builder gets the folder as ``data_dir`` instead.
    doors
        Front doors that the case goes through.
    other_tables
        Rows of each further table that ``describe`` must list, and that ``table=`` must open.
    metadata
        Paths that ``describe(...).metadata`` must hold, with the value where one is given by ``metadata_values``.
    warns
        Parts of what the warnings of a front door must say, in any of them.
    attrs, column_attrs
        Attributes that ``describe`` must hold, of the file and of columns; ``Holding``: somewhere among them.
    error
        Class and message parts, where the case is rightly refused.
    error_at
        ``"open"``: already ``describe`` raises; ``"read"``: only reading rows does.
    available
        Says whether this machine can write the files; the case is skipped where it cannot.
    """

    name: str
    write: Callable[[Path], list[Path]]
    mapping: str
    features: Mapping[str, Any] | None = None
    rows: list[Row] | dict[str, list[Row]] | None = None
    options: Options | Callable[[Path], Options] = field(default_factory=dict)
    data_files: Callable[[list[Path]], Any] | None = None
    data_dir: bool = False
    doors: Sequence[str] = ALL_DOORS
    other_tables: Sequence[list[Row]] = ()
    metadata: Sequence[str] = ()
    metadata_values: Mapping[str, Any] = field(default_factory=dict)
    warns: Sequence[str] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)
    column_attrs: Mapping[str, Mapping[str, Any] | Holding] = field(default_factory=dict)
    error: tuple[type[Exception], Sequence[str]] | None = None
    error_at: str = "read"
    available: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        if (self.rows is None) == (self.error is None):
            raise ValueError(f"case {self.name!r} needs either rows or an error")

    def options_for(self, folder: Path) -> dict[str, Any]:
        """Return the options of the front doors for files in ``folder``."""
        return dict(self.options(folder) if callable(self.options) else self.options)

    def splits(self) -> dict[str, list[Row]]:
        """Return the expected rows of each split."""
        if isinstance(self.rows, dict):
            return self.rows
        return {"train": self.rows or []}


class Zoo:
    """Cases in the order in which they were declared, by decorators over their builder functions.

    A builder function may be decorated several times, with other options each; then ``name`` tells them apart.
    """

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def file(self, mapping: str, *, name: str | None = None, h5: Options | None = None, **expected: Any) -> Any:
        """Declare a case of one file; the function writes into the open ``h5py.File``; ``h5`` are its arguments."""

        def declare(fill: Callable[[h5py.File], None]) -> Callable[[h5py.File], None]:
            def write(folder: Path) -> list[Path]:
                target = folder / "a.h5"
                with h5py.File(target, "w", **(h5 or {})) as file:
                    fill(file)
                return [target]

            self.cases.append(Case(name=name or fill.__name__, write=write, mapping=mapping, **expected))
            return fill

        return declare

    def folder(self, mapping: str, *, name: str | None = None, **expected: Any) -> Any:
        """Declare a case whose function writes files into a folder and returns those to open."""

        def declare(write: Callable[[Path], list[Path]]) -> Callable[[Path], list[Path]]:
            self.cases.append(Case(name=name or write.__name__, write=write, mapping=mapping, **expected))
            return write

        return declare


def table(columns: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Turn columns into rows.

    >>> table({"x": [1, 2], "y": ["a", "b"]})
    [{'x': 1, 'y': 'a'}, {'x': 2, 'y': 'b'}]
    """
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def value(dtype: str) -> datasets.Value:
    """Short for ``datasets.Value``."""
    return datasets.Value(dtype)


def label(*names: str) -> datasets.ClassLabel:
    """Short for ``datasets.ClassLabel``."""
    return datasets.ClassLabel(names=list(names))


def array(dtype: str, *shape: int | None) -> Any:
    """Make the ``ArrayND`` feature of as many dimensions as ``shape`` has."""
    return getattr(datasets, f"Array{len(shape)}D")(shape=shape, dtype=dtype)


def list_of(feature: Any, *lengths: Any) -> Any:
    """Make nested lists, outermost length first; no length, or -1: of any length.

    A tuple and no ``datasets`` class: the class is ``List`` or ``Sequence`` by version, and ``ANY_LENGTH`` says that
    the contract leaves the length open.
    """
    for length in reversed(lengths or (-1,)):
        feature = ("list", feature, length)
    return feature
