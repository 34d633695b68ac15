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
    for number, field in enumerate(table.schema):
        # Nulls that have no type are the same in every row.
        if has_nested_fixed_lists(field.type) and not _holds_nulls_alone(field.type):
            loose = field.with_type(_loose(field.type))
            table = table.set_column(number, loose, table.column(number).cast(loose.type))
    return table


def _holds_nulls_alone(kind: pa.DataType) -> bool:
    """Whether a type has values of the null type, to whose lists Arrow has no cast."""
    if isinstance(kind, pa.BaseExtensionType):
        return _holds_nulls_alone(kind.storage_type)
    return pa.types.is_null(kind) or any(_holds_nulls_alone(kind.field(n).type) for n in range(kind.num_fields))


def _loose(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType) or not has_nested_fixed_lists(kind):
        return kind
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_loose(field.type)) for field in kind])
    item = kind.value_field.with_type(_loose(kind.value_type))
    return pa.large_list(item) if pa.types.is_large_list(kind) else pa.list_(item)
