"""A ``datasets.Dataset`` -> a reader of its table, which of its rows it shows, and in which format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import datasets
import numpy as np

from ..describe.options import plain_spec
from ..errors import OptionError
from ..read.plan import Rows
from .reader import ArrowReader

__all__ = ["OpenedDataset", "open_dataset_rows"]


@dataclass(frozen=True)
class OpenedDataset:
    """The rows of a dataset.

    Attributes
    ----------
    reader
        Of all rows of the table.
    rows
        Those that the dataset shows, in its order.
    features
        Of its columns.
    split, description
        As the dataset has them.
    format
        The format that was set: kind, arguments, columns, whether the others come along, and the function that batches
        go through; None if none was.
    """

    reader: ArrowReader
    rows: Rows
    features: Any
    split: str | None
    description: str
    format: FormatFacts | None


class FormatFacts(NamedTuple):
    """A format in the order of ``assemble.formats.Format``."""

    kind: str | None
    kwargs: Mapping[str, Any]
    columns: tuple[str, ...] | None
    all_columns: bool
    transform: Callable[[Any], Any] | None


def open_dataset_rows(dataset: Any, *, as_objects: bool = False) -> OpenedDataset:
    """Open a dataset for reading by number.

    Parameters
    ----------
    as_objects
        As for ``ArrowReader``.

    Raises
    ------
    OptionError
        If it is no ``datasets.Dataset``.
    """
    _expect_dataset(dataset)
    data = dataset.data
    specs = {name: plain_spec(spec) for name, spec in dataset.features.to_dict().items()}
    files = dataset.cache_files
    file = files[0]["filename"] if files else "a Dataset in memory"
    reader = ArrowReader(data, specs, dataset._fingerprint, file, as_objects=as_objects)
    indices = dataset._indices
    rows: Rows = range(len(reader))
    if indices is not None:
        rows = indices.column(0).to_numpy().astype(np.int64)
    split = None if dataset.split is None else str(dataset.split)
    return OpenedDataset(reader, rows, dataset.features, split, dataset.info.description or "", _format_of(dataset))


def _format_of(dataset: datasets.Dataset) -> FormatFacts | None:
    """The format that was set."""
    given, names = dataset.format, dataset.column_names
    columns = None if set(given["columns"]) == set(names) else tuple(given["columns"])
    if given["type"] is None and columns is None:
        return None
    kwargs = dict(given["format_kwargs"])
    transform = kwargs.pop("transform", None) if given["type"] == "custom" else None
    kind = None if given["type"] == "custom" else given["type"]
    return FormatFacts(kind, kwargs, columns, given["output_all_columns"], transform)


def _expect_dataset(dataset: Any) -> None:
    if isinstance(dataset, datasets.Dataset):
        return
    if isinstance(dataset, dict) and dataset:
        names = ", ".join(map(repr, dataset))
        first = next(iter(dataset))
        raise OptionError(
            f"from_dataset() reads one Dataset, and this {type(dataset).__name__} holds {names}",
            hint=f"pass dataset[{first!r}]",
        )
    if isinstance(dataset, datasets.IterableDataset):
        raise OptionError(
            "from_dataset() reads rows by number, which an IterableDataset does not have",
            hint="load it without streaming=True, or give it to a DataLoader as it is",
        )
    raise OptionError(
        f"from_dataset() reads a datasets.Dataset, and not {type(dataset).__name__}",
        hint="for HDF5 files: H5TorchView(files)",
    )
