"""The two halves of complex numbers, which are columns of their own, as one column again.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.schema import Column

__all__ = ["complex_pairs", "join_halves"]


def complex_pairs(columns: Mapping[str, Column]) -> dict[str, tuple[str, str]]:
    """Find the complex numbers among columns.

    Returns
    -------
    dict
        Per complex number the names of its real and imaginary column; the key is what both names begin with.
    """
    halves: dict[tuple[Any, ...], dict[str, str]] = {}
    for name, column in columns.items():
        if _is_half(column):
            base = name.removesuffix(f"/{column.fields[-1]}")
            halves.setdefault((base, column.path, column.fields[:-1]), {})[column.fields[-1]] = name
    return {key[0]: (pair["real"], pair["imag"]) for key, pair in halves.items() if len(pair) == 2}


def _is_half(column: Column) -> bool:
    """Whether a column's last field is one half of a complex number, and not just named so."""
    if not column.fields or column.fields[-1] not in ("real", "imag") or column.memory is None:
        return False
    memory = column.memory.base
    for field in column.fields[:-1]:
        if memory.names is None or field not in memory.names:
            return False
        memory = memory[field].base
    return memory.kind == "c"


def join_halves(real: NDArray[Any], imag: NDArray[Any]) -> NDArray[Any] | None:
    """Make complex numbers of their halves; None where some rows have no value.

    Parameters
    ----------
    real, imag
        Numbers of one shape, or object arrays of one array for each row.
    """
    if isinstance(real, np.ma.MaskedArray) or isinstance(imag, np.ma.MaskedArray):
        return None
    if real.dtype.kind != "O":
        return _join(real, imag)
    if any(row is None for row in real):
        return None
    rows = np.empty(len(real), object)
    for number, pair in enumerate(zip(real, imag, strict=True)):
        rows[number] = _join(*map(np.asarray, pair))
    return rows


def _join(real: NDArray[Any], imag: NDArray[Any]) -> NDArray[Any]:
    # Assigned, not added: real + 1j * imag would make NaN of an infinite half.
    out = np.empty(real.shape, np.result_type(real.dtype, np.complex64))
    out.real = real
    out.imag = imag
    return out
