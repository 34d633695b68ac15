"""Writing what h5py's high level does not write: HDF5 types, layouts and filters by their own names."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

__all__ = ["compact", "float_type", "integer_type", "png_bytes", "properties", "string_type", "write_typed"]


def write_typed(
    file: h5py.File, name: str, stored: h5t.TypeID, values: np.ndarray, *, memory: Any = None, dcpl: Any = None
) -> h5py.Dataset:
    """Write ``values`` as a dataset of type ``stored``; HDF5 converts them from the type ``memory``."""
    rank = values.ndim - len(stored.get_array_dims()) if isinstance(stored, h5t.TypeArrayID) else values.ndim
    space = h5s.create_simple(values.shape[:rank])
    dataset = h5d.create(file.id, name.encode(), stored, space, dcpl)
    dataset.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(values), memory)
    return file[name]


def integer_type(n_bytes: int, *, signed: bool, order: int = h5t.ORDER_LE, bits: int | None = None) -> h5t.TypeID:
    """Make an integer type of any width, of which ``bits`` count."""
    kind = h5t.STD_I64LE.copy() if signed else h5t.STD_U64LE.copy()
    kind.set_order(order)
    kind.set_precision(bits or 8 * n_bytes)
    kind.set_size(n_bytes)
    return kind


def float_type(n_bytes: int, *, exponent_bits: int, mantissa_bits: int) -> h5t.TypeID:
    """Make a float type in IEEE's manner: sign, exponent, mantissa from the top bit down."""
    kind = h5t.IEEE_F32LE.copy() if n_bytes <= 4 else h5t.IEEE_F64LE.copy()
    kind.set_fields(exponent_bits + mantissa_bits, mantissa_bits, exponent_bits, 0, mantissa_bits)
    kind.set_size(n_bytes)
    kind.set_ebias(2 ** (exponent_bits - 1) - 1)
    return kind


def string_type(size: int, padding: int, charset: int = h5t.CSET_UTF8) -> h5t.TypeID:
    """Make a fixed-length string type."""
    kind = h5t.C_S1.copy()
    kind.set_size(size)
    kind.set_strpad(padding)
    kind.set_cset(charset)
    return kind


def properties(chunk: tuple[int, ...] | None = None) -> h5p.PropDCID:
    """Make dataset creation properties, chunked if ``chunk`` is given."""
    dcpl = h5p.create(h5p.DATASET_CREATE)
    if chunk:
        dcpl.set_chunk(chunk)
    return dcpl


def compact() -> h5p.PropDCID:
    """Make properties of a dataset stored in its object header."""
    dcpl = properties()
    dcpl.set_layout(h5d.COMPACT)
    return dcpl


def png_bytes(pixels: np.ndarray) -> bytes:
    """Write a PNG file: ``pixels`` is ``(height, width)`` or ``(height, width, 3)`` uint8."""
    height, width = pixels.shape[:2]
    scanlines = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(scanlines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body)) for tag, body in parts
    )
