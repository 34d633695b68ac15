"""Filters: the same rows, however their chunks are packed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from h5py import h5t, h5z

from hf_h5.errors import DamagedFileError, FilterError
from tests.conformance.case import Zoo, list_of, table, value
from tests.conformance.h5low import properties, write_typed

__all__ = ["PLUGIN_FILTERS", "zoo"]

zoo = Zoo()
X = (np.arange(35, dtype="<f4").reshape(7, 5) - 17) / 4
FEATURES = {"x": list_of(value("float32"), 5)}
ROWS = table({"x": [[(5 * row + column - 17) / 4 for column in range(5)] for row in range(7)]})
INTEGER_FEATURES = {"x": list_of(value("int32"), 5)}
INTEGER_ROWS = table({"x": [[5 * row + column for column in range(5)] for row in range(7)]})

BUILT_IN = {
    "gzip": {"compression": "gzip"},
    "gzip_9": {"compression": "gzip", "compression_opts": 9},
    "gzip_0": {"compression": "gzip", "compression_opts": 0},
    "shuffle": {"shuffle": True},
    "shuffle_gzip": {"shuffle": True, "compression": "gzip"},
    "lzf": {"compression": "lzf"},
    "shuffle_lzf": {"shuffle": True, "compression": "lzf"},
    "fletcher32": {"fletcher32": True},
    "shuffle_gzip_fletcher32": {"shuffle": True, "compression": "gzip", "fletcher32": True},
    "shuffle_lzf_fletcher32": {"shuffle": True, "compression": "lzf", "fletcher32": True},
    "szip_nearest": {"compression": "szip", "compression_opts": ("nn", 4)},
    "szip_entropy": {"compression": "szip", "compression_opts": ("ec", 8)},
    "scaleoffset_float": {"scaleoffset": 2},
}


def plugin(filter_name: str, **options: Any) -> Callable[[], dict[str, Any]]:
    """Return what makes a dataset's arguments, importing hdf5plugin no earlier than the file is written."""

    def arguments() -> dict[str, Any]:
        import hdf5plugin

        return dict(getattr(hdf5plugin, filter_name)(**options))

    return arguments


PLUGIN_FILTERS = {
    "blosc_lz4": plugin("Blosc", cname="lz4"),
    "blosc_zstd_bitshuffle": plugin("Blosc", cname="zstd", shuffle=2),
    "blosc_zlib_no_shuffle": plugin("Blosc", cname="zlib", shuffle=0),
    "blosc_blosclz": plugin("Blosc", cname="blosclz", clevel=9),
    "blosc2_zstd": plugin("Blosc2", cname="zstd"),
    "blosc2_lz4": plugin("Blosc2", cname="lz4"),
    "blosc2_blosclz": plugin("Blosc2", cname="blosclz"),
    "zstd": plugin("Zstd"),
    "lz4": plugin("LZ4"),
    "bitshuffle": plugin("Bitshuffle", cname="none"),
    "bitshuffle_lz4": plugin("Bitshuffle", cname="lz4"),
    "bitshuffle_zstd": plugin("Bitshuffle", cname="zstd"),
    "bzip2": plugin("BZip2"),
    "zfp_reversible": plugin("Zfp", reversible=True),
}


def has_szip() -> bool:
    szip = h5z.FILTER_SZIP
    return bool(h5z.filter_avail(szip) and h5z.get_filter_info(szip) & h5z.FILTER_CONFIG_ENCODE_ENABLED)


def has_plugins() -> bool:
    return importlib.util.find_spec("hdf5plugin") is not None


def declare(name: str, arguments: Callable[[], dict[str, Any]], available: Callable[[], bool]) -> None:
    def fill(file: h5py.File) -> None:
        file.create_dataset("x", data=X, chunks=(3, 5), **arguments())

    zoo.file("filters", name=f"filter_{name}", features=FEATURES, rows=ROWS, available=available)(fill)


for _name, _options in BUILT_IN.items():
    declare(_name, lambda options=_options: options, has_szip if "szip" in _name else lambda: True)
for _name, _arguments in PLUGIN_FILTERS.items():
    declare(_name, _arguments, has_plugins)


@zoo.file("filters", features=FEATURES, rows=ROWS, available=has_plugins)
def filter_zstd_shuffle_through_rows(file: h5py.File) -> None:
    file.create_dataset("x", data=X.astype(">f4"), chunks=(4, 2), shuffle=True, **PLUGIN_FILTERS["zstd"]())


@zoo.file("filters", features=INTEGER_FEATURES, rows=INTEGER_ROWS)
def filter_scaleoffset_integer(file: h5py.File) -> None:
    numbers = np.arange(35, dtype="i4").reshape(7, 5)
    file.create_dataset("x", data=numbers, chunks=(3, 5), scaleoffset=0)


@zoo.file("filters", features=INTEGER_FEATURES, rows=INTEGER_ROWS)
def filter_nbit(file: h5py.File) -> None:
    dcpl = properties((3, 5))
    dcpl.set_filter(h5z.FILTER_NBIT)
    kind = h5t.STD_I32LE.copy()
    kind.set_precision(20)
    numbers = np.arange(35, dtype="i4").reshape(7, 5)
    write_typed(file, "x", kind, numbers, memory=h5t.NATIVE_INT32, dcpl=dcpl)


@zoo.file("filters", features=INTEGER_FEATURES, rows=INTEGER_ROWS)
def filter_skipped_for_some_chunks(file: h5py.File) -> None:
    """The filter mask of a chunk says which filters were not applied to it."""
    numbers = np.arange(35, dtype="<i4").reshape(7, 5)
    dataset = file.create_dataset("x", (7, 5), "<i4", chunks=(2, 5), compression="gzip", shuffle=True)
    dataset[:] = numbers
    dataset.id.write_direct_chunk((2, 0), numbers[2:4].tobytes(), filter_mask=0b11)


@zoo.file("filters", features=FEATURES, rows=ROWS)
def filter_optional_and_incompressible(file: h5py.File) -> None:
    """lzf stores a chunk as it is where packing would not make it smaller."""
    file.create_dataset("x", data=X, chunks=(1, 5), compression="lzf")


@zoo.file(
    "filters",
    features={"s": value("string"), "p/a": value("int16"), "p/b": value("float64"), "b": value("bool")},
    rows=table({"s": ["a", "bcd", "ef"], "p/a": [1, 2, 3], "p/b": [0.5, 1.5, -2.0], "b": [True, False, True]}),
)
def filter_gzip_on_other_types(file: h5py.File) -> None:
    packed = {"chunks": (2,), "compression": "gzip", "shuffle": True}
    file.create_dataset("s", data=np.array([b"a", b"bcd", b"ef"]), **packed)
    file.create_dataset("p", data=np.array([(1, 0.5), (2, 1.5), (3, -2)], [("a", "i2"), ("b", ">f8")]), **packed)
    file.create_dataset("b", data=np.array([True, False, True]), **packed)


def write_with_unknown_filter(file: h5py.File, number: int) -> None:
    """Declare a filter that no library has, and store a chunk as if it had been applied."""
    dcpl = properties((2,))
    dcpl.set_filter(number, h5z.FLAG_OPTIONAL, (1, 2))
    dataset = h5py.h5d.create(file.id, b"x", h5t.STD_I32LE, h5py.h5s.create_simple((2,)), dcpl)
    dataset.write_direct_chunk((0,), b"not eight", filter_mask=0)


@zoo.file("unknown filter", error=(FilterError, ["a.h5", "/x", "305", "LZO"]))
def filter_unknown_but_registered(file: h5py.File) -> None:
    write_with_unknown_filter(file, 305)


@zoo.file("unknown filter", error=(FilterError, ["a.h5", "/x", "40123"]))
def filter_unknown(file: h5py.File) -> None:
    write_with_unknown_filter(file, 40123)


@zoo.file(
    "columns=",
    options={"columns": ["y"]},
    features={"y": value("int64")},
    rows=table({"y": [1, 2]}),
)
def filter_unknown_of_a_column_not_asked_for(file: h5py.File) -> None:
    write_with_unknown_filter(file, 40123)
    file["y"] = [1, 2]


@zoo.file("unknown filter", error=(DamagedFileError, ["a.h5", "/x"]))
def filter_fletcher32_of_other_bytes(file: h5py.File) -> None:
    dataset = file.create_dataset("x", (2,), "<i4", chunks=(2,), fletcher32=True)
    dataset.id.write_direct_chunk((0,), b"\1\0\0\0\2\0\0\0" + b"\xde\xad\xbe\xef", filter_mask=0)
