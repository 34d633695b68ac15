"""Stored values -> the values of a column: byte order, widths, strings, labels, lists.

Pure; no I/O. What a type means was decided in ``describe/types.py``; here numpy arrays of its memory form become
arrays of the element's form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.elements import Binary, Element, Label, Number, Ragged, Struct, Text
from .packed import Packed, PackedLists, PackedTexts, to_objects

__all__ = ["ValueProblemError", "decode_values", "pick_field", "relabel"]

Values = NDArray[Any]


class ValueProblemError(ValueError):
    """A stored value does not fit its column; ``position`` is its place in the flattened batch."""

    def __init__(self, problem: str, position: int, hint: str) -> None:
        super().__init__(problem)
        self.position = position
        self.hint = hint


def pick_field(raw: Any, fields: Sequence[str]) -> Any:
    """Follow the fields of a compound, and the halves of complex numbers, into an array; what has none stays itself."""
    for name in fields:
        if raw.dtype.kind == "c":
            raw = raw.real if name == "real" else raw.imag
        else:
            raw = raw[name]
    return raw


def decode_values(element: Element, raw: Values | Packed) -> Values:
    """Turn values as they lie in memory into the column's values.

    Parameters
    ----------
    element
        What the values are.
    raw
        Any shape; the memory form of the element: numbers of any byte order, ``V<n>`` or ``S<n>`` for strings and
        bytes, objects for what has variable length, or these one after the other.

    Returns
    -------
    ndarray
        The same shape; see the element classes for the dtype.

    Raises
    ------
    ValueProblemError
        If a string is no UTF-8 or holds NULs, or a code is none of the label's.
    """
    if isinstance(raw, PackedTexts | PackedLists):
        return _unpacked(element, raw)
    match element:
        case Number(dtype):
            return _numbers(raw, dtype)
        case Text(padding):
            return _texts(raw, padding)
        case Binary():
            return _bytes(raw)
        case Label():
            return _labels(raw, element)
        case Ragged(item):
            return _lists(raw, item)
        case Struct():
            return _structs(raw, element)


def _unpacked(element: Element, packed: Packed) -> Values:
    match element, packed:
        case Text(), PackedTexts():
            try:
                return _objects(packed.decode(), packed.shape)
            except UnicodeDecodeError:
                return _find_bad_text(packed.split())
        case Ragged(item), PackedLists():
            try:
                return _objects(packed.split(decode_values(item, packed.items)), packed.shape)
            except ValueProblemError as error:
                raise ValueProblemError(str(error), packed.list_of(error.position), error.hint) from error
    return decode_values(element, to_objects(packed))


def _numbers(raw: Values, dtype: np.dtype[Any]) -> Values:
    if dtype.kind == "b":
        # A truth value may be stored as any byte; as a copy of it is neither 0 nor 1, it would not be that of Arrow.
        found: Values = np.not_equal(raw.view(np.uint8) if raw.dtype.kind == "b" else raw, 0)
        return found
    return raw.astype(dtype, copy=False)


def _objects(values: list[Any], shape: tuple[int, ...]) -> Values:
    """An object array of the given shape; numpy would make more dimensions of lists and arrays."""
    return np.fromiter(values, object, len(values)).reshape(shape)


def _texts(raw: Values, padding: str | None) -> Values:
    values = _trimmed(raw, padding)
    try:
        return _objects(_decoded(values), raw.shape)
    except UnicodeDecodeError:
        return _find_bad_text(values)


def _decoded(values: list[Any]) -> list[Any]:
    """Strings of bytes; what is no bytes (a path, or None for a null reference) stays as it is."""
    try:
        return list(map(bytes.decode, values))
    except TypeError:
        return [value.decode() if isinstance(value, bytes) else value for value in values]


def _trimmed(raw: Values, padding: str | None) -> list[Any]:
    """The bytes of each string without its padding."""
    if raw.dtype.kind == "O":
        return raw.ravel().tolist()
    if raw.dtype.itemsize == 0:
        return [b""] * raw.size
    flat = np.ascontiguousarray(raw).ravel().view(f"S{raw.dtype.itemsize}")
    values: list[bytes] = flat.tolist()  # numpy takes trailing NULs off
    if padding == "null_terminated":
        return [value.partition(b"\0")[0] for value in values]
    if padding == "space_padded":
        values = [value.rstrip(b" ") for value in values]
    for position, value in enumerate(values):
        if b"\0" in value:
            raise ValueProblemError("a string holds a NUL character", position, _BINARY_HINT)
    return values


def _find_bad_text(values: list[Any]) -> Values:
    for position, value in enumerate(values):
        try:
            if isinstance(value, bytes):
                value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueProblemError(f"a string is no valid UTF-8: {value[:20]!r}", position, _BINARY_HINT) from error
    raise AssertionError("one of the values is no UTF-8")


def _bytes(raw: Values) -> Values:
    if raw.dtype.kind == "O":
        values = [_as_bytes(value) for value in raw.ravel()]
    elif raw.dtype.itemsize == 0:
        values = [b""] * raw.size
    else:
        packed = np.ascontiguousarray(raw).tobytes()
        size = raw.dtype.itemsize
        values = [packed[start : start + size] for start in range(0, len(packed), size)]
    return _objects(values, raw.shape)


def _as_bytes(value: Any) -> bytes | None:
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def _labels(raw: Values, label: Label) -> Values:
    """Stored codes to positions among the names; -1 is missing where no name has it."""
    codes = np.asarray(label.codes, dtype=np.int64 if raw.dtype.kind != "u" else raw.dtype.newbyteorder("="))
    numbers = raw.astype(raw.dtype.newbyteorder("="), copy=False).ravel()
    if not len(codes):
        positions, known = np.full(numbers.shape, -1), np.zeros(numbers.shape, bool)
    else:
        order = np.argsort(codes, kind="stable")
        found = np.minimum(np.searchsorted(codes[order], numbers), len(codes) - 1)
        positions = order[found]
        known = codes[positions] == numbers
    if numbers.dtype.kind != "u":
        missing = ~known & (numbers == -1)
        positions = np.where(missing, -1, positions)
        known |= missing
    if not known.all():
        position = int(np.flatnonzero(~known)[0])
        names = ", ".join(f"{code}={name}" for name, code in list(zip(label.names, label.codes, strict=True))[:10])
        raise ValueProblemError(
            f"code {numbers[position]} is none of the label's ({names})",
            position,
            "class_labels={column: [names]} names more codes; features={column: Value('int64')} keeps the numbers",
        )
    return positions.astype(np.int64, copy=False).reshape(raw.shape)


def relabel(values: Values, stored: Element, merged: Element) -> Values:
    """Positions among one part's names to positions among the whole table's, in lists too."""
    if stored == merged:
        return values
    match stored, merged:
        case Label(names), Label(all_names) if names != all_names:
            place = {name: position for position, name in enumerate(all_names)}
            # The last entry serves -1: a missing label stays missing.
            table = np.array([*(place[name] for name in names), -1], np.int64)
            return table[values]
        case Ragged(item), Ragged(merged_item):
            rows = [None if row is None else relabel(row, item, merged_item) for row in values.ravel()]
            return _objects(rows, values.shape)
        case Struct(fields), Struct(merged_fields):
            out = np.empty(values.shape, _fields_dtype(merged))
            for one, other in zip(fields, merged_fields, strict=True):
                out[other.name] = relabel(values[one.name], one.element, other.element)
            return out
    return values


def _lists(raw: Values, item: Element) -> Values:
    first = raw.flat[0] if raw.size else None
    if isinstance(item, Number) and isinstance(first, np.ndarray) and first.dtype == item.dtype:
        return raw  # the library makes all lists of one dtype
    return _objects([_one_list(value, item) for value in raw.ravel()], raw.shape)


def _one_list(value: Any, item: Element) -> Any:
    if value is None:
        return None
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    return decode_values(item, array)


def _structs(raw: Values, struct: Struct) -> Values:
    out = np.empty(raw.shape, _fields_dtype(struct))
    for part in struct.fields:
        out[part.name] = decode_values(part.element, pick_field(raw, [part.name]))
    return out


def _fields_dtype(struct: Struct) -> np.dtype[Any]:
    return np.dtype([(part.name, _field_dtype(part.element), part.shape) for part in struct.fields])


def _field_dtype(element: Element) -> np.dtype[Any]:
    if isinstance(element, Number):
        return element.dtype
    return np.dtype(np.int64) if isinstance(element, Label) else np.dtype(object)


_BINARY_HINT = "features={column: Value('binary')} keeps every byte"
