"""The facts that a mode is chosen by: sizes from the headers, the free disk, and the time of a few reads."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import datasets
import numpy as np

from ..describe.options import Options, count_bytes
from ..describe.route import route_of
from ..describe.schema import Table
from ..describe.sizes import measure_column
from ..isolate.choose import AnyReader, make_reader
from ..mapped.opening import find_unmapped, is_small
from ..opening import DEFAULT_CACHE
from ..read.reader import TableReader
from .choose import Facts

__all__ = ["find_facts"]

_KEPT_BYTES = count_bytes(DEFAULT_CACHE, "cache_bytes")
# Chunks that are decoded to see how fast that is, and when to stop.
_SAMPLES = 4
_MOST_S = 0.5


def find_facts(
    splits: Mapping[str, Table], chosen: Options, *, is_cached: bool, may_map: str | None, cache_dir: str | None
) -> Facts:
    """Look at the tables of all splits, and read a few rows of the largest.

    Parameters
    ----------
    may_map
        Why nothing may be mapped; None if it may.
    """
    arrow_bytes = mapped_bytes = 0
    unmapped = may_map
    kept: dict[str, None] = {}
    for table in splits.values():
        reasons = _reasons(table, chosen) if may_map is None else dict.fromkeys(table.columns, may_map)
        sizes = {name: measure_column(table, name).arrow.n_bytes for name in table.columns}
        arrow_bytes += sum(sizes.values())
        mapped_bytes += sum(size for name, size in sizes.items() if name not in reasons)
        if may_map is None and is_small(table, reasons) and len(reasons) < len(table.columns):
            kept |= dict.fromkeys(reasons)
        elif may_map is None and reasons:
            name = max(reasons, key=lambda each: sizes[each])  # used in this round only
            unmapped = unmapped or f"{name}: {reasons[name]}"
    free = _free_bytes(cache_dir)
    if unmapped is None or is_cached:
        return Facts(arrow_bytes, mapped_bytes, unmapped, free, is_cached, kept=", ".join(kept))
    largest = max(splits.values(), key=lambda table: table.num_rows)
    row_s, bytes_per_s = _time_reads(largest, chosen)
    fits = (
        all(map(_keeps_chunks, splits.values())) and sum(each.logical_bytes for each in splits.values()) <= _KEPT_BYTES
    )
    return Facts(arrow_bytes, mapped_bytes, unmapped, free, is_cached, row_s, bytes_per_s, fits_memory=fits)


def _keeps_chunks(table: Table) -> bool:
    """Whether readers keep the decoded chunks of all columns; of what lies in heaps they keep none."""
    columns = table.columns.values()
    return all(each.derived is None and each.variable is None and route_of(each)[0] != "h5py" for each in columns)


def _reasons(table: Table, chosen: Options) -> dict[str, str]:
    reader = TableReader(table, chosen)
    try:
        return find_unmapped(reader, chosen.features)[1]
    finally:
        reader.close()


def _free_bytes(cache_dir: str | None) -> int:
    folder = Path(cache_dir or datasets.config.HF_DATASETS_CACHE).expanduser().absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _time_reads(table: Table, chosen: Options) -> tuple[float, float]:
    """Seconds of one random row, and decoded bytes in a second when rows are read in order."""
    if not table.num_rows:
        return 0.0, 1e9
    with make_reader(table, chosen, cache_bytes=0) as reader:
        groups = reader.row_groups()
        picked = np.random.default_rng(0).permutation(len(groups) - 1)[:_SAMPLES].tolist()
        # The first read opens files and looks at where chunks lie.
        _seconds(reader, int(groups[picked[0]]), 1)
        single, whole, n_bytes, began = [], 0.0, 0, time.perf_counter()
        for group in picked:
            start, count = int(groups[group]), int(groups[group + 1] - groups[group])
            single.append(_seconds(reader, start + count // 2, 1))
            whole += _seconds(reader, start, count)
            n_bytes += count * table.row_bytes
            if time.perf_counter() - began > _MOST_S:
                break
    return min(single), n_bytes / max(1e-9, whole)


def _seconds(reader: AnyReader, start: int, count: int) -> float:
    began = time.perf_counter()
    reader.read(range(start, start + count))
    return time.perf_counter() - began
