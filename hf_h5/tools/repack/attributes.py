"""Attributes of one object to another: in their order, with what their names are marked as."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from typing import Any

import h5py
from h5py import h5, h5a, h5f, h5p, h5s, h5t

from ...errors import DataError
from .elements import References, read_attribute, write_attribute

__all__ = ["attribute_names", "copy_attributes", "is_utf8"]


def copy_attributes(
    source: Any, target: Any, path: bytes, types: Callable[[h5t.TypeID], h5t.TypeID], references: References
) -> int:
    """Copy all attributes of an object.

    Parameters
    ----------
    path
        For messages.
    types
        Gives the type in the other file.

    Returns
    -------
    int
        How many names are no longer marked as UTF-8, since nothing here can mark them. Their bytes are the same.

    Raises
    ------
    DataError
        If a value cannot be read or written here.
    """
    n_unmarked = 0
    for name in attribute_names(source):
        attribute = h5a.open(source, name)
        try:
            created = _create(target, name, types(attribute.get_type()), attribute.get_space(), is_utf8(source, name))
            write_attribute(created, read_attribute(attribute), references)
        except (OSError, RuntimeError, TypeError, ValueError) as error:
            raise DataError(
                f"its attribute {name.decode('utf-8', 'replace')!r} cannot be copied here: {error}",
                file=os.fsdecode(h5f.get_name(source)),
                path=path.decode("utf-8", "surrogateescape"),
                hint="delete the attribute in a copy of the file, if nobody needs it",
            ) from error
        n_unmarked += is_utf8(source, name) and not is_utf8(target, name)
    return n_unmarked


def attribute_names(opened: Any) -> list[bytes]:
    """Names of attributes, in the order in which they were made where that is known."""
    plist = opened.get_create_plist() if hasattr(opened, "get_create_plist") else None
    is_tracked = plist is not None and plist.get_attr_creation_order() & h5p.CRT_ORDER_TRACKED
    by = h5.INDEX_CRT_ORDER if is_tracked else h5.INDEX_NAME
    count = h5a.get_num_attrs(opened)
    return [h5a.open(opened, index=number, index_type=by, order=h5.ITER_INC).name for number in range(count)]


def is_utf8(opened: Any, name: bytes) -> bool:
    """Whether the name of an attribute is marked as UTF-8, as other languages' packages do."""
    return bool(h5a.get_info(opened, name).cset == h5t.CSET_UTF8)


def _create(target: Any, name: bytes, tid: h5t.TypeID, space: h5s.SpaceID, utf8: bool) -> h5a.AttrID:
    """Create an attribute; h5py marks no name of an attribute, so the library is called past it."""
    library = _library() if utf8 else None
    if library is None:
        return h5a.create(target, name, tid, space)
    # Of the properties of an attribute the library takes this one alone, which a link has as well.
    properties = h5p.create(h5p.LINK_CREATE)
    properties.set_char_encoding(h5t.CSET_UTF8)
    with h5py._objects.phil:
        number = library.H5Acreate2(target.id, name, tid.id, space.id, properties.id, 0)
    if number < 0:
        raise OSError("the library refuses to create it")
    return h5a.AttrID(number)


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The library that h5py brings; None where it cannot be found, as on Windows."""
    try:
        library = ctypes.CDLL(h5a.__file__)
        create = library.H5Acreate2
    except (OSError, AttributeError):
        return None
    create.restype = ctypes.c_int64
    create.argtypes = [ctypes.c_int64, ctypes.c_char_p, *[ctypes.c_int64] * 4]
    return library
