"""Values of variable length that were never written and have a fill value, in a file that is open for reading.

For each of them the HDF5 library copies the fill value into the heap of the file, which it may not write to ("no write
intent on file"), and so reads none of the selection. Of strings the fill value is known: written chunks are read one by
one, the others are filled.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import h5py
import numpy as np
from h5py import h5d
from numpy.typing import NDArray

from ..errors import DataError

__all__ = ["read_selection"]


def read_selection(dataset: h5py.Dataset, selection: tuple[slice, ...]) -> Any:
    """Read a selection as h5py does, strings of chunks that were never written included.

    Parameters
    ----------
    selection
        Ranges along all axes; none of a scalar.

    Raises
    ------
    DataError
        If values that were never written have a fill value that is no string.
    OSError
        As h5py.
    """
    try:
        return dataset[selection]
    except OSError as error:
        if not _lacks_chunks(dataset):
            raise
        if h5py.check_string_dtype(dataset.dtype) is not None:
            return _filled(dataset, selection)
        if "no write intent" not in str(error):
            raise
        raise DataError(
            "some of its chunks were never written, and the HDF5 library hands out their fill value, which is of "
            "variable length, only where it may write to the file",
            file=dataset.file.filename,
            path=dataset.name,
            hint="write all its rows, or leave it out with columns=[...]",
        ) from error


def _lacks_chunks(dataset: h5py.Dataset) -> bool:
    """Whether there are chunks that were never written, and a fill value for them."""
    if not dataset.chunks:
        return False
    if dataset.id.get_create_plist().fill_value_defined() != h5d.FILL_VALUE_USER_DEFINED:
        return False
    sizes = zip(dataset.shape, dataset.chunks, strict=True)
    return bool(dataset.id.get_num_chunks() < math.prod(-(-size // step) for size, step in sizes))


def _filled(dataset: h5py.Dataset, selection: tuple[slice, ...]) -> NDArray[Any]:
    fill = dataset.fillvalue
    shape = [each.stop - each.start for each in selection]
    out = np.full(shape, fill.encode() if isinstance(fill, str) else fill, object)
    starts = [
        range(each.start // step * step, each.stop, step) for each, step in zip(selection, dataset.chunks, strict=True)
    ]
    for corner in itertools.product(*starts):
        if dataset.id.get_chunk_info_by_coord(corner).byte_offset is None:
            continue
        inside = [
            slice(max(at, each.start), min(at + step, each.stop))
            for at, step, each in zip(corner, dataset.chunks, selection, strict=True)
        ]
        places = [
            slice(own.start - each.start, own.stop - each.start) for own, each in zip(inside, selection, strict=True)
        ]
        out[tuple(places)] = dataset[tuple(inside)]
    return out
