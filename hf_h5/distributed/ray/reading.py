"""HDF5 files as a ``ray.data.Dataset``: each read task is a shard of a plan.

Blocks hold Arrow's own types and Ray's tensors, and none of the extension types of ``datasets``: a worker that takes
over from one that died has not imported ``datasets`` when it is handed such a block, and would fail the whole job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import datasets
import pyarrow as pa
import ray
from ray.data import Dataset, Datasource, ReadTask
from ray.data.block import BlockMetadata

from ...batching import arrow_batches
from ...errors import OptionError
from ..plan import Plan
from ..planning import make_plan
from ..rows import missing_columns, open_rows, plan_features
from .blocks import Shape, as_lists, as_tensors, block_schema, storage_schema, tensor_shapes

__all__ = ["H5Dataset", "read_h5", "to_storage"]

_TASK_BYTES = "128MB"


def read_h5(
    files: Any,
    *,
    columns: Sequence[str] | str | None = None,
    split: str | None = None,
    target_task_bytes: int | str = _TASK_BYTES,
    concurrency: int | None = None,
    **options: Any,
) -> H5Dataset:
    """Read HDF5 files with Ray Data.

    Numbers of one shape for every row come as tensors in ``iter_torch_batches`` and ``map_batches``. How many rows
    there are is known without reading, and columns that are not used are not read.

    Parameters
    ----------
    files
        As in `make_plan`; all machines must see them under the same names.
    columns
        Names or globs; all columns if None.
    split
        Which one, where the files hold several.
    target_task_bytes
        Decoded bytes that one read task reads.
    concurrency
        How many tasks read at once, at most.
    **options
        The options of the package; see the reference page.

    Returns
    -------
    H5Dataset
        A ``ray.data.Dataset`` whose ``write_parquet`` keeps the features.

    Raises
    ------
    H5Error
        If the files cannot be read or do not form one table.
    """
    if options.get("on_bad_rows", "error") != "error":
        raise OptionError("on_bad_rows='skip' is for conversions: here counts come from the files' headers")
    plan = make_plan(files, target_task_bytes, columns=columns, **options)
    source = _H5Datasource(plan, _chosen_split(plan, split))
    return H5Dataset.of(ray.data.read_datasource(source, concurrency=concurrency), plan_features(plan))


def _chosen_split(plan: Plan, split: str | None) -> str:
    found = list(plan.num_rows)
    if split is None and len(found) == 1:
        return found[0]
    if split not in found:
        problem = "the files hold several splits" if split is None else f"there is no split {split!r}"
        raise OptionError(problem, hint=f"pass split= one of {', '.join(map(repr, found))}")
    return split


class H5Dataset(Dataset):
    """What `read_h5` returns.

    Attributes
    ----------
    features
        The features of the rows, as ``load_dataset("hf_h5", ...)`` has them.
    """

    features: datasets.Features

    @classmethod
    def of(cls, rows: Dataset, features: datasets.Features) -> H5Dataset:
        """The same dataset, which knows its features."""
        found = cls.__new__(cls)
        found.__dict__.update(rows.__dict__)
        found.features = features
        return found

    def write_parquet(self, path: str, **settings: Any) -> None:
        """Write Parquet files that ``datasets.load_dataset`` reads with the same features.

        Of a dataset that was made of this one by ``filter``, ``random_shuffle`` and the like, the same is done by
        ``to_storage(ds, features).write_parquet(path, schema=features.arrow_schema)``.
        """
        rows = to_storage(self, self.features)
        Dataset.write_parquet(rows, path, **{"schema": self.features.arrow_schema, **settings})


def to_storage(rows: Dataset, features: datasets.Features) -> Dataset:
    """The rows with tensors as the lists that ``datasets`` stores them in."""
    schema = storage_schema(features)
    return rows.map_batches(partial(as_lists, schema=schema), batch_format="pyarrow", zero_copy_batch=True)


class _H5Datasource(Datasource):
    """Read tasks over the shards of a plan."""

    def __init__(self, plan: Plan, split: str) -> None:
        super().__init__()
        self._plan, self._split = plan, split
        self._projection_map: dict[str, str] | None = None
        self._holder = [ray.put(plan)]

    def supports_projection_pushdown(self) -> bool:
        return not self._plan.options.get("nested", False)

    def estimate_inmemory_data_size(self) -> int:
        return sum(shard.decoded_bytes for shard in self._plan.shards if shard.split == self._split)

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        """One task a shard: ``parallelism`` is a hint, and the chunks of the files say more."""
        pruned = None if self._projection_map is None else list(self._projection_map)
        features = plan_features(self._plan)
        chosen = features if pruned is None else datasets.Features({name: features[name] for name in pruned})
        tensors = tensor_shapes(chosen, missing_columns(self._plan, self._split))
        schema = block_schema(storage_schema(chosen), tensors)
        tasks = []
        for number, shard in enumerate(self._plan.shards):
            if shard.split == self._split:
                files = tuple(file for file, _, _ in shard.ranges)
                facts = BlockMetadata(len(shard), shard.decoded_bytes, exec_stats=None, input_files=files)
                read = partial(_read, self._plan.id, self._holder, number, pruned, tensors)
                tasks.append(ReadTask(read, facts, schema=schema))
        return tasks


_PLANS: dict[str, Plan] = {}
"""The plan that a worker reads by, fetched once."""


def _read(
    plan_id: str, holder: list[Any], number: int, columns: Sequence[str] | None, tensors: Mapping[str, Shape]
) -> Iterator[pa.Table]:
    """The blocks of a shard; runs in a worker."""
    if plan_id not in _PLANS:
        _PLANS.clear()
        _PLANS[plan_id] = ray.get(holder[0])
    plan = _PLANS[plan_id]
    with open_rows(plan, plan.shards[number], threads=1, columns=columns) as rows:
        schema = storage_schema(rows.features)
        with closing(arrow_batches(rows.reader, [(rows.start, rows.stop)], rows.options, rows.to_table)) as batches:
            for _, _, batch in batches:
                yield as_tensors(batch, schema, tensors)
