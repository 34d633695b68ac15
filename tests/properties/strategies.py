"""Hypothesis strategies that draw HDF5 files: types x row shapes x storage layouts x filters, several datasets, groups.

A file is drawn as a plan that prints as what it is; ``FilePlan.write`` makes it, ``FilePlan.expected`` is what h5py
reads from it, brought into columns by the rules of the contract and by nothing of the package.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st

__all__ = ["DatasetPlan", "FilePlan", "file_plans", "row_numbers"]

NAMES = ("alpha", "beta/gamma", "beta/delta", "zeta/eta/theta", "iota", "kappa")
Array = np.ndarray[Any, Any]

NUMBERS = [f"{order}{kind}" for kind in ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8") for order in "<>"]
NUMBERS += ["i1", "u1", "?"]
COMPLEX = ["<c8", ">c8", "<c16"]
DATES = ["M8[D]", "M8[s]", "M8[ms]", "M8[us]", "M8[ns]", "m8[s]", "m8[us]"]
VARIABLE = ["text", "list"]
WORDS = ("", "a", "cat", "ähm", "日", " pad ", "x\ny")


@dataclass(frozen=True)
class DatasetPlan:
    """One dataset: what its elements are, the shape of a row, and how it is stored."""

    path: str
    kind: str
    dtype: Any
    row_shape: tuple[int, ...]
    storage: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    written_rows: int | None = None

    def write(self, handle: h5py.File, n_rows: int) -> None:
        """Create the dataset; with ``written_rows``, the rest keeps the fill value and may have no chunk."""
        random = np.random.default_rng(self.seed)
        shape = (n_rows, *self.row_shape)
        dtype = stored_dtype(self.kind, self.dtype)
        dataset = handle.create_dataset(self.path, shape, dtype, **self.storage)
        count = n_rows if self.written_rows is None else min(n_rows, self.written_rows)
        if count and math.prod(shape):
            values = values_of(self.kind, self.dtype, (count, *self.row_shape), random)
            WRITERS.get(self.kind, write_block)(dataset, values)

    def expected(self, handle: h5py.File) -> Iterator[tuple[str, Array]]:
        """Yield the columns of the dataset, as h5py reads it."""
        dataset = handle[self.path]
        if self.kind == "text":
            yield self.path, as_objects(dataset.asstr()[()])
        elif self.kind == "fixed text":
            yield self.path, decoded(dataset[()])
        elif self.kind == "opaque":
            yield self.path, cut_bytes(dataset[()])
        elif self.kind == "enum":
            yield self.path, labels(dataset)
        else:
            yield from columns_of(self.path, dataset[()])


@dataclass(frozen=True)
class FilePlan:
    """Datasets of one length."""

    n_rows: int
    datasets: tuple[DatasetPlan, ...]
    libver: str = "earliest"

    def write(self, file: Path) -> Path:
        with h5py.File(file, "w", libver=self.libver) as handle:
            for plan in self.datasets:
                plan.write(handle, self.n_rows)
        return file

    def expected(self, file: Path) -> dict[str, Array]:
        """Return each column as h5py reads it: native byte order, objects for strings, bytes and lists."""
        with h5py.File(file) as handle:
            return dict(column for plan in self.datasets for column in plan.expected(handle))


def stored_dtype(kind: str, dtype: Any) -> Any:
    """Return the dtype for ``create_dataset``."""
    if kind == "enum":
        return h5py.enum_dtype({f"name {code}": code for code in (3, 0, 7)}, dtype)
    if kind == "date":
        return h5py.opaque_dtype(np.dtype(dtype))
    if kind == "text":
        return h5py.string_dtype("utf-8")
    if kind == "list":
        return h5py.vlen_dtype(np.dtype(dtype))
    return np.dtype(dtype)


def values_of(kind: str, dtype: Any, shape: tuple[int, ...], random: np.random.Generator) -> Any:
    """Return values for a dataset; of numbers any bits, NaNs with payloads and subnormal ones included."""
    count = math.prod(shape)
    if kind == "enum":
        return random.choice([3, 0, 7, 7], shape).astype(dtype)
    if kind == "date":
        numbers = random.integers(-(10**8), 10**8, shape)
        if np.datetime_data(dtype)[0] == "D":
            numbers %= 10**5
        numbers[random.random(shape) < 0.1] = np.iinfo(np.int64).min
        return numbers.view(dtype).astype(h5py.opaque_dtype(np.dtype(dtype)))
    if kind == "text":
        return as_objects(random.choice(np.array(WORDS, object), shape))
    if kind == "fixed text":
        fitting = [
            word.encode() for word in ("", "a", "é ", "cat", "日") if len(word.encode()) <= np.dtype(dtype).itemsize
        ]
        return random.choice(np.array(fitting, dtype), shape)
    if kind == "list":
        lists = np.empty(count, object)
        lists[:] = [random_bits(dtype, (int(random.integers(0, 4)),), random) for _ in range(count)]
        return lists.reshape(shape)
    return random_bits(dtype, shape, random)


def write_block(dataset: h5py.Dataset, values: Array) -> None:
    """Write the first rows."""
    dataset[: len(values)] = values


def write_arrays(dataset: h5py.Dataset, values: Array) -> None:
    """Write elements of H5T_ARRAY, which h5py's own assignment takes for dimensions of the dataset."""
    shape = (len(values), *dataset.shape[1:])
    space = dataset.id.get_space()
    space.select_hyperslab((0,) * len(shape), shape)
    dataset.id.write(h5py.h5s.create_simple(shape), space, values, dataset.id.get_type())


def write_lists(dataset: h5py.Dataset, values: Array) -> None:
    """Write lists one by one; h5py's own assignment takes lists of one length for another dimension."""
    for place in np.ndindex(values.shape):
        dataset[place] = values[place]


WRITERS = {"array": write_arrays, "list": write_lists}


def random_bits(dtype: Any, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Return an array of any bits; truth values are 0 or 1, fields of compounds each by its own type."""
    dtype = np.dtype(dtype)
    if dtype.subdtype:
        base, inner = dtype.subdtype
        return random_bits(base, (*shape, *inner), random)
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    if dtype.names:
        out = np.zeros(shape, dtype)
        for name in dtype.names:
            out[name] = random_bits(dtype[name], shape, random)
        return out
    if dtype.kind == "S":
        return random.choice(np.array([b"", b"a", b"bc"]), shape).astype(dtype)
    count = math.prod(shape) * dtype.itemsize
    return random.integers(0, 256, count, np.uint8).view(dtype).reshape(shape)


def columns_of(name: str, values: Array) -> Iterator[tuple[str, Array]]:
    """Yield numbers as they are, and fields of compounds and halves of complex numbers as columns of their own."""
    if values.dtype.names:
        for part in values.dtype.names:
            yield from columns_of(f"{name}/{part}", values[part])
    elif values.dtype.kind == "c":
        yield f"{name}/real", native(values.real)
        yield f"{name}/imag", native(values.imag)
    elif values.dtype.kind == "S":
        yield name, decoded(values)
    else:
        yield name, values if values.dtype.kind == "O" else native(values)


def native(values: Array) -> Array:
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("="), copy=False)).reshape(values.shape)


def decoded(values: Array) -> Array:
    flat = np.empty(values.size, object)
    flat[:] = [value.decode() for value in values.ravel().tolist()]
    return flat.reshape(values.shape)


def cut_bytes(values: Array) -> Array:
    flat = np.empty(values.size, object)
    flat[:] = [value.tobytes() for value in values.ravel()]
    return flat.reshape(values.shape)


def as_objects(values: Any) -> Array:
    return np.asarray(values, object)


def labels(dataset: h5py.Dataset) -> Array:
    """Turn codes into positions among the names, sorted by code; more than one per row stay codes."""
    codes = native(np.asarray(dataset[()]))
    if math.prod(dataset.shape[1:]) != 1:
        return codes
    order = sorted(h5py.check_enum_dtype(dataset.dtype).values())
    return np.array([order.index(code) for code in codes.ravel().tolist()], np.int64)


def numbers() -> st.SearchStrategy[tuple[str, Any]]:
    return st.sampled_from(NUMBERS).map(lambda dtype: ("number", dtype))


def compounds() -> st.SearchStrategy[tuple[str, Any]]:
    """Draw compounds of numbers, short arrays, strings and one more level, packed or aligned."""
    leaves = st.sampled_from([*NUMBERS, "S3", "<c8", "(2,)<i4", "(2,3)>f4"])
    inner = st.lists(leaves, min_size=1, max_size=3).map(
        lambda kinds: [(f"p{i}", kind) for i, kind in enumerate(kinds)]
    )
    fields = st.lists(st.one_of(leaves, inner), min_size=1, max_size=4)
    named = fields.map(lambda kinds: [(f"f{i}", kind) for i, kind in enumerate(kinds)])
    return st.tuples(named, st.booleans()).map(lambda drawn: ("compound", np.dtype(drawn[0], align=drawn[1])))


def element_kinds() -> st.SearchStrategy[tuple[str, Any]]:
    """Draw what the elements of a dataset are."""
    return st.one_of(
        numbers(),
        numbers(),
        compounds(),
        st.sampled_from(COMPLEX).map(lambda dtype: ("complex", dtype)),
        st.sampled_from(["i1", "u1", "<i2", ">i4"]).map(lambda dtype: ("enum", dtype)),
        st.sampled_from(DATES).map(lambda dtype: ("date", dtype)),
        st.just(("text", "text")),
        st.sampled_from(["S1", "S4"]).map(lambda dtype: ("fixed text", dtype)),
        st.sampled_from(["V1", "V5"]).map(lambda dtype: ("opaque", dtype)),
        st.sampled_from(["i1", "u1", "<f4", "<i8", "?"]).map(lambda dtype: ("list", dtype)),
        st.sampled_from(["(3,)<i2", "(2,2)>f8", "(1,)u1"]).map(lambda dtype: ("array", dtype)),
    )


@st.composite
def storages(draw: st.DrawFn, shape: tuple[int, ...], kind: str, dtype: Any) -> dict[str, Any]:
    """Draw how a dataset is stored: contiguous, or chunked with filters that fit its type."""
    if 0 in shape or draw(st.integers(0, 3)) == 0:
        return {}
    options: dict[str, Any] = {"chunks": tuple(draw(st.integers(1, size + 1)) for size in shape)}
    options["chunks"] = tuple(min(chunk, size) for chunk, size in zip(options["chunks"], shape, strict=True))
    if draw(st.booleans()):
        options["maxshape"] = (None, *shape[1:])
    options["compression"] = draw(st.sampled_from([None, "gzip", "gzip", "lzf"]))
    options["shuffle"] = draw(st.booleans())
    if kind not in VARIABLE:
        options["fletcher32"] = draw(st.booleans())
    return {name: value for name, value in options.items() if value}


@st.composite
def dataset_plans(draw: st.DrawFn, path: str, n_rows: int) -> DatasetPlan:
    """Draw one dataset."""
    kind, dtype = draw(element_kinds())
    most = 5 if kind == "number" else 2
    row_shape = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 2, 3, 0]), max_size=most)))
    storage = draw(storages((n_rows, *row_shape), kind, dtype))
    partly = kind in ("number", "complex", "compound", "array") and draw(st.integers(0, 4)) == 0
    return DatasetPlan(
        path=path,
        kind=kind,
        dtype=dtype,
        row_shape=row_shape,
        storage=storage,
        seed=draw(st.integers(0, 2**16)),
        written_rows=draw(st.integers(0, n_rows)) if partly else None,
    )


@st.composite
def file_plans(draw: st.DrawFn, max_rows: int = 7) -> FilePlan:
    """Draw a file of one to four datasets of one length."""
    n_rows = draw(st.integers(0, max_rows))
    paths = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    datasets = tuple(draw(dataset_plans(path, n_rows)) for path in paths)
    return FilePlan(n_rows, datasets, draw(st.sampled_from(["earliest", "latest"])))


def row_numbers(n_rows: int) -> st.SearchStrategy[list[int]]:
    """Draw rows in any order, repeats included."""
    return st.lists(st.integers(0, n_rows - 1), max_size=12) if n_rows else st.just([])
