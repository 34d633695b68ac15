"""Values as they were read -> values of the type that ``features=`` asks for, or an error that says where they are."""

from __future__ import annotations

from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.table import cast_array_to_feature
from numpy.typing import NDArray

from ..describe.elements import feature_text
from ..describe.schema import Column, Table
from ..errors import DataError

__all__ = ["cast_to_feature", "to_pictures"]


def to_pictures(values: NDArray[Any], column: Column, feature: Any, table: Table | None) -> pa.Array:
    """Pixels as encoded pictures, each by the feature's own encoder, which keeps eight bits eight bits.

    Raises
    ------
    DataError
        If the rows are no pictures.
    """
    try:
        encoded = [feature.encode_example(row) for row in values]
    except (AttributeError, TypeError, ValueError) as error:
        raise _misfit(
            f"column {column.name!r} ({feature_text(column.inferred)}) holds no pictures",
            column,
            table,
            "Image() is for uint8 arrays of height x width, with 3 or 4 channels last or none, and for encoded bytes; "
            "load others as they are, and make pictures of them with map or with_transform",
        ) from error
    return pa.array(encoded, datasets.features.features.get_nested_type(feature))


def cast_to_feature(array: pa.Array, column: Column, feature: Any, table: Table | None) -> pa.Array:
    """An array of the type that follows from the file as one of the type that was asked for.

    Raises
    ------
    DataError
        If a value does not fit.
    """
    try:
        made = cast_array_to_feature(array, feature)
        _check_finite(array, made)
        return made
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, TypeError, ValueError) as error:
        raise _misfit(
            f"column {column.name!r} ({feature_text(column.inferred)}) cannot be cast to {feature}: {error}",
            column,
            table,
            "features= names a type that does not hold these values",
        ) from error


def _misfit(problem: str, column: Column, table: Table | None, hint: str) -> DataError:
    """An error of values that their feature does not hold, in the file that they are in, or one of the files."""
    files = [column.file] if column.file else table.files if table is not None else []
    parts = table.parts if table is not None else ()
    path = parts[0].path_of(column) if len(parts) == 1 else column.path
    if len(files) > 1:
        problem += f" (in one of {len(files):,} files, {files[0]} to {files[-1]})"
    return DataError(problem, file=files[0] if len(files) == 1 else None, path=path or None, hint=hint)


def _check_finite(stored: pa.Array, made: pa.Array) -> None:
    """Raise where a number is too large for its new type: Arrow's casts to smaller floats make it infinite."""
    old, new = _numbers_within(stored), _numbers_within(made)
    if old is None or new is None or new.dtype.kind != "f" or np.can_cast(old.dtype, new.dtype, "safe"):
        return
    infinite = np.isinf(new)
    if infinite.any():
        infinite &= np.isfinite(old)
        if infinite.any():
            raise ValueError(f"{old[infinite][0]} is too large for {new.dtype}")


def _numbers_within(array: pa.Array) -> NDArray[Any] | None:
    """The numbers inside all lists; None if they are none."""
    while isinstance(array, pa.ExtensionArray | pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
        array = array.storage if isinstance(array, pa.ExtensionArray) else array.flatten()
    kind = array.type
    is_number = pa.types.is_floating(kind) or pa.types.is_integer(kind)
    return array.to_numpy(zero_copy_only=False) if is_number else None
