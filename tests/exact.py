"""Whether two outputs are the same to the last bit: container, type, dtype, shape, order of keys, bytes of values.

Pure; no I/O. For what a formatter returns: tensors, arrays, dicts, lists, scalars, strings, pictures.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

__all__ = ["assert_exact", "mismatches"]


def assert_exact(actual: Any, expected: Any, where: str = "") -> None:
    """Fail with one line for each difference.

    >>> assert_exact({"x": np.zeros(2, "f4")}, {"x": np.zeros(2, "f8")})
    Traceback (most recent call last):
    AssertionError: ['x']: dtype float32, expected float64
    """
    found = mismatches(actual, expected, where)
    if found:
        raise AssertionError("\n".join(found[:20]))


def mismatches(actual: Any, expected: Any, where: str = "") -> list[str]:
    """List what differs, each with its place; empty if nothing does."""
    if type(actual) is not type(expected):
        return [f"{where}: type {type(actual).__name__}, expected {type(expected).__name__} ({_short(expected)})"]
    if isinstance(expected, torch.Tensor):
        return _tensor_mismatches(actual, expected, where)
    if isinstance(expected, np.ndarray):
        return _array_mismatches(actual, expected, where)
    if isinstance(expected, dict):
        return _dict_mismatches(actual, expected, where)
    if isinstance(expected, list | tuple):
        return _sequence_mismatches(actual, expected, where)
    if isinstance(expected, np.generic):
        return _array_mismatches(np.asarray(actual), np.asarray(expected), where)
    if isinstance(expected, float):
        same = actual == expected or (math.isnan(actual) and math.isnan(expected))
        same = same and math.copysign(1, actual) == math.copysign(1, expected)
    elif hasattr(expected, "getpixel"):
        same = actual.mode == expected.mode and actual.size == expected.size and actual.tobytes() == expected.tobytes()
    else:
        same = actual == expected
    return [] if same else [f"{where}: {_short(actual)}, expected {_short(expected)}"]


def _tensor_mismatches(actual: torch.Tensor, expected: torch.Tensor, where: str) -> list[str]:
    facts = (("dtype", actual.dtype, expected.dtype), ("device", actual.device, expected.device))
    found = [f"{where}: {name} {one}, expected {other}" for name, one, other in facts if one != other]
    # A tensor of bfloat16 has no numpy counterpart; its bytes have.
    return found or _array_mismatches(_bytes_of(actual), _bytes_of(expected), where, (actual.shape, expected.shape))


def _bytes_of(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    flat = tensor.detach().cpu().contiguous()
    # numpy has no bfloat16.
    whole = flat.view(torch.int16) if flat.dtype == torch.bfloat16 else flat
    return np.frombuffer(whole.numpy().tobytes(), np.uint8)


def _array_mismatches(
    actual: np.ndarray[Any, Any], expected: np.ndarray[Any, Any], where: str, shapes: tuple[Any, Any] | None = None
) -> list[str]:
    facts = [("dtype", actual.dtype, expected.dtype), ("shape", *(shapes or (actual.shape, expected.shape)))]
    found = [f"{where}: {name} {one}, expected {other}" for name, one, other in facts if one != other]
    if found:
        return found
    if expected.dtype.hasobject:
        return _sequence_mismatches(actual.ravel().tolist(), expected.ravel().tolist(), where)
    if np.ascontiguousarray(actual).tobytes() == np.ascontiguousarray(expected).tobytes():
        return []
    return [f"{where}: {_short(actual)}, expected {_short(expected)}"]


def _dict_mismatches(actual: dict[Any, Any], expected: dict[Any, Any], where: str) -> list[str]:
    if list(actual) != list(expected):
        return [f"{where}: keys {list(actual)}, expected {list(expected)}"]
    return [line for key in expected for line in mismatches(actual[key], expected[key], f"{where}[{key!r}]")]


def _sequence_mismatches(actual: Any, expected: Any, where: str) -> list[str]:
    if len(actual) != len(expected):
        return [f"{where}: {len(actual)} items, expected {len(expected)}"]
    pairs = enumerate(zip(actual, expected, strict=True))
    return [line for place, (one, other) in pairs for line in mismatches(one, other, f"{where}[{place}]")]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "..."
