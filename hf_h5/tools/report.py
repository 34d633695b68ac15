"""What ``hf-h5 describe --html`` writes: the tree of a file, its tables, and what their columns look like."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import describe
from ..describe.route import route_of
from ..describe.schema import Column, Schema, Table
from ..describe.sizes import measure_table
from ..describe.wording import bytes_text, count_text, layout_text, shape_text, size_text, stored_type
from ..errors import H5Error
from ..opening import open_table
from ..whole_file import write_whole
from .picture import is_image, to_image
from .report_page import bars, escaped, grid, make_page, pairs, picture, section

__all__ = ["describe_sections", "write_report"]

_HEADINGS = ("column", "feature", "stored as", "layout", "in file", "in Arrow", "read")
_N_ROWS, _N_PICTURES, _N_BINS, _N_CLASSES, _N_VALUES = 512, 8, 32, 100, 4
_SAMPLE_BYTES = 16 << 20
# A page of more is slow to open, and nobody reads it; --json has all.
_MAX_COLUMNS, _MAX_TABLES, _MAX_OBJECTS = 60, 12, 400


def write_report(
    file: str,
    output: str | os.PathLike[str],
    options: Mapping[str, Any],
    *,
    first: Iterable[str] = (),
) -> Schema:
    """Write a page about a file.

    Parameters
    ----------
    output
        The page; it stands alone and opens without a server.
    options
        Options of the package.
    first
        Sections that come before the others, made with `report_page`.

    Returns
    -------
    Schema
        What the page is about.

    Raises
    ------
    H5Error
        If the file cannot be described. What cannot be read of its rows is said on the page.
    """
    schema = describe(file, **options)
    facts = [bytes_text(schema.file_bytes)] if schema.file_bytes else []
    facts += [schema.convention] if schema.convention else []
    facts.append(count_text(len(schema.tables), "table"))
    sections = [*first, *describe_sections(schema, options)]
    page = make_page(os.path.basename(schema.file), sections, facts=", ".join(facts))
    write_whole(output, page.encode("utf-8"))
    return schema


def describe_sections(schema: Schema, options: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sections about a file: its tree, its tables, and what is not among the rows."""
    yield section("What is in it", _tree(schema))
    for table in list(schema.tables.values())[:_MAX_TABLES]:
        yield _table_section(schema, table, options)
    if len(schema.tables) > _MAX_TABLES:
        yield section(f"{len(schema.tables) - _MAX_TABLES} more tables", "<p>hf-h5 describe --json lists them.</p>")
    if schema.notes:
        rows = [(note.path, note.why, note.option or "") for note in schema.notes[:_MAX_OBJECTS]]
        yield section("Not loaded", grid(("path", "why", "to load it"), rows))
    for title, values in (("Metadata", schema.metadata), ("Attributes of the file", schema.attrs)):
        if values:
            yield section(title, pairs(dict(list(values.items())[:_MAX_OBJECTS])))


def _tree(schema: Schema) -> str:
    """Groups and datasets of the file as nested lists."""
    root: dict[str, Any] = {}
    columns = [
        (table.parts[0].path_of(column) if table.parts else column.path, column)
        for table in schema.tables.values()
        for column in table.columns.values()
        if column.path
    ]
    for path, column in columns[:_MAX_OBJECTS]:
        _place(root, path, f"{stored_type(column)} {layout_text(column)}")
    for path, value in list(schema.metadata.items())[:_MAX_OBJECTS]:
        _place(root, path, str(value))
    for note in schema.notes[:_MAX_OBJECTS]:
        _place(root, note.path, note.why)
    more = f"<p>... and {len(columns) - _MAX_OBJECTS:,} more columns</p>" if len(columns) > _MAX_OBJECTS else ""
    alike = [(table.parts[0].prefix, len(table.parts) - 1) for table in schema.tables.values() if len(table.parts) > 1]
    more += "".join(f"<p>... and {count:,} more like <code>{escaped(first)}</code></p>" for first, count in alike)
    return _branches(root) + more


def _place(root: dict[str, Any], path: str, text: str) -> None:
    at = root
    for part in filter(None, path.split("/")):
        at = at.setdefault(part, {})
    at.setdefault("", text)


def _branches(tree: Mapping[str, Any]) -> str:
    items = (
        f"<li><code>{escaped(name, 80)}</code> <span>{escaped(below.get('', ''), 120)}</span>{_branches(below)}</li>"
        for name, below in tree.items()
        if name
    )
    text = "".join(items)
    return f'<ul class="tree">{text}</ul>' if text else ""


def _table_section(schema: Schema, table: Table, options: Mapping[str, Any]) -> str:
    sizes, stored, arrow = measure_table(table)
    facts = f"{count_text(table.num_rows, 'row')}; {size_text(stored)} in the file, {size_text(arrow)} in Arrow"
    splits = "".join(f"; {name}: {count_text(split.num_rows, 'row')}" for name, split in table.splits.items())
    reason = f"the default table ({schema.default_reason}), " if table.name == schema.default else ""
    names = list(table.columns)[:_MAX_COLUMNS]
    rows = []
    for name in names:
        column, (route, why) = table.columns[name], route_of(table.columns[name])
        stored_as = f"{shape_text(column, table.num_rows)} {stored_type(column)}".strip()
        read = route if why is None else f"{route}: {why}"
        cells = (layout_text(column), size_text(sizes[name].stored), size_text(sizes[name].arrow), read)
        rows.append((name, column.feature_text, stored_as, *cells))
    more = len(table.columns) - len(names)
    looks = _looks(schema, table, names, options)
    return section(
        f"Table {table.name}",
        f'<p class="facts">{escaped(facts + splits)}<br>{escaped(f"{reason}found as: {table.rule}")}</p>',
        grid(_HEADINGS, rows),
        f"<p>... and {more:,} more columns</p>" if more else "",
        *looks,
    )


def _looks(schema: Schema, table: Table, names: list[str], options: Mapping[str, Any]) -> Iterator[str]:
    """Yield what each column looks like, one after the other, so that one that cannot be read hides no other."""
    if not table.num_rows:
        return
    split = next(iter(table.splits), None)
    given = {name: value for name, value in options.items() if name not in ("columns", "table", "features")}
    is_default = table.name == schema.default
    for name in names:
        column = table.columns[name]
        chosen = {**given, "columns": [name], **({} if is_default else {"table": table.name})}
        try:
            with open_table(schema.file, split=split, **chosen) as reader:
                rows = _sample_rows(len(reader), column)
                values = reader.read(rows)[name]
            look = _look(column, values, rows)
        except (H5Error, OSError) as error:
            look = f"<p>cannot be read: {escaped(error)}</p>"
        yield section(name, look, pairs(dict(list(column.attrs.items())[:_N_CLASSES])), level=3)


def _sample_rows(n_rows: int, column: Column) -> NDArray[np.int64]:
    """Rows evenly spread over the table, as many as 16 MB of chunks hold and a page needs."""
    storage = column.storage
    touched = column.row_bytes
    if storage is not None and storage.chunks:
        touched = max(touched, storage.chunks[0] * column.row_bytes)
    few = max(_N_PICTURES if touched <= _SAMPLE_BYTES else 1, _SAMPLE_BYTES // max(1, touched))
    # In runs: neighbours come out of chunks that are decoded anyway.
    n_runs = min(few, _N_PICTURES)
    run = max(1, min(_N_ROWS // n_runs, _SAMPLE_BYTES // max(1, n_runs * column.row_bytes)))
    starts = np.arange(n_runs) * n_rows // n_runs
    rows = (starts[:, None] + np.arange(run)[None, :]).ravel()
    return np.unique(rows[rows < n_rows]).astype(np.int64)


def _look(column: Column, values: NDArray[Any], rows: NDArray[np.int64]) -> str:
    spread = np.unique(np.linspace(0, len(rows) - 1, _N_PICTURES).astype(int))
    names = column.spec.get("names") if isinstance(column.spec, Mapping) else None
    if names and values.dtype.kind in "iu":
        return _class_bars(list(map(str, names)), values)
    # Rows of episodes differ in length: the first frame of each stands for it.
    steps = [row for row in values if getattr(row, "dtype", values.dtype).kind in "biuf" and np.size(row)]
    is_ragged = values.dtype.kind == "O" and len(steps) == len(values) > 0
    frames = [row[0] if is_ragged and np.ndim(row) else row for row in steps]
    if frames and is_image(np.asarray(frames[0]).dtype.name, np.shape(frames[0])):
        figures = "".join(picture(_small(to_image(frames[at])), f"row {rows[at]:,}") for at in spread)
        return f'<div class="thumbs">{figures}</div>'
    if is_ragged or (values.dtype.kind in "biuf" and values.size):
        numbers = np.concatenate([np.ravel(row) for row in steps]) if is_ragged else values
        return _histogram(numbers, f"{count_text(len(values), 'sampled row')}: {_range_text(numbers)}")
    texts = [(f"{rows[at]:,}", values[at]) for at in spread[:_N_VALUES]]
    return grid(("row", "value"), texts)


def _class_bars(names: list[str], values: NDArray[Any]) -> str:
    codes = np.asarray(values).ravel()
    counts = np.bincount(codes[(codes >= 0) & (codes < len(names))].astype(np.int64), minlength=len(names))
    drawn = min(len(names), _N_CLASSES)
    caption = f"{count_text(len(values), 'sampled row')} of {len(names):,} classes"
    return bars(counts[:drawn].tolist(), names[:drawn], caption=caption)


def _histogram(values: NDArray[Any], caption: str) -> str:
    numbers = np.asarray(values, np.float64).ravel()
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        return f"<p>{escaped(caption)}</p>"
    low, high = float(finite.min()), float(finite.max())
    if not math.isfinite(high - low) or high == low:
        return f"<p>{escaped(caption)}</p>"
    if values.dtype.kind in "biu" and high - low < _N_BINS:
        counts = np.bincount((finite - low).astype(np.int64))
        return bars(counts.tolist(), [f"{low + step:.4g}" for step in range(len(counts))], caption=caption)
    counts, edges = np.histogram(finite, bins=_N_BINS, range=(low, high))
    names = [f"{start:.4g} to {stop:.4g}" for start, stop in itertools.pairwise(edges)]
    return bars(counts.tolist(), [f"{low:.4g}", *names[1:-1], f"{high:.4g}"], caption=caption)


def _range_text(values: NDArray[Any]) -> str:
    numbers = np.asarray(values, np.float64)
    finite = numbers[np.isfinite(numbers)]
    lost = f", {numbers.size - finite.size:,} not finite" if finite.size < numbers.size else ""
    if not finite.size:
        return f"no finite value{lost}"
    return f"{finite.min():.6g} to {finite.max():.6g}, mean {finite.mean():.6g}{lost}"


def _small(image: NDArray[Any], side: int = 192) -> NDArray[Any]:
    """Leave out lines of large images: thumbnails are 96 pixels wide."""
    step = max(1, -(-max(image.shape[:2]) // side))
    return image[::step, ::step]
