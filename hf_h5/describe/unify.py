"""When columns of several files, splits or episodes are one column, and which.

Pure; no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .elements import Element, Label, Number, Ragged, Shape, Struct, feature_text
from .schema import Column

__all__ = ["CannotUnifyError", "element_kind", "unify_columns", "unify_elements", "unify_shapes"]


class CannotUnifyError(ValueError):
    """Two columns of one name hold different things; the message says which."""


def element_kind(element: Element) -> Any:
    """What must agree for two elements to be alike: the kind of number, not its width or byte order."""
    match element:
        case Number(dtype):
            return dtype.kind
        case Ragged(item, shape):
            return ("list", element_kind(item), len(shape))
        case Struct(fields):
            return tuple((item.name, element_kind(item.element), len(item.shape)) for item in fields)
        case _:
            return type(element).__name__


def unify_elements(first: Element, second: Element, *, widen: str) -> Element:
    """The element that holds the values of both exactly.

    Parameters
    ----------
    widen
        The kinds of numbers (numpy's letters) of which the wider one is taken; others must be equal.
    """
    if first == second:
        return first
    match first, second:
        case Number(one), Number(other) if one.kind == other.kind and one.kind in widen:
            return Number(np.promote_types(one, other))
        case Label(names), Label(other_names):
            union = tuple(dict.fromkeys(names + other_names))
            return Label(union, tuple(range(len(union))))
        case Ragged(item, shape), Ragged(other_item, other_shape) if shape == other_shape:
            return Ragged(unify_elements(item, other_item, widen=widen), shape)
    if type(first) is type(second) and not isinstance(first, Number | Ragged | Struct):
        return first  # strings differ only in their padding
    raise CannotUnifyError("types differ")


def unify_shapes(first: Shape, second: Shape) -> Shape:
    """The shape of rows of both: None where sizes differ, which only ragged rows may."""
    if len(first) != len(second):
        raise CannotUnifyError("numbers of dimensions differ")
    return tuple(one if one == other else None for one, other in zip(first, second, strict=True))


def unify_columns(columns: Sequence[Column], *, widen: str, ragged: bool) -> Column:
    """One column for all of them.

    Parameters
    ----------
    columns
        Columns of one name, at least one; those that are missing do not count.
    widen
        See ``unify_elements``.
    ragged
        Whether rows may differ in shape.

    Raises
    ------
    CannotUnifyError
        With both facts in the message.
    """
    present = [column for column in columns if column.take != "missing"]
    if not present:
        return columns[0]
    result = present[0]
    for column in present[1:]:
        if column is result or (column.element == result.element and column.row_shape == result.row_shape):
            continue
        try:
            shape = unify_shapes(result.row_shape, column.row_shape)
            if None in shape and not (ragged or result.is_ragged):
                raise CannotUnifyError("row shapes differ")
            element = unify_elements(result.element, column.element, widen=widen)
        except CannotUnifyError as error:
            raise CannotUnifyError(
                f"{error}: {feature_text(result.inferred)} and {feature_text(column.inferred)}"
            ) from error
        result = replace(result, element=element, row_shape=shape)
    return result
