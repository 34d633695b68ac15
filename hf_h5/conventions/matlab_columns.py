"""Values of cells -> columns: strings, numbers, lists of them, and a column for each field of structs.

Pure; no I/O.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.columns import shown_name
from ..describe.elements import Element, Number, Text
from ..describe.schema import Column, Note
from .matlab_items import SAVE_OTHERWISE, CannotReadError, Cell, Unreadable, plain
from .matlab_values import Held

__all__ = ["held_bytes", "held_columns", "is_uniform", "mixed_column"]


def held_columns(
    name: str, path: str, values: Sequence[Any], attrs: Mapping[str, Any], notes: list[Note]
) -> Iterator[Column]:
    """The columns of values, one for each row; JSON where they are of different kinds.

    Parameters
    ----------
    notes
        Takes a note for each column whose values cannot be read.
    """
    if not values:
        return
    if all(isinstance(each, dict) for each in values):
        for field in dict.fromkeys(key for each in values for key in each):
            yield from held_columns(f"{name}/{field}", path, [each.get(field) for each in values], attrs, notes)
        return
    listed = [_as_list(each) for each in values]
    if all(each is not None and all(isinstance(item, dict) for item in each) for each in listed) and any(listed):
        for field in dict.fromkeys(key for each in listed for item in each or () for key in item):
            inner = [[item.get(field) for item in each or ()] for each in listed]
            yield from held_columns(f"{name}/{field}", path, inner, attrs, notes)
        return
    why = next(filter(None, map(_unreadable, values)), None)
    if why is not None:
        notes.append(Note(f"/{name}", f"it holds {why}", SAVE_OTHERWISE))
        return
    if any(map(_is_complex, values)):
        for half in ("real", "imag"):
            yield from held_columns(f"{name}/{half}", path, [_half(each, half) for each in values], attrs, notes)
        return
    try:
        element, shape, array = _column_of(values)
    except CannotReadError as error:
        yield mixed_column(name, path, values, attrs, str(error))
        return
    parts = tuple(shown_name(part) for part in name.split("/"))
    yield Column(shown_name(name), path, "derived", element, shape, attrs=attrs, parts=parts, derived=_held(array))


def _unreadable(value: Any) -> str | None:
    """Why a value, or one inside it, has no counterpart."""
    inside: Iterable[Any] = ()
    if isinstance(value, Unreadable):
        return value.why
    if isinstance(value, Cell | list | dict):
        inside = value.items if isinstance(value, Cell) else value.values() if isinstance(value, dict) else value
    return next(filter(None, map(_unreadable, inside)), None)


def _is_complex(value: Any) -> bool:
    if isinstance(value, Cell | list):
        return any(map(_is_complex, value.items if isinstance(value, Cell) else value))
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "c"


def _half(value: Any, half: str) -> Any:
    """The real or imaginary halves of numbers."""
    if isinstance(value, Cell):
        return Cell(value.shape, tuple(_half(each, half) for each in value.items))
    if isinstance(value, list):
        return [_half(each, half) for each in value]
    return getattr(value, half) if isinstance(value, np.ndarray | np.generic) else value


def is_uniform(values: Sequence[Any]) -> bool:
    """Whether one feature holds all values."""
    try:
        _column_of(values)
    except CannotReadError:
        return False
    return True


def held_bytes(columns: Iterable[Column]) -> int:
    """Bytes of the values of held columns."""
    arrays = [each.derived.values for each in columns if isinstance(each.derived, Held)]
    return sum(sum(map(_size, each)) if each.dtype.kind == "O" else int(each.nbytes) for each in arrays)


def _size(value: Any) -> int:
    return int(value.nbytes) if isinstance(value, np.ndarray) else len(value or "")


def mixed_column(name: str, path: str, values: Sequence[Any], attrs: Mapping[str, Any], why: str) -> Column:
    """The column of values that no one feature holds: each as JSON."""
    texts = _objects([json.dumps(plain(each), ensure_ascii=False, default=str) for each in values])
    parts = tuple(shown_name(part) for part in name.split("/"))
    facts = {**attrs, "description": f"JSON: {why}"}
    return Column(shown_name(name), path, "derived", Text(), (), attrs=facts, parts=parts, derived=_held(texts))


def _held(values: NDArray[Any]) -> Held:
    return Held(hashlib.sha256(pickle.dumps(values)).hexdigest()[:16], values)


def _column_of(values: Sequence[Any]) -> tuple[Element, tuple[int | None, ...], NDArray[Any]]:
    present = [each for each in values if not _is_nothing(each)]
    if all(isinstance(each, str) for each in present) and present:
        # [] among strings is no string; '' is an empty one.
        return Text(), (), _objects([each if isinstance(each, str) else None for each in values])
    if all(isinstance(each, np.generic) for each in present) and present:
        return _numbers(values)
    if all(isinstance(each, np.generic | np.ndarray) for each in present):
        return _arrays(values)
    lists = [_as_list(each) if not _is_nothing(each) else [] for each in values]
    if all(each is not None for each in lists):
        return _lists([each or [] for each in lists])
    kinds = ", ".join(sorted({_kind(each) for each in present}))
    raise CannotReadError(f"its values are of different kinds ({kinds})")


def _as_list(value: Any) -> list[Any] | None:
    """Elements of a cell vector, a char matrix or a struct array; a struct is an array of one."""
    if isinstance(value, Cell):
        return list(value.items) if not value.items or sum(size != 1 for size in value.shape) <= 1 else None
    if isinstance(value, dict):
        return [value]
    if isinstance(value, np.ndarray) and not value.size:
        return []
    return value if isinstance(value, list) else None


def _is_nothing(value: Any) -> bool:
    """``[]``, which MATLAB users put where there is no value."""
    return value is None or (isinstance(value, np.ndarray) and value.size == 0)


def _kind(value: Any) -> str:
    kinds = {str: "char", Cell: "cell", dict: "struct", list: "list"}
    return kinds.get(type(value)) or str(np.asarray(value).dtype)


def _numbers(values: Sequence[Any]) -> tuple[Element, tuple[int | None, ...], NDArray[Any]]:
    mask = np.array([_is_nothing(each) for each in values])
    dtype = _joint_dtype([each for each in values if not _is_nothing(each)])
    filled = np.array([np.zeros((), dtype) if _is_nothing(each) else each for each in values]).astype(dtype)
    return Number(dtype), (), np.ma.MaskedArray(filled, mask) if mask.any() else filled


def _arrays(values: Sequence[Any]) -> tuple[Element, tuple[int | None, ...], NDArray[Any]]:
    """Arrays of one rank: vectors are flat, matrices keep their dimensions."""
    arrays = [np.empty((0, 0)) if each is None else np.atleast_1d(np.asarray(each)) for each in values]
    filled = [each for each in arrays if each.size]
    dtype = _joint_dtype([each.reshape(-1)[0] for each in filled]) if filled else np.dtype(np.float64)
    if all(sum(size != 1 for size in each.shape) <= 1 for each in filled):
        return Number(dtype), (None,), _objects([each.reshape(-1).astype(dtype) for each in arrays])
    rank = max(each.ndim for each in filled)
    shaped = [
        each.reshape(*each.shape, *(1,) * (rank - each.ndim)) if each.size else np.empty((0,) * rank) for each in arrays
    ]
    inner = {each.shape[1:] for each in shaped if each.size}
    shape = (None, *inner.pop()) if len(inner) == 1 else (None,) * rank
    # An empty cell has no columns of its own: those of the others.
    empty = np.empty((0, *(size or 0 for size in shape[1:])), dtype)
    return Number(dtype), shape, _objects([each.astype(dtype) if each.size else empty for each in shaped])


def _lists(lists: list[list[Any]]) -> tuple[Element, tuple[int | None, ...], NDArray[Any]]:
    """Lists of strings or of numbers."""
    items = [item for each in lists for item in each]
    if all(isinstance(item, str) or _is_nothing(item) for item in items):
        texts = [_objects([item if isinstance(item, str) else None for item in each]) for each in lists]
        return Text(), (None,), _objects(texts)
    if all(isinstance(item, np.generic) for item in items):
        dtype = _joint_dtype(items)
        return Number(dtype), (None,), _objects([np.array(each, dtype) for each in lists])
    kinds = ", ".join(sorted({_kind(item) for item in items}))
    raise CannotReadError(f"its values are lists of {kinds}")


def _joint_dtype(values: Sequence[Any]) -> np.dtype[Any]:
    """The type that holds all numbers exactly."""
    dtypes = {np.asarray(each).dtype for each in values}
    joint = np.result_type(*dtypes)
    # numpy calls it safe to make float64 of int64, which rounds; and numbers of truth values change their meaning.
    is_rounded = joint.kind == "f" and any(dtype.kind in "iu" and dtype.itemsize == 8 for dtype in dtypes)
    is_mixed = len(dtypes) > 1 and np.dtype(bool) in dtypes
    if joint.kind not in "biuf" or is_rounded or is_mixed:
        raise CannotReadError(f"its values are of different kinds ({', '.join(sorted(map(str, dtypes)))})")
    return joint


def _objects(values: Sequence[Any]) -> NDArray[Any]:
    out = np.empty(len(values), object)
    for place, value in enumerate(values):
        out[place] = value
    return out
