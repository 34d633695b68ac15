"""How stored values of netCDF variables become what they mean: characters, ends that were not written, packed numbers.

Missing values and packing as in the CF conventions, sections 2.5.1 and 8.1, and the netCDF user's guide, "Attribute
Conventions".
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..describe.derived import Fetch
from ..describe.schema import Column
from ..errors import DataError
from .derivations import made_rows, plain_sources
from .netcdf_model import Variable
from .netcdf_time import TimeUnit, read_time_unit
from .nodes import open_object

__all__ = ["Extended", "Joined", "Packing", "Unpacked", "find_packing", "known_encoding"]


@dataclass(frozen=True)
class Extended:
    """A dataset that ends before its dimensions do: values that were not written are its fill value.

    ``n_rows`` rows are stored; ``row_shape`` is that of the dimensions; ``unwritten`` is None for what is no number:
    zeros and empty strings.
    """

    source: Column
    n_rows: int
    row_shape: tuple[int, ...]
    unwritten: int | float | None

    @property
    def sources(self) -> tuple[Column, ...]:
        """The dataset."""
        return (self.source,)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """``(n, *row_shape)``."""
        is_there = rows < self.n_rows
        values = fetch.rows(self.source, rows[is_there])
        shape = (len(rows), *self.row_shape)
        if values.dtype.kind == "O":
            out = np.full(shape, "", object)
        elif self.unwritten is None:
            out = np.zeros(shape, values.dtype)
        else:
            out = np.full(shape, self.unwritten, values.dtype)
        inner: Any = tuple(slice(size) for size in values.shape[1:])
        out[(is_there, *inner)] = values
        return out

    def __str__(self) -> str:
        return f"{self.n_rows:,} rows are stored, the others are the fill value"


@dataclass(frozen=True)
class Joined:
    """Characters along the last axis as strings, without the NULs at their ends."""

    source: Column
    encoding: str

    @property
    def sources(self) -> tuple[Column, ...]:
        """The characters."""
        return plain_sources(self.source)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """An object array of strings."""
        letters = made_rows(self.source, rows, fetch)
        shape, size = letters.shape[:-1], letters.shape[-1]
        out = np.full(shape, "", object)
        if letters.size:
            packed = np.ascontiguousarray(letters).view(f"S{size}").ravel().tolist()
            out.reshape(-1)[:] = [self._decode(each) for each in packed]
        return out

    def _decode(self, letters: bytes) -> str:
        try:
            return letters.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise DataError(
                f"characters are no valid {self.encoding}: {letters[:20]!r}",
                hint="layout='raw' with features={column: ...} reads them one by one",
            ) from error

    def __str__(self) -> str:
        return "characters joined to strings"


def known_encoding(given: Any) -> str:
    """The encoding that an attribute names, UTF-8 if it names none that is known."""
    try:
        return codecs.lookup(given).name if isinstance(given, str) else "utf-8"
    except LookupError:
        return "utf-8"


@dataclass(frozen=True)
class Packing:
    """What the attributes say about the numbers of a variable.

    Attributes
    ----------
    fills
        Stored values that mean that there is none.
    stored
        The type that the stored bytes are of; ``_Unsigned`` gives another one than the file's.
    scale, offset
        ``value * scale + offset``, of the types in which the attributes are written.
    time
        The unit of times, or why they stay numbers.
    """

    fills: tuple[Any, ...]
    stored: np.dtype[Any]
    scale: Any
    offset: Any
    time: TimeUnit | str | None

    def result(self, row_shape: tuple[int | None, ...]) -> tuple[np.dtype[Any], str | None]:
        """The type of decoded values, and what is not decoded.

        Numbers of one per row keep their type, as they can be missing; inside arrays only floats can.
        """
        dtype = self._scaled
        if isinstance(self.time, TimeUnit):
            return self.time.dtype(dtype), None
        if row_shape and self.fills and dtype.kind in "iu":
            if dtype.itemsize == 8:
                return dtype, "fill values stay as they are: float64 does not hold all integers of 64 bits"
            dtype = np.dtype(np.float64)
        return dtype, self.time

    @property
    def _scaled(self) -> np.dtype[Any]:
        """As numpy promotes what is multiplied: CF leaves it at "the type of the attributes"."""
        given = [each.dtype for each in (self.scale, self.offset) if each is not None]
        return np.result_type(self.stored, *given) if given else self.stored

    def decode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Decode ``(n, *row_shape)`` stored numbers; masked where rows of one number have none."""
        dtype, _ = self.result(values.shape[1:])
        values = values.astype(self.stored, copy=False) if values.dtype.kind == "f" else _reread(values, self.stored)
        absent = self._absent(values)
        numbers = values
        if self.scale is not None or self.offset is not None:
            numbers = values.astype(self._scaled)
            numbers = numbers if self.scale is None else numbers * self.scale
            numbers = numbers if self.offset is None else numbers + self.offset
        if isinstance(self.time, TimeUnit):
            # What is missing is no date that could be out of range.
            numbers = self.time.moments(np.where(absent, np.zeros((), numbers.dtype), numbers), dtype)
        out = numbers.astype(dtype, copy=numbers is values)
        if out.ndim == 1:
            return np.ma.MaskedArray(out, absent) if absent.any() else out
        if absent.any() and dtype.kind in "fM":
            out[absent] = np.array("NaT", dtype) if dtype.kind == "M" else np.nan
        return out

    def _absent(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        absent = np.zeros(values.shape, bool)
        for fill in self.fills:
            absent |= np.isnan(values) if fill != fill else values == fill
        return absent

    def plain(self, values: Any) -> Any:
        """Decoded values of a small variable as plain Python."""
        decoded = self.decode(np.asarray(values)[np.newaxis])[0]
        if decoded is np.ma.masked:
            return None
        array = np.asarray(decoded)
        return array.astype(str).tolist() if array.dtype.kind == "M" else array.tolist()

    def __str__(self) -> str:
        facts = ["numbers as times"] if isinstance(self.time, TimeUnit) else []
        facts += [f"times {self.scale:g}"] if self.scale is not None else []
        facts += [f"plus {self.offset:g}"] if self.offset is not None else []
        facts += [f"missing where {', '.join(f'{fill:g}' for fill in self.fills)}"] if self.fills else []
        return ", ".join(facts) or f"read as {self.stored}"


def _reread(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Integers with or without a sign, by their bytes."""
    return values if values.dtype == dtype else np.ascontiguousarray(values).view(dtype)


@dataclass(frozen=True)
class Unpacked:
    """Decoded numbers of a variable."""

    source: Column
    packing: Packing

    @property
    def sources(self) -> tuple[Column, ...]:
        """The stored numbers."""
        return plain_sources(self.source)

    def make(self, rows: NDArray[np.int64], fetch: Fetch) -> NDArray[Any]:
        """``(n, *row_shape)``, masked where single numbers are missing."""
        return self.packing.decode(made_rows(self.source, rows, fetch))

    def __str__(self) -> str:
        return str(self.packing)


def find_packing(variable: Variable, parent: Variable | None, handle: h5py.Group) -> Packing | None:
    """What the attributes say about a variable's numbers; None if they are stored as they are meant.

    Parameters
    ----------
    parent
        The variable whose bounds this one is: they have its units and calendar.
    """
    dataset = open_object(handle, variable.node.path)
    dtype = dataset.dtype.newbyteorder("=")
    if dtype.kind not in "iuf" or h5py.check_enum_dtype(dataset.dtype) is not None:
        return None
    attrs = dict(parent.attrs if parent is not None else {}) | dict(variable.attrs)
    time = read_time_unit(attrs.get("units"), attrs.get("calendar"))
    stored = _with_sign(dtype, variable.attrs.get("_Unsigned"))
    scale, offset = (_number(dataset.attrs.get(name)) for name in ("scale_factor", "add_offset"))
    fills = tuple(dict.fromkeys(_fills(dataset.attrs, dtype, stored)))
    if not fills and scale is None and offset is None and time is None and stored == dtype:
        return None
    return Packing(fills, stored, scale, offset, time)


def _with_sign(dtype: np.dtype[Any], given: Any) -> np.dtype[Any]:
    """netCDF-3 had no unsigned integers: ``_Unsigned`` says that the bytes are some."""
    is_unsigned = {"true": True, "false": False}.get(str(given).lower())
    if dtype.kind == "f" or is_unsigned is None:
        return dtype
    return np.dtype(f"{'u' if is_unsigned else 'i'}{dtype.itemsize}")


def _number(value: Any) -> Any:
    """An attribute of one number as a numpy scalar of its own type."""
    array = np.asarray(value)
    return array.reshape(-1)[0] if array.size == 1 and array.dtype.kind in "iuf" else None


def _fills(attrs: h5py.AttributeManager, dtype: np.dtype[Any], stored: np.dtype[Any]) -> Iterator[Any]:
    """Missing values in the type of the stored ones; a number that it cannot hold marks none of them."""
    for name in ("_FillValue", "missing_value"):
        given = np.asarray(attrs[name]) if name in attrs else np.empty(0)
        for value in given.reshape(-1) if given.dtype.kind in "iuf" else ():
            if dtype.kind == "f":
                yield dtype.type(value).item()
            elif value.dtype.kind in "iu" and value.dtype.itemsize == dtype.itemsize:
                yield np.array([value]).view(stored)[0].item()
            elif float(value).is_integer() and _holds(stored, int(value)):
                yield int(value)


def _holds(dtype: np.dtype[Any], value: int) -> bool:
    limits = np.iinfo(dtype)
    return bool(limits.min <= value <= limits.max)
