"""How fast one trains from a file, side by side: ``make bench`` prints the table.

Contenders take turns in every round and the best round of each counts, as for the reader. Each goes through an epoch,
or as much of it as is needed to tell its speed; that all give the same rows is what the tests of the loader say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from . import epochs as by
from .turns import LIMIT, best_speeds, made_of_files

ROUNDS = 7


@dataclass(frozen=True)
class Work:
    """One line of the table; see ``bench_read``. It is skipped where one of the ``optional`` libraries is missing."""

    name: str
    file: str
    contenders: dict[str, Callable[[Path], by.Work]]
    rival: str
    at_least: float | None = None
    of_limit: tuple[float | None, float | None] = (None, None)
    limit_file: str | None = None
    optional: tuple[str, ...] = ()


def shuffled(
    name: str, at_least: float, least: float | None, aim: float, *, file: str = "", batch_size: int = 256
) -> Work:
    contenders = {
        "hf_h5": partial(by.by_loader, batch_size=batch_size),
        "h5py": partial(by.by_h5py, batch_size=batch_size),
        LIMIT: partial(by.by_decoding, batch_size=batch_size),
    }
    return Work(f"shuffled epoch, {name}", file or name, contenders, "h5py", at_least, (least, aim))


CLASS = partial(by.by_class, n_batches=4)
SLOW_CLASS = partial(by.by_class, n_batches=1)

FORMATS = {"litdata": partial(by.by_litdata, batch_size=256), "webdataset": partial(by.by_webdataset, batch_size=256)}

WORKS = [
    shuffled("gzip", 3.3, 0.75, 0.9, file="gzip, long"),
    Work(
        "shuffled epoch, gzip, against the class",
        "gzip, labelled",
        {"hf_h5": partial(by.by_loader, batch_size=256), "hand-written": SLOW_CLASS},
        "hand-written",
        150,
    ),
    Work(
        "shuffled epoch, gzip, against other formats",
        "gzip, labelled",
        {"hf_h5": partial(by.by_loader, batch_size=256), **FORMATS},
        "litdata",
        1,
        optional=("litdata", "webdataset"),
    ),
    shuffled("lzf", 2.8, None, 0.8, file="lzf, long"),
    shuffled("zstd", 1.3, None, 0.8, file="zstd, long"),
    shuffled("lz4", 1.0, None, 0.8, file="lz4, long"),
    shuffled(
        "embeddings of half precision, gzip and shuffle",
        3.0,
        None,
        0.8,
        file="embeddings of half precision, long",
        batch_size=1024,
    ),
    shuffled("embeddings, gzip and shuffle", 3.0, None, 0.8, file="embeddings, long", batch_size=1024),
    Work(
        "shuffled epoch, embeddings, against the class",
        "embeddings of half precision, long",
        {
            "hf_h5": partial(by.by_loader, batch_size=1024),
            "hand-written": partial(by.by_class_of_vectors, batch_size=1024),
        },
        "hand-written",
        2000,
    ),
    Work(
        "uniformly random, contiguous, loader",
        "contiguous, long",
        {"hf_h5": by.exact_loader, "hand-written": CLASS, LIMIT: by.by_take},
        "hand-written",
        20,
        (None, 0.95),
        "npy, long",
    ),
    Work(
        "uniformly random, contiguous, DataLoader",
        "contiguous, long",
        {"hf_h5": partial(by.by_data_loader, batch_size=256), "hand-written": CLASS, LIMIT: by.by_take},
        "hand-written",
        20,
        (None, 0.95),
        "npy, long",
    ),
    Work(
        "256 random rows as int64",
        "contiguous",
        {
            "hf_h5": partial(by.default_random_rows, n_batches=16),
            "cached": partial(by.default_random_rows_of_cache, n_batches=4),
        },
        "cached",
        3,
    ),
    Work(
        "single rows",
        "contiguous",
        {"hf_h5": partial(by.single_rows, n_rows=4000), "cached": partial(by.single_rows_of_cache, n_rows=400)},
        "cached",
        8,
    ),
]


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def bench_view(benchmark, files, work, report):
    for library in work.optional:
        pytest.importorskip(library, reason=f"{library} is not installed: make bench does that")
    contenders = made_of_files(work, work.contenders, files)
    report(work, best_speeds(benchmark, contenders, ROUNDS))
