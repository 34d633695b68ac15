"""The builder: ``load_dataset("hf_h5", data_files=...)`` converts HDF5 to Arrow and caches it.

``datasets`` imports this module by name and takes its one builder class; the module stays thin because ``datasets``
patches ``open`` and ``os.path`` inside it.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import datasets
import pyarrow as pa

from .assemble.arrow import table_features, to_arrow_table
from .cache_key import cache_key
from .describe.opening import skip_others
from .describe.options import Options, make_options
from .describe.resolve import resolve_splits
from .describe.schema import Table
from .errors import MissingFileError
from .read.reader import TableReader
from .registry import make_key

__all__ = ["H5Builder", "H5Config"]

_BATCH_BYTES = 16 << 20


@dataclass
class H5Config(datasets.BuilderConfig):
    """Options of the builder, with the meaning that they have everywhere in the package."""

    columns: Any = None
    table: str | None = None
    layout: str = "auto"
    nested: bool = False
    splits: Any = "auto"
    join: str = "rows"
    class_labels: Any = None
    features: Any = None
    allow_external: Any = None
    route: str = "auto"
    threads: int | None = None
    isolate: bool | None = None
    limits: Any = None
    batch_size: int | None = None
    on_bad_files: str = "error"
    on_bad_rows: str = "error"
    arrays: str = "array"

    def options(self) -> Options:
        """Check the options and bring them into the package's form."""
        return make_options(**{item.name: getattr(self, item.name) for item in fields(Options)})

    def create_config_id(self, config_kwargs: dict[str, Any], custom_features: Any = None) -> str:
        """Name the cache by what decides the values; options of a dataset card are in no ``config_kwargs``."""
        return f"{self.name}-{cache_key(self.options(), self.data_files)}"


class H5Builder(datasets.ArrowBasedBuilder):
    """Converts the tables of HDF5 files to Arrow, in batches of bounded size."""

    BUILDER_CONFIG_CLASS = H5Config

    def _info(self) -> datasets.DatasetInfo:
        self.config.options()
        return datasets.DatasetInfo(features=None if self.config.nested else self.config.features)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        data_files = self.config.data_files
        if not data_files or not any(data_files.values()):
            raise MissingFileError(
                "no file was found", hint="pass data_files= a path or a pattern; check private repositories' tokens"
            )
        paths = {split: dl_manager.download(list(files)) for split, files in data_files.items()}
        options = self.config.options()
        _sweep(self._output_dir)
        if self.config.data_dir:
            # A folder may hold other files too; those named one by one must be HDF5.
            paths = {split: skip_others(files, self.config.data_dir) for split, files in paths.items()}
        resolved = resolve_splits(paths, options)
        first = next(iter(resolved.splits.values()))
        self.info.description = self.info.description or str(resolved.schema)
        self.info.features = table_features(first, nested=options.nested, given=options.features)
        # Readers and not tables: they know the versions of the files that were looked at, here and in every worker.
        readers = {split: TableReader(table, options) for split, table in resolved.splits.items()}
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"ranges": [(0, len(reader))], "reader": reader})
            for split, reader in readers.items()
        ]

    def _as_dataset(self, split: Any = "train", in_memory: bool = False) -> datasets.Dataset:
        """Read a split from the cache; one without rows is a dataset of no rows, where ``datasets`` finds no data."""
        known = self.info.splits or {}
        if str(split) in known and known[str(split)].num_examples == 0:
            empty = self.info.features.arrow_schema.empty_table()
            return datasets.Dataset(empty, info=self.info, split=split)
        return super()._as_dataset(split, in_memory)

    def _generate_tables(self, ranges: list[tuple[int, int]], reader: TableReader) -> Iterator[tuple[Any, pa.Table]]:
        options = self.config.options()
        table = reader.schema
        rows = options.batch_size or _batch_rows(table)
        # A copy has handles of its own, so that a stream may be read twice, also at the same time.
        with copy.copy(reader) as own:
            for shard, (start, stop) in enumerate(ranges):
                for number, first in enumerate(range(start, stop, rows)):
                    batch = own.read(range(first, min(first + rows, stop)))
                    yield (
                        make_key(shard, number),
                        to_arrow_table(batch, table, self.info.features, nested=options.nested),
                    )


def _sweep(folder: str) -> None:
    """Remove what a killed conversion left: ``datasets`` would move it into the cache along with the new files.

    While it converts, and only then, it writes into a folder with this ending, under a lock.
    """
    if folder and folder.endswith(".incomplete") and os.path.isdir(folder):
        for entry in os.scandir(folder):
            if entry.is_file():
                os.unlink(entry.path)


def _batch_rows(table: Table) -> int:
    """Rows of about 16 MB, in whole chunks where a chunk is not larger."""
    row_bytes = max(1, sum(column.row_bytes for column in table.columns.values()))
    rows = max(1, _BATCH_BYTES // row_bytes)
    chunks = [
        column.storage.chunks[0]
        for column in table.columns.values()
        if column.storage and column.storage.chunks and column.take == "rows"
    ]
    chunk = max(chunks, default=1)
    return max(chunk, rows // chunk * chunk) if chunk <= 4 * rows else rows
