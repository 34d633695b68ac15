"""Labels whose names a file states itself, read by the names or as the numbers that a user asks for.

A part keeps the names and codes of its file, and its values go to the table's names by name; only where the file's
names are others altogether are the asked-for names those of the stored numbers, as they are for plain integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..describe.columns import codes_text, stored_integers
from ..describe.elements import (
    Element,
    FeatureSpec,
    Label,
    Number,
    Ragged,
    Struct,
    feature_spec,
    feature_text,
    leaf_spec,
)
from ..describe.schema import Column
from ..errors import OptionError

__all__ = ["as_numbers", "as_read", "asked_names", "own_label"]


def own_label(column: Column) -> Label | None:
    """The names that the file has for the numbers of a column, if it has any; of masks they are in the attributes."""
    if isinstance(column.element, Label):
        return column.element
    names = column.attrs.get("enum")
    if not isinstance(column.element, Number) or not isinstance(names, Mapping):
        return None
    return Label(tuple(names.values()), tuple(int(code) for code in names))


def asked_names(element: Element, spec: FeatureSpec) -> Element:
    """The element with the names that a feature has for its labels, at any depth."""
    inner = leaf_spec(spec)
    match element:
        case Label(names) if inner.get("_type") == "ClassLabel" and inner.get("names"):
            wanted = tuple(inner["names"])
            return element if wanted == names else Label(wanted, tuple(range(len(wanted))))
        case Ragged(item, shape):
            return Ragged(asked_names(item, inner), shape)
        case Struct(fields) if not isinstance(inner.get("_type"), str):
            return Struct(
                tuple(
                    replace(field, element=asked_names(field.element, inner[field.name]))
                    if field.name in inner
                    else field
                    for field in fields
                )
            )
    return element


def as_read(own: Element, asked: Element, column: Column, file: str) -> Element:
    """How a part is read whose values go to the asked-for labels.

    Raises
    ------
    OptionError
        If the file has names for its numbers, and it is not clear which of the asked-for ones they are.
    """
    match own, asked:
        case Label(), Label():
            return _label_as_read(own, asked, column, file)
        case Ragged(item, shape), Ragged(asked_item):
            return Ragged(as_read(item, asked_item, column, file), shape)
        case Struct(fields), Struct(asked_fields):
            pairs = zip(fields, asked_fields, strict=True)
            return Struct(
                tuple(replace(one, element=as_read(one.element, other.element, column, file)) for one, other in pairs)
            )
    return own


def _label_as_read(own: Label, asked: Label, column: Column, file: str) -> Label:
    lacking = [name for name in own.names if name not in asked.names]
    if not lacking:
        return own
    place = {name: number for number, name in enumerate(asked.names)}
    if all(place.get(name, code) == code for name, code in zip(own.names, own.codes, strict=True)):
        return asked
    raise OptionError(
        f"column {column.name!r} is {feature_text(feature_spec(own, ()))} in the file, and the names that were asked "
        f"for lack {lacking[0]!r}",
        file=column.file or file,
        path=column.path or None,
        hint="give all of the file's names, in the order that you want, and others beside them; "
        "or features={column: Value('int64')}, which reads the stored numbers",
    )


def as_numbers(column: Column, spec: FeatureSpec) -> Column:
    """The column as its stored numbers, with the names in its attributes, if a feature asks for numbers of labels.

    Raises
    ------
    OptionError
        If it asks for neither names nor numbers.
    """
    element, wanted = column.element, leaf_spec(spec)
    label = element.item if isinstance(element, Ragged) else element
    if not isinstance(label, Label) or wanted.get("_type") != "Value" or column.take == "derived":
        return column
    if not str(wanted.get("dtype")).startswith(("int", "uint", "float", "double")):
        raise OptionError(
            f"features: column {column.name!r} is {column.feature_text}, which is not read as {wanted.get('dtype')}",
            file=column.file,
            path=column.path or None,
            hint="leave it a ClassLabel, whose int2str gives the names, or name an integer type, which gives the "
            "stored numbers",
        )
    if isinstance(element, Ragged):
        numbers: Element = Ragged(Number(np.dtype(np.int64)), element.shape)
    else:
        numbers = Number(stored_integers(column))
    return replace(column, element=numbers, attrs={**column.attrs, "enum": codes_text(label)})
