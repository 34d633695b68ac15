"""Numeric blocks -> tensors, by the rules of the torch formatter of ``datasets``, one allocation per block.

The rules: integers become int64 and floats float32 unless ``dtype`` is given; uint16 and uint32 become int64 before
that, whatever ``dtype`` says; truth values stay.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import H5Warning

__all__ = ["joined_tensors", "to_complex_tensor", "to_tensor", "warn_if_wrapped"]

_SIMPLE_KWARGS = {"dtype", "device"}


def to_tensor(block: NDArray[Any] | np.generic, kwargs: Mapping[str, Any]) -> torch.Tensor:
    """Make a tensor of a block that the caller gives away; its memory is used where no cast is needed.

    Parameters
    ----------
    block
        Numbers or truth values of any shape.
    kwargs
        Arguments of ``torch.tensor``.

    Examples
    --------
    >>> to_tensor(np.zeros(2, np.uint8), {}).dtype, to_tensor(np.zeros(2, np.uint8), {"dtype": None}).dtype
    (torch.int64, torch.uint8)
    """
    block = np.asarray(block)
    default: dict[str, Any] = {}
    if block.dtype.kind in "iu":
        default = {"dtype": torch.int64}
        if block.dtype in (np.uint16, np.uint32):
            block = block.astype(np.int64)
    elif block.dtype.kind == "f":
        default = {"dtype": torch.float32}
    wanted = {**default, **kwargs}
    if not wanted.keys() <= _SIMPLE_KWARGS:
        return torch.tensor(block, **wanted)
    # A field of a packed compound with one row counts as contiguous, yet torch refuses its strides.
    if (
        not block.flags.writeable
        or not block.flags.c_contiguous
        or any(step % block.itemsize for step in block.strides)
    ):
        block = np.array(block, order="C")
    tensor = torch.from_numpy(block)
    dtype, device = wanted.get("dtype"), wanted.get("device")
    return tensor if dtype is None and device is None else tensor.to(dtype=dtype, device=device)


def to_complex_tensor(block: NDArray[Any], kwargs: Mapping[str, Any]) -> torch.Tensor:
    """Make a tensor of complex numbers; a ``dtype`` that is none is meant for the other columns."""
    dtype = kwargs.get("dtype")
    others = {name: value for name, value in kwargs.items() if name != "dtype"}
    return to_tensor(block, {**others, "dtype": dtype} if dtype is not None and dtype.is_complex else others)


def joined_tensors(rows: list[torch.Tensor]) -> list[torch.Tensor] | torch.Tensor:
    """Stack tensors of one shape, as the formatter of ``datasets`` does; others stay a list."""
    return torch.stack(rows) if all(row.shape == rows[0].shape for row in rows) else rows


def warn_if_wrapped(name: str, block: NDArray[Any], kwargs: Mapping[str, Any]) -> bool:
    """Say that uint64 beyond int64 turn negative in the default format; return whether it was said."""
    if block.dtype != np.uint64 or "dtype" in kwargs or not block.size or block.max() <= np.iinfo(np.int64).max:
        return False
    warnings.warn(
        f"column {name!r} holds uint64 above 2^63 - 1, which turn negative as int64: "
        "with_format('torch', dtype=None) keeps them",
        H5Warning,
        stacklevel=2,
    )
    return True
