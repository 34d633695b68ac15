"""Lists of fixed length in lists of fixed length, of which Arrow takes wrong rows.

Its ``take`` and ``filter`` apply the offset of a slice, or of the items of a list, twice: they return other rows, or
memory behind the array. Lists of fixed length in lists of any length are taken right.
"""

from __future__ import annotations

import pyarrow as pa

__all__ = ["has_nested_fixed_lists", "with_loose_lists"]


def has_nested_fixed_lists(kind: pa.DataType) -> bool:
    """Whether there is a list of fixed length somewhere in one of fixed length."""
    return _is_nested(kind, is_inside=False)


def _is_nested(kind: pa.DataType, *, is_inside: bool) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _is_nested(kind.storage_type, is_inside=is_inside)
    if pa.types.is_fixed_size_list(kind):
        return is_inside or _is_nested(kind.value_type, is_inside=True)
    return any(_is_nested(kind.field(number).type, is_inside=is_inside) for number in range(kind.num_fields))


def with_loose_lists(table: pa.Table) -> pa.Table:
    """The same rows with all but the innermost of such lists as lists of any length.

    What a stream hands to ``datasets``, which takes rows out of slices when it shuffles; it casts them to the stream's
    features afterwards.
    """
    if not any(has_nested_fixed_lists(kind) for kind in table.schema.types):
        return table
    return table.cast(pa.schema([field.with_type(_loose(field.type)) for field in table.schema]))


def _loose(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType) or not has_nested_fixed_lists(kind):
        return kind
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_loose(field.type)) for field in kind])
    item = kind.value_field.with_type(_loose(kind.value_type))
    return pa.large_list(item) if pa.types.is_large_list(kind) else pa.list_(item)
