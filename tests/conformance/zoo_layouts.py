"""Storage layouts: the same rows, however HDF5 stores them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5t

from tests.conformance.case import Zoo, array, label, list_of, table, value
from tests.conformance.h5low import compact, properties, write_typed

__all__ = ["zoo"]

zoo = Zoo()
X = np.arange(35, dtype="<i4").reshape(7, 5)
FEATURES = {"x": list_of(value("int32"), 5)}
ROWS = table({"x": [[5 * row + column for column in range(5)] for row in range(7)]})
LATEST = {"libver": "latest"}

CREATED = {
    "contiguous": {},
    "chunked_by_rows": {"chunks": (3, 5)},
    "chunked_row_by_row": {"chunks": (1, 5)},
    "chunked_through_rows": {"chunks": (3, 2)},
    "chunked_by_columns": {"chunks": (7, 1)},
    "chunk_larger_than_the_data": {"chunks": (10, 8), "maxshape": (None, None)},
    "resizable": {"chunks": (4, 5), "maxshape": (None, 5)},
    "chunked_gzip_through_rows": {"chunks": (3, 2), "compression": "gzip"},
}
INDEXED = {
    "index_single_chunk": {"chunks": (7, 5)},
    "index_single_chunk_gzip": {"chunks": (7, 5), "compression": "gzip"},
    "index_fixed_array": {"chunks": (2, 3)},
    "index_fixed_array_gzip": {"chunks": (2, 3), "compression": "gzip"},
    "index_extensible_array": {"chunks": (2, 3), "maxshape": (None, 5)},
    "index_extensible_array_gzip": {"chunks": (1, 5), "maxshape": (None, 5), "compression": "gzip"},
    "index_b_tree_2": {"chunks": (2, 3), "maxshape": (None, None)},
    "index_b_tree_2_gzip": {"chunks": (2, 3), "maxshape": (None, None), "compression": "gzip"},
}


def declare(name: str, fill: Callable[[h5py.File], None], h5: dict[str, Any] | None = None) -> None:
    zoo.file("storage", name=name, h5=h5, features=FEATURES, rows=ROWS)(fill)


def created(options: dict[str, Any]) -> Callable[[h5py.File], None]:
    return lambda file: file.create_dataset("x", data=X, **options)


for _name, _options in CREATED.items():
    declare(f"layout_{_name}", created(_options))
    declare(f"layout_{_name}_user_block", created(_options), {"userblock_size": 1024})
for _name, _options in INDEXED.items():
    declare(f"layout_{_name}", created(_options), LATEST)


def declared(**h5: Any) -> Callable[[Callable[[h5py.File], None]], Callable[[h5py.File], None]]:
    return zoo.file("storage", h5=h5, features=FEATURES, rows=ROWS)


@declared()
def layout_compact(file: h5py.File) -> None:
    write_typed(file, "x", h5t.STD_I32LE, X, memory=h5t.NATIVE_INT32, dcpl=compact())


@declared(userblock_size=512)
def layout_compact_user_block(file: h5py.File) -> None:
    write_typed(file, "x", h5t.STD_I32BE, X, memory=h5t.NATIVE_INT32, dcpl=compact())


def allocated(file: h5py.File, when: int, chunk: tuple[int, ...] | None) -> None:
    dcpl = properties(chunk)
    dcpl.set_alloc_time(when)
    write_typed(file, "x", h5t.STD_I32LE, X, memory=h5t.NATIVE_INT32, dcpl=dcpl)


@declared()
def layout_allocated_early(file: h5py.File) -> None:
    allocated(file, h5d.ALLOC_TIME_EARLY, (3, 5))


@declared()
def layout_allocated_late(file: h5py.File) -> None:
    allocated(file, h5d.ALLOC_TIME_LATE, None)


@declared()
def layout_allocated_incrementally(file: h5py.File) -> None:
    allocated(file, h5d.ALLOC_TIME_INCR, (3, 5))


@declared(libver="latest")
def layout_index_implicit(file: h5py.File) -> None:
    """Early allocation, fixed size, no filter: chunks one after the other without an index."""
    allocated(file, h5d.ALLOC_TIME_EARLY, (2, 3))


@declared(libver="latest", fs_strategy="page", fs_page_size=4096)
def layout_paged_file(file: h5py.File) -> None:
    file.create_dataset("x", data=X, chunks=(3, 5))


@declared(libver=("v108", "v110"), track_order=True)
def layout_version_110(file: h5py.File) -> None:
    file.create_dataset("x", data=X, chunks=(3, 5), compression="gzip")


@declared()
def layout_fortran_strides(file: h5py.File) -> None:
    """h5py stores C order, whatever the array in memory."""
    file["x"] = np.asfortranarray(X)


@declared()
def layout_written_in_pieces(file: h5py.File) -> None:
    dataset = file.create_dataset("x", (0, 5), "<i4", maxshape=(None, 5), chunks=(2, 5))
    for row in range(7):
        dataset.resize(row + 1, axis=0)
        dataset[row] = X[row]


@declared()
def layout_shrunk(file: h5py.File) -> None:
    """Chunks past the end stay allocated or partly filled; they are no rows."""
    dataset = file.create_dataset("x", (20, 5), "<i4", maxshape=(None, 5), chunks=(4, 5))
    dataset[:] = -1
    dataset[:7] = X
    dataset.resize(7, axis=0)


@declared()
def layout_shrunk_and_grown(file: h5py.File) -> None:
    """What was cut off does not come back."""
    dataset = file.create_dataset("x", (7, 5), "<i4", maxshape=(None, 5), chunks=(4, 5))
    dataset[:] = -1
    dataset.resize(0, axis=0)
    dataset.resize(7, axis=0)
    dataset[:] = X


@zoo.folder("storage", features=FEATURES, rows=ROWS)
def layout_swmr(folder: Path) -> list[Path]:
    target = folder / "swmr.h5"
    with h5py.File(target, "w", libver="latest") as file:
        dataset = file.create_dataset("x", (0, 5), "<i4", maxshape=(None, 5), chunks=(2, 5))
        file.swmr_mode = True
        dataset.resize(7, axis=0)
        dataset[:] = X
        dataset.flush()
    return [target]


FILLED = {"x": list_of(value("float32"), 2)}


@zoo.file("storage", features=FILLED, rows=table({"x": [[-1.5, -1.5]] * 3}))
def unwritten_contiguous_with_fill_value(file: h5py.File) -> None:
    file.create_dataset("x", (3, 2), "f4", fillvalue=-1.5)


@zoo.file("storage", features=FILLED, rows=table({"x": [[0.0, 0.0]] * 3}))
def unwritten_contiguous(file: h5py.File) -> None:
    file.create_dataset("x", (3, 2), "f4")


@zoo.file("storage", h5={"userblock_size": 512}, features=FILLED, rows=table({"x": [[0.0, 0.0]] * 3}))
def unwritten_contiguous_user_block(file: h5py.File) -> None:
    """HDF5 then reports an offset although nothing is stored."""
    file.create_dataset("x", (3, 2), "f4")


@zoo.file("storage", features=FILLED, rows=table({"x": [[7.5, 7.5]] * 5}))
def unwritten_chunked_gzip_with_fill_value(file: h5py.File) -> None:
    file.create_dataset("x", (5, 2), "f4", fillvalue=7.5, chunks=(2, 2), compression="gzip")


@zoo.file("storage", features=FILLED, rows=table({"x": [[9.0, 9.0], [9.0, 9.0], [1.0, 2.0], [9.0, 9.0], [9.0, 9.0]]}))
def partly_written_with_fill_value(file: h5py.File) -> None:
    dataset = file.create_dataset("x", (5, 2), ">f4", fillvalue=9, chunks=(2, 1), shuffle=True)
    dataset[2] = [1, 2]


@zoo.file("storage", features=FILLED, rows=table({"x": [[1.0, 2.0], [5.0, 5.0], [5.0, 5.0], [5.0, 5.0]]}))
def grown_with_fill_value(file: h5py.File) -> None:
    dataset = file.create_dataset("x", (1, 2), "f4", fillvalue=5, chunks=(3, 2), maxshape=(None, 2))
    dataset[0] = [1, 2]
    dataset.resize(4, axis=0)


@zoo.file(
    "storage",
    features={"s": value("string"), "c": label("no", "yes"), "p/a": value("int32"), "b": value("bool")},
    rows=table({"s": ["none"] * 2, "c": [1] * 2, "p/a": [-7] * 2, "b": [True] * 2}),
)
def unwritten_of_other_types_with_fill_values(file: h5py.File) -> None:
    file.create_dataset("s", (2,), "S4", fillvalue=b"none")
    file.create_dataset("c", (2,), h5py.enum_dtype({"no": 0, "yes": 1}, "i1"), fillvalue=1)
    compound = np.dtype([("a", "i4")])
    file.create_dataset("p", (2,), compound, fillvalue=np.array((-7,), compound)[()])
    file.create_dataset("b", (2,), bool, fillvalue=True)


@zoo.file("storage", features={"x": array("uint8", 4, 4)}, rows=table({"x": np.arange(64).reshape(4, 4, 4).tolist()}))
def images_chunked_inside_the_image(file: h5py.File) -> None:
    file.create_dataset("x", data=np.arange(64, dtype="u1").reshape(4, 4, 4), chunks=(3, 3, 2), compression="gzip")


@zoo.file("storage", features={"x": value("int64")}, rows=table({"x": list(range(1000))}))
def many_chunks(file: h5py.File) -> None:
    file.create_dataset("x", data=np.arange(1000), chunks=(3,))
