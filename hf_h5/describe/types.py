"""Which element an HDF5 datatype becomes, and how its stored bytes are taken into memory.

The one place where HDF5 types are interpreted (HDF5 file format, section IV.A.2.d "Datatype").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np
from h5py import h5t

from .elements import Binary, Element, Label, Number, Ragged, Struct, StructField, Text

__all__ = ["Stored", "StoredField", "UnreadableTypeError", "interpret_type", "type_depth"]

_INTEGER_WIDTHS = (8, 16, 32, 64)
_PADDINGS = {
    h5t.STR_NULLTERM: "null_terminated",
    h5t.STR_NULLPAD: "null_padded",
    h5t.STR_SPACEPAD: "space_padded",
}
# h5py writes numpy's dates as opaque data with this tag (h5py.opaque_dtype).
_NUMPY_TAG = b"NUMPY:"
# Units that Arrow lacks, and the next finer one that it has; both directions are exact.
_TIMESTAMP_UNITS = {"Y": "D", "M": "D", "W": "D", "h": "s", "m": "s"}
_DURATION_UNITS = {"W": "s", "D": "s", "h": "s", "m": "s"}
_H5T_COMPLEX = getattr(h5t, "COMPLEX", None)


class UnreadableTypeError(ValueError):
    """The type has no counterpart; the message says why."""


@dataclass(frozen=True, slots=True)
class StoredField:
    """One field of a compound, or one half of a complex number."""

    name: str
    stored: Stored


@dataclass(frozen=True, slots=True)
class Stored:
    """How the elements of a dataset (or field) lie in the file, and what they mean.

    Attributes
    ----------
    element
        What one value is; ``None`` for compounds and complex numbers, which have ``fields`` instead.
    shape
        Dimensions that the type itself adds to each element (H5T_ARRAY).
    memory
        The numpy dtype of one element without ``shape``, as a reader hands it to the decoder. For types read as
        they are stored it describes the stored bytes, byte order and padding included.
    fields
        The parts of a compound (by field) or of a complex number (``real``, ``imag``).
    converted
        Why the HDF5 library must convert the values while reading; ``None`` if they are read as stored.
    variable
        Why the values do not lie in the dataset's own bytes; ``None`` if they do.
    note
        A loss that the user should hear of, if any.
    """

    element: Element | None
    memory: np.dtype[Any]
    shape: tuple[int, ...] = ()
    fields: tuple[StoredField, ...] = ()
    converted: str | None = None
    variable: str | None = None
    note: str | None = None

    @property
    def full_memory(self) -> np.dtype[Any]:
        """``memory`` with the type's own dimensions."""
        return np.dtype((self.memory, self.shape)) if self.shape else self.memory

    @property
    def is_complex(self) -> bool:
        return self.memory.kind == "c"


def interpret_type(tid: h5t.TypeID) -> Stored:
    """Read an HDF5 datatype.

    Raises
    ------
    UnreadableTypeError
        If nothing in numpy and Arrow can hold it.
    """
    kind = tid.get_class()
    if kind == _H5T_COMPLEX:
        return _complex(tid.dtype)
    reader = _READERS.get(kind)
    if reader is None:
        raise UnreadableTypeError(f"values of HDF5 type class {kind} have no counterpart")
    stored: Stored = reader(tid)
    return stored


def _integer(tid: h5t.TypeIntegerID) -> Stored:
    size, precision = tid.get_size(), tid.get_precision()
    letter = "i" if tid.get_sign() == h5t.SGN_2 else "u"
    if size in (1, 2, 4, 8) and precision == size * 8:
        dtype = np.dtype(f"{_order(tid)}{letter}{size}")
        return Stored(Number(dtype.newbyteorder("=")), dtype)
    width = next((width for width in _INTEGER_WIDTHS if width >= size * 8), None)
    if width is None:
        raise UnreadableTypeError(f"integers of {size} bytes are wider than 64 bits")
    # In the order of the file: HDF5 2.0 loses the sign of big-endian ones on their way to native ones.
    dtype = np.dtype(f"{_order(tid)}{letter}{width // 8}")
    return Stored(Number(dtype.newbyteorder("=")), dtype, converted=f"integers of {precision} bits")


def _float(tid: h5t.TypeFloatID) -> Stored:
    size = tid.get_size()
    for width, order, standard in _IEEE:
        if size == width and tid.equal(standard):
            dtype = np.dtype(f"{order}f{width}")
            return Stored(Number(dtype.newbyteorder("=")), dtype)
    # A float32 has 8 bits of exponent and 23 of mantissa: whatever fits into both is held exactly.
    width = 4 if _fits(tid, 8, 23) else 8
    exact = width == 4 or _fits(tid, 11, 52)
    bits = tid.get_precision()
    note = None if exact else f"floats of {bits} bits are rounded to float64"
    return Stored(Number(np.dtype(f"f{width}")), np.dtype(f"f{width}"), converted=f"floats of {bits} bits", note=note)


def _bitfield(tid: h5t.TypeBitfieldID) -> Stored:
    size = tid.get_size()
    if size not in (1, 2, 4, 8):
        raise UnreadableTypeError(f"bitfields of {size} bytes are no whole integers")
    dtype = np.dtype(f"{_order(tid)}u{size}")
    return Stored(Number(dtype.newbyteorder("=")), dtype)


def _time(tid: h5t.TypeTimeID) -> Stored:
    """The integers that are stored: what they count is left to those who write such files."""
    for width, order, standard in _UNIX_TIMES:
        if tid.equal(standard):
            dtype = np.dtype(f"{order}i{width}")
            return Stored(Number(dtype.newbyteorder("=")), dtype)
    raise UnreadableTypeError("times (H5T_TIME) that are not Unix times have no counterpart")


def _enum(tid: h5t.TypeEnumID) -> Stored:
    base = _integer(tid.get_super())
    found = {
        tid.get_member_name(i).decode("utf-8", "replace"): tid.get_member_value(i) for i in range(tid.get_nmembers())
    }
    # By code: the library sorts members now and then, and names in order of their codes are what users count.
    members = sorted(((name, int(code)) for name, code in found.items()), key=lambda member: member[1])
    if members == [("FALSE", 0), ("TRUE", 1)] and tid.get_size() == 1:
        return replace(base, element=Number(np.dtype(bool)))
    names, codes = tuple(name for name, _ in members), tuple(code for _, code in members)
    return replace(base, element=Label(names, codes))


def _string(tid: h5t.TypeStringID) -> Stored:
    if tid.is_variable_str():
        return Stored(Text(), h5py.string_dtype("utf-8"), variable="strings of variable length")
    size = tid.get_size()
    return Stored(Text(_PADDINGS[tid.get_strpad()]), np.dtype(f"V{size}"))


def _vlen(tid: h5t.TypeVlenID) -> Stored:
    inner = interpret_type(tid.get_super())
    item = _as_element(inner)
    if inner.converted is not None and inner.memory.kind in "iu":
        raise UnreadableTypeError(f"lists of {inner.converted} cannot be read by h5py")
    memory = h5py.vlen_dtype(inner.full_memory)
    return Stored(Ragged(item, inner.shape), memory, converted=inner.converted, variable="lists of variable length")


def _array(tid: h5t.TypeArrayID) -> Stored:
    inner = interpret_type(tid.get_super())
    return replace(inner, shape=tuple(int(size) for size in tid.get_array_dims()) + inner.shape)


def _opaque(tid: h5t.TypeOpaqueID) -> Stored:
    tag, size = tid.get_tag(), tid.get_size()
    if tag.startswith(_NUMPY_TAG):
        dtype = np.dtype(tag[len(_NUMPY_TAG) :].decode("ascii"))
        if dtype.kind in "Mm":
            return Stored(Number(_arrow_time(dtype)), dtype)
    return Stored(Binary(), np.dtype(f"V{size}"))


def _arrow_time(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The unit of Arrow that holds every value of ``dtype`` exactly."""
    unit, _ = np.datetime_data(dtype)
    units = _TIMESTAMP_UNITS if dtype.kind == "M" else _DURATION_UNITS
    if unit in ("ps", "fs", "as", "generic") or (dtype.kind == "m" and unit in "YM"):
        raise UnreadableTypeError(f"Arrow has no {dtype}")
    return np.dtype(f"{dtype.kind}8[{units.get(unit, unit)}]")


def _reference(tid: h5t.TypeReferenceID) -> Stored:
    is_region = tid.get_size() == h5t.STD_REF_DSETREG.get_size()
    dtype = h5py.regionref_dtype if is_region else h5py.ref_dtype
    return Stored(Text(), dtype, variable="references")


def _compound(tid: h5t.TypeCompoundID) -> Stored:
    names = [tid.get_member_name(i).decode("utf-8", "replace") for i in range(tid.get_nmembers())]
    members = [interpret_type(tid.get_member_type(i)) for i in range(tid.get_nmembers())]
    if names == ["r", "i"] and all(_is_plain_float(member) for member in members):
        # h5py's convention for complex numbers; the dtype is complex only if both halves lie together.
        if tid.dtype.kind == "c":
            return _complex(tid.dtype)
    converted = next((member.converted for member in members if member.converted), None)
    variable = next((member.variable for member in members if member.variable), None)
    layout: dict[str, Any] = {"names": names, "formats": [member.full_memory for member in members]}
    if converted is None and variable is None:
        layout |= {"offsets": [tid.get_member_offset(i) for i in range(len(names))], "itemsize": tid.get_size()}
    fields = tuple(StoredField(name, member) for name, member in zip(names, members, strict=True))
    note = next((member.note for member in members if member.note), None)
    dtype: np.dtype[Any] = np.dtype(layout)  # type: ignore[call-overload]  # numpy types no dict of Any
    return Stored(None, dtype, fields=fields, converted=converted, variable=variable, note=note)


def _complex(dtype: np.dtype[Any]) -> Stored:
    if dtype.itemsize > 16:
        raise UnreadableTypeError(f"complex numbers of {dtype.itemsize * 8} bits have no Arrow type")
    half = np.dtype(f"{dtype.byteorder}f{dtype.itemsize // 2}")
    part = Stored(Number(half.newbyteorder("=")), half)
    return Stored(None, dtype, fields=(StoredField("real", part), StoredField("imag", part)))


def _is_plain_float(member: Stored) -> bool:
    return member.memory.kind == "f" and not member.shape and member.converted is None


def _as_element(stored: Stored) -> Element:
    """The element of a list's items: compounds become structs there."""
    if stored.element is not None:
        return stored.element
    return Struct(tuple(StructField(part.name, _as_element(part.stored), part.stored.shape) for part in stored.fields))


def _fits(tid: h5t.TypeFloatID, exponent_bits: int, mantissa_bits: int) -> bool:
    """Whether each value is one of IEEE 754 with so many bits: the largest, and the smallest that is not 0."""
    _, _, size, _, digits = tid.get_fields()
    bias, limit = tid.get_ebias(), (1 << (exponent_bits - 1)) - 1
    is_in_range = (1 << size) - 1 - bias <= limit + 1 and bias + digits <= limit + mantissa_bits
    return bool(size <= exponent_bits and digits <= mantissa_bits and is_in_range)


def _order(tid: h5t.TypeID) -> str:
    return ">" if tid.get_order() == h5t.ORDER_BE else "<"


_IEEE = (
    (2, "<", h5t.IEEE_F16LE),
    (2, ">", h5t.IEEE_F16BE),
    (4, "<", h5t.IEEE_F32LE),
    (4, ">", h5t.IEEE_F32BE),
    (8, "<", h5t.IEEE_F64LE),
    (8, ">", h5t.IEEE_F64BE),
)

_UNIX_TIMES = (
    (4, "<", h5t.UNIX_D32LE),
    (4, ">", h5t.UNIX_D32BE),
    (8, "<", h5t.UNIX_D64LE),
    (8, ">", h5t.UNIX_D64BE),
)

_READERS: dict[int, Any] = {
    h5t.INTEGER: _integer,
    h5t.FLOAT: _float,
    h5t.BITFIELD: _bitfield,
    h5t.TIME: _time,
    h5t.ENUM: _enum,
    h5t.STRING: _string,
    h5t.VLEN: _vlen,
    h5t.ARRAY: _array,
    h5t.OPAQUE: _opaque,
    h5t.REFERENCE: _reference,
    h5t.COMPOUND: _compound,
}


def type_depth(tid: h5t.TypeID, most: int) -> int:
    """How many types lie inside each other, counted to ``most + 1``: compounds, arrays and lists."""
    level, depth = [tid], 0
    while level and depth <= most:
        depth += 1
        inner: list[h5t.TypeID] = []
        for each in level:
            kind = each.get_class()
            if kind == h5t.COMPOUND:
                inner += [each.get_member_type(number) for number in range(each.get_nmembers())]
            elif kind in (h5t.ARRAY, h5t.VLEN):
                inner.append(each.get_super())
        level = inner
    return depth
