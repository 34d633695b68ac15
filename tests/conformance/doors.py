"""The four front doors, each as a function from a case and its files to features and rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import numpy as np

import hf_h5
from tests.conformance.case import Case
from tests.conformance.compare import leaf_dtypes, rows_of

__all__ = ["DOORS", "Opened", "said"]


@dataclass(frozen=True)
class Opened:
    """What a front door gives for one split: features, or numpy's dtypes where the door has none, and rows."""

    features: Any
    rows: list[dict[str, Any]]
    dtypes: Mapping[str, set[str]] = field(default_factory=dict)


@contextmanager
def said(messages: list[str]) -> Iterator[None]:
    """Collect the text of warnings, which pytest would turn into errors."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        messages.extend(str(warning.message) for warning in caught)


def is_part(split: str) -> bool:
    """Say whether a split is a slice or a sum of splits."""
    return "[" in split or "+" in split


def builder_arguments(case: Case, folder: Path, files: list[Path]) -> dict[str, Any]:
    """Return what ``load_dataset`` is called with."""
    if case.data_dir:
        source: dict[str, Any] = {"data_dir": str(folder)}
    else:
        source = {"data_files": case.data_files(files) if case.data_files else [str(file) for file in files]}
    return {**source, **case.options_for(folder)}


def through_builder(case: Case, folder: Path, files: list[Path], scratch: Path) -> dict[str, Opened]:
    """Load through the cache, which is new."""
    arguments = {**builder_arguments(case, folder, files), "cache_dir": str(scratch)}
    names = list(case.splits())
    if any(map(is_part, names)):
        loaded = {name: datasets.load_dataset("hf_h5", split=name, **arguments) for name in names}
    else:
        loaded = dict(datasets.load_dataset("hf_h5", **arguments))
    return {name: Opened(part.features, rows_of(part[:], len(part))) for name, part in loaded.items()}


def through_streaming(case: Case, folder: Path, files: list[Path], scratch: Path) -> dict[str, Opened]:
    """Stream, one Python row after the other."""
    loaded = datasets.load_dataset("hf_h5", streaming=True, **builder_arguments(case, folder, files))
    opened = {}
    for name, part in loaded.items():
        rows = list(part)
        features = part.features or part._resolve_features().features
        opened[name] = Opened(features, rows)
    return opened


def through_view(case: Case, folder: Path, files: list[Path], scratch: Path) -> dict[str, Opened]:
    """Open directly; a slice, single rows and a list of rows must agree."""
    options = case.options_for(folder)
    names = list(case.splits())
    opened = {}
    for name in names:
        split = {} if names == ["train"] else {"split": name}
        with hf_h5.H5TorchView([str(file) for file in files], **split, **options).with_format(None) as view:
            rows = rows_of(view[:], len(view))
            single = [view[row] for row in range(len(view))]
            picked = shuffled(len(view))
            assert_same_rows(case, single, rows, "view[row]")
            if picked:
                listed = rows_of(view[picked], len(picked))
                assert_same_rows(case, listed, [rows[row] for row in picked], "view[list]")
            opened[name] = Opened(view.features, rows)
    return opened


def through_reader(case: Case, folder: Path, files: list[Path], scratch: Path) -> dict[str, Opened]:
    """Read numpy arrays; all rows at once, rows in another order and plain reads by h5py must agree."""
    options = case.options_for(folder)
    names = list(case.splits())
    opened = {}
    for name in names:
        split = {} if names == ["train"] else {"split": name}
        reader = hf_h5.open_table([str(file) for file in files], **split, **options)
        try:
            columns = reader.read(np.arange(len(reader)))
            dtypes = {column: leaf_dtypes(cells) for column, cells in columns.items()}
            opened[name] = Opened(None, rows_of(columns, len(reader)), dtypes)
            picked = shuffled(len(reader))
            expected = [opened[name].rows[row] for row in picked]
            assert_same_rows(case, read_rows(reader, picked), expected, "read(rows)")
        finally:
            reader.close()
        with said([]):
            plainly = hf_h5.open_table([str(file) for file in files], **split, **options, route="h5py")
        try:
            assert_same_rows(case, read_rows(plainly, range(len(plainly))), opened[name].rows, 'route="h5py"')
        finally:
            plainly.close()
    return opened


def read_rows(reader: Any, rows: Any) -> list[dict[str, Any]]:
    return rows_of(reader.read(np.array(rows, np.int64)), len(rows))


def shuffled(n_rows: int) -> list[int]:
    """Return all rows in no order, some of them twice."""
    if not n_rows:
        return []
    order = np.random.default_rng(0).permutation(n_rows).tolist()
    return [*order, order[0], order[0], *order[-2:]]


def assert_same_rows(case: Case, one: list[Any], other: list[Any], what: str) -> None:
    """Compare two ways of reading the same rows by their text: NaN equals NaN, pictures by their bytes."""
    texts = [[{name: row_text(cell) for name, cell in sorted(row.items())} for row in rows] for rows in (one, other)]
    assert texts[0] == texts[1], f"{case.name}: {what} differs from the whole"


def row_text(cell: Any) -> Any:
    return cell.tobytes() if hasattr(cell, "getpixel") else repr(cell)


DOORS: dict[str, Callable[[Case, Path, list[Path], Path], dict[str, Opened]]] = {
    "builder": through_builder,
    "streaming": through_streaming,
    "view": through_view,
    "reader": through_reader,
}
