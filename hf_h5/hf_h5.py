"""The builder: ``load_dataset("hf_h5", data_files=...)`` converts HDF5 to Arrow and caches it.

``datasets`` imports this module by name and takes its one builder class; the module stays thin because ``datasets``
patches ``open`` and ``os.path`` inside it.
"""

from __future__ import annotations

import copy
import inspect
import weakref
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from typing import Any

import datasets
import pyarrow as pa

from .arrow_rows.fixed_lists import with_loose_lists
from .assemble.arrow import empty_table, record_rows, table_features, to_arrow_table
from .batching import CACHE_BYTES, arrow_batches
from .cache_key import cache_key, lacks_version
from .describe.opening import skip_others_by_split
from .describe.options import Options, make_options
from .errors import H5Error, MissingFileError, OptionError, closest_names, warn
from .isolate.choose import AnyReader, make_reader, resolve
from .registry import make_key, parent_of_worker, sweep
from .sharding import plan_ranges, split_range

__all__ = ["H5Builder", "H5Config", "recipe_options"]

_OPENED: weakref.WeakKeyDictionary[AnyReader, AnyReader] = weakref.WeakKeyDictionary()


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
    remote_cache_bytes: int | str = 4_000_000_000
    rows: str | None = None
    dense: bool = False
    decode: bool = False
    axis: Any = None

    def options(self) -> Options:
        """Check the options and bring them into the package's form."""
        return make_options(**{item.name: getattr(self, item.name) for item in fields(Options)})

    def create_config_id(self, config_kwargs: dict[str, Any], custom_features: Any = None) -> str:
        """Name the cache by what decides the values; options of a dataset card are in no ``config_kwargs``."""
        return f"{self.name}-{cache_key(self.options(), self.data_files)}"


class H5Builder(datasets.ArrowBasedBuilder):
    """Converts the tables of HDF5 files to Arrow, in batches of bounded size.

    A subclass for one family of files is a recipe: its ``OPTIONS`` and its docstring say all of it.
    """

    BUILDER_CONFIG_CLASS = H5Config
    OPTIONS: Mapping[str, Any] = {}
    """Options of a recipe; those of a call count more."""

    _writer_batch_size: int | None
    _writes = False

    def __init__(self, *args: Any, **options: Any) -> None:
        given = {name: value for name, value in options.items() if value is not None}
        merged = {**options, **recipe_options(type(self)), **given}
        _expect_known(merged, self.BUILDER_CONFIG_CLASS)
        super().__init__(*args, **merged)

    def _info(self) -> datasets.DatasetInfo:
        self.config.options()
        features = None if self.config.nested else self.config.features
        return datasets.DatasetInfo(description=self.config.description or "", features=features)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        data_files = self.config.data_files
        if not data_files:
            raise OptionError(
                f"At least one data file must be specified, but got data_files={data_files}", hint="pass data_files="
            )
        if not any(data_files.values()):
            raise MissingFileError(
                "no file was found",
                hint="pass data_files= a path or a pattern; a file with [ ] * ? in its name is taken by "
                "hf_h5.load_dataset(file); check private repositories' tokens",
            )
        # By default datasets takes what it downloaded once from a URL for what is there now.
        dl_manager.download_config.use_etag = True
        if lacks_version(data_files):
            dl_manager.download_config.force_download = True
        paths = {split: dl_manager.download(list(files)) for split, files in data_files.items()}
        options = self.config.options()
        sweep(self._output_dir)
        if self.config.data_dir:
            # A folder may hold other files too; those named one by one must be HDF5.
            paths = skip_others_by_split(paths, self.config.data_dir)
        resolved = resolve(paths, options)
        first = next(iter(resolved.splits.values()))
        self.info.description = self.info.description or str(resolved.schema)
        if resolved.left_out:
            self.info.description = f"{self.info.description}\n\n{resolved.left_out}."
        self.info.features = table_features(first, nested=options.nested, given=options.features)
        self._writer_batch_size = self._writer_batch_size or record_rows(self.info.features, first.row_bytes)
        # Readers and not tables: they know the versions of the files that were looked at, here and in every worker.
        readers = {
            split: make_reader(table, options, cache_bytes=CACHE_BYTES) for split, table in resolved.splits.items()
        }
        return [
            datasets.SplitGenerator(
                name=split,
                gen_kwargs={"ranges": plan_ranges(reader.row_groups(), reader.schema.row_bytes), "reader": reader},
            )
            for split, reader in readers.items()
        ]

    def _prepare_split(self, split_generator: datasets.SplitGenerator, *args: Any, **kwargs: Any) -> None:
        n_rows = len(split_generator.gen_kwargs["reader"])
        # Known before, so that the progress bar can say how much is left.
        split_generator.split_info.num_examples = n_rows
        # Workers get it along with the builder; a stream hands its batches to the user.
        self._writes = True
        try:
            super()._prepare_split(split_generator, *args, **kwargs)
        finally:
            self._writes = False
            _close(split_generator.gen_kwargs["reader"])
        n_left_out = n_rows - split_generator.split_info.num_examples
        if n_left_out:
            left_out = _warn_left_out(n_left_out, f"of the split {split_generator.name!r}")
            self.info.description = f"{self.info.description}\n\n{left_out}."

    def _as_dataset(self, split: Any = "train", in_memory: bool = False) -> datasets.Dataset:
        """Read a split from the cache; one without rows is a dataset of no rows, where ``datasets`` finds no data."""
        known = self.info.splits or {}
        if str(split) in known and known[str(split)].num_examples == 0:
            return datasets.Dataset(empty_table(self.info.features), info=self.info, split=split)
        return super()._as_dataset(split, in_memory)

    def _generate_more_gen_kwargs(self, ranges: list[tuple[int, int]], reader: AnyReader) -> Iterator[dict[str, Any]]:
        """Cut every range in two, for ``reshard()``."""
        groups = reader.row_groups()
        for start, stop in ranges:
            for piece in split_range(start, stop, groups):
                yield {"ranges": [piece], "reader": reader}

    def _generate_tables(self, ranges: list[tuple[int, int]], reader: AnyReader) -> Iterator[tuple[Any, pa.Table]]:
        options, table, features = self.config.options(), reader.schema, self.info.features

        def to_table(rows: dict[str, Any]) -> pa.Table:
            return to_arrow_table(rows, table, features, nested=options.nested)

        parent, n_left = parent_of_worker(), sum(stop - start for start, stop in ranges)
        found = arrow_batches(_opened(reader), ranges, options, to_table, are_written=self._writes)
        with closing(found) as batches:
            for shard, number, batch in batches:
                if parent != parent_of_worker():
                    # Its files would lie among those of the next conversion, under the same names.
                    raise H5Error("the process that this worker converts for is gone")
                n_left -= batch.num_rows
                yield make_key(shard, number), batch if self._writes else with_loose_lists(batch)
                del batch
        if n_left and not self._writes:
            # A conversion counts them for its workers together.
            _warn_left_out(n_left, f"of {table.files[0] if len(table.files) == 1 else f'{len(table.files)} files'}")


def _warn_left_out(count: int, of_what: str) -> str:
    left_out = f"{count:,} rows {of_what} cannot be read and were left out"
    warn(f"{left_out} (on_bad_rows='skip')")
    return left_out


def _expect_known(options: Mapping[str, Any], config: type[H5Config]) -> None:
    """Say which option there is none of, and what is near; ``datasets`` would raise a ``TypeError`` of its class."""
    own = {item.name for item in fields(config)}
    of_datasets = inspect.signature(datasets.DatasetBuilder.__init__).parameters
    for name in options:
        if name not in own and name not in of_datasets:
            raise OptionError(f"there is no option {name!r}", hint=closest_names(name, sorted(own)))


def _opened(reader: AnyReader) -> AnyReader:
    """A copy of a reader that has its files open until the reader is gone.

    A stream comes for each of its shards anew, and to open a file behind a URL, or one of many chunks, takes a while.
    """
    opened = _OPENED.get(reader)
    if opened is None:
        opened = _OPENED.setdefault(reader, copy.copy(reader))
        weakref.finalize(reader, opened.close).atexit = False
    return opened


def _close(reader: AnyReader) -> None:
    """Close what a conversion opened: others may want to write to the file, and an error keeps its frames alive."""
    opened = _OPENED.pop(reader, None)
    if opened is not None:
        opened.close()


def recipe_options(recipe: type[H5Builder]) -> dict[str, Any]:
    """The options that a subclass of the builder stands for, and its docstring as the description of the dataset."""
    about = vars(recipe).get("__doc__") if recipe is not H5Builder else None
    return {**recipe.OPTIONS, **({"description": inspect.cleandoc(about)} if about else {})}
